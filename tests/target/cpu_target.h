#pragma once

#include <gtest/gtest.h>

#include "fusekit/fuse.h"
#include "fusekit/lower.h"
#include "fusekit/write.h"
#include "support/module.h"
#include "support/temporary_folder.h"
#include "support/text.h"
#include "target/cpu/packed_layer.h"

namespace fusekit::test {

using Tensors = std::map<std::string, at::Tensor>;

inline Tensors operator+(Tensors a, const Tensors& b) {
  a.insert(b.begin(), b.end());
  return a;
}

/// Networks that are written for the cpu and loaded again, beside the original.
class CpuTarget : public testing::Test {
 protected:
  void SetUp() override {
    if (!target::PackedLayers::are_supported()) GTEST_SKIP() << "this LibTorch has no mkldnn::_convolution_pointwise";
    torch::manual_seed(7);
  }

  /// A network of these weights, written for the cpu and loaded again. `body`: forward's.
  void write_network(const Tensors& tensors, const std::string& body, LowerOptions options = {},
                     const std::string& arguments = "x") {
    save_module(make_module("Net", tensors, "def forward(self, " + arguments + "):\n" + body), folder_ / "in.pt");
    Model model = read(folder_ / "in.pt");
    fuse(model);
    options.target = "cpu";
    if (!options.inputs.given()) options.inputs.dims = {{2, 8, 12, 12}};
    WriteOptions write_options;
    write_options.force = true;
    write_options.verify.inputs = options.inputs;
    lower(model, options);
    const WriteReport report = write(std::move(model), folder_ / "out.pt", write_options);
    ASSERT_TRUE(report.written) << (report.failure() != nullptr ? report.failure()->failure : "");
    was_checked_doubled_ = report.methods.back().doubled;
    original_ = torch::jit::load((folder_ / "in.pt").string());
    written_ = torch::jit::load((folder_ / "out.pt").string());
  }

  /// How often the operator is in the written file's code.
  [[nodiscard]] std::size_t count(const std::string& op) const {
    const auto graph = written_.get_method("forward").graph();
    return count_of(" " + op + "(", graph->toString(false));
  }

  /// Several runs, the largest error relative to the largest output.
  double error_on(const std::vector<c10::IValue>& inputs) {
    double worst = 0;
    const torch::NoGradGuard no_grad;
    for (int run = 0; run < 3; ++run) {
      const at::Tensor a = original_.forward(inputs).toTensor();
      const at::Tensor b = written_.forward(inputs).toTensor();
      EXPECT_EQ(a.scalar_type(), b.scalar_type());
      if (inputs[0].toTensor().is_contiguous()) {
        EXPECT_EQ(a.strides(), b.strides());
      }
      worst = std::max(worst, ((a - b).abs().max() / a.abs().max()).item<double>());
    }
    return worst;
  }

  void expect_same_everywhere(double tolerance = 1e-5, bool also_channels_last = true) {
    EXPECT_TRUE(was_checked_doubled_);
    for (const std::vector<std::int64_t>& shape :
         std::vector<std::vector<std::int64_t>>{{2, 8, 12, 12}, {1, 8, 12, 12}, {2, 8, 17, 9}, {2, 8, 12, 12}}) {
      const at::Tensor x = torch::randn(shape);
      EXPECT_LE(error_on({x}), tolerance) << x.sizes();
      if (also_channels_last) {
        EXPECT_LE(error_on({x.contiguous(at::MemoryFormat::ChannelsLast)}), tolerance) << x.sizes();
      }
    }
  }

  TemporaryFolder folder_;
  torch::jit::Module original_;
  torch::jit::Module written_;
  bool was_checked_doubled_ = false;
};

}  // namespace fusekit::test
