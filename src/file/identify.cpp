#include "file/identify.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "file/regular_file.h"
#include "fusekit/error.h"

namespace fusekit::file {
namespace {

namespace fs = std::filesystem;
using namespace std::string_view_literals;

constexpr const char* kFromPython =
    "make a TorchScript file in Python: torch.jit.script(model.eval()).save(\"model.pt\"), or "
    "torch.jit.trace(model.eval(), example_input)";
constexpr const char* kFromStateDict =
    "build the network in Python, model.load_state_dict(torch.load(FILE)), then "
    "torch.jit.script(model.eval()).save(\"model.pt\")";
constexpr const char* kFromOnnx =
    "FuseKit reads TorchScript: go back to the PyTorch model that the file was exported from";

struct Magic {
  std::size_t offset;
  std::string_view bytes;
  const char* what;
  const char* hint;
};

constexpr std::array kMagics{
    Magic{0, "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"sv,
          "was written by torch.save in its old format (before PyTorch 1.6), and is no TorchScript file",
          kFromStateDict},
    Magic{4, "PTMF"sv, "is a mobile flatbuffer (.ptl without its code), from which no graph can be had back",
          "give the TorchScript file that it was made from"},
    Magic{4, "TFL3"sv, "is a TensorFlow Lite file", kFromOnnx},
    Magic{0, "\x89HDF"sv, "is an HDF5 file (Keras saves such)", kFromPython},
    Magic{0, "\x93NUMPY"sv, "is a NumPy array", "give it with InputOptions::file"},
    Magic{0, "GGUF"sv, "is a GGUF file", kFromPython},
    Magic{8, "{\""sv, "is a safetensors file: weights without a network", kFromStateDict},
    Magic{0, "\x1f\x8b"sv, "is compressed with gzip", "unpack it first: gunzip"},
    Magic{0,
          "\x7f"
          "ELF"sv,
          "is a program or library", kFromPython},
};

/// A protobuf that begins as ONNX's ModelProto does: field 1, ir_version, a small number, then a string or message.
bool is_onnx(const fs::path& path, std::string_view start) {
  const bool fits = start.size() > 4 && start[0] == 8 && start[1] > 0 && start[1] < 32 &&
                    "\x12\x1a\x22\x3a\x42"sv.find(start[2]) != std::string_view::npos;
  return fits || path.extension() == ".onnx";
}

bool is_text(std::string_view start) {
  return std::ranges::all_of(start, [](unsigned char c) { return c >= 32 || c == '\n' || c == '\r' || c == '\t'; });
}

Error is_something_else(const fs::path& path, const std::string& what, const char* hint) {
  return {ErrorKind::file, path.string() + ": " + what, hint};
}

/// What torch.save's pickle holds, judged by the classes that it names.
Error plain_torch_save(const Archive& archive, const fs::path& path) {
  const std::string pickle = archive.read("data.pkl");
  if (pickle.find("torch.nn.modules") != std::string::npos)
    return is_something_else(
        path, "is a module pickled by torch.save, no TorchScript file",
        "torch.load it in Python with its class at hand, then torch.jit.script(model.eval()).save(...)");
  const bool is_dict = pickle.find("ccollections\nOrderedDict\n") == 2 || pickle.find('}') == 2;  // after the protocol
  if (is_dict && pickle.find("_rebuild_") != std::string::npos)
    return is_something_else(path, "is a state_dict (weights without a network), no TorchScript file", kFromStateDict);
  return is_something_else(
      path, "was written by torch.save, not by torch.jit.save: it holds Python objects, no network", kFromPython);
}

}  // namespace

void check_begins_as_zip(const fs::path& path) {
  const std::string start = first_bytes(path, 512);
  if (start.starts_with("PK\x03\x04")) return;
  for (const Magic& magic : kMagics)
    if (start.size() > magic.offset && std::string_view(start).substr(magic.offset).starts_with(magic.bytes))
      throw is_something_else(path, magic.what, magic.hint);
  if (is_text(start)) throw is_something_else(path, "is a text file, no TorchScript file", kFromPython);
  if (is_onnx(path, start)) throw is_something_else(path, "is an ONNX file", kFromOnnx);
  throw is_something_else(path, "is no TorchScript file (which is a zip archive)", kFromPython);
}

void check_holds_torchscript(const Archive& archive, const fs::path& path) {
  const bool has_code = archive.has("code/");
  if (has_code && (archive.has("constants.pkl") || archive.has("model.json"))) return;
  if (archive.has("models/") || archive.has("serialized_exported_program.json"))
    throw is_something_else(path, "is a torch.export archive (.pt2), no TorchScript file", kFromPython);
  if (archive.has(".data/extern_modules"))
    throw is_something_else(path, "is a torch.package archive, no TorchScript file", kFromPython);
  const auto is_array = [](const Archive::Record& record) { return record.name.ends_with(".npy"); };
  if (!archive.records().empty() && std::ranges::all_of(archive.records(), is_array))
    throw is_something_else(path, "holds NumPy arrays", "give it with InputOptions::file");
  if (!has_code && archive.has("data.pkl")) throw plain_torch_save(archive, path);
  throw is_something_else(path, "is a zip archive, but no TorchScript file", kFromPython);
}

}  // namespace fusekit::file
