#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "fusekit/runtime.h"

/// Which of LibTorch's quantized engines runs an int8 file rightly, and fastest. The engine is chosen when a file is
/// loaded, whatever it was made under.
namespace fusekit {

/// What the choice depends on in this machine and process.
struct EngineFacts {
  std::vector<std::string> engines;  ///< that this LibTorch has
  std::string standing;              ///< the one that is in use where nobody chooses
  bool is_x86 = false;
  bool has_avx512_vnni = false;
  bool has_avx_vnni = false;
  int threads = 1;
  /// onednn and x86 swap the sides of transposed convolutions' weights: their outputs are wrong where a group's input and
  /// output channels differ and neither is 1 (seen on LibTorch 2.13.0 with oneDNN 3.12; 1.13.1 is right).
  bool swaps_transposed = false;
};

/// `runtime.threads`, or LibTorch's default where it is 0.
EngineFacts engine_facts(const RuntimeOptions& runtime = {});

/// What the choice depends on in an int8 file.
struct Int8Facts {
  /// Whether its activations use all 256 levels (else 128, reduce_range); not known of another program's file.
  std::optional<bool> full_range{};
  /// The engines that have all of its operators: conv2d_add runs under onednn alone, linear_dynamic_fp16 under x86 and
  /// fbgemm. nullopt: whichever there is.
  std::optional<std::set<std::string>> engines{};
  bool transposed =
      false;  ///< has transposed convolutions, and FuseKit, which leaves such as are wrong, did not write it
  std::string against_qnnpack{};  ///< what it has that the engine qnnpack gets wrong or lacks, with its verb; or empty
};

/// The name of the extra file in which an int8 file says how it was made, as JSON.
inline constexpr const char* kQuantizeRecord = "fusekit_quantize.json";

/// The engine of a process that chooses none (at::Context::qEngine): what a plain torch.jit.load has.
std::string plain_load_engine();

/// Whether that engine has kernels for this CPU: LibTorch 2.13's on ARM has not, and a plain load of an int8 file fails.
bool plain_load_runs_int8();

/// What stands in the file's code and in kQuantizeRecord; nothing is loaded or run. nullopt: no quantized operator,
/// or no TorchScript file.
std::optional<Int8Facts> int8_facts(const std::filesystem::path& file);

/// Whether sums of products of full-range levels overflow 16 bits under this engine: without VNNI instructions onednn,
/// x86 and fbgemm add two products u8 * s8 in 16 bits, saturating (measured with oneDNN held to AVX-512 without VNNI:
/// wrong by half of the largest value where inputs and weights are large). x86 stands for fbgemm where there is no
/// AVX-512 VNNI (ATen/native/quantized/cpu/OnednnUtils.h, should_use_onednn_quant). qnnpack widens to 16 bits first.
bool saturates(const std::string& engine, const EngineFacts& facts);

struct EngineChoice {
  std::string engine;
  std::string reason;                 ///< why this one, as a clause; empty where the caller asked for it
  std::vector<std::string> warnings;  ///< wrong results or a slow run to be expected under it
  bool runs_all = true;               ///< false: it lacks an operator of a file
};

/// The fastest engine that runs the files rightly for "auto", else the one that is wanted, with what is to be said against
/// it. Pure. Files that are run in one process share an engine.
EngineChoice choose_engine(const std::string& wanted, const EngineFacts& facts, const std::vector<Int8Facts>& files);

/// The same for this machine. nullopt where none of the files is int8.
std::optional<EngineChoice> choose_engine(const RuntimeOptions& runtime,
                                          const std::vector<std::filesystem::path>& files);

/// fusekit::apply for whoever loads these files: where `runtime` leaves the engine open, the one that choose_engine names.
/// What was chosen; nullopt where none of the files is int8. Error as fusekit::apply.
std::optional<EngineChoice> apply_for(const RuntimeOptions& runtime, const std::vector<std::filesystem::path>& files);

}  // namespace fusekit
