#include "file/free_names.h"

#include <algorithm>

#include "ir/flatten.h"

namespace fusekit::file {

std::string Place::path() const { return ir::join_path(module, name); }

FreeNames::FreeNames(const ir::Program& program, const TreePlan& plan, const std::set<std::string>& used)
    : program_(program), plan_(plan), paths_(ir::first_paths(program.original)) {
  for (const auto& [object, path] : paths_)
    originals_.emplace(path, torch::jit::Module(c10::intrusive_ptr<c10::ivalue::Object>::reclaim_copy(object)));
  for (const std::string& key : used) {
    const ir::Weight& weight = program.weights.at(key);
    if (!weight.is_new) continue;
    for (auto dot = weight.path.find('.'); dot != std::string::npos; dot = weight.path.find('.', dot + 1))
      wanted_.insert(weight.path.substr(0, dot));
  }
}

Place FreeNames::for_weight(const std::string& wanted) const {
  const Place home = home_of(wanted);
  Place place = home;
  for (int copy = 1; !is_free(place); ++copy) place.name = fmt::format("{}_{}", home.name, copy);
  return place;
}

Place FreeNames::for_module(const std::string& wanted) const {
  const Place home = home_of(wanted);
  return is_left_over(home) ? home : for_weight(wanted);
}

bool FreeNames::is_free(const Place& place) const {
  if (is_planned(place)) return false;
  const torch::jit::Module& module = originals_.at(place.module);
  c10::ClassType& type = *module.type();
  const std::string& name = place.name;
  if (type.findMethod(name) != nullptr || type.findStaticMethod(name) != nullptr || type.findHook(name) != nullptr ||
      type.getProperty(name))
    return false;
  if (const auto constant = type.findConstant(name); constant && !constant->isNone()) return false;
  if (!type.hasAttribute(name)) return true;
  const c10::IValue value = module.attr(name);
  if (value.isNone()) return plan_.state.count(place.path()) == 0;
  return value.isTensor() && !stays(program_, plan_, place.path(), value);
}

bool FreeNames::is_left_over(const Place& place) const {
  const std::string path = place.path();
  return !is_planned(place) && originals_.count(path) > 0 && plan_.modules.count(path) == 0 && wanted_.count(path) == 0;
}

bool FreeNames::is_planned(const Place& place) const {
  const auto module = plan_.modules.find(place.module);
  return module != plan_.modules.end() &&
         (module->second.weights.count(place.name) > 0 || module->second.new_modules.count(place.name) > 0);
}

/// The innermost module on the way to `wanted` that can take an attribute, and what is left of the path as a name.
Place FreeNames::home_of(const std::string& wanted) const {
  std::string home;
  std::size_t begin = 0;
  for (auto dot = wanted.find('.'); dot != std::string::npos; dot = wanted.find('.', begin)) {
    const std::string name = wanted.substr(begin, dot - begin);
    const torch::jit::Module& module = originals_.at(home);
    if (!module.hasattr(name) || !module.attr(name).isModule()) break;
    const torch::jit::Module child = module.attr(name).toModule();
    if (ir::is_opaque(child) || is_planned({home, name})) break;
    home = paths_.at(child._ivalue().get());
    begin = dot + 1;
  }
  std::string name = wanted.substr(begin);
  std::replace(name.begin(), name.end(), '.', '_');
  return {home, name};
}

bool stays(const ir::Program& program, const TreePlan& plan, const std::string& path, const c10::IValue& value) {
  return !value.isTensor() || plan.state.count(path) > 0 || program.read_paths.count(path) == 0;
}

}  // namespace fusekit::file
