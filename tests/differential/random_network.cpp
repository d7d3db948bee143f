#include "differential/random_network.h"

#include <fmt/format.h>

#include <map>
#include <random>

namespace fusekit::test {
namespace {

using torch::jit::Module;

/// Draws a network piece by piece: each piece adds what it needs to the module tree, and its lines to forward.
class Drawer {
 public:
  explicit Drawer(std::uint64_t seed) : random_(seed), root_("__torch__.test.Random") {
    network_.seed = seed;
    at::manual_seed(seed);
  }

  RandomNetwork run() {
    channels_ = pick(2, 4);
    network_.dims = {{pick(1, 3), channels_, side_, side_}};
    network_.types = {"float"};
    convolution();
    for (std::int64_t left = pick(3, 8); left > 0; --left) piece();
    if (chance(2)) convolution();
    finish();
    return std::move(network_);
  }

 private:
  // Chance.
  std::int64_t pick(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(high - low + 1));
  }
  bool chance(std::int64_t one_in) { return pick(1, one_in) == 1; }

  // The module tree.
  std::string fresh_name(const std::string& kind) { return fmt::format("{}{}", kind, names_++); }

  /// A new submodule; later pieces may put things into it.
  Module& submodule(const std::string& name) {
    Module module("__torch__.test." + name + "_class");
    return modules_.emplace(name, module).first->second;
  }

  /// "self.NAME" or "self.MODULE.NAME": where the next piece of state lives.
  struct Place {
    Module* module;
    std::string prefix;
  };
  Place place() {
    if (chance(2) || modules_.empty()) return {&root_, "self."};
    auto module = modules_.begin();
    std::advance(module, pick(0, static_cast<std::int64_t>(modules_.size()) - 1));
    return {&module->second, "self." + module->first + "."};
  }

  std::string buffer(const at::Tensor& tensor) {
    const Place where = place();
    const std::string name = fresh_name("state");
    where.module->register_buffer(name, tensor);
    return where.prefix + name;
  }

  std::string attribute(const c10::TypePtr& type, const c10::IValue& value) {
    const Place where = place();
    const std::string name = fresh_name("setting");
    where.module->register_attribute(name, type, value);
    return where.prefix + name;
  }

  void line(const std::string& text) { forward_ += "    " + text + "\n"; }

  // Layers.
  void convolution() {
    const std::string name = fresh_name("conv");
    Module& module = submodule(name);
    const std::int64_t kernel = chance(2) ? 3 : 1;
    const bool depthwise = chance(4);
    const std::int64_t out = depthwise ? channels_ : pick(2, 6);
    const std::int64_t in = depthwise ? 1 : channels_;
    module.register_parameter("weight", at::randn({out, in, kernel, kernel}) / std::sqrt(in * kernel * kernel), false);
    const bool bias = chance(2);
    if (bias) module.register_parameter("bias", at::randn({out}) / 2, false);
    line(fmt::format("x = torch.conv2d(x, self.{0}.weight, {1}, [1, 1], [{2}, {2}], [1, 1], {3})", name,
                     bias ? "self." + name + ".bias" : "None", kernel / 2, depthwise ? channels_ : 1));
    channels_ = out;
    if (chance(2)) batch_norm();
    if (chance(2)) activation();
  }

  void batch_norm() {
    const std::string name = fresh_name("bn");
    Module& module = submodule(name);
    module.register_parameter("weight", at::rand({channels_}) + 0.5, false);
    module.register_parameter("bias", at::randn({channels_}) / 4, false);
    module.register_buffer("running_mean", at::randn({channels_}) / 4);
    module.register_buffer("running_var", at::rand({channels_}) + 0.5);
    module.register_buffer("num_batches_tracked", at::zeros({}, at::kLong));
    training_.insert(name);
    line(fmt::format("if self.{}.training:", name));
    line(fmt::format("    self.{}.num_batches_tracked.add_(1)", name));
    line(
        fmt::format("x = torch.batch_norm(x, self.{0}.weight, self.{0}.bias, self.{0}.running_mean, "
                    "self.{0}.running_var, self.{0}.training, 0.1, 1e-5, True)",
                    name));
  }

  void activation() {
    static const std::vector<std::string> kinds = {"torch.relu(x)", "torch.relu_(x)",       "torch.sigmoid(x)",
                                                   "torch.tanh(x)", "x * torch.sigmoid(x)", "torch.clamp(x, 0.0, 6.0)"};
    line("x = " + kinds.at(static_cast<std::size_t>(pick(0, static_cast<std::int64_t>(kinds.size()) - 1))));
  }

