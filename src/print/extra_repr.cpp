#include "print/extra_repr.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "print/python_text.h"

namespace fusekit::print {
namespace {

/// The parts of an extra_repr, joined by ", ".
class Parts {
 public:
  explicit Parts(const LayerFacts& layer) : layer_(layer) {}

  void add(const std::string& part) { text_ += (text_.empty() ? "" : ", ") + part; }

  /// "name=value" where the value is known.
  void setting(const std::string& name) {
    if (const auto value = layer_.setting(name)) add(name + "=" + python_text(*value));
  }

  /// The same, left out where every element equals `fallback`.
  void setting_unless(const std::string& name, std::int64_t fallback) {
    const auto value = layer_.setting(name);
    if (value && !is_all(*value, fallback)) add(name + "=" + python_text(*value));
  }

  /// A setting that PyTorch keeps as one number where the code has a list of equal ones.
  void square_setting(const std::string& name) {
    const auto value = layer_.setting(name);
    if (value) add(name + "=" + python_text(first_if_equal(*value)));
  }

  [[nodiscard]] std::string text() const { return text_; }

 private:
  static bool is_all(const c10::IValue& value, std::int64_t wanted) {
    if (value.isInt()) return value.toInt() == wanted;
    if (!value.isTuple() && !value.isList()) return false;
    const auto elements = value.isTuple() ? value.toTupleRef().elements().vec() : value.toListRef().vec();
    return std::all_of(elements.begin(), elements.end(),
                       [&](const c10::IValue& element) { return element.isInt() && element.toInt() == wanted; });
  }

  static c10::IValue first_if_equal(const c10::IValue& value) {
    if (!value.isTuple()) return value;
    const auto elements = value.toTupleRef().elements().vec();
    const bool equal = !elements.empty() && elements[0].isInt() && is_all(value, elements[0].toInt());
    return equal ? elements[0] : value;
  }

