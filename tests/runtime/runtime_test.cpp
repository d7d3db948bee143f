#include "fusekit/runtime.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/runtime/print_handler.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "fusekit/engine.h"
#include "fusekit/error.h"
#include "fusekit/model.h"
#include "runtime/captured_output.h"
#include "runtime/engines.h"
#include "runtime/error_text.h"
#include "support/module.h"
#include "support/temporary_folder.h"

namespace fusekit {
namespace {

/// The switches are the process's: every test puts them back.
class Runtime : public ::testing::Test {
 protected:
  ~Runtime() override {
    at::set_num_threads(threads_);
    at::globalContext().setQEngine(engine_);
  }

 private:
  int threads_ = at::get_num_threads();
  at::QEngine engine_ = at::globalContext().qEngine();
};

Error error_of(const RuntimeOptions& options) {
  try {
    apply(options);
  } catch (const Error& error) {
    return error;
  }
  return {ErrorKind::usage, "nothing was thrown"};
}

TEST_F(Runtime, SetsThreads) {
  apply({.threads = 3});
  EXPECT_EQ(at::get_num_threads(), 3);
  apply({.threads = 1});
  EXPECT_EQ(at::get_num_threads(), 1);
}

TEST_F(Runtime, DefaultsChangeNothing) {
  at::set_num_threads(3);
  at::globalContext().setQEngine(at::QEngine::ONEDNN);
  apply({});
  EXPECT_EQ(at::get_num_threads(), 3);
  EXPECT_EQ(at::globalContext().qEngine(), at::QEngine::ONEDNN);
}

TEST_F(Runtime, SetsEachEngineThatLibTorchHas) {
  const auto engines = quantized_engines();
  ASSERT_FALSE(engines.empty());
  for (const std::string& engine : engines) {
    apply({.engine = engine});
    EXPECT_EQ(engine_facts().standing, engine);
  }
}

TEST(Engines, ThoseOfX86HaveNoKernelsElsewhere) {
  const std::vector<std::string> listed = {"qnnpack", "onednn", "x86", "fbgemm"};
  EXPECT_EQ(runtime::with_kernels(listed, /*is_x86=*/true), listed);
  EXPECT_EQ(runtime::with_kernels(listed, /*is_x86=*/false), (std::vector<std::string>{"qnnpack", "onednn"}));
}

/// On LibTorch 2.13 for ARM it does not of itself.
TEST_F(Runtime, ALoadedFileFindsAnEngineThatRuns) {
  const test::TemporaryFolder folder;
  test::save_module(test::make_module("Net", {}, "def forward(self, x):\n    return x\n"), folder / "net.pt");
  (void)read(folder / "net.pt");
  const auto engines = quantized_engines();
  const std::string standing = engine_facts().standing;
  EXPECT_NE(std::find(engines.begin(), engines.end(), standing), engines.end()) << standing;
}

TEST_F(Runtime, RefusesNegativeThreads) {
  const Error error = error_of({.threads = -2});
  EXPECT_EQ(error.kind(), ErrorKind::usage);
  EXPECT_EQ(error.message(), "RuntimeOptions::threads = -2: must not be negative");
}

TEST_F(Runtime, RefusesAnUnknownEngineAndNamesTheKnown) {
  const int threads = at::get_num_threads();
  const Error error = error_of({.threads = threads + 1, .engine = "tensorrt"});
  EXPECT_EQ(error.kind(), ErrorKind::usage);
  EXPECT_EQ(error.message(), "RuntimeOptions::engine = tensorrt: no such engine");
  EXPECT_EQ(error.hint(), "use one of auto, onednn, x86, fbgemm, qnnpack");
  EXPECT_EQ(at::get_num_threads(), threads) << "a refused call changed something";
}

TEST_F(Runtime, RefusesAnEngineThatThisLibTorchLacks) {
  const auto engines = quantized_engines();
  for (const std::string engine : {"onednn", "x86", "fbgemm", "qnnpack"}) {
    const bool has = std::find(engines.begin(), engines.end(), engine) != engines.end();
    if (has) {
      EXPECT_NO_THROW(apply({.engine = engine}));
      continue;
    }
    const Error error = error_of({.engine = engine});
    EXPECT_EQ(error.kind(), ErrorKind::unsupported) << engine;
    EXPECT_NE(error.hint().find(engines.front()), std::string::npos) << error.hint();
  }
}

TEST(ErrorText, IsTheReasonWithoutTracebackAndBacktrace) {
  const std::string reason = "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)";
  const std::string backtrace =
      "\nException raised from addmm at Linear.cpp:1 (most recent call first):\nframe #0: f\n";
  const std::string traceback =
      "The following operation failed in the TorchScript interpreter.\n"
      "Traceback of TorchScript (most recent call last):\n"
      "  File \"net.py\", line 2, in forward\n    return torch.mm(x, x)\n           ~~~~~~~~ <--- HERE\n";
  for (const std::string& text : {reason, reason + backtrace, traceback + reason, traceback + reason + backtrace,
                                  traceback + "RuntimeError: " + reason + backtrace})
    EXPECT_EQ(runtime::explain(std::runtime_error(text)), reason) << text;
}

TEST(ErrorText, ALongReasonIsShortened) {
  const std::string text = runtime::explain(std::runtime_error(std::string(100'000, 'x')));
  EXPECT_LT(text.size(), 2'100U);
  EXPECT_NE(text.find("... (100000 characters)"), std::string::npos) << text.substr(1'900);
}

TEST(CapturedOutput, OfPrintsWithoutEndKeepsWhatTellsThemApart) {
  runtime::CapturedOutput captured;
  const auto printed = [&](const std::string& end) {
    for (int i = 0; i < 30; ++i) torch::jit::getPrintHandler()(std::string(100'000, 'a'));
    torch::jit::getPrintHandler()(end);
    return captured.take_printed();
  };
  const std::string text = printed("b");
  EXPECT_LT(text.size(), 1'000'100U);
  EXPECT_EQ(text, printed("b"));
  EXPECT_NE(text, printed("c"));
  torch::jit::getPrintHandler()("short");
  EXPECT_EQ(captured.take_printed(), "short");
}

}  // namespace
}  // namespace fusekit
