#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "fusekit/model.h"
#include "fusekit/verify.h"

namespace fusekit {

struct WriteOptions {
  bool force = false;     ///< an existing output may be replaced
  bool in_place = false;  ///< the output may be the file that the model was read from
  /// What the file is written for (fusekit/lower.h); "": what the model was lowered for, else "portable".
  std::string target{};
  /// LowerOptions::dtype; its inputs are those of `verify`.
  std::string dtype = "float";
  std::string memory_format = "channels_last";  ///< LowerOptions::memory_format
  std::string int8_dialect = "quantized";       ///< LowerOptions::int8_dialect
  std::filesystem::path layer_times{};          ///< LowerOptions::layer_times
  /// Of target "mobile": also with the bytecode of the mobile interpreter (a .ptl file), in which it is compared, too.
  bool lite = false;
  /// Of target "mobile": the first input of the comparison goes into the file, as torch.utils.bundled_inputs puts it there.
  bool bundle = false;
  /// How the written file is compared with the file that the model was read from: forward on `inputs`, every other kept
  /// method on inputs that are worked out of its graph; a network in training mode as it is, and in eval(); one that was
  /// lowered for certain shapes (target "cpu") also on a batch twice as large, where the original takes that. `method`
  /// and `eval` are not used.
  VerifyOptions verify{};
  /// Further inputs: forward is compared on each of them, and target "cpu" packs for each (LowerOptions::more_inputs). Not of
  /// an int8 forward.
  std::vector<InputOptions> more_inputs{};
};

/// What came of comparing one method of the written file.
struct MethodCheck {
  std::string method;
  std::optional<VerifyReport> report;  ///< none where it could not be verified
  std::string unverified;              ///< why not: its inputs can't be worked out, or it can't be run on them
  bool eval = false;                   ///< both were in eval(), of a network that was saved in training mode
  bool doubled = false;                ///< on a batch twice as large: what a file for other shapes than its own takes
  bool mobile = false;                 ///< the written file ran in the mobile interpreter
};

struct WriteReport {
  std::filesystem::path output;
  bool written = false;
  std::vector<MethodCheck> methods;     ///< forward first; the last one is what failed where nothing was written
  std::string made_for{};               ///< the inputs, in words, of a file for certain shapes (TargetInfo::for_shapes)
  std::vector<std::string> notes{};     ///< of target "mobile": what was packed for XNNPACK
  std::vector<std::string> warnings{};  ///< and why something was not

  /// The method that computes something else in the written file; nullptr where the file was written.
  [[nodiscard]] const VerifyReport* failure() const;
};

/// Throws what `write` would throw because of the files' paths alone, or because the input is a mobile file: call it before
/// any long work. `input`: the file that is to be read, empty for none.
void check_output(const std::filesystem::path& output, const std::filesystem::path& input,
                  const WriteOptions& options = {});

/// Writes the model, if the written file computes what the file computes that the model was read from: an unnamed
/// temporary file in the output's folder, fsync, a reload, the state (buffers and settings) compared with the original
/// file's to the bit, each kept method compared, the name, fsync of the folder.
/// Where one differs, nothing is left behind and `written` is false. An int8 forward is compared on samples of its
/// calibration data, and may be as far from the float one as it was in memory. The bytes depend on the model alone, not
/// on the output's name. The model is taken by value so that its weights are freed before the comparison.
/// Error{file}: the folder is missing or read-only, the disk is full, the output exists, is the input, or is no regular
/// file. Error{unsupported}: the model's file holds bytecode for the mobile interpreter, and
/// without `lite` it would be lost. Error{input}, Error{model}: forward's inputs can't be worked out, don't fit, or the original can't be run on them.
[[nodiscard]] WriteReport write(Model model, const std::filesystem::path& output, const WriteOptions& options = {});

/// The same without a comparison: nothing says that the written file computes what the original does.
WriteReport write_unverified(Model model, const std::filesystem::path& output, const WriteOptions& options = {});

}  // namespace fusekit
