#include "cli/flags.h"

#include <array>
#include <cctype>

namespace fusekit::cli {
namespace {

constexpr std::array kOptionFlags = {
    OptionFlag{"the old file by bench::check_for_regressions", "--baseline-model OLD.pt"},
    OptionFlag{"bench::check_baseline's allow_mismatch", "--ignore-mismatch"},
    OptionFlag{"bench::save", "--save"},
    OptionFlag{"fusekit::inspect", "fusekit inspect"},
    OptionFlag{"InputOptions::dims", "--input_dims"},
    OptionFlag{"InputOptions::types", "--input_type"},
    OptionFlag{"InputOptions::memory_formats", "--input_memory_format"},
    OptionFlag{"InputOptions::file", "--inputs"},
    OptionFlag{"WriteOptions::force", "--force"},
    OptionFlag{"WriteOptions::in_place", "--in-place"},
    OptionFlag{"WriteOptions::target", "--for"},
    OptionFlag{"WriteOptions::lite", "--lite"},
    OptionFlag{"WriteOptions::bundle", "--bundle"},
    OptionFlag{"ReadOptions::eval", "--eval"},
    OptionFlag{"LowerOptions::target", "--for"},
    OptionFlag{"LowerOptions::dtype", "--dtype"},
    OptionFlag{"LowerOptions::memory_format", "--memory-format"},
    OptionFlag{"LowerOptions::int8_dialect", "--int8-dialect"},
    OptionFlag{"LowerOptions::layer_times", "--layer-times"},
    OptionFlag{"LowerOptions::inputs", "--input_dims"},
    OptionFlag{"FuseOptions::disabled", "--disable"},
    OptionFlag{"FuseOptions::modules", "--modules"},
    OptionFlag{"FuseOptions::print_after", "--print-after"},
    OptionFlag{"FuseOptions::strict", "--strict"},
    OptionFlag{"QuantizeOptions::qconfig", "--qconfig"},
    OptionFlag{"QuantizeOptions::skip", "--skip"},
    OptionFlag{"CalibrationOptions::paths", "--calibrate"},
    OptionFlag{"CalibrationOptions::random", "--random-calibration"},
    OptionFlag{"PictureOptions::resize", "--resize"},
    OptionFlag{"PictureOptions::crop", "--crop"},
    OptionFlag{"PictureOptions::mean", "--mean"},
    OptionFlag{"PictureOptions::std", "--std"},
    OptionFlag{"RuntimeOptions::threads", "--threads"},
    OptionFlag{"RuntimeOptions::engine", "--engine"},
    OptionFlag{"RuntimeOptions::libraries", "--library"},
    OptionFlag{"RuntimeOptions::run_limit", "--run-limit"},
    OptionFlag{"RuntimeOptions::max_memory", "--max-memory"},
    OptionFlag{"bench::Arguments::bundled", "--use_bundled_input"},
    OptionFlag{"bench::Variant::dtype", "--dtype"},
    OptionFlag{"bench::Variant::streams", "--streams"},
    OptionFlag{"bench::Variant::environment", "--env"},
    OptionFlag{"bench::Variant::graph_fuser", "--graph-fuser"},
    OptionFlag{"bench::Options::processes", "--processes"},
    OptionFlag{"bench::Options::max_seconds", "--max-time"},
    OptionFlag{"bench::Options::until_ci", "--until-ci"},
    OptionFlag{"bench::Options::warmup", "--warmup"},
    OptionFlag{"bench::Options::iterations", "--iter"},
    OptionFlag{"bench::OnceOptions::warmup", "--warmup"},
    OptionFlag{"bench::OnceOptions::iterations", "--iter"},
};

bool is_word(const std::string& text, std::size_t at) {
  return at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) != 0 || text[at] == '_');
}

/// Replaces the option wherever it stands as a whole name.
void replace(std::string& text, const OptionFlag& entry) {
  constexpr std::string_view equals = " = ";
  for (std::size_t at = text.find(entry.option); at != std::string::npos; at = text.find(entry.option, at + 1)) {
    std::size_t end = at + entry.option.size();
    if (is_word(text, end) || (at > 0 && (is_word(text, at - 1) || text[at - 1] == ':'))) continue;
    const bool has_value = text.compare(end, equals.size(), equals) == 0;
    if (has_value) end += equals.size();
    text.replace(at, end - at, std::string(entry.flag) + (has_value ? " " : ""));
  }
}

}  // namespace

std::span<const OptionFlag> option_flags() { return kOptionFlags; }

std::string in_flags(std::string text) {
  if (text.find("::") == std::string::npos) return text;
  for (const OptionFlag& entry : kOptionFlags) replace(text, entry);
  return text;
}

}  // namespace fusekit::cli
