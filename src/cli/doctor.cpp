#include "fusekit/doctor.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/options.h"

namespace fusekit::cli {
namespace {

const char* name_of(Severity severity) {
  switch (severity) {
    case Severity::ok:
      return "ok";
    case Severity::warn:
      return "warn";
    case Severity::bad:
      return "bad";
  }
  return "";
}

std::string table(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& finding : findings) {
    text += fmt::format("{:<5} {:<18} {}\n", name_of(finding.severity), finding.subject, finding.value);
    if (!finding.advice.empty()) text += fmt::format("{:<24} -> {}\n", "", finding.advice);
  }
  text.pop_back();
  return text;
}

nlohmann::ordered_json to_json(const std::vector<Finding>& findings, const MachineFacts& facts) {
  nlohmann::ordered_json json;
  json["findings"] = nlohmann::ordered_json::array();
  for (const Finding& finding : findings)
    json["findings"].push_back({{"subject", finding.subject},
                                {"verdict", name_of(finding.severity)},
                                {"value", finding.value},
                                {"advice", finding.advice}});
  json["libtorch"] = {{"version", facts.libtorch.version},
                      {"mkl", facts.libtorch.has_mkl},
                      {"blas_libraries", facts.libtorch.blas_libraries},
                      {"onednn", facts.libtorch.onednn_version},
                      {"quantized_engines", facts.libtorch.quantized_engines},
                      {"default_engine", facts.libtorch.default_engine},
                      {"xnnpack", facts.libtorch.has_xnnpack},
                      {"threads", facts.libtorch.threads}};
  json["cpu"] = {
      {"model", facts.cpu.model},         {"architecture", facts.cpu.architecture}, {"features", facts.cpu.features},
      {"megahertz", facts.cpu.megahertz}, {"logical", facts.cpu.logical},           {"physical", facts.cpu.physical},
      {"allowed", facts.cpu.allowed},     {"governor", facts.cpu.governor},         {"load", facts.cpu.load}};
  if (facts.cpu.quota) json["cpu"]["quota"] = *facts.cpu.quota;
  if (facts.cpu.turbo) json["cpu"]["turbo"] = *facts.cpu.turbo;
  json["sandbox"] = {{"files", facts.sandbox.files}, {"system_calls", facts.sandbox.system_calls}};
  json["noise"] = {{"runs", facts.noise.microseconds.size()},
                   {"spread", spread(facts.noise.microseconds)},
                   {"gigaflops", facts.noise.gigaflops}};
  return json;
}

class DoctorCommand : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "doctor"; }
  [[nodiscard]] std::string summary() const override { return "Say what makes networks slow or timings noisy here"; }
  [[nodiscard]] std::string example() const override { return "fusekit doctor"; }

  void add_options(CLI::App& app) override {
    app.add_option("--seconds", seconds_, "How long the noise is measured")
        ->check(CLI::Range(0.0, 3600.0))
        ->capture_default_str();
    add_common_options(app, common_, /*runs_a_model=*/false);
  }

  int run(Console& console) override {
    console.set_verbosity(common_.verbosity());
    const MachineFacts facts = gather_facts(seconds_);
    const std::vector<Finding> findings = diagnose(facts);
    common_.json ? console.print_json(to_json(findings, facts)) : console.print(table(findings));
    return kDone;
  }

 private:
  double seconds_ = 1;
  CommonOptions common_;
};

}  // namespace

std::unique_ptr<Command> make_doctor_command() { return std::make_unique<DoctorCommand>(); }

}  // namespace fusekit::cli
