#include "fusekit/runtime.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/version.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>

#include "fusekit/error.h"
#include "runtime/engines.h"
#include "runtime/error_text.h"

namespace fusekit {
namespace {

#if defined(__x86_64__)
constexpr bool kIsX86 = true;
#else
constexpr bool kIsX86 = false;
#endif

constexpr std::array<const char*, 5> kEngines = {"auto", "onednn", "x86", "fbgemm", "qnnpack"};

/// "X86" -> "x86". Comparing LibTorch's names works with every version of LibTorch, also where it has more or fewer
/// engines.
std::string engine_name(at::QEngine engine) {
  std::string name = at::toString(engine);
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

void use_engine(const std::string& wanted) {
  if (std::find(kEngines.begin(), kEngines.end(), wanted) == kEngines.end())
    throw Error(ErrorKind::usage, fmt::format("RuntimeOptions::engine = {}: no such engine", wanted),
                fmt::format("use one of {}", fmt::join(kEngines, ", ")));
  if (wanted == "auto") return runtime::leave_engine_without_kernels();
  const std::vector<std::string> able = quantized_engines();
  for (const at::QEngine engine : at::globalContext().supportedQEngines()) {
    if (engine_name(engine) != wanted || std::find(able.begin(), able.end(), wanted) == able.end()) continue;
    at::globalContext().setQEngine(engine);
    return;
  }
  throw Error(ErrorKind::unsupported,
              fmt::format("RuntimeOptions::engine = {}: this LibTorch was built without it", wanted),
              fmt::format("it has {}", fmt::join(able, ", ")));
}

}  // namespace

std::string reason_of(const std::exception& error) { return runtime::explain(error); }

std::string libtorch_version() { return TORCH_VERSION; }

std::vector<std::string> runtime::listed_engines() {
  std::vector<std::string> names;
  for (const at::QEngine engine : at::globalContext().supportedQEngines())
    if (engine != at::QEngine::NoQEngine) names.push_back(engine_name(engine));
  return names;
}

std::vector<std::string> runtime::with_kernels(std::vector<std::string> listed, bool is_x86) {
  if (!is_x86) std::erase_if(listed, [](const std::string& name) { return name == "x86" || name == "fbgemm"; });
  return listed;
}

std::vector<std::string> quantized_engines() { return runtime::with_kernels(runtime::listed_engines(), kIsX86); }

void runtime::leave_engine_without_kernels() {
  if (kIsX86) return;
  const std::vector<std::string> able = quantized_engines();
  const auto runs = [&](const std::string& name) { return std::find(able.begin(), able.end(), name) != able.end(); };
  if (runs(engine_name(at::globalContext().qEngine()))) return;
  for (const char* name : {"onednn", "qnnpack"})
    if (runs(name)) return use_engine(name);
}

void load_libraries(const std::vector<std::string>& libraries) {
  for (const std::string& library : libraries) {
    // dlopen does not search the current folder for a name without a slash.
    const bool is_here = std::filesystem::exists(library);
    const std::string path = is_here ? std::filesystem::absolute(library).string() : library;
    std::string reason;
    try {
      if (dlopen(path.c_str(), RTLD_NOW) != nullptr) continue;
      reason = dlerror();
    } catch (const std::exception& error) {  // the registration of its operators, during the load, can throw
      reason = runtime::explain(error);
    }
    throw Error(ErrorKind::usage, fmt::format("RuntimeOptions::libraries = {}: {}", library, reason),
                "it must be a shared library that was built for the LibTorch that FuseKit runs with");
  }
}

void apply(const RuntimeOptions& options) {
  if (options.threads < 0)
    throw Error(ErrorKind::usage, fmt::format("RuntimeOptions::threads = {}: must not be negative", options.threads),
                "0 leaves it to LibTorch");
  set_limits(options);
  load_libraries(options.libraries);
  use_engine(options.engine);
  if (options.threads > 0) at::set_num_threads(options.threads);
}

}  // namespace fusekit
