#include "file/load.h"

#include <torch/csrc/jit/api/function_impl.h>

#include "file/archive.h"
#include "file/check_loaded.h"
#include "file/code_depth.h"
#include "file/identify.h"
#include "file/outside_operators.h"
#include "file/regular_file.h"
#include "file/tensor_records.h"
#include "fusekit/error.h"
#include "runtime/captured_output.h"
#include "runtime/engines.h"
#include "runtime/error_text.h"
#include "runtime/limited_run.h"

namespace fusekit::file {
namespace {

namespace fs = std::filesystem;

ir::ExtraFiles read_extra(const Archive& archive) {
  const std::string folder = "extra/";
  const std::string prefix = archive.top() + folder;
  ir::ExtraFiles extra;
  for (const Archive::Record& record : archive.records())
    if (record.name.starts_with(prefix) && record.name.size() > prefix.size())
      extra[record.name.substr(prefix.size())] = archive.read(record.name.substr(archive.top().size()));
  return extra;
}

/// Everything that can be said about a file without LibTorch, which crashes on some of it.
ir::ExtraFiles check(const fs::path& path) {
  check_regular_file(path);
  check_begins_as_zip(path);
  const Archive archive(path);
  check_holds_torchscript(archive, path);
  archive.check_bytes();
  check_code_depth(archive, path);
  check_tensor_records(archive, "data.pkl", "data/", path);
  check_tensor_records(archive, "constants.pkl", "constants/", path);
  for (const Archive::Record& record : archive.records())
    if (record.name.ends_with(".debug_pkl"))
      check_tensor_records(archive, record.name.substr(archive.top().size()), "", path);
  return read_extra(archive);
}

void read_debug_record(torch::jit::Function& function) {
  const auto* graph_function = torch::jit::tryToGraphFunction(function);
  if (graph_function == nullptr) return;
  for (const torch::jit::Node* node : graph_function->graph()->nodes())  // some have no lines
    static_cast<void>(node->sourceRange().findSourceRangeThatGenerated());
}

/// LibTorch reads the records of source lines only when it writes a function or words an error, and then throws or
/// crashes where one is damaged. Here it has to read all of them.
void read_debug_records(const torch::jit::Module& module) {
  for (torch::jit::Function* function : module._ivalue()->compilation_unit()->get_functions())
    read_debug_record(*function);
  for (const torch::jit::Module& each : module.modules())
    for (const torch::jit::Method& method : each.get_methods()) read_debug_record(method.function());
}

bool names_a_missing_operator(const std::string& reason) {
  return reason.find("Unknown builtin op") != std::string::npos ||
         reason.find("__torch__.torch.classes.") != std::string::npos;
}

}  // namespace

Loaded load(const fs::path& path) {
  Loaded loaded;
  loaded.extra = check(path);
  const runtime::CapturedOutput captured;
  runtime::LimitedRun limited("the load of " + path.string());  // it may run code of the file's: __setstate__
  const WithoutOutsideOperators inside;
  try {
    runtime::leave_engine_without_kernels();
    loaded.module = torch::jit::load(path.string(), at::kCPU);
    check_loaded(loaded.module, path);
    read_debug_records(loaded.module);
  } catch (const Error&) {
    throw;
  } catch (...) {
    limited.check();
    const std::string reason = runtime::explain_current_exception();
    if (const std::string outside = WithoutOutsideOperators::named_in(reason); !outside.empty())
      throw Error(ErrorKind::file, fmt::format("{}: its code calls {}", path.string(), outside),
                  "it reaches outside of tensors, for files, other machines or foreign memory: FuseKit does not load "
                  "what does");
    throw Error(ErrorKind::file, fmt::format("{}: {}", path.string(), reason),
                names_a_missing_operator(reason)
                    ? "operators that do not come with LibTorch are in a library of their own: give it with "
                      "RuntimeOptions::libraries = FILE"
                    : "the file is damaged, or of a newer LibTorch, or needs operators that this one lacks");
  }
  return loaded;
}

}  // namespace fusekit::file
