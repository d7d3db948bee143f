// Channel shuffles that are written out, and layouts that are changed by one.
#include <gtest/gtest.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include "fusekit/model.h"
#include "ir/functional.h"
#include "ir/model_parts.h"
#include "ir/operators.h"
#include "support/module.h"
#include "support/temporary_folder.h"

namespace fusekit {
namespace {

/// The groups that the only shuffle of a forward proves.
std::optional<std::int64_t> groups_of(const std::string& body, bool has_rank_4 = false) {
  const test::TemporaryFolder folder;
  test::save_module(test::make_module("Net", {}, "def forward(self, x, k: int):\n" + body), folder / "net.pt");
  Model model = read(folder / "net.pt");
  ir::Graph& graph = *ModelParts::of(model).program.methods.front().graph;
  ir::pick_list_elements(graph);
  std::optional<ir::ChannelShuffle> found;
  for (ir::Node* node : ir::all_nodes(graph))
    if (const auto shuffle = ir::as_channel_shuffle(node)) found = shuffle;
  EXPECT_TRUE(found) << graph;
  return found ? found->groups(has_rank_4) : std::nullopt;
}

std::string shuffle(const std::string& sizes) {
  return "    n, c, h, w = x.size()\n    return x.view(" + sizes + ").transpose(1, 2).contiguous().view(n, c, h, w)\n";
}

TEST(ChannelShuffle, ItsOwnSizesProveIt) {
  EXPECT_EQ(groups_of(shuffle("n, 2, c // 2, h, w")), 2);
  EXPECT_EQ(groups_of("    return torch.reshape(x.view(x.size(0), 3, x.size(1) // 3, x.size(-2), x.size(-1))"
                      ".transpose(1, 2), [x.size(0), -1, x.size(2), x.size(3)])\n"),
            3);
}

TEST(ChannelShuffle, OfFourDimensionsTheRestIsTheChannels) {
  EXPECT_EQ(groups_of(shuffle("n, 4, -1, h, w"), true), 4);
  EXPECT_EQ(groups_of(shuffle("n, 4, -1, h, w")), std::nullopt) << "x may have five";
}

TEST(ChannelShuffle, OtherSizesDoNot) {
  EXPECT_EQ(groups_of(shuffle("n, c // 2, 2, h, w")), std::nullopt);  // as many groups as x has channels for
  EXPECT_EQ(groups_of(shuffle("n, k, c // k, h, w")), std::nullopt);
  for (const char* rows : {"w, h", "w, w", "h, h"})
    EXPECT_EQ(groups_of(shuffle(std::string("n, 2, c // 2, ") + rows)), std::nullopt) << rows;
  EXPECT_EQ(groups_of(shuffle("1, 2, 4, 6, 6")), std::nullopt);
  EXPECT_EQ(groups_of(shuffle("c, 2, n // 2, h, w")), std::nullopt);
}

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