  void residual() {
    line("kept = x");
    convolution_of_same_width();
    line("x = x + kept");
  }

  void convolution_of_same_width() {
    const std::string name = fresh_name("conv");
    submodule(name).register_parameter("weight", at::randn({channels_, channels_, 1, 1}) / std::sqrt(channels_), false);
    line(fmt::format("x = torch.conv2d(x, self.{}.weight)", name));
  }

  void dropout() {
    asks_for_root_mode_ = true;
    line("x = torch.dropout(x, 0.25, self.training)");
  }

  // State.
  std::string per_channel() const { return fmt::format("view([1, {}, 1, 1])", channels_); }

  void counter() {
    const std::string count = buffer(at::zeros({1}, chance(2) ? at::kLong : at::kFloat));
    line(chance(2) ? count + " += 1" : count + ".add_(1)");
    if (chance(2)) line(fmt::format("x = x + {} * 0.01", count));
    outputs_.push_back(count + ".clone()");
  }

  void number() {
    const bool whole = chance(2);
    const std::string name = whole ? attribute(c10::IntType::get(), pick(0, 3)) : attribute(c10::FloatType::get(), 1.0);
    line(whole ? fmt::format("{0} = {0} + 1", name) : fmt::format("{0} = {0} * 0.96875", name));
    line(fmt::format("x = x * (1.0 + 0.01 * {})", name));
    if (chance(2)) outputs_.push_back(name);
  }

  void mean_in_place() {
    const std::string mean = buffer(at::zeros({channels_}));
    line(fmt::format("{}.mul_(0.9).add_(x.mean([0, 2, 3]) * 0.1)", mean));
    if (chance(2)) line(fmt::format("x = x - {}.{}", mean, per_channel()));
  }

  void mean_by_assignment() {
    const std::string mean = buffer(at::randn({channels_}) / 8);
    line(fmt::format("{0} = {0} * 0.9 + x.mean([0, 2, 3]) * 0.1", mean));
    if (chance(2)) line(fmt::format("x = x + {}.{}", mean, per_channel()));
  }

  void peak() {
    const std::string peak = buffer(at::zeros({channels_}));
    line(fmt::format("{0}.copy_(torch.maximum({0}, x.amax([0, 2, 3])))", peak));
  }

  void ring() {
    const std::string rows = buffer(at::zeros({3, channels_}));
    const std::string next = attribute(c10::IntType::get(), std::int64_t{0});
    line(fmt::format("{0}[{1} % 3] = x.mean([0, 2, 3])", rows, next));
    line(fmt::format("{0} = {0} + 1", next));
    line(fmt::format("x = x + {}.sum(0).{} * 0.1", rows, per_channel()));
  }

  void through_a_view() {
    const std::string table = buffer(at::zeros({2, channels_}));
    line(fmt::format("row = {}[1]", table));
    line("row.add_(x.mean([0, 2, 3]))");
    line(fmt::format("torch.index_put_({0}, [torch.tensor([0])], torch.ones([1, {1}]), True)", table, channels_));
    line(fmt::format("x = x - {}.mean(0).{} * 0.05", table, per_channel()));
  }

  void reset_now_and_then() {
    const std::string count = attribute(c10::IntType::get(), pick(0, 2));
    const std::string sum = buffer(at::zeros({channels_}));
    line(fmt::format("{}.add_(x.mean([0, 2, 3]))", sum));
    line(fmt::format("{0} = {0} + 1", count));
    line(fmt::format("if {} % 3 == 0:", count));
    line(fmt::format("    {}.zero_()", sum));
    line(fmt::format("x = x - {}.{} * 0.1", sum, per_channel()));
  }

  void list_of_numbers() {
    const std::string list = attribute(c10::ListType::ofFloats(), c10::List<double>({0.5}));
    line(fmt::format("{0}.append({0}[-1] * 0.5)", list));
    line(fmt::format("if len({0}) > 3:", list));
    line(fmt::format("    {}.clear()", list));
    line(fmt::format("    {}.append(0.5)", list));
    line(fmt::format("x = x + {}[-1]", list));
  }

  void list_of_tensors() {
    const std::string list = attribute(c10::ListType::ofTensors(), c10::List<at::Tensor>({at::zeros({channels_})}));
    line(chance(2) ? fmt::format("{}[0].mul_(0.5).add_(1.0)", list) : fmt::format("{0}[0] = {0}[0] * 0.5 + 1.0", list));
    line(fmt::format("x = x + {}[0].{} * 0.1", list, per_channel()));
  }

