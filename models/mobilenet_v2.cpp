#include <array>

#include "models/layers.h"
#include "models/models.h"

namespace fusekit::models {
namespace {

/// One row of the paper's table 2.
struct Stage {
  std::int64_t expansion;
  std::int64_t channels;
  std::int64_t blocks;
  std::int64_t stride;  ///< of the first block
};

constexpr std::array<Stage, 7> kStages = {
    {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}}};

torch::jit::Module conv_norm_relu6(Layers& layers, const Conv2dOptions& conv) {
  return layers.sequential({layers.conv2d(conv), layers.batch_norm2d(conv.out), layers.relu6()},
                           "torchvision.ops.misc.Conv2dNormActivation", {integer("out_channels", conv.out)});
}

/// Expand by a 1x1 conv, filter each channel by itself, project to few channels without an activation.
torch::jit::Module inverted_residual(Layers& layers, std::int64_t in, std::int64_t out, std::int64_t stride,
                                     std::int64_t expansion) {
  const std::int64_t hidden = in * expansion;
  const bool residual = stride == 1 && in == out;
  std::vector<torch::jit::Module> parts;
  if (expansion != 1) parts.push_back(conv_norm_relu6(layers, {.in = in, .out = hidden, .gain = kBehindLinear}));
  parts.push_back(conv_norm_relu6(
      layers, {.in = hidden, .out = hidden, .kernel = 3, .stride = stride, .padding = 1, .groups = hidden}));
  parts.push_back(layers.conv2d({.in = hidden, .out = out}));
  parts.push_back(layers.batch_norm2d(out, residual ? kBranchScale : 1));
  return layers.network("torchvision.models.mobilenetv2.InvertedResidual",
                        {integer("stride", stride), boolean("use_res_connect", residual), integer("out_channels", out),
                         boolean("_is_cn", stride > 1)},
                        {{"conv", layers.sequential(parts)}},
                        "def forward(self, x: Tensor) -> Tensor:\n"
                        "    if self.use_res_connect:\n"
                        "        result = x + self.conv.forward(x)\n"
                        "    else:\n"
                        "        result = self.conv.forward(x)\n"
                        "    return result\n");
}

torch::jit::Module features(Layers& layers, std::int64_t last) {
  std::int64_t channels = 32;
  std::vector<torch::jit::Module> parts = {conv_norm_relu6(
      layers, {.in = 3, .out = channels, .kernel = 3, .stride = 2, .padding = 1, .gain = kBehindLinear})};
  for (const Stage& stage : kStages) {
    for (std::int64_t block = 0; block < stage.blocks; ++block) {
      const std::int64_t stride = block == 0 ? stage.stride : 1;
      parts.push_back(inverted_residual(layers, channels, stage.channels, stride, stage.expansion));
      channels = stage.channels;
    }
  }
  parts.push_back(conv_norm_relu6(layers, {.in = channels, .out = last, .gain = kBehindLinear}));
  return layers.sequential(parts);
}

}  // namespace

torch::jit::Module mobilenet_v2(std::uint64_t seed) {
  constexpr std::int64_t last = 1280;
  Layers layers(seed);
  const std::vector<Child> children = {
      {"features", features(layers, last)},
      {"classifier", layers.sequential({layers.dropout(0.2), layers.linear(last, 1000)})}};
  return layers.network("torchvision.models.mobilenetv2.MobileNetV2", {integer("last_channel", last)}, children,
                        "def _forward_impl(self, x: Tensor) -> Tensor:\n"
                        "    x = self.features.forward(x)\n"
                        "    x = adaptive_avg_pool2d(x, [1, 1])\n"
                        "    x = torch.flatten(x, 1)\n"
                        "    return self.classifier.forward(x)\n"
                        "def forward(self, x: Tensor) -> Tensor:\n"
                        "    return self._forward_impl(x)\n");
}

}  // namespace fusekit::models
