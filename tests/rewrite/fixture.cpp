#include "rewrite/fixture.h"

#include "fusekit/write.h"
#include "ir/marks.h"
#include "ir/model_parts.h"
#include "ir/program.h"
#include "support/module.h"
#include "support/temporary_folder.h"

namespace fusekit::test {

Tensors layer(const std::string& path, at::IntArrayRef weight_shape, bool bias) {
  Tensors tensors{{path + ".weight", torch::randn(weight_shape)}};
  if (bias) tensors[path + ".bias"] = torch::randn({weight_shape[0]});
  return tensors;
}

Tensors batch_norm(const std::string& path, std::int64_t channels) {
  return {{path + ".weight", torch::rand({channels}) + 0.5},
          {path + ".bias", torch::randn({channels})},
          {path + ".running_mean", torch::randn({channels})},
          {path + ".running_var", torch::rand({channels}) + 0.5}};
}

Tensors operator+(Tensors a, const Tensors& b) {
  a.insert(b.begin(), b.end());
  return a;
}

std::string batch_norm_call(const std::string& input, const std::string& path, const std::string& training) {
  return fmt::format(
      "torch.batch_norm({0}, self.{1}.weight, self.{1}.bias, self.{1}.running_mean, self.{1}.running_var, {2}, 0.1, "
      "1e-5, True)",
      input, path, training);
}

std::string conv_bn(const std::string& conv_call) {
  return "  y = " + conv_call + "\n  return torch.sigmoid(" + batch_norm_call("y", "bn") + ")\n";
}

Fused::Fused(const Tensors& tensors, const std::string& body, const FuseOptions& options)
    : Fused(make_module("Net", tensors, "def forward(self, x):\n" + body), options) {}

Fused::Fused(const torch::jit::Module& given, const FuseOptions& options) {
  const TemporaryFolder folder;
  save_module(given, folder / "in.pt");
  original = torch::jit::load((folder / "in.pt").string());
  Model model = read(folder / "in.pt");
  const auto text = [&] {
    const auto graph = ModelParts::of(model).program.methods.at(0).graph->copy();
    ir::remove_operator_marks(*graph);
    return graph->toString(false);
  };
  before_ = text();
  fusion = fuse(model, options);
  after_ = text();
  for (const auto& [number, group] : ModelParts::of(model).program.groups) {
    groups.emplace_back();
    for (const ir::Node* node : ir::nodes_of_group(ModelParts::of(model).program, number))
      groups.back().emplace_back(node->kind().toQualString());
  }
  write_unverified(std::move(model), folder / "out.pt");
  module = torch::jit::load((folder / "out.pt").string());
}

int Fused::fired(const std::string& rule) const {
  int count = 0;
  for (const FusionSite& entry : fusion.entries)
    if (entry.fused && (rule.empty() || entry.rule == rule)) ++count;
  return count;
}

std::string Fused::reasons() const {
  std::string text;
  for (const FusionSite& entry : fusion.entries)
    if (!entry.fused) text += to_text(entry.reason) + "\n";
  return text;
}

bool Fused::declined_for(ReasonCode code) const {
  return std::any_of(fusion.entries.begin(), fusion.entries.end(),
                     [&](const FusionSite& entry) { return !entry.fused && entry.reason.code == code; });
}

std::string Fused::graph() const { return module.get_method("forward").graph()->toString(false); }

std::vector<std::string> Fused::state_dict_names() const {
  std::vector<std::string> names;
  for (const auto& parameter : module.named_parameters()) names.push_back(parameter.name);
  for (const auto& buffer : module.named_buffers()) names.push_back(buffer.name);
  std::sort(names.begin(), names.end());
  return names;
}

double Fused::error(at::IntArrayRef shape, at::ScalarType dtype) {
  const torch::NoGradGuard no_grad;
  double worst = 0;
  for (int sample = 0; sample < 3; ++sample) {
    const at::Tensor input = torch::randn(shape).to(dtype);
    for (int run = 0; run < 3; ++run) {
      const at::Tensor a = original.forward({input.clone()}).toTensor().to(at::kDouble);
      const at::Tensor b = module.forward({input.clone()}).toTensor().to(at::kDouble);
      EXPECT_EQ(a.sizes(), b.sizes());
      worst = std::max(worst, ((a - b).abs().max() / a.abs().max()).item<double>());
    }
  }
  return worst;
}

}  // namespace fusekit::test
