#pragma once

#include <gtest/gtest.h>
#include <torch/script.h>

#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "file/rebuild.h"
#include "ir/model_parts.h"
#include "ir/program.h"
#include "support/module.h"
#include "support/packed_module.h"
#include "support/temporary_folder.h"
#include "support/text.h"

namespace fusekit::test {

using PathNames = std::vector<std::string>;

inline const char* const kTwoConvolutions =
    "def forward(self, x):\n"
    "    x = torch.relu(torch.conv2d(x, self.stem.conv.weight, self.stem.conv.bias))\n"
    "    x = torch.conv2d(x, self.mid.weight, self.mid.bias)\n"
    "    return torch.linear(torch.flatten(x, 1), self.head.weight, self.head.bias)\n";

inline std::map<std::string, at::Tensor> two_convolutions() {
  at::manual_seed(5);
  return {{"stem.conv.weight", at::randn({4, 3, 3, 3})},
          {"stem.conv.bias", at::randn({4})},
          {"mid.weight", at::randn({2, 4, 3, 3})},
          {"mid.bias", at::randn({2})},
          {"head.weight", at::randn({5, 8})},
          {"head.bias", at::randn({5})}};
}

inline const at::Tensor& picture_of_six() {
  static const at::Tensor x = at::randn({1, 3, 6, 6});
  return x;
}

inline at::Tensor output_on_picture(torch::jit::Module& module) {
  return module.forward({picture_of_six()}).toTensor();
}

inline torch::jit::Module after_a_save(const torch::jit::Module& module) {
  std::stringstream file;
  module.save(file);
  return torch::jit::load(file);
}

template <typename List>
PathNames path_names(const List& list) {
  PathNames names;
  for (const auto& item : list) names.push_back(item.name);
  return names;
}

inline PathNames child_names(const torch::jit::Module& module) { return path_names(module.named_children()); }

/// A network from parts, read from a file.
class NewModuleFixture : public ::testing::Test {
 protected:
  void start(torch::jit::Module module) {
    original_ = std::move(module);
    save_module(original_, folder_ / "net.pt");
    Model model = read(folder_ / "net.pt");
    program_ = std::make_unique<ir::Program>(ModelParts::of(model).program);
  }
  void start() { start(make_module("Net", two_convolutions(), kTwoConvolutions)); }

  ir::Program& program() { return *program_; }
  /// Of forward: the operator that gives the output.
  ir::Node* last_node() { return *program().methods.front().graph->nodes().rbegin(); }
  torch::jit::Module tree() { return file::rebuild(program()); }
  /// The tree of the file that FuseKit makes of `module`'s file.
  torch::jit::Module read_again(const torch::jit::Module& module) {
    save_module(module, folder_ / "again.pt");
    return read(folder_ / "again.pt").to_module();
  }
  at::Tensor truth() { return output_on_picture(original_); }

  TemporaryFolder folder_;
  torch::jit::Module original_;
  std::unique_ptr<ir::Program> program_;
};

}  // namespace fusekit::test
