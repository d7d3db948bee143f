#include "file/output.h"

#include <torch/csrc/jit/serialization/export.h>
#include <unistd.h>

#include <sstream>

#include "file/archive.h"
#include "file/rebuild.h"
#include "fusekit/error.h"
#include "runtime/error_text.h"
#include "runtime/followed_link.h"

namespace fusekit {
namespace {

namespace fs = std::filesystem;

bool is_same_file(const fs::path& a, const fs::path& b) {
  std::error_code error;
  return !a.empty() && fs::equivalent(a, b, error) && !error;
}

/// What is no zip archive is left to whoever reads it.
bool holds_bytecode(const fs::path& input) {
  std::error_code error;
  if (!fs::is_regular_file(input, error)) return false;
  try {
    return file::Archive(input).has("bytecode.pkl");
  } catch (const Error&) {
    return false;
  }
}

/// The mobile interpreter runs the bytecode, which is not written: no phone could load the file.
void refuse_mobile(const fs::path& input) {
  if (!holds_bytecode(input)) return;
  throw Error(ErrorKind::unsupported,
              fmt::format("{} holds bytecode for the mobile interpreter, which the written file would not have",
                          input.string()),
              "give WriteOptions::target = mobile and WriteOptions::lite: then it is written anew");
}

}  // namespace

void check_output(const fs::path& given, const fs::path& input, const WriteOptions& options) {
  if (given.empty() || given.filename().empty())
    throw Error(ErrorKind::file, fmt::format("'{}' is no file name", given.string()), "give the path of a file");
  const fs::path output = runtime::followed(given);
  const fs::path folder = output.parent_path().empty() ? fs::path(".") : output.parent_path();
  std::error_code error;
  if (!fs::is_directory(folder, error))
    throw Error(ErrorKind::file, fmt::format("{}: no such folder: {}", given.string(), folder.string()),
                "make it first, e.g. with mkdir -p");
  const fs::file_status status = fs::status(output, error);
  if (error == std::errc::filename_too_long)
    throw Error(ErrorKind::file, fmt::format("{}: {}", given.string(), error.message()), "give a shorter name");
  const bool exists = fs::exists(status);
  if (exists && !fs::is_regular_file(status))
    throw Error(ErrorKind::file,
                fmt::format("{} is {}, not a regular file", given.string(),
                            fs::is_directory(status) ? "a folder" : "a device, pipe or socket"),
                "give the name of a file to be made");
  if (is_same_file(input, output)) {
    if (!options.in_place)
      throw Error(ErrorKind::file, fmt::format("{} is the input file itself", given.string()),
                  "give another output, or WriteOptions::in_place to replace the input");
  } else if (exists && !options.force) {
    throw Error(ErrorKind::file, fmt::format("{} exists", given.string()), "give WriteOptions::force to replace it");
  }
  if (access(folder.c_str(), W_OK | X_OK) != 0)
    throw Error(ErrorKind::file, fmt::format("{}: the folder {} can't be written to", given.string(), folder.string()),
                "choose a folder that you may write to");
  if (!options.lite) refuse_mobile(input);
}

namespace file {
namespace {

/// What a load makes of the module's text. Bytecode is made of the graphs in memory, in which a tuple may lack the name that
/// the text gives it.
torch::jit::Module reloaded(const torch::jit::Module& module) {
  std::stringstream archive;
  torch::jit::ExportModule(module, archive);
  return torch::jit::load(archive, at::kCPU);
}

}  // namespace

AtomicFile begin_output(const fs::path& output, const fs::path& input, const WriteOptions& options) {
  check_output(output, input, options);
  return AtomicFile(output);
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): output.h says why
void serialize(ir::Program program, AtomicFile& file, const Saving& saving) {
  // In-memory first where it can fail, on the disk as a stream: the archive is never in memory as a whole.
  torch::jit::Module module = rebuild(program);
  try {
    if (saving.mobile_bytecode) module = reloaded(module);
    if (saving.finish) module = saving.finish(std::move(module), program);
    torch::jit::ExportModule(
        module,
        [&file](const void* bytes, std::size_t size) {
          file.append(bytes, size);
          return size;
        },
        program.extra, saving.mobile_bytecode);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(
        ErrorKind::model, fmt::format("the network can't be saved: {}", runtime::explain(error)),
        saving.mobile_bytecode ? "the mobile interpreter may lack what it uses: leave WriteOptions::lite out" : "");
  }
  file.finish();
}

}  // namespace file
}  // namespace fusekit
