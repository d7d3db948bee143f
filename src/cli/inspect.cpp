#include "fusekit/inspect.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/report_fusion.h"
#include "fusekit/error.h"
#include "fusekit/fuse.h"

namespace fusekit::cli {
namespace {

/// "46.9 MB": powers of ten, as disks are sold and as ls --si counts.
std::string size_text(double bytes) {
  for (const char* unit : {"B", "kB", "MB"}) {
    if (bytes < 1000) return fmt::format("{:.3g} {}", bytes, unit);
    bytes /= 1000;
  }
  return fmt::format("{:.3g} GB", bytes);
}

/// "1.82 G".
std::string count_text(double count) {
  for (const char* unit : {"", " k", " M"}) {
    if (count < 1000) return fmt::format("{:.3g}{}", count, unit);
    count /= 1000;
  }
  return fmt::format("{:.4g} G", count);
}

std::string work_line(const MultiplyAdds& work) {
  const std::string rest = work.unknown == 0 ? ""
                                             : fmt::format(", without {} operator{} whose shapes only a run would tell",
                                                           work.unknown, work.unknown == 1 ? "" : "s");
  return fmt::format("multiply-adds: {} for {}{}\n", count_text(work.count), work.inputs, rest);
}

std::string totals_line(const char* name, const TensorTotals& totals) {
  return fmt::format("{}: {} elements in {} tensors, {}", name, totals.elements, totals.tensors,
                     size_text(static_cast<double>(totals.bytes)));
}

nlohmann::ordered_json tree_json(const ModuleTree& tree) {
  nlohmann::ordered_json json = {{"name", tree.name}, {"class", tree.class_name}, {"settings", tree.extra}};
  for (const ModuleTree& child : tree.children) json["children"].push_back(tree_json(child));
  return json;
}

nlohmann::ordered_json totals_json(const TensorTotals& totals) {
  return {{"tensors", totals.tensors}, {"elements", totals.elements}, {"bytes", totals.bytes}};
}

class InspectCommand : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "inspect"; }
  [[nodiscard]] std::string summary() const override {
    return "Show what a TorchScript file holds; runs nothing of it";
  }
  [[nodiscard]] std::string example() const override {
    return "fusekit inspect model.pt\n"
           "  fusekit inspect model.pt --input_dims \"1,3,224,224\"";
  }

  void add_options(CLI::App& app) override {
    app.add_option("MODEL", path_, "TorchScript file")->required();
    app.add_option(both("input_dims"), inputs_.dims, "Shapes, to count multiply-adds for, e.g. \"1,3,224,224;1,10\"");
    app.add_option(both("input_type"), inputs_.types, "Their types, e.g. \"float;int64\"");
    app.add_flag("--list-ops", list_operators_, "Only the operators that a custom mobile build must include, as YAML");
    add_common_options(app, common_, /*runs_a_model=*/false);
    add_loading_options(app, common_);
  }

  int run(Console& console) override {
    console.set_verbosity(common_.verbosity());
    common_.enter_sandbox({});
    load_libraries(common_.runtime.libraries);
    set_limits(common_.runtime);
    if (list_operators_) return print_root_operators(console);
    info_ = inspect(path_, inputs_.finish());
    if (!info_.in_training.empty()) console.warn(training_warning(info_.in_training));
    try {
      Model model = read(path_);
      fusion_ = fuse(model);
      std::erase_if(fusion_.entries, [](const FusionSite& entry) { return entry.as_found; });
    } catch (const Error& error) {
      why_not_ = error.message();  // the file is fine, only not for fusing
    }
    common_.json ? console.print_json(to_json()) : console.print(text());
    return kDone;
  }

 private:
  int print_root_operators(const Console& console) const {
    const std::vector<std::string> operators = root_operators(path_);
    common_.json ? console.print_json(nlohmann::json(operators)) : console.print(operators_yaml(operators));
    return kDone;
  }

  [[nodiscard]] std::string text() const {
    std::string text = fmt::format("{}: {}, TorchScript, file format version {}{}\n", path_,
                                   size_text(static_cast<double>(info_.file_bytes)), info_.format_version,
                                   info_.has_mobile_bytecode ? ", with mobile bytecode" : "");
    for (const std::string& name : info_.extra_files) text += fmt::format("extra file: {}\n", name);
    text += "\n" + to_string(info_.tree) + "\n\n";
    for (const MethodInfo& method : info_.methods) text += fmt::format("method: {}\n", method.signature);
    if (!info_.packed_for.empty())
      text += fmt::format("packed for: {} (other shapes take plain operators)\n", info_.packed_for);
    text += totals_line("parameters", info_.parameters) + "\n";
    text += totals_line("buffers", info_.buffers) + "\n";
    if (info_.multiply_adds) text += work_line(*info_.multiply_adds);
    text += "\noperators:\n";
    for (const OperatorCount& op : info_.operators) text += fmt::format("{:>7}  {}\n", op.count, op.name);
    if (!why_not_.empty()) return text + "\ncan't be fused: " + why_not_;
    if (fusion_.entries.empty()) return text + "\nnothing is left to fuse";
    return text + "\ncan be fused: " + fusion_summary(fusion_) + "\n" + fusion_explanation(fusion_);
  }

  [[nodiscard]] nlohmann::ordered_json to_json() const {
    nlohmann::ordered_json json = {{"file", path_},
                                   {"bytes", info_.file_bytes},
                                   {"format_version", info_.format_version},
                                   {"mobile_bytecode", info_.has_mobile_bytecode},
                                   {"extra_files", info_.extra_files},
                                   {"in_training", info_.in_training},
                                   {"packed_for", info_.packed_for},
                                   {"methods", nlohmann::ordered_json::object()},
                                   {"parameters", totals_json(info_.parameters)},
                                   {"buffers", totals_json(info_.buffers)},
                                   {"multiply_adds", nullptr},
                                   {"operators", nlohmann::ordered_json::object()}};
    if (const auto& work = info_.multiply_adds)
      json["multiply_adds"] = {{"count", work->count}, {"unknown", work->unknown}, {"inputs", work->inputs}};
    for (const MethodInfo& method : info_.methods) json["methods"][method.name] = method.signature;
    for (const OperatorCount& op : info_.operators) json["operators"][op.name] = op.count;
    json["tree"] = tree_json(info_.tree);
    if (why_not_.empty()) {
      json["fuse"] = fusion_json(fusion_);
    } else {
      json["fuse"] = {{"error", why_not_}};
    }
    return json;
  }

  std::string path_;
  bool list_operators_ = false;
  InputFlags inputs_;
  CommonOptions common_;
  FileInfo info_;
  FusionReport fusion_;
  std::string why_not_;
};

}  // namespace

std::unique_ptr<Command> make_inspect_command() { return std::make_unique<InspectCommand>(); }

}  // namespace fusekit::cli
