// Channel shuffles that are written out.
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace fusekit
