// Pictures in channels_last, by a shuffle of their planes.
#include "ir/memory_layout.h"

#include <gtest/gtest.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>

namespace fusekit {
namespace {

class ChannelsLastByShuffle : public testing::Test {
 protected:
  static at::Tensor written(const at::Tensor& x, std::int64_t channels) {
    auto graph = std::make_shared<torch::jit::Graph>();
    torch::jit::Value* input = graph->addInput();
    graph->registerOutput(ir::write_channels_last(input, channels));
    graph->lint();
    torch::jit::GraphExecutor executor(graph, "forward");
    torch::jit::Stack stack{x};
    executor.run(stack);
    return stack.at(0).toTensor();
  }

  static void expect_same(const at::Tensor& x) {
    const at::Tensor y = written(x, x.size(1));
    EXPECT_TRUE(y.equal(x)) << x.sizes() << x.strides();
    EXPECT_TRUE(y.is_contiguous(at::MemoryFormat::ChannelsLast)) << x.sizes() << x.strides() << y.strides();
  }
};

TEST_F(ChannelsLastByShuffle, AnyLayoutBatchAndTypeComesOutTheSame) {
  at::manual_seed(3);
  for (const std::int64_t channels : {2, 3, 4})
    for (const std::int64_t batch : {1, 2}) {
      const at::Tensor x = at::randn({batch, channels, 9, 17});
      const at::Tensor levels = at::quantize_per_tensor(x, 0.05, 128, at::kQUInt8);
      for (const at::Tensor& plain : {x, levels}) {
        expect_same(plain);
        const at::Tensor pixels = plain.contiguous(at::MemoryFormat::ChannelsLast);
        expect_same(pixels);
        EXPECT_TRUE(written(pixels, channels).is_alias_of(pixels)) << "there is nothing to do";
      }
      expect_same(x.slice(3, 1, 16, 2));
      expect_same(x.to(at::kBFloat16));
    }
}

TEST_F(ChannelsLastByShuffle, ItPaysForFewChannelsOfMuchData) {
  EXPECT_TRUE(ir::is_picture({1, 3, 224, 224}));
  EXPECT_FALSE(ir::is_picture({1, 1, 224, 224})) << "one plane lies in both layouts";
  EXPECT_FALSE(ir::is_picture({1, 16, 56, 56}));
  EXPECT_FALSE(ir::is_picture({64, 3, 32, 32}));
  EXPECT_FALSE(ir::is_picture({3, 224, 224}));
}

}  // namespace
}  // namespace fusekit
