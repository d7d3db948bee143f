#include "inputs/inputs.h"

#include <gtest/gtest.h>

#include "fusekit/error.h"
#include "support/temporary_folder.h"

namespace fusekit {
namespace {

using Dims = std::vector<std::vector<std::int64_t>>;

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.message();
  }
  return "no Error";
}

TEST(ParseDims, ReadsShapesAsSpeedBenchmarkTorchDoes) {
  EXPECT_EQ(parse_dims("1,3,224,224"), (Dims{{1, 3, 224, 224}}));
  EXPECT_EQ(parse_dims("1,3,224,224; 1,10"), (Dims{{1, 3, 224, 224}, {1, 10}}));
  EXPECT_EQ(parse_dims("2,3;"), (Dims{{2, 3}}));
  EXPECT_EQ(parse_dims("2;;0,4"), (Dims{{2}, {}, {0, 4}}));
}

TEST(ParseDims, NamesThePartThatIsNoSize) {
  EXPECT_EQ(message_of([] { parse_dims("1,3,x,224"); }), "\"x\" in the shape \"1,3,x,224\" is not a size");
  EXPECT_EQ(message_of([] { parse_dims("1,,2"); }), "\"\" in the shape \"1,,2\" is not a size");
  EXPECT_EQ(message_of([] { parse_dims("1;-2,3"); }), "\"-2\" in the shape \"-2,3\" is not a size");
  EXPECT_EQ(message_of([] { parse_dims("1x3x224x224"); }),
            "\"1x3x224x224\" in the shape \"1x3x224x224\" is not a size");
  EXPECT_EQ(message_of([] { parse_dims("99999999999999999999"); }),
            "\"99999999999999999999\" in the shape \"99999999999999999999\" is not a size");
  EXPECT_EQ(message_of([] { parse_dims("100000,100000"); }), "the shape \"100000,100000\" has more than 2^31 elements");
}

TEST(DrawSample, AnArgumentMayHaveABoundOfItsOwn) {
  InputOptions options;
  options.dims = {{1000}, {1000}, {10}};
  options.types = {"int64<5", "int32", "int64<3[]"};
  options.int_high = 50;
  const auto sample = inputs::draw_sample(options, 0);
  EXPECT_EQ(sample[0].toTensor().max().item<std::int64_t>(), 4);
  EXPECT_EQ(sample[1].toTensor().max().item<std::int64_t>(), 49);
  EXPECT_LT(sample[2].toTensorList().get(0).max().item<std::int64_t>(), 3);
  for (const char* wrong : {"int64<", "int64<0", "int64<x", "float<3"}) {
    options.types = {wrong};
    EXPECT_THROW(inputs::draw_sample(options, 0), Error) << wrong;
  }
}

TEST(DrawSample, IsBitwiseRepeatableAndLeavesTheGlobalGeneratorAlone) {
  InputOptions options;
  options.dims = {{2, 3}, {100}};
  options.types = {"float", "int64"};
  options.int_high = 50;
  torch::manual_seed(7);
  const at::Tensor next = at::randn({4});
  torch::manual_seed(7);
  const auto first = inputs::draw_sample(options, 1);
  EXPECT_TRUE(at::equal(at::randn({4}), next));
  const auto again = inputs::draw_sample(options, 1);
  const auto other = inputs::draw_sample(options, 2);
  ASSERT_EQ(first.size(), 2U);
  EXPECT_TRUE(at::equal(first[0].toTensor(), again[0].toTensor()));
  EXPECT_TRUE(at::equal(first[1].toTensor(), again[1].toTensor()));
  EXPECT_FALSE(at::equal(first[0].toTensor(), other[0].toTensor()));
  EXPECT_EQ(first[1].toTensor().scalar_type(), at::kLong);
  EXPECT_GE(first[1].toTensor().min().item<std::int64_t>(), 0);
  EXPECT_LT(first[1].toTensor().max().item<std::int64_t>(), 50);
  EXPECT_GT(first[1].toTensor().max().item<std::int64_t>(), 25);
}

