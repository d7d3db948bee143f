#include "inputs/input_file.h"

#include <gtest/gtest.h>

#include "fusekit/error.h"
#include "inputs/inputs.h"
#include "inputs/npy.h"
#include "support/module.h"
#include "support/temporary_folder.h"
#include "support/text.h"

namespace fusekit {
namespace {

using inputs::read_input_file;
using test::data;  // what make.py there wrote with Python's torch.save and NumPy

at::Tensor ramp() { return at::arange(6, at::kFloat).reshape({2, 3}); }

std::string refusal_of(const std::string& name, const std::vector<std::string>& arguments = {"x"}) {
  try {
    read_input_file(data(name), arguments);
  } catch (const Error& error) {
    return error.message().substr(error.message().find(name));
  }
  return "no Error";
}

TEST(InputFile, ATensor) {
  const auto samples = read_input_file(data("tensor.pt"), {"x"});
  ASSERT_EQ(samples.size(), 1U);
  EXPECT_TRUE(samples[0].at(0).toTensor().equal(ramp()));
}

TEST(InputFile, ATupleOfArguments) {
  const auto sample = read_input_file(data("tuple.pt"), {"x"}).at(0);
  ASSERT_EQ(sample.size(), 7U);
  EXPECT_TRUE(sample[0].toTensor().equal(ramp()));
  EXPECT_EQ(sample[1].toInt(), 3);
  EXPECT_EQ(sample[2].toDouble(), 0.5);
  EXPECT_TRUE(sample[3].toBool());
  EXPECT_TRUE(sample[4].isNone());
  EXPECT_EQ(sample[5].toStringRef(), "mean");
  ASSERT_TRUE(sample[6].isTensorList());
  EXPECT_TRUE(sample[6].toTensorVector().at(1).equal(ramp() + 1));
}

TEST(InputFile, AListOfTuplesIsSeveralSamples) {
  const auto samples = read_input_file(data("samples.pt"), {"x", "n"});
  ASSERT_EQ(samples.size(), 2U);
  EXPECT_TRUE(samples[1].at(0).toTensor().equal(ramp() + 1));
  EXPECT_EQ(samples[1].at(1).toInt(), 2);
}

TEST(InputFile, AListOfTensorsIsSamplesOnlyForOneArgument) {
  EXPECT_EQ(read_input_file(data("tensors.pt"), {"x"}).size(), 3U);
  EXPECT_EQ(read_input_file(data("tensors.pt"), {"x", "y", "z"}).at(0).size(), 3U);
}

TEST(InputFile, ADictGoesByTheNamesOfTheArguments) {
  const auto sample = read_input_file(data("dict.pt"), {"x", "y", "z"}).at(0);
  ASSERT_EQ(sample.size(), 2U);
  EXPECT_TRUE(sample[0].toTensor().equal(ramp()));
  EXPECT_TRUE(sample[1].toTensor().equal(ramp() + 1));
  EXPECT_EQ(refusal_of("dict.pt", {"x", "z"}), "dict.pt: \"y\" is none of forward's arguments");
  EXPECT_EQ(refusal_of("dict.pt", {"x", "z", "y"}), "dict.pt: forward's argument \"z\" is missing");
}

TEST(InputFile, NumpyArraysOfEveryDtype) {
  const std::map<std::string, at::ScalarType> dtypes{{"f2", at::kHalf}, {"f4", at::kFloat}, {"f8", at::kDouble},
                                                     {"i1", at::kChar}, {"i2", at::kShort}, {"i4", at::kInt},
                                                     {"i8", at::kLong}, {"u1", at::kByte},  {"b1", at::kBool}};
  for (const auto& [name, dtype] : dtypes) {
    const at::Tensor tensor = read_input_file(data(name + ".npy"), {"x"}).at(0).at(0).toTensor();
    EXPECT_EQ(tensor.scalar_type(), dtype) << name;
    EXPECT_TRUE(tensor.equal(ramp().to(dtype))) << name;
  }
  EXPECT_TRUE(read_input_file(data("fortran.npy"), {"x"})
                  .at(0)
                  .at(0)
                  .toTensor()
                  .equal(at::arange(24, at::kFloat).reshape({2, 3, 4})));
  EXPECT_EQ(read_input_file(data("scalar.npy"), {"x"}).at(0).at(0).toTensor().dim(), 0);
}

TEST(InputFile, NumpyArchives) {
  const auto numbered = read_input_file(data("numbered.npz"), {"a", "b"}).at(0);
  ASSERT_EQ(numbered.size(), 2U);
  EXPECT_EQ(numbered[0].toTensor().size(0), 2);
  EXPECT_EQ(numbered[1].toTensor().scalar_type(), at::kLong);
  const auto named = read_input_file(data("named.npz"), {"x", "y"}).at(0);
  EXPECT_EQ(named.at(0).toTensor().item<float>(), 0);
  EXPECT_EQ(named.at(1).toTensor().item<float>(), 1);
  EXPECT_EQ(refusal_of("named.npz", {"a", "b"}), "named.npz: \"y\" is none of forward's arguments");
}

TEST(InputFile, SaysWhatIsWrong) {
  EXPECT_EQ(refusal_of("big_endian.npy"), "big_endian.npy: the array is big-endian (>f4)");
  EXPECT_EQ(refusal_of("records.npy"),
            "records.npy: its header names no plain dtype (arrays of records are not supported)");
  EXPECT_EQ(refusal_of("legacy.pt"), "legacy.pt: is in torch.save's old format (before PyTorch 1.6)");
  EXPECT_EQ(refusal_of("make.py"), "make.py: is neither a .pt of torch.save nor a .npy, .npz, PNG or JPEG");
  EXPECT_EQ(refusal_of("absent.pt"), "absent.pt: no such file");
  EXPECT_NE(refusal_of("pickled_module.pt").find("pickled_module.pt: can't be read as inputs: "), std::string::npos);
}

TEST(InputFile, ATorchScriptFileHoldsNoInputs) {
  const test::TemporaryFolder folder;
  test::save_module(test::make_module("Net", {}, "def forward(self, x):\n    return x\n"), folder / "net.pt");
  try {
    read_input_file(folder / "net.pt", {"x"});
    FAIL() << "no Error";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), (folder / "net.pt").string() + ": is a TorchScript file, not a file of inputs");
  }
}

