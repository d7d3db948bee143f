#include "models/layers.h"
#include "models/models.h"

namespace fusekit::models {
namespace {

/// Two 3x3 convs beside the identity; where the shape changes, a 1x1 conv takes the identity's place.
torch::jit::Module basic_block(Layers& layers, std::int64_t in, std::int64_t out, std::int64_t stride) {
  std::vector<Slot> attributes = {integer("stride", stride)};
  std::vector<Child> children = {
      {"conv1", layers.conv2d({.in = in, .out = out, .kernel = 3, .stride = stride, .padding = 1})},
      {"bn1", layers.batch_norm2d(out)},
      {"relu", layers.relu()},
      {"conv2", layers.conv2d({.in = out, .out = out, .kernel = 3, .padding = 1})},
      {"bn2", layers.batch_norm2d(out, kBranchScale)}};
  const bool reshapes = stride != 1 || in != out;
  if (reshapes) {
    children.emplace_back("downsample",
                          layers.sequential({layers.conv2d({.in = in, .out = out, .stride = stride, .gain = 1}),
                                             layers.batch_norm2d(out)}));
  } else {
    attributes.push_back({"downsample", c10::NoneType::get(), c10::IValue()});
  }
  return layers.network("torchvision.models.resnet.BasicBlock", attributes, children,
                        std::string("def forward(self, x: Tensor) -> Tensor:\n"
                                    "    identity = x\n"
                                    "    out = self.conv1.forward(x)\n"
                                    "    out = self.bn1.forward(out)\n"
                                    "    out = self.relu.forward(out)\n"
                                    "    out = self.conv2.forward(out)\n"
                                    "    out = self.bn2.forward(out)\n") +
                            (reshapes ? "    identity = self.downsample.forward(x)\n" : "") +
                            "    out += identity\n"
                            "    out = self.relu.forward(out)\n"
                            "    return out\n");
}

torch::jit::Module stage(Layers& layers, std::int64_t in, std::int64_t out, std::int64_t stride) {
  return layers.sequential({basic_block(layers, in, out, stride), basic_block(layers, out, out, 1)});
}

}  // namespace

torch::jit::Module resnet18(std::uint64_t seed) {
  Layers layers(seed);
  const std::vector<Child> children = {
      {"conv1", layers.conv2d({.in = 3, .out = 64, .kernel = 7, .stride = 2, .padding = 3, .gain = kBehindLinear})},
      {"bn1", layers.batch_norm2d(64)},
      {"relu", layers.relu()},
      {"maxpool", layers.max_pool2d(3, 2, 1)},
      {"layer1", stage(layers, 64, 64, 1)},
      {"layer2", stage(layers, 64, 128, 2)},
      {"layer3", stage(layers, 128, 256, 2)},
      {"layer4", stage(layers, 256, 512, 2)},
      {"avgpool", layers.adaptive_avg_pool2d()},
      {"fc", layers.linear(512, 1000)}};
  return layers.network(
      "torchvision.models.resnet.ResNet",
      {integer("inplanes", 512), integer("dilation", 1), integer("groups", 1), integer("base_width", 64)}, children,
      "def _forward_impl(self, x: Tensor) -> Tensor:\n"
      "    x = self.conv1.forward(x)\n"
      "    x = self.bn1.forward(x)\n"
      "    x = self.relu.forward(x)\n"
      "    x = self.maxpool.forward(x)\n"
      "    x = self.layer1.forward(x)\n"
      "    x = self.layer2.forward(x)\n"
      "    x = self.layer3.forward(x)\n"
      "    x = self.layer4.forward(x)\n"
      "    x = self.avgpool.forward(x)\n"
      "    x = torch.flatten(x, 1)\n"
      "    return self.fc.forward(x)\n"
      "def forward(self, x: Tensor) -> Tensor:\n"
      "    return self._forward_impl(x)\n");
}

}  // namespace fusekit::models
