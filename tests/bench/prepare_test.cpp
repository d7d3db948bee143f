#include <gtest/gtest.h>

#include "fusekit/bench.h"
#include "fusekit/error.h"
#include "support/module.h"
#include "support/temporary_folder.h"
#include "support/text.h"

namespace fusekit {
namespace {

using bench::labels_of;
using bench::prepare;
using bench::Remark;
using bench::Variant;
using bench::variants_of;
using Kind = Remark::Kind;

TEST(Prepare, LabelsTellFilesApart) {
  EXPECT_EQ(labels_of({"x/a.pt", "x/b.pt"}), (std::vector<std::string>{"a.pt", "b.pt"}));
  EXPECT_EQ(labels_of({"x/a.pt", "y/a.pt"}), (std::vector<std::string>{"x/a.pt", "y/a.pt"}));
  EXPECT_EQ(labels_of({"a.pt", "a.pt"}), (std::vector<std::string>{"a.pt (1)", "a.pt (2)"}));
}

TEST(Prepare, InputsAreWorkedOutAndDifferencesTold) {
  const test::TemporaryFolder folder;
  const auto save = [&](const std::string& name, std::int64_t channels) {
    test::save_module(test::make_module("Net", {{"w", at::randn({4, channels, 3, 3})}},
                                        "def forward(self, x):\n    return torch.conv2d(x, self.w)\n"),
                      folder / name);
    return folder / name;
  };
  std::vector<Variant> variants = variants_of({save("a.pt", 3), save("b.pt", 1)});
  const std::vector<Remark> remarks = prepare(variants);
  EXPECT_EQ(variants[0].inputs, "1x3x224x224 float, inferred");
  EXPECT_EQ(variants[1].arguments.inputs.dims, (std::vector<std::vector<std::int64_t>>{{1, 1, 224, 224}}));
  ASSERT_EQ(remarks.size(), 2U);
  EXPECT_EQ(remarks[0].kind, Kind::warning);
  EXPECT_EQ(remarks[1].kind, Kind::inputs);
  EXPECT_EQ(bench::unmeasured(variants).outcomes.at(1).inputs, variants[1].inputs);
  EXPECT_THROW(prepare(variants, [] { return true; }), Error);
}

TEST(Prepare, AFileInTrainingModeIsTold) {
  std::vector<Variant> variants =
      variants_of({std::filesystem::path(FUSEKIT_SOURCE_DIR) / "tests/cases/train_mode.script.pt"});
  const std::vector<Remark> remarks = prepare(variants);
  ASSERT_FALSE(remarks.empty());
  EXPECT_EQ(remarks[0].kind, Kind::warning);
  EXPECT_TRUE(test::has(remarks[0].text, "train_mode.script.pt: the file was saved in training mode: one module"));
  EXPECT_EQ(bench::unmeasured(variants).outcomes.at(0).in_training, std::vector<std::string>{"bn"});
}

TEST(Prepare, AnInt8FileGetsTheEngineThatIsChosenForIt) {
  std::vector<Variant> variants = variants_of({test::data("int8/by_2.13.pt")});
  variants[0].arguments.none = true;
  const std::vector<Remark> remarks = prepare(variants);
  EXPECT_NE(variants[0].runtime.engine, "auto");
  EXPECT_TRUE(std::any_of(remarks.begin(), remarks.end(), [](const Remark& r) { return r.kind == Kind::engine; }));
}

}  // namespace
}  // namespace fusekit
