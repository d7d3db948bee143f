#include "fusekit/example.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/commands.h"
#include "cli/example_int8.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/report_fusion.h"
#include "cli/report_quantize.h"
#include "cli/report_verify.h"
#include "fusekit/error.h"
#include "fusekit/fuse.h"
#include "fusekit/verify.h"

namespace fusekit::cli {
namespace {

namespace fs = std::filesystem;

using ModuleLists = std::vector<std::vector<std::string>>;

constexpr const char* kRecipeModel = "conv_bn_relu";

ModuleLists recipe_lists() { return {{"bn", "relu"}}; }

void collect_shared(const ModuleTree& tree, const std::string& path, std::set<std::string>& shared) {
  if (tree.calls > 1) shared.insert(path);
  for (const ModuleTree& child : tree.children)
    collect_shared(child, path.empty() ? child.name : path + "." + child.name, shared);
}

/// The lists that fuse_modules would be given for what was fused. A module that is called at two places, such as a
/// residual block's ReLU, stays what it is: fuse_modules would turn both calls into Identity.
ModuleLists lists_of(const FusionReport& fusion, const ModuleTree& tree) {
  std::set<std::string> shared;
  collect_shared(tree, "", shared);
  ModuleLists lists;
  for (const FusionSite& entry : fusion.entries) {
    if (!entry.fused) continue;
    std::vector<std::string> list;
    for (const std::string& module : entry.modules)
      if (shared.count(module) == 0) list.push_back(module);
    if (list.size() > 1) lists.push_back(std::move(list));
  }
  return lists;
}

class ExampleCommand : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "example"; }
  [[nodiscard]] std::string summary() const override { return "Build an example, print it before and after fusing"; }
  [[nodiscard]] std::string example() const override {
    return "fusekit example -o out\n"
           "  fusekit example -o out --model resnet18";
  }

  [[nodiscard]] bool times_networks() const override { return true; }
  void add_options(CLI::App& app) override {
    app.add_option("-o,--output", folder_, "Folder of the files, made where it is missing")->capture_default_str();
    app.add_option("--model", model_, "conv_bn_relu (the recipe's), resnet18 or mobilenet_v2")
        ->check(CLI::IsMember(example_names()))
        ->capture_default_str();
    add_modules_option(app, module_lists_,
                       "Fuse just these, e.g. conv,bn,relu (repeatable; default: everything, and conv_bn_relu is shown "
                       "after bn,relu, as in the recipe)");
    app.add_option("--seed", seed_, "Seed of the weights")->capture_default_str()->check(CLI::NonNegativeNumber);
    app.add_option("--bench", bench_seconds_, "Seconds to time conv_bn_relu's int8 files for; 0: do not")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app.add_flag("--force", write_.force, "Replace existing files");
    add_common_options(app, common_, /*runs_a_model=*/true);
  }

  int run(Console& console) override {
    console.set_verbosity(common_.verbosity());
    apply(common_.runtime);
    lists_ = split_lists(module_lists_);
    prepare_folder();
    const ModuleTree tree = write_example(model_, seed_, float_, write_);
    if (!common_.json) console.print(to_string(tree));

    Model model = read(float_);
    FuseOptions options;
    options.modules = lists_;
    const FusionReport fusion = fuse(model, options);
    const FusedTree after = fused(tree, shown_lists(fusion, tree));
    if (!common_.json) console.print(to_string(after.tree));
    for (const std::string& list : after.ignored) console.warn(list);
    console.note(fmt::format("{}: {}", float_.string(), fusion_summary(fusion)));

    const bool done = write_fused(std::move(model), console) && write_int8_files(float_, int8_, seed_, write_, console);
    nlohmann::json comparison;
    if (done && !int8_.empty() && bench_seconds_ > 0)
      comparison = compare_int8_files(int8_, common_.runtime, bench_seconds_, common_.json, console);
    if (common_.json) {
      nlohmann::json json = report(tree, after.tree, fusion);
      if (!int8_.empty()) json["comparison"] = std::move(comparison);
      console.print_json(json);
    }
    if (InterruptWatch::raised()) return kInterrupted;
    return done ? kDone : kNo;
  }

 private:
  void prepare_folder() {
    float_ = fs::path(folder_) / "model_float.pt";
    float_fused_ = fs::path(folder_) / "model_float_fused.pt";
    std::error_code error;
    fs::create_directories(folder_, error);
    if (error)
      throw Error(ErrorKind::file, fmt::format("{}: can't be made: {}", folder_, error.message()),
                  "give another folder with -o");
    for (const fs::path& output : {float_, float_fused_}) check_output(output, {}, write_);
    if (model_ != kRecipeModel) return;
    int8_ = int8_files(folder_, lists_.empty() ? recipe_lists() : lists_);
    for (const Int8File& file : int8_) check_output(file.path, {}, write_);
  }

  [[nodiscard]] ModuleLists shown_lists(const FusionReport& fusion, const ModuleTree& tree) const {
    if (!lists_.empty()) return lists_;
    return model_ == kRecipeModel ? recipe_lists() : lists_of(fusion, tree);
  }

  bool write_fused(Model model, const Console& console) {
    WriteOptions options = write_;
    options.verify.inputs.dims = {{1, 3, 224, 224}};
    const WriteReport written = write(std::move(model), float_fused_, options);
    verification_ = *written.methods.front().report;
    if (written.written)
      console.note(fmt::format("{}: {}", float_fused_.string(), verify_line(verification_)));
    else
      console.error(fmt::format("{} was not written: {}", float_fused_.string(), verify_line(verification_)), "");
    return written.written;
  }

  [[nodiscard]] nlohmann::json report(const ModuleTree& before, const ModuleTree& after,
                                      const FusionReport& fusion) const {
    nlohmann::json json = fusion_json(fusion);
    json["model"] = model_;
    json["seed"] = seed_;
    json["before"] = to_string(before);
    json["after"] = to_string(after);
    json["files"] = {{"float", float_.string()},
                     {"float_fused", verification_.passed ? nlohmann::json(float_fused_.string()) : nlohmann::json()}};
    json["verification"] = verify_json(verification_);
    for (const Int8File& file : int8_) {
      json["files"][file.key] = file.path.string();
      json[file.key] = quantize_json(file.report);
    }
    return json;
  }

  std::string folder_ = ".";
  std::string model_ = kRecipeModel;
  std::vector<std::string> module_lists_;
  std::uint64_t seed_ = 0;
  WriteOptions write_;
  CommonOptions common_;
  ModuleLists lists_;
  fs::path float_;
  fs::path float_fused_;
  VerifyReport verification_;
  std::vector<Int8File> int8_;
  double bench_seconds_ = 8;
};

}  // namespace

std::unique_ptr<Command> make_example_command() { return std::make_unique<ExampleCommand>(); }

}  // namespace fusekit::cli
