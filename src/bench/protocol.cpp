#include "bench/protocol.h"

namespace fusekit::bench {

using nlohmann::json;

namespace {

/// JSON is UTF-8, and a path is any bytes: each byte becomes the character of its number.
std::string as_utf8(const std::filesystem::path& path) {
  std::string text;
  for (const char c : path.string()) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      text += c;
    } else {
      text += static_cast<char>(0xC0 | (byte >> 6));
      text += static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  return text;
}

std::filesystem::path path_of(const std::string& text) {
  std::string bytes;
  for (std::size_t k = 0; k < text.size(); ++k) {
    const auto first = static_cast<unsigned char>(text[k]);
    bytes += first < 0x80 ? text[k] : static_cast<char>((first << 6) | (static_cast<unsigned char>(text[++k]) & 0x3F));
  }
  return bytes;
}

}  // namespace

json to_request(const Variant& variant) {
  const Arguments& arguments = variant.arguments;
  const InputOptions& inputs = arguments.inputs;
  return {{"model", as_utf8(variant.model)},
          {"label", variant.label},
          {"threads", variant.runtime.threads},
          {"engine", variant.runtime.engine},
          {"run_limit", variant.runtime.run_limit ? json(*variant.runtime.run_limit) : json()},
          {"max_memory", variant.runtime.max_memory ? json(*variant.runtime.max_memory) : json()},
          {"dtype", variant.dtype},
          {"graph_fuser", variant.graph_fuser},
          {"streams", variant.streams},
          {"none", arguments.none},
          {"bundled", arguments.bundled},
          {"pytext_len", arguments.pytext_len},
          {"dims", inputs.dims},
          {"types", inputs.types},
          {"file", as_utf8(inputs.file)},
          {"arguments", inputs.arguments},
          {"batch", inputs.batch},
          {"resize", inputs.pictures.resize},
          {"crop", inputs.pictures.crop},
          {"mean", inputs.pictures.mean},
          {"std", inputs.pictures.std},
          {"memory_formats", inputs.memory_formats},
          {"seed", inputs.seed},
          {"int_high", inputs.int_high}};
}

Variant variant_of(const json& request) {
  Variant variant;
  variant.model = path_of(request.at("model"));
  variant.label = request.at("label");
  variant.runtime.threads = request.at("threads");
  variant.runtime.engine = request.at("engine");
  variant.runtime.run_limit = optional_of<double>(request, "run_limit");
  variant.runtime.max_memory = optional_of<std::uint64_t>(request, "max_memory");
  variant.dtype = request.at("dtype");
  variant.graph_fuser = request.at("graph_fuser");
  variant.streams = request.at("streams");
  variant.arguments.none = request.at("none");
  variant.arguments.bundled = request.at("bundled");
  variant.arguments.pytext_len = request.at("pytext_len");
  InputOptions& inputs = variant.arguments.inputs;
  request.at("dims").get_to(inputs.dims);
  request.at("types").get_to(inputs.types);
  inputs.file = path_of(request.at("file"));
  request.at("arguments").get_to(inputs.arguments);
  inputs.batch = request.at("batch");
  inputs.pictures.resize = request.at("resize");
  inputs.pictures.crop = request.at("crop");
  request.at("mean").get_to(inputs.pictures.mean);
  request.at("std").get_to(inputs.pictures.std);
  request.at("memory_formats").get_to(inputs.memory_formats);
  inputs.seed = request.at("seed");
  inputs.int_high = request.at("int_high");
  return variant;
}

json to_answer(const LoadFigures& figures) {
  return {{"load_us", figures.load_us}, {"first_us", figures.first_us}, {"rss_kib", figures.rss_kib}};
}

LoadFigures load_figures_of(const json& answer) {
  return {answer.at("load_us"), answer.at("first_us"), answer.at("rss_kib")};
}

json to_answer(const Times& times) { return {{"run_us", times.run_us}, {"wall_us", times.wall_us}}; }

Times times_of(const json& answer) { return {answer.at("run_us"), answer.at("wall_us")}; }

json to_answer(const Usage& usage) {
  return {{"peak_rss_kib", usage.peak_rss_kib},
          {"major_faults", usage.major_faults},
          {"involuntary_switches", usage.involuntary_switches},
          {"cpu_seconds", usage.cpu_seconds},
          {"waited_seconds", usage.waited_seconds}};
}

Usage usage_of(const json& answer) {
  return {answer.at("peak_rss_kib"), answer.at("major_faults"), answer.at("involuntary_switches"),
          answer.at("cpu_seconds"), answer.at("waited_seconds")};
}

json to_answer(const Error& error) {
  return {{"error", {{"kind", static_cast<int>(error.kind())}, {"message", error.message()}, {"hint", error.hint()}}}};
}

void throw_if_error(const json& answer) {
  if (!answer.contains("error")) return;
  const json& error = answer.at("error");
  throw Error(static_cast<ErrorKind>(error.at("kind").get<int>()), error.at("message"), error.at("hint"));
}

}  // namespace fusekit::bench
