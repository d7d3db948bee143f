#include <gtest/gtest.h>

#include "fusekit/bench.h"
#include "fusekit/doctor.h"
#include "fusekit/error.h"
#include "fusekit/fuse.h"
#include "fusekit/inspect.h"
#include "fusekit/lower.h"
#include "fusekit/write.h"
#include "support/module.h"
#include "support/temporary_folder.h"
#include "support/text.h"
#include "target/cpu/packed_layer.h"

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

TEST(Prepare, ShapesThatAFileIsNotPackedForAreTold) {
  if (!target::PackedLayers::are_supported()) GTEST_SKIP() << "this LibTorch has no mkldnn::_convolution_pointwise";
  const test::TemporaryFolder folder;
  test::save_module(
      test::make_module("Net", {{"conv.weight", at::randn({8, 8, 3, 3})}},
                        "def forward(self, x):\n    return torch.relu(torch.conv2d(x, self.conv.weight))\n"),
      folder / "in.pt");
  Model model = read(folder / "in.pt");
  fuse(model);
  LowerOptions options;
  options.target = "cpu";
  options.inputs.dims = {{1, 8, 12, 12}};
  options.more_inputs.emplace_back().dims = {{4, 8, 12, 12}};
  WriteOptions write_options;
  write_options.verify.inputs = options.inputs;
  lower(model, options);
  ASSERT_TRUE(write(std::move(model), folder / "out.pt", write_options).written);
  const auto remarks_at = [&](std::vector<std::int64_t> dims) {
    std::vector<Variant> variants = variants_of({folder / "out.pt"});
    variants[0].arguments.inputs.dims = {std::move(dims)};
    std::string all;
    for (const Remark& remark : prepare(variants))
      if (remark.kind == Kind::warning) all += remark.text;
    return all;
  };
  EXPECT_EQ(remarks_at({1, 8, 12, 12}), "");
  EXPECT_EQ(remarks_at({4, 8, 12, 12}), "");
  EXPECT_EQ(remarks_at({1, 8, 12, 14}),
            "out.pt is packed for 1x8x12x12 | 4x8x12x12; at 1x8x12x14 float it takes the plain road");
  EXPECT_EQ(inspect(folder / "out.pt").packed_for, "1x8x12x12 | 4x8x12x12");
  EXPECT_EQ(inspect(folder / "in.pt").packed_for, "");
}

TEST(Prepare, ADtypeThatThisCpuLacksIsTold) {
  const test::TemporaryFolder folder;
  test::save_module(test::make_module("Net", {{"w", at::randn({4, 8}).to(at::kBFloat16)}},
                                      "def forward(self, x):\n    return torch.matmul(self.w, x.to(self.w.dtype))\n"),
                    folder / "half.pt");
  std::vector<Variant> variants = variants_of({folder / "half.pt"});
  variants[0].arguments.inputs.dims = {{8, 3}};
  const std::vector<Remark> remarks = prepare(variants);
  const std::string why = slowness("bfloat16", cpu_facts());
  EXPECT_EQ(std::any_of(remarks.begin(), remarks.end(),
                        [&](const Remark& r) { return r.text == "half.pt: this CPU has " + why; }),
            !why.empty());
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
