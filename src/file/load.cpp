#include "file/load.h"

#include "file/archive.h"
#include "file/identify.h"
#include "file/regular_file.h"
#include "file/tensor_records.h"
#include "fusekit/error.h"
#include "runtime/captured_output.h"
#include "runtime/error_text.h"

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
  check_tensor_records(archive, "data.pkl", "data/", path);
  check_tensor_records(archive, "constants.pkl", "constants/", path);
  return read_extra(archive);
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
  try {
    loaded.module = torch::jit::load(path.string(), at::kCPU);
  } catch (...) {
    const std::string reason = runtime::explain_current_exception();
    throw Error(ErrorKind::file, fmt::format("{}: {}", path.string(), reason),
                names_a_missing_operator(reason)
                    ? "operators that do not come with LibTorch are in a library of their own: give it with "
                      "RuntimeOptions::libraries = FILE"
                    : "the file is damaged, or of a newer LibTorch, or needs operators that this one lacks");
  }
  return loaded;
}

}  // namespace fusekit::file
