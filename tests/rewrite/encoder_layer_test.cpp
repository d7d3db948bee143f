#include "rewrite/fixture.h"
#include "support/module.h"

namespace fusekit {
namespace {

using test::Fused;
using test::Tensors;

Tensors encoder_tensors(std::int64_t width, std::int64_t hidden) {
  const auto norm = [&](const std::string& path) {
    return Tensors{{path + ".weight", torch::rand({width}) + 0.5}, {path + ".bias", torch::randn({width})}};
  };
  Tensors tensors{
      {"attn.in_proj_weight", torch::randn({3 * width, width}) * 0.3}, {"attn.in_proj_bias", torch::randn({3 * width})},
      {"attn.out_proj.weight", torch::randn({width, width}) * 0.3},    {"attn.out_proj.bias", torch::randn({width})},
      {"linear1.weight", torch::randn({hidden, width}) * 0.3},         {"linear1.bias", torch::randn({hidden})},
      {"linear2.weight", torch::randn({width, hidden}) * 0.3},         {"linear2.bias", torch::randn({width})}};
  tensors.merge(norm("norm1"));
  tensors.merge(norm("norm2"));
  return tensors;
}

const std::string kAttention =
    "self.attn.in_proj_weight, self.attn.in_proj_bias, self.attn.out_proj.weight, self.attn.out_proj.bias";

std::string layer_call(const std::string& flags, const std::string& mask = "") {
  return "  return torch._transformer_encoder_layer_fwd(x, 8, 2, " + kAttention + ", " + flags +
         ", 1e-5, self.norm1.weight, self.norm1.bias, self.norm2.weight, self.norm2.bias, self.linear1.weight, "
         "self.linear1.bias, self.linear2.weight, self.linear2.bias" +
         mask + ")\n";
}

FuseOptions taking_apart() {
  FuseOptions options;
  options.take_apart = true;
  return options;
}

class EncoderLayer : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(EncoderLayer, IsTakenApartAndComputesTheSame) {
  Fused fused(encoder_tensors(8, 16), layer_call(GetParam().second), taking_apart());
  EXPECT_EQ(fused.fired("encoder_layer"), 1) << fused.reasons();
  test::FileCheck().check_not("encoder_layer")->check_count("aten::linear", 4, true)->run(fused.graph());
  EXPECT_EQ(fused.state_dict_names().size(), 12U);
  EXPECT_LT(fused.error({2, 5, 8}), 1e-5);
  EXPECT_LT(fused.error({1, 1, 8}), 1e-5);
  EXPECT_LT(fused.error({3, 70, 8}), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Settings, EncoderLayer,
                         testing::Values(std::pair("relu_norm_last", "False, False"),
                                         std::pair("gelu_norm_last", "True, False"),
                                         std::pair("relu_norm_first", "False, True"),
                                         std::pair("gelu_norm_first", "True, True")),
                         [](const auto& info) { return std::string(info.param.first); });

TEST(EncoderLayers, AreLeftInFloat) {
  const Fused fused(encoder_tensors(8, 16), layer_call("True, True"));
  EXPECT_TRUE(fused.is_unchanged());
}

struct LayerRefusal {
  const char* name;
  std::string body;
  ReasonCode code;
};

void PrintTo(const LayerRefusal& given, std::ostream* out) { *out << given.name; }

class EncoderLayerRefusal : public testing::TestWithParam<LayerRefusal> {};

TEST_P(EncoderLayerRefusal, LeavesTheGraphAsItWas) {
  Fused fused(encoder_tensors(8, 16), GetParam().body, taking_apart());
  EXPECT_EQ(fused.fired(), 0);
  EXPECT_TRUE(fused.is_unchanged());
  EXPECT_TRUE(fused.declined_for(GetParam().code)) << fused.reasons();
  EXPECT_EQ(fused.error({2, 5, 8}), 0);
}

std::string attention_call(const std::string& key, const std::string& result, const std::string& needs_weights) {
  return "  y, w = torch._native_multi_head_attention(x, " + key + ", " + key + ", 8, 2, " + kAttention + ", None, " +
         needs_weights + ", True)\n  return " + result + "\n";
}

INSTANTIATE_TEST_SUITE_P(
    Reasons, EncoderLayerRefusal,
    testing::Values(LayerRefusal{"mask", "  m = torch.zeros([2, 5], dtype=11)\n" + layer_call("True, True", ", m, 1"),
                                 ReasonCode::masked_attention},
                    LayerRefusal{"nested",
                                 "  n = torch._nested_tensor_from_mask(x, torch.ones([2, 5], dtype=11))\n"
                                 "  x = n.to_padded_tensor(0.)\n" +
                                     layer_call("True, True"),
                                 ReasonCode::nested_tensors},
                    LayerRefusal{"settings", layer_call("bool(x.sum() > 0), True"), ReasonCode::settings_computed},
                    LayerRefusal{"other_keys", attention_call("x * 2", "y", "False"), ReasonCode::attends_to_others},
                    LayerRefusal{"weights_read", attention_call("x", "y.sum() + w", "True"),
                                 ReasonCode::weights_are_read}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(SelfAttention, IsTakenApartAndComputesTheSame) {
  for (const char* needs : {"False", "True"}) {
    Fused fused(encoder_tensors(8, 16), attention_call("x", "y", needs), taking_apart());
    EXPECT_EQ(fused.fired("self_attention"), 1) << fused.reasons();
    test::FileCheck().check_not("native_multi")->check_count("aten::linear", 2, true)->run(fused.graph());
    EXPECT_LT(fused.error({2, 5, 8}), 1e-5);
  }
}

}  // namespace
}  // namespace fusekit