TEST(InputFile, EveryCutOfAnArrayIsRefused) {
  const std::string bytes = test::bytes_of(data("f4.npy"));
  ASSERT_EQ(inputs::parse_npy(bytes, "f4").numel(), 6);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_THROW(inputs::parse_npy(std::string_view(bytes).substr(0, size), "cut"), Error) << size;
}

TEST(InputFile, AHeaderThatAsksForTooMuchIsRefused) {
  std::string bytes = test::bytes_of(data("f4.npy"));
  const auto shape = bytes.find("(2, 3)");
  EXPECT_THROW(inputs::parse_npy(bytes.replace(shape, 12, "(4294967296,"), "large"), Error);
}

TEST(ResolveInputs, TakesTheSamplesOfAFile) {
  torch::jit::Module module = test::make_module("Net", {}, "def forward(self, x, n: int = 1):\n    return x * n\n");
  InputOptions options;
  options.file = data("samples.pt");
  const InputSummary summary = inputs::resolve_inputs(module, options);
  EXPECT_EQ(summary.text, "samples.pt (2 samples of 2x3)");
  EXPECT_EQ(summary.samples, 2U);
  EXPECT_FALSE(summary.inferred);
  EXPECT_EQ(inputs::draw_sample(summary.options, 0).at(1).toInt(), 1);
  EXPECT_EQ(inputs::draw_sample(summary.options, 3).at(1).toInt(), 2);
  options.file = data("tuple.pt");
  try {
    inputs::resolve_inputs(module, options);
    FAIL() << "no Error";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(),
              data("tuple.pt").string() + ": sample 1 holds 7 arguments, forward(x: Tensor, n: int = 1) takes 2");
  }
}

}  // namespace
}  // namespace fusekit