  void dict_of_tensors() {
    c10::Dict<std::string, at::Tensor> dict;
    dict.insert("a", at::zeros({channels_}));
    const std::string name = attribute(c10::DictType::create(c10::StringType::get(), c10::TensorType::get()), dict);
    line(chance(2) ? fmt::format("{}[\"a\"].add_(x.mean([0, 2, 3]) * 0.1)", name)
                   : fmt::format("{0}[\"a\"] = {0}[\"a\"] * 0.5 + x.mean([0, 2, 3])", name));
    line(fmt::format("x = x + {}[\"a\"].{} * 0.1", name, per_channel()));
  }

  void tied() {
    const at::Tensor memory = at::zeros({2, channels_});
    const std::string whole = buffer(memory);
    const std::string part = buffer(memory[0]);
    line(fmt::format("{}.add_(0.125)", part));
    line(fmt::format("x = x + {}.sum(0).{} * 0.1", whole, per_channel()));
  }

  // Arguments.
  void argument() {
    const std::string name = fresh_name("given");
    switch (pick(0, 3)) {
      case 0:
        arguments_ += fmt::format(", {}: float = 1.5", name);
        line(fmt::format("x = x * {}", name));
        break;
      case 1:
        arguments_ += fmt::format(", {}: Optional[Tensor] = None", name);
        line(fmt::format("if {} is not None:", name));
        line(fmt::format("    x = x + {}", name));
        break;
      case 2:
        arguments_ += fmt::format(", {}: int = 2", name);
        line(fmt::format("for i in range({}):", name));
        line("    x = x * 0.75 + 0.125");
        break;
      default:
        arguments_ += fmt::format(", {}: bool = False", name);
        line(fmt::format("if {}:", name));
        line("    x = torch.flip(x, [3])");
    }
  }

  void piece() {
    using Piece = void (Drawer::*)();
    static const std::vector<Piece> pieces = {&Drawer::convolution,
                                              &Drawer::convolution,
                                              &Drawer::batch_norm,
                                              &Drawer::activation,
                                              &Drawer::residual,
                                              &Drawer::dropout,
                                              &Drawer::counter,
                                              &Drawer::number,
                                              &Drawer::mean_in_place,
                                              &Drawer::mean_by_assignment,
                                              &Drawer::peak,
                                              &Drawer::ring,
                                              &Drawer::through_a_view,
                                              &Drawer::reset_now_and_then,
                                              &Drawer::list_of_numbers,
                                              &Drawer::list_of_tensors,
                                              &Drawer::dict_of_tensors,
                                              &Drawer::tied,
                                              &Drawer::argument,
                                              &Drawer::argument};
    (this->*pieces.at(static_cast<std::size_t>(pick(0, static_cast<std::int64_t>(pieces.size()) - 1))))();
  }

  /// Registers the tree, sets the modes, and compiles forward and another method.
  void finish() {
    const bool trains = chance(3);
    for (auto& [name, module] : modules_) {
      const bool on = trains && chance(2);
      module.register_attribute("training", c10::BoolType::get(), on);
      network_.in_training = network_.in_training || (on && training_.count(name) > 0);
      root_.register_module(name, module);
    }
    const bool on = trains && chance(2);
    root_.register_attribute("training", c10::BoolType::get(), on);
    network_.in_training = network_.in_training || (on && asks_for_root_mode_);

    std::string result = "x";
    for (const std::string& output : outputs_) result += ", " + output;
    line(outputs_.empty() ? "return x" : fmt::format("return ({})", result));
    network_.source = fmt::format("def forward(self, x{}):\n{}", arguments_, forward_);
    root_.define(network_.source);
    network_.module = root_;
  }

  static constexpr std::int64_t side_ = 6;
  std::mt19937_64 random_;
  Module root_;
  std::map<std::string, Module> modules_;
  std::set<std::string> training_;  ///< modules that ask for their mode
  bool asks_for_root_mode_ = false;
  std::int64_t channels_ = 3;
  int names_ = 0;
  std::string arguments_;
  std::string forward_;
  std::vector<std::string> outputs_;
  RandomNetwork network_;
};

}  // namespace

RandomNetwork random_network(std::uint64_t seed) { return Drawer(seed).run(); }

}  // namespace fusekit::test
