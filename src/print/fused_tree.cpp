#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "fusekit/tree.h"

namespace fusekit {
namespace {

/// A sequence of classes that fuse_modules fuses (torch/ao/quantization/fuser_method_mappings.py, eval mode). The first
/// module is replaced by a container of all modules, or stays and the others are folded into it.
struct Sequence {
  std::vector<std::string_view> classes;
  std::string_view container;  ///< empty: the first module stays
};

const std::vector<Sequence>& sequences() {
  static const std::vector<Sequence> table = {
      {{"Conv1d", "BatchNorm1d"}, ""},
      {{"Conv2d", "BatchNorm2d"}, ""},
      {{"Conv3d", "BatchNorm3d"}, ""},
      {{"Conv1d", "BatchNorm1d", "ReLU"}, "ConvReLU1d"},
      {{"Conv2d", "BatchNorm2d", "ReLU"}, "ConvReLU2d"},
      {{"Conv3d", "BatchNorm3d", "ReLU"}, "ConvReLU3d"},
      {{"Conv1d", "ReLU"}, "ConvReLU1d"},
      {{"Conv2d", "ReLU"}, "ConvReLU2d"},
      {{"Conv3d", "ReLU"}, "ConvReLU3d"},
      {{"Linear", "BatchNorm1d"}, ""},
      {{"Linear", "ReLU"}, "LinearReLU"},
      {{"BatchNorm2d", "ReLU"}, "BNReLU2d"},
      {{"BatchNorm3d", "ReLU"}, "BNReLU3d"},
      {{"ConvTranspose1d", "BatchNorm1d"}, ""},
      {{"ConvTranspose2d", "BatchNorm2d"}, ""},
      {{"ConvTranspose3d", "BatchNorm3d"}, ""},
  };
  return table;
}

ModuleTree* find(ModuleTree& tree, const std::string& path) {
  const auto dot = path.find('.');
  for (ModuleTree& child : tree.children) {
    if (child.name != path.substr(0, dot)) continue;
    return dot == std::string::npos ? &child : find(child, path.substr(dot + 1));
  }
  return nullptr;
}

const Sequence* sequence_of(const std::vector<ModuleTree*>& modules) {
  for (const Sequence& sequence : sequences())
    if (std::equal(modules.begin(), modules.end(), sequence.classes.begin(), sequence.classes.end(),
                   [](const ModuleTree* module, std::string_view name) { return module->class_name == name; }))
      return &sequence;
  return nullptr;
}

/// A layer into which a BatchNorm was folded has a bias.
void give_bias(ModuleTree& layer) {
  const bool is_linear = layer.class_name == "Linear";  // Linear always prints its bias, a convolution only bias=False
  const std::string without = is_linear ? "bias=False" : ", bias=False";
  const auto place = layer.extra.find(without);
  if (place != std::string::npos) layer.extra.replace(place, without.size(), is_linear ? "bias=True" : "");
}

void fuse_modules(const Sequence& sequence, const std::vector<ModuleTree*>& modules) {
  ModuleTree first = *modules.front();
  const bool folds = sequence.classes[1].starts_with("BatchNorm");
  if (folds) give_bias(first);
  if (!sequence.container.empty()) {
    ModuleTree container{first.name, std::string(sequence.container), "", {}};
    first.name = "0";
    ModuleTree last = *modules.back();
    last.name = "1";
    container.children = {first, last};
    first = container;
  }
  *modules.front() = first;
  for (std::size_t i = 1; i < modules.size(); ++i) *modules[i] = {modules[i]->name, "Identity", "", {}};
}

/// The reason why the list was not fused; empty where it was.
std::string fuse_list(ModuleTree& tree, const std::vector<std::string>& list) {
  std::vector<ModuleTree*> modules;
  for (const std::string& path : list) {
    modules.push_back(find(tree, path));
    if (modules.back() == nullptr) return fmt::format("there is no module {}", path);
  }
  if (std::set<ModuleTree*>(modules.begin(), modules.end()).size() != modules.size())
    return "a module stands in it twice";
  if (const Sequence* sequence = sequence_of(modules)) {
    fuse_modules(*sequence, modules);
    return {};
  }
  std::vector<std::string> classes;
  for (const ModuleTree* module : modules) classes.push_back(module->class_name);
  return fmt::format("{} is no sequence that can be fused", fmt::join(classes, ", "));
}

}  // namespace

FusedTree fused(ModuleTree tree, const std::vector<std::vector<std::string>>& lists) {
  FusedTree result{std::move(tree), {}};
  for (const auto& list : lists) {
    const std::string why_not = fuse_list(result.tree, list);
    if (!why_not.empty()) result.ignored.push_back(fmt::format("{}: {}", fmt::join(list, ","), why_not));
  }
  return result;
}

}  // namespace fusekit
