#pragma once

#include <torch/script.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "differential/random_network.h"

namespace fusekit::test {

/// A network that is being drawn: chance, the module tree, the lines of forward, and what is known of `x`, the value that
/// goes from piece to piece.
class Drawer {
 public:
  explicit Drawer(std::uint64_t seed);

  // Chance.
  /// A piece draws the same whatever other pieces there are.
  void begin_piece(std::int64_t index);
  std::int64_t pick(std::int64_t low, std::int64_t high);
  bool chance(std::int64_t one_in) { return pick(1, one_in) == 1; }
  template <typename T>
  const T& one_of(const std::vector<T>& choices) {
    return choices.at(static_cast<std::size_t>(pick(0, static_cast<std::int64_t>(choices.size()) - 1)));
  }

  // The module tree.
  std::string fresh_name(const std::string& kind) { return kind + std::to_string(names_++); }
  /// A new submodule; later pieces may put things into it.
  torch::jit::Module& submodule(const std::string& name);
  /// A method of a submodule, compiled once it has all that it needs.
  void method(const std::string& name, const std::string& source) { methods_[name] += source; }
  /// Random numbers around zero, in the network's dtype.
  at::Tensor normal(const std::vector<std::int64_t>& sizes) const { return at::randn(sizes, dtype); }
  at::Tensor uniform(const std::vector<std::int64_t>& sizes) const { return at::rand(sizes, dtype); }
  /// A new buffer or attribute at a random place; returns its name for forward.
  std::string buffer(const at::Tensor& tensor);
  std::string attribute(const c10::TypePtr& type, const c10::IValue& value);

  // forward.
  void line(const std::string& text) { forward_ += indent_ + text + "\n"; }
  /// What follows stands under `head` ("if ...:"), until `end_block`.
  void begin_block(const std::string& head);
  void end_block();
  void argument(const std::string& declaration) { arguments_ += ", " + declaration; }
  void output(const std::string& value) { outputs_.push_back(value); }

  // What x is: [batch, channels, side, side, ...] with `spatial` sides.
  std::int64_t channels = 3;
  std::int64_t side = 6;
  std::int64_t spatial = 2;
  at::ScalarType dtype = at::kFloat;
  bool traced = false;  ///< written as torch.jit.trace writes it
  bool trains = false;  ///< some modules will be in training mode
  /// "2d", as in the names of operators.
  [[nodiscard]] std::string rank_suffix() const { return std::to_string(spatial) + "d"; }
  /// The view of a vector that goes with x's channels.
  [[nodiscard]] std::string per_channel() const;
  /// The view of a vector that goes with a layer's weight, a number for each output.
  [[nodiscard]] std::string per_output() const;
  /// x's mean of each channel.
  [[nodiscard]] std::string mean_of_channels() const { return "x.mean(" + all_but_channels() + ")"; }
  [[nodiscard]] std::string all_but_channels() const;
  /// "[1, 1]", one number for each side of x.
  [[nodiscard]] std::string for_each_side(std::int64_t number) const;

  // What is known of the modes.
  /// forward asks for the mode of this submodule.
  void asks_for_mode(const std::string& name) { asked_.insert(name); }
  void asks_for_mode_of_root() { asks_for_root_mode_ = true; }
  /// A BatchNorm that may be folded into the layer in front of it, unless it is in training mode.
  void may_fold(const std::string& batch_norm) { foldable_.insert(batch_norm); }

  /// Registers the tree, sets the modes, and compiles the methods.
  RandomNetwork finish();

 private:
  struct Place {
    torch::jit::Module* module;
    std::string prefix;  ///< "self." or "self.MODULE."
  };
  Place place();
  void finish_modules();

  std::uint64_t seed_;
  std::mt19937_64 random_;
  torch::jit::Module root_;
  std::map<std::string, torch::jit::Module> modules_;
  std::map<std::string, std::string> methods_;
  std::set<std::string> asked_;
  bool asks_for_root_mode_ = false;
  std::set<std::string> foldable_;
  int names_ = 0;
  std::string indent_ = "    ";
  std::string arguments_;
  std::string forward_;
  std::vector<std::string> outputs_;
  RandomNetwork network_;
};

/// Adds its lines and modules to a network.
using Piece = void (*)(Drawer&);

/// Layers in the forms that the rules look for, and traps that look like them.
const std::vector<Piece>& layer_pieces();

/// What looks like a pattern of the rules and must not be folded as one, or not without care.
const std::vector<Piece>& trap_pieces();

/// State of every kind that TorchScript has, and arguments that may be left out.
const std::vector<Piece>& state_pieces();

/// A convolution (a linear where x has no sides), with a BatchNorm and an activation by chance.
void convolution(Drawer& d);

}  // namespace fusekit::test
