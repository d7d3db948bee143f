// The choice of a quantized engine: facts in, decision out; and what is read out of a file for it.
#include "fusekit/engine.h"

#include <gtest/gtest.h>
#include <torch/script.h>

#include "fusekit/quantize.h"
#include "fusekit/write.h"
#include "support/module.h"
#include "support/temporary_folder.h"
#include "support/text.h"

namespace fusekit {
namespace {

using test::has;

const std::vector<std::string> kNew = {"qnnpack", "onednn", "x86", "fbgemm"};
const std::vector<std::string> kOld = {"qnnpack", "onednn"};

const EngineFacts kAvx512Vnni{kNew, "x86", true, true, false, 1};
const EngineFacts kAvxVnni{kNew, "x86", true, false, true, 1};
const EngineFacts kNoVnni{kNew, "x86", true, false, false, 1};
const EngineFacts kArm{kOld, "qnnpack", false, false, false, 1};

const Int8Facts kFull{true, {}, false, ""};
const Int8Facts kReduced{false, {}, false, ""};
const Int8Facts kUnknown{std::nullopt, {}, false, ""};

EngineFacts with_engines(EngineFacts facts, std::vector<std::string> engines) {
  facts.engines = std::move(engines);
  return facts;
}

EngineFacts with_threads(EngineFacts facts, int threads) {
  facts.threads = threads;
  return facts;
}

std::string engine(const EngineFacts& facts, const std::vector<Int8Facts>& files) {
  const EngineChoice choice = choose_engine("auto", facts, files);
  EXPECT_FALSE(choice.reason.empty());
  return choice.engine;
}

std::string warnings(const std::string& wanted, const EngineFacts& facts, const Int8Facts& file) {
  std::string text;
  for (const std::string& warning : choose_engine(wanted, facts, {file}).warnings) text += warning + "\n";
  return text;
}

TEST(Engine, VnniRunsEverythingUnderTheFastest) {
  for (const Int8Facts& file : {kFull, kReduced, kUnknown}) {
    EXPECT_EQ(engine(kAvx512Vnni, {file}), "onednn");
    EXPECT_EQ(engine(with_engines(kAvx512Vnni, kOld), {file}), "onednn");
    EXPECT_EQ(warnings("auto", kAvx512Vnni, file), "");
  }
}

TEST(Engine, OnlyOnednnUsesAvxVnni) {
  EXPECT_EQ(engine(kAvxVnni, {kFull}), "onednn");
  EXPECT_EQ(warnings("auto", kAvxVnni, kFull), "");
  EXPECT_TRUE(has(warnings("x86", kAvxVnni, kFull), "saturates under the engine x86"));
}

TEST(Engine, WithoutVnniFullRangeGoesToQnnpack) {
  EXPECT_EQ(engine(kNoVnni, {kFull}), "qnnpack");
  EXPECT_EQ(engine(kNoVnni, {kReduced, kFull}), "qnnpack") << "files share an engine";
  EXPECT_EQ(engine(kNoVnni, {kReduced}), "x86");
  EXPECT_EQ(engine(with_engines(kNoVnni, kOld), {kReduced}), "onednn");
  EXPECT_EQ(warnings("auto", kNoVnni, kFull), "");
}

TEST(Engine, AnEngineThatSaturatesIsReported) {
  for (const char* name : {"x86", "fbgemm", "onednn"}) {
    EXPECT_TRUE(has(warnings(name, kNoVnni, kFull), "saturates")) << name;
    EXPECT_TRUE(has(warnings(name, kNoVnni, kUnknown), "does not tell")) << name;
    EXPECT_EQ(warnings(name, kNoVnni, kReduced), "") << name;
    EXPECT_EQ(warnings(name, kAvx512Vnni, kFull), "") << name;
  }
  EXPECT_EQ(warnings("qnnpack", kNoVnni, kFull), "");
}

TEST(Engine, QnnpackIsForOneThread) {
  EXPECT_TRUE(has(warnings("qnnpack", with_threads(kAvx512Vnni, 2), kFull), "RuntimeOptions::threads = 1"));
  EXPECT_EQ(warnings("qnnpack", kAvx512Vnni, kFull), "");
  EXPECT_TRUE(has(warnings("auto", with_threads(kNoVnni, 8), kFull), "more than one thread, and it has 8"));
}

TEST(Engine, QnnpackIsNotChosenForAFileThatClamps) {
  const Int8Facts clamps{true, {}, false, "a clamp, which is wrong"};
  EXPECT_EQ(engine(kNoVnni, {clamps}), "x86");
  EXPECT_TRUE(has(warnings("auto", kNoVnni, clamps), "saturates"));
  EXPECT_EQ(engine(kArm, {clamps}), "onednn");
  EXPECT_TRUE(has(warnings("qnnpack", kNoVnni, clamps), "a file has a clamp, which is wrong under the engine qnnpack"));
}

TEST(Engine, SomeOperatorsRunUnderSomeEnginesAlone) {
  const Int8Facts sums{true, {{"onednn"}}, false, ""};
  EXPECT_EQ(engine(kAvx512Vnni, {kFull, sums}), "onednn");
  EXPECT_EQ(engine(kNoVnni, {sums}), "onednn") << "elsewhere it would not run at all";
  EXPECT_TRUE(has(warnings("x86", kAvx512Vnni, sums), "RuntimeOptions::engine = onednn"));
  const Int8Facts fp16{std::nullopt, {{"x86", "fbgemm"}}, false, ""};
  for (const EngineFacts& machine : {kAvx512Vnni, kAvxVnni, kNoVnni}) EXPECT_EQ(engine(machine, {fp16}), "x86");
  EXPECT_EQ(engine(with_engines(kAvx512Vnni, {"qnnpack", "fbgemm"}), {fp16}), "fbgemm");
  EXPECT_EQ(engine(kAvx512Vnni, {fp16, kFull}), "x86") << "files share an engine";
  EXPECT_TRUE(choose_engine("auto", kAvx512Vnni, {fp16, kFull}).runs_all);
  EXPECT_TRUE(has(warnings("onednn", kAvx512Vnni, fp16), "that the engine onednn lacks"));
}

TEST(Engine, NoEngineRunsFilesThatExcludeEachOther) {
  const Int8Facts sums{true, {{"onednn"}}, false, ""};
  const Int8Facts fp16{std::nullopt, {{"x86", "fbgemm"}}, false, ""};
  const EngineChoice choice = choose_engine("auto", kAvx512Vnni, {sums, fp16});
  EXPECT_FALSE(choice.runs_all);
  EXPECT_FALSE(choice.warnings.empty());
  EXPECT_FALSE(choose_engine("auto", with_engines(kAvx512Vnni, kOld), {fp16}).runs_all);
}

TEST(Engine, TransposedConvolutionsAvoidTheEnginesThatSwapThem) {
  const Int8Facts transposed{std::nullopt, {}, true, ""};
  EngineFacts swaps = kAvx512Vnni;
  swaps.swaps_transposed = true;
  EXPECT_EQ(engine(swaps, {kFull}), "onednn");
  EXPECT_EQ(engine(swaps, {transposed}), "fbgemm");
  EXPECT_EQ(engine(kAvx512Vnni, {transposed}), "onednn");
  EXPECT_EQ(warnings("auto", swaps, transposed), "");
  for (const char* name : {"onednn", "x86"})
    EXPECT_TRUE(has(warnings(name, swaps, transposed), "transposed convolutions wrongly")) << name;
  EXPECT_EQ(warnings("onednn", kAvx512Vnni, transposed), "");
}

/// What LibTorch computes and what EngineFacts says of it agree.
TEST(Engine, SwappedTransposedConvolutionsAreKnown) {
  const at::QEngine before = at::globalContext().qEngine();
  apply({.threads = 0, .engine = "onednn"});
  at::manual_seed(1);
  const at::Tensor x = at::quantize_per_tensor(at::randn({1, 4, 5, 5}), 0.05, 64, at::kQUInt8);
  const at::Tensor weight = at::quantize_per_tensor(at::randn({4, 6, 3, 3}) / 10, 0.01, 0, at::kQInt8);
  const at::Tensor truth = at::conv_transpose2d(x.dequantize(), weight.dequantize());
  const std::vector<std::int64_t> ones = {1, 1};
  const std::vector<std::int64_t> zeros = {0, 0};
  torch::jit::Stack stack{weight, c10::IValue(), ones, zeros, zeros, ones, 1};
  c10::Dispatcher::singleton().findSchemaOrThrow("quantized::conv_transpose2d_prepack", "").callBoxed(&stack);
  torch::jit::Stack call{x, stack.at(0), 0.05, 128};
  c10::Dispatcher::singleton().findSchemaOrThrow("quantized::conv_transpose2d", "").callBoxed(&call);
  const at::Tensor noise = call.at(0).toTensor().dequantize() - truth;
  const bool is_wrong = (noise.square().sum() > truth.square().sum() / 100).item<bool>();
  EXPECT_EQ(is_wrong, engine_facts().swaps_transposed);
  at::globalContext().setQEngine(before);
}

TEST(Engine, OtherProcessorsUseQnnpack) {
  EXPECT_EQ(engine(kArm, {kFull}), "qnnpack");
  EXPECT_EQ(choose_engine("auto", with_engines(kArm, {}), {kFull}).engine, "qnnpack")
      << "what stands, where none is told";
}

TEST(Engine, WhatIsAskedForIsTaken) {
  const EngineChoice choice = choose_engine("fbgemm", kAvx512Vnni, {kFull});
  EXPECT_EQ(choice.engine, "fbgemm");
  EXPECT_EQ(choice.reason, "");
}

/// What int8_facts reads out of a file with this forward.
std::optional<Int8Facts> facts_of(const std::string& body, const std::string& metadata = "") {
  const test::TemporaryFolder folder;
  const auto module = test::make_module("Net", {}, "def forward(self, x):\n    " + body + "\n");
  torch::jit::ExtraFilesMap extra;
  if (!metadata.empty()) extra["fusekit_quantize.json"] = metadata;
  module.save((folder / "net.pt").string(), extra);
  return int8_facts(folder / "net.pt");
}

TEST(Engine, AFloatFileHasNoInt8Facts) {
  EXPECT_FALSE(facts_of("return torch.clamp(x, 0, 1)"));
  EXPECT_FALSE(int8_facts("/nowhere/at/all.pt"));
  const test::TemporaryFolder folder;
  test::write_bytes(folder / "text.pt", "no archive");
  EXPECT_FALSE(int8_facts(folder / "text.pt"));
}

TEST(Engine, AFilesOperatorsAndQconfigAreReadFromIt) {
  const std::string body = "return torch.dequantize(torch.relu(torch.quantize_per_tensor(x, 0.1, 3, 13)))";
  ASSERT_TRUE(facts_of(body));
  EXPECT_FALSE(facts_of(body)->full_range);
  EXPECT_EQ(facts_of(body)->against_qnnpack, "");
  EXPECT_EQ(facts_of(body, R"({"qconfig": "full"})")->full_range, true);
  EXPECT_EQ(facts_of(body, R"({"qconfig": "qnnpack"})")->full_range, true);
  EXPECT_EQ(facts_of(body, R"({"qconfig": "reduced"})")->full_range, false);
  EXPECT_EQ(facts_of(body, R"({"qconfig": "fbgemm"})")->full_range, false);
  EXPECT_FALSE(facts_of(body, "[damaged")->full_range);
  const auto clamps = facts_of("return torch.hardtanh(torch.quantize_per_tensor(x, 0.1, 3, 13), 0.0, 6.0)");
  EXPECT_TRUE(clamps && has(clamps->against_qnnpack, "clamp"));
  EXPECT_FALSE(facts_of(body)->engines);
  const auto in_place = facts_of("return torch.hardtanh_(torch.quantize_per_tensor(x, 0.1, 3, 13), 0.0, 6.0)");
  EXPECT_TRUE(in_place && in_place->against_qnnpack.empty()) << "in place it is right";
}

TEST(Engine, OperatorsThatOnlySomeEnginesHaveAreReadFromTheFile) {
  const auto facts = int8_facts(test::data("linear_dynamic_fp16.pt"));
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->engines, (std::set<std::string>{"fbgemm", "x86"}));
  // The choice is right: the file loads and runs under the engines that are named, and under no other.
  const at::QEngine before = at::globalContext().qEngine();
  for (const std::string& name : quantized_engines()) {
    apply({.engine = name});
    const auto runs = [] {
      try {
        torch::jit::load(test::data("linear_dynamic_fp16.pt").string()).forward({at::ones({1, 4})});
        return true;
      } catch (const c10::Error&) {
        return false;
      }
    };
    EXPECT_EQ(runs(), facts->engines->count(name) > 0) << name;
  }
  at::globalContext().setQEngine(before);
}

TEST(Engine, TransposedConvolutionsCountWhereAnotherProgramWroteThem) {
  const test::TemporaryFolder folder;
  test::save_module(test::make_module("Net", {{"up.weight", at::randn({4, 4, 3, 3})}},
                                      "def forward(self, x):\n    return torch.conv_transpose2d(x, self.up.weight)\n"),
                    folder / "float.pt");
  Model model = read(folder / "float.pt");
  QuantizeOptions options;
  options.calibration.random = 1;
  options.calibration.inputs.dims = {{1, 4, 5, 5}};
  options.calibration.inputs.types = {"float"};
  to_int8(model, options);
  write_unverified(std::move(model), folder / "ours.pt");
  torch::jit::load((folder / "ours.pt").string()).save((folder / "theirs.pt").string());  // without our record
  const auto ours = int8_facts(folder / "ours.pt");
  const auto theirs = int8_facts(folder / "theirs.pt");
  ASSERT_TRUE(ours && theirs);
  EXPECT_FALSE(ours->transposed);
  EXPECT_TRUE(theirs->transposed);
}

TEST(Engine, ThisMachineChoosesOneThatIsThere) {
  const EngineFacts facts = engine_facts({.threads = 3, .engine = "auto"});
  EXPECT_EQ(facts.threads, 3);
  EXPECT_EQ(facts.engines, quantized_engines());
  const std::string chosen = engine(facts, {kReduced});
  EXPECT_NE(std::find(facts.engines.begin(), facts.engines.end(), chosen), facts.engines.end()) << chosen;
}

}  // namespace
}  // namespace fusekit
