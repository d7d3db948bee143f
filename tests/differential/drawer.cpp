#include "differential/drawer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace fusekit::test {

using torch::jit::Module;

namespace {

std::string ones(std::int64_t count) {
  std::string text;
  for (std::int64_t k = 0; k < count; ++k) text += ", 1";
  return text;
}

}  // namespace

Drawer::Drawer(std::uint64_t seed) : seed_(seed), random_(seed), root_("__torch__.test.Random") {
  at::manual_seed(seed);
}

void Drawer::begin_piece(std::int64_t index) {
  const std::uint64_t seed = seed_ * 1000 + static_cast<std::uint64_t>(index);
  random_.seed(seed);
  at::manual_seed(seed);
}

std::int64_t Drawer::pick(std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(high - low + 1));
}

Module& Drawer::submodule(const std::string& name) {
  return modules_.emplace(name, Module("__torch__.test." + name + "_class")).first->second;
}

Drawer::Place Drawer::place() {
  if (chance(2) || modules_.empty()) return {&root_, "self."};
  auto module = modules_.begin();
  std::advance(module, pick(0, static_cast<std::int64_t>(modules_.size()) - 1));
  return {&module->second, "self." + module->first + "."};
}

std::string Drawer::buffer(const at::Tensor& tensor) {
  const Place where = place();
  const std::string name = fresh_name("state");
  where.module->register_buffer(name, tensor);
  return where.prefix + name;
}

std::string Drawer::attribute(const c10::TypePtr& type, const c10::IValue& value) {
  const Place where = place();
  const std::string name = fresh_name("setting");
  where.module->register_attribute(name, type, value);
  return where.prefix + name;
}

void Drawer::begin_block(const std::string& head) {
  line(head);
  indent_ += "    ";
}

void Drawer::end_block() { indent_.resize(indent_.size() - 4); }

std::string Drawer::per_channel() const { return fmt::format("view([1, {}{}])", channels, ones(spatial)); }

std::string Drawer::per_output() const { return fmt::format("view([-1{}])", ones(1 + spatial)); }

std::string Drawer::all_but_channels() const {
  std::vector<std::int64_t> dims = {0};
  for (std::int64_t k = 0; k < spatial; ++k) dims.push_back(2 + k);
  return fmt::format("[{}]", fmt::join(dims, ", "));
}

std::string Drawer::for_each_side(std::int64_t number) const {
  return fmt::format("[{}]", fmt::join(std::vector<std::int64_t>(spatial, number), ", "));
}

void Drawer::finish_modules() {
  for (auto& [name, module] : modules_) {
    const bool on = trains && chance(2);
    module.register_attribute("training", c10::BoolType::get(), on);
    network_.in_training = network_.in_training || (on && asked_.count(name) > 0);
    const bool asks = asked_.count(name) > 0;
    if (foldable_.count(name) > 0 && !(on && asks)) network_.foldable.insert(name);
    if (methods_.count(name) > 0) module.define(methods_.at(name));
    root_.register_module(name, module);
  }
}

RandomNetwork Drawer::finish() {
  finish_modules();
  const bool on = trains && chance(2);
  root_.register_attribute("training", c10::BoolType::get(), on);
  network_.in_training = network_.in_training || (on && asks_for_root_mode_);

  std::string result = "x";
  for (const std::string& output : outputs_) result += ", " + output;
  line(outputs_.empty() ? "return x" : fmt::format("return ({})", result));
  network_.seed = seed_;
  network_.source = fmt::format("def forward(self, x{}):\n{}", arguments_, forward_);
  root_.define(network_.source);
  for (const auto& [name, source] : methods_) network_.source += fmt::format("{}:\n{}", name, source);
  network_.module = root_;
  return std::move(network_);
}

}  // namespace fusekit::test
