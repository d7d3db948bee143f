#include "models/layers.h"
#include "models/models.h"

namespace fusekit::models {

torch::jit::Module conv_bn_relu(std::uint64_t seed) {
  Layers layers(seed);
  return layers.network("AnnotatedConvBnReLUModel", {},
                        {{"conv", layers.conv2d({.in = 3, .out = 5, .kernel = 3, .gain = kBehindLinear})},
                         {"bn", layers.batch_norm2d(5)},
                         {"relu", layers.relu()},
                         {"quant", layers.stub("QuantStub")},
                         {"dequant", layers.stub("DeQuantStub")}},
                        "def forward(self, x: Tensor) -> Tensor:\n"
                        "    x = x.contiguous(memory_format=2)\n"  // torch.channels_last
                        "    x = self.quant.forward(x)\n"
                        "    x = self.conv.forward(x)\n"
                        "    x = self.bn.forward(x)\n"
                        "    x = self.relu.forward(x)\n"
                        "    x = self.dequant.forward(x)\n"
                        "    return x\n");
}

}  // namespace fusekit::models