  const LayerFacts& layer_;
  std::string text_;
};

std::int64_t groups_of(const LayerFacts& layer) {
  const auto groups = layer.setting("groups");
  return groups && groups->isInt() ? groups->toInt() : 1;
}

/// torch/nn/modules/conv.py. Weight: [out, in/groups, ...], transposed: [in, out/groups, ...].
std::string conv(const LayerFacts& layer, bool transposed) {
  Parts parts(layer);
  const at::Tensor weight = layer.tensor("weight");
  if (!weight.defined() || weight.dim() < 3) return {};
  const std::int64_t groups = groups_of(layer);
  const std::int64_t in = transposed ? weight.size(0) : weight.size(1) * groups;
  const std::int64_t out = transposed ? weight.size(1) * groups : weight.size(0);
  parts.add(std::to_string(in));
  parts.add(std::to_string(out));
  parts.add("kernel_size=" + python_text(c10::ivalue::Tuple::create(
                                 std::vector<c10::IValue>(weight.sizes().begin() + 2, weight.sizes().end()))));
  parts.setting("stride");
  parts.setting_unless("padding", 0);
  parts.setting_unless("dilation", 1);
  if (transposed || layer.setting("out_channels")) parts.setting_unless("output_padding", 0);
  if (groups != 1) parts.add(fmt::format("groups={}", groups));
  if (!layer.tensor("bias").defined()) parts.add("bias=False");
  const auto mode = layer.setting("padding_mode");
  if (mode && mode->isString() && mode->toStringRef() != "zeros") parts.add("padding_mode=" + mode->toStringRef());
  return parts.text();
}

/// torch/nn/modules/batchnorm.py and instancenorm.py.
std::string norm(const LayerFacts& layer) {
  Parts parts(layer);
  const at::Tensor weight = layer.tensor("weight");
  const at::Tensor mean = layer.tensor("running_mean");
  if (const auto features = layer.setting("num_features")) {
    parts.add(python_text(*features));
  } else if (weight.defined() || mean.defined()) {
    parts.add(std::to_string((weight.defined() ? weight : mean).numel()));
  }
  parts.setting("eps");
  parts.setting("momentum");
  parts.add(fmt::format("affine={}", weight.defined() ? "True" : "False"));
  parts.add(fmt::format("track_running_stats={}", mean.defined() ? "True" : "False"));
  return parts.text();
}

std::string linear(const LayerFacts& layer) {
  const at::Tensor weight = layer.tensor("weight");
  if (!weight.defined() || weight.dim() != 2) return {};
  return fmt::format("in_features={}, out_features={}, bias={}", weight.size(1), weight.size(0),
                     layer.tensor("bias").defined() ? "True" : "False");
}

std::string embedding(const LayerFacts& layer) {
  const at::Tensor weight = layer.tensor("weight");
  return weight.defined() && weight.dim() == 2 ? fmt::format("{}, {}", weight.size(0), weight.size(1)) : std::string();
}

std::string layer_norm(const LayerFacts& layer) {
  Parts parts(layer);
  if (const auto shape = layer.setting("normalized_shape")) parts.add(python_text(*shape));
  parts.setting("eps");
  parts.add(fmt::format("elementwise_affine={}", layer.tensor("weight").defined() ? "True" : "False"));
  return parts.text();
}

std::string group_norm(const LayerFacts& layer) {
  Parts parts(layer);
  const at::Tensor weight = layer.tensor("weight");
  if (const auto groups = layer.setting("num_groups")) parts.add(python_text(*groups));
  if (weight.defined()) parts.add(std::to_string(weight.numel()));
  parts.setting("eps");
  parts.add(fmt::format("affine={}", weight.defined() ? "True" : "False"));
  return parts.text();
}

/// Whether the activation works in place, according to its attribute or to the operator that it calls.
bool is_inplace(const LayerFacts& layer) {
  if (const auto inplace = layer.setting("inplace")) return inplace->isBool() && inplace->toBool();
  for (const char* op : {"aten::relu_", "aten::relu6_", "aten::hardtanh_", "aten::silu_", "aten::hardsigmoid_",
                         "aten::leaky_relu_", "aten::elu_", "aten::dropout_", "aten::mish_"})
    if (layer.runs(op)) return true;
  return false;
}

std::string only_inplace(const LayerFacts& layer) { return is_inplace(layer) ? "inplace=True" : ""; }

/// The settings, then ", inplace=True" if it works in place.
std::string with_inplace(const LayerFacts& layer, std::initializer_list<const char*> names) {
  Parts parts(layer);
  for (const char* name : names) parts.setting(name);
  if (is_inplace(layer)) parts.add("inplace=True");
  return parts.text();
}

std::string settings(const LayerFacts& layer, std::initializer_list<const char*> names) {
  Parts parts(layer);
  for (const char* name : names) parts.setting(name);
  return parts.text();
}

std::string dropout(const LayerFacts& layer) {
  Parts parts(layer);
  parts.setting("p");
  parts.add(fmt::format("inplace={}", is_inplace(layer) ? "True" : "False"));
  return parts.text();
}

std::string pool(const LayerFacts& layer, std::initializer_list<const char*> names) {
  Parts parts(layer);
  for (const char* name : names) parts.square_setting(name);
  return parts.text();
}

/// The function that prints a class. `class_name` is without "1d", "2d" or "3d": these are printed alike.
struct Printer {
  std::string_view class_name;
  std::function<std::string(const LayerFacts&)> print;
};

const std::vector<Printer>& printers() {
  static const std::vector<Printer> table = {
      {"Conv", [](const LayerFacts& layer) { return conv(layer, false); }},
      {"ConvTranspose", [](const LayerFacts& layer) { return conv(layer, true); }},
      {"BatchNorm", norm},
      {"SyncBatchNorm", norm},
      {"InstanceNorm", norm},
      {"Linear", linear},
      {"NonDynamicallyQuantizableLinear", linear},
      {"Embedding", embedding},
      {"LayerNorm", layer_norm},
      {"GroupNorm", group_norm},
      {"ReLU", only_inplace},
      {"ReLU6", only_inplace},
      {"SiLU", only_inplace},
      {"Mish", only_inplace},
      {"LeakyReLU", [](const LayerFacts& layer) { return with_inplace(layer, {"negative_slope"}); }},
      {"ELU", [](const LayerFacts& layer) { return with_inplace(layer, {"alpha"}); }},
      {"Hardtanh",
       [](const LayerFacts& layer) {
         return with_inplace(layer, {"min_val", "max_val"});
       }},
      {"Softmax", [](const LayerFacts& layer) { return settings(layer, {"dim"}); }},
      {"LogSoftmax", [](const LayerFacts& layer) { return settings(layer, {"dim"}); }},
      {"Flatten",
       [](const LayerFacts& layer) {
         return settings(layer, {"start_dim", "end_dim"});
       }},
      {"Dropout", dropout},
      {"AlphaDropout", dropout},
      {"FeatureAlphaDropout", dropout},
      {"MaxPool",
       [](const LayerFacts& layer) {
         return pool(layer, {"kernel_size", "stride", "padding", "dilation", "ceil_mode"});
       }},
      {"AvgPool",
       [](const LayerFacts& layer) {
         return pool(layer, {"kernel_size", "stride", "padding"});
       }},
      {"AdaptiveAvgPool", [](const LayerFacts& layer) { return settings(layer, {"output_size"}); }},
      {"AdaptiveMaxPool", [](const LayerFacts& layer) { return settings(layer, {"output_size"}); }},
  };
  return table;
}

/// "Conv2d" -> "Conv".
std::string_view without_dimensions(std::string_view name) {
  for (const std::string_view suffix : {"1d", "2d", "3d"})
    if (name.ends_with(suffix)) return name.substr(0, name.size() - suffix.size());
  return name;
}

}  // namespace

std::string extra_repr(const std::string& class_name, const LayerFacts& layer) {
  for (const Printer& printer : printers())
    if (printer.class_name == without_dimensions(class_name)) return printer.print(layer);
  return {};
}

}  // namespace fusekit::print