TEST(DrawSample, SeedPlusKIsTheGeneratorsSeed) {
  InputOptions options;
  options.dims = {{5}};
  const at::Tensor third = inputs::draw_sample(options, 3)[0].toTensor();
  options.seed = 3;
  EXPECT_TRUE(at::equal(inputs::draw_sample(options, 0)[0].toTensor(), third));
}

TEST(DrawSample, FollowsTypesAndMemoryFormats) {
  InputOptions options;
  options.dims = {{1, 3, 4, 4}, {2, 2}, {300}};
  options.types = {"half", "double", "uint8_t", "=3", "=None", "=0.5", "=true", "=mean"};
  options.memory_formats = {"channels_last"};
  const auto sample = inputs::draw_sample(options, 0);
  ASSERT_EQ(sample.size(), 8U);
  EXPECT_EQ(sample[0].toTensor().scalar_type(), at::kHalf);
  EXPECT_TRUE(sample[0].toTensor().is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_EQ(sample[1].toTensor().scalar_type(), at::kDouble);
  EXPECT_FALSE(sample[1].toTensor().equal(sample[1].toTensor().to(at::kFloat).to(at::kDouble)))
      << "only a float's digits";
  EXPECT_EQ(sample[2].toTensor().scalar_type(), at::kByte);
  EXPECT_GT(sample[2].toTensor().max().item<int>(), 100);
  EXPECT_EQ(sample[3].toInt(), 3);
  EXPECT_TRUE(sample[4].isNone());
  EXPECT_EQ(sample[5].toDouble(), 0.5);
  EXPECT_TRUE(sample[6].toBool());
  EXPECT_EQ(sample[7].toStringRef(), "mean");
}

TEST(DrawSample, BytesTakeAllTheirValues) {
  InputOptions options;
  options.dims = {{20000}, {20000}};
  options.types = {"uint8_t", "int8"};
  const auto sample = inputs::draw_sample(options, 0);
  EXPECT_EQ(sample[0].toTensor().min().item<int>(), 0);
  EXPECT_EQ(sample[0].toTensor().max().item<int>(), 255);
  EXPECT_EQ(sample[1].toTensor().min().item<int>(), 0);
  EXPECT_EQ(sample[1].toTensor().max().item<int>(), 127);
}

TEST(DrawSample, AFilesPicturesGetTheMemoryFormatToo) {
  const test::TemporaryFolder folder;
  const std::vector<char> bytes = torch::jit::pickle_save(at::randn({1, 3, 4, 4}));
  test::write_bytes(folder / "x.pt", {bytes.begin(), bytes.end()});
  InputOptions options;
  options.file = folder / "x.pt";
  options.arguments = {"x"};
  EXPECT_FALSE(inputs::draw_sample(options, 0)[0].toTensor().is_contiguous(at::MemoryFormat::ChannelsLast));
  options.memory_formats = {"channels_last"};
  EXPECT_TRUE(inputs::draw_sample(options, 0)[0].toTensor().is_contiguous(at::MemoryFormat::ChannelsLast));
}

TEST(DrawSample, AListOfOneTensor) {
  InputOptions options;
  options.dims = {{3, 8, 8}};
  options.types = {"float[]"};
  const auto sample = inputs::draw_sample(options, 0);
  EXPECT_EQ(sample.at(0).toTensorVector().at(0).sizes().vec(), (std::vector<std::int64_t>{3, 8, 8}));
}

TEST(DrawSample, RefusesUnknownNames) {
  InputOptions options;
  options.dims = {{1}};
  options.types = {"flaot"};
  EXPECT_EQ(message_of([&] { inputs::draw_sample(options, 0); }), "unknown input type \"flaot\"");
  options.types = {"float", "float"};
  EXPECT_EQ(message_of([&] { inputs::draw_sample(options, 0); }), "2 input types for 1 shapes");
  options.types = {};
  options.memory_formats = {"nhwc"};
  EXPECT_EQ(message_of([&] { inputs::draw_sample(options, 0); }), "unknown memory format \"nhwc\"");
  options.memory_formats = {"channels_last", "channels_last"};
  EXPECT_EQ(message_of([&] { inputs::draw_sample(options, 0); }), "2 memory formats for 1 inputs");
}

}  // namespace
}  // namespace fusekit
