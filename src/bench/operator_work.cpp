#include "bench/operator_work.h"

#include <algorithm>
#include <functional>
#include <set>

#include "bench/operator_names.h"

namespace fusekit::bench {
namespace {

using Sizes = std::vector<std::int64_t>;

constexpr double kMultiplyAdd = 2;  ///< operations

/// The argument of one of these names; nullptr where there is none.
const c10::IValue* argument_of(const OperatorCall& call, std::initializer_list<const char*> names) {
  const auto& arguments = call.schema.arguments();
  for (const char* name : names)
    for (std::size_t i = 0; i < std::min(arguments.size(), call.inputs.size()); ++i)
      if (arguments[i].name() == name) return &call.inputs[i];
  return nullptr;
}

std::optional<at::Tensor> tensor_argument(const OperatorCall& call, std::initializer_list<const char*> names) {
  const c10::IValue* value = argument_of(call, names);
  if (value == nullptr || !value->isTensor() || !value->toTensor().defined()) return std::nullopt;
  return value->toTensor();
}

std::optional<at::Tensor> first_output(const OperatorCall& call) {
  if (call.outputs.empty() || !call.outputs[0].isTensor() || !call.outputs[0].toTensor().defined()) return std::nullopt;
  return call.outputs[0].toTensor();
}

double last_size(const at::Tensor& tensor) {
  return tensor.dim() == 0 ? 1 : static_cast<double>(tensor.size(tensor.dim() - 1));
}

double elements_of(const at::Tensor& tensor) { return static_cast<double>(tensor.numel()); }

double elements_of(const Sizes& sizes) {
  double count = 1;
  for (const std::int64_t size : sizes) count *= static_cast<double>(size);
  return count;
}

Sizes weight_sizes(const OperatorCall& call, const Weights& weights) {
  const c10::IValue* weight = argument_of(call, {"weight", "W", "packed_weight", "qw", "W_prepack"});
  if (weight == nullptr) return {};
  if (weight->isTensor() && weight->toTensor().defined()) return weight->toTensor().sizes().vec();
  const OwnedWeight* owned = weights.find(*weight);
  return owned != nullptr ? owned->sizes : Sizes();
}

/// Behind batch (which may be missing) and before the spatial dimensions.
double channels_of(const at::Tensor& tensor, std::size_t spatial) {
  const auto place = tensor.dim() - static_cast<std::int64_t>(spatial) - 1;
  return place < 0 ? 1 : static_cast<double>(tensor.size(place));
}

/// A position of the output (of a transposed one: of the input) meets one output (input) channel's share of the weight.
std::optional<double> convolution_flops(const OperatorCall& call, const Weights& weights) {
  const auto input = tensor_argument(call, {"input", "X", "qx", "self"});
  const auto output = first_output(call);
  const Sizes weight = weight_sizes(call, weights);
  if (!input || !output || weight.size() < 3) return std::nullopt;
  const c10::IValue* flag = argument_of(call, {"transposed"});
  const bool transposed =
      flag != nullptr && flag->isBool() ? flag->toBool() : contains(call.schema.name(), "transpose");
  const at::Tensor& side = transposed ? *input : *output;
  // conv1d's weight is packed as that of a two-dimensional one.
  const std::size_t spatial = contains(call.schema.name(), "1d") ? 1 : weight.size() - 2;
  return kMultiplyAdd * elements_of(side) * elements_of(weight) / std::max(1.0, channels_of(side, spatial));
}

/// The first factor of a product whose outputs are sums over its last dimension.
std::optional<at::Tensor> first_factor(const OperatorCall& call, const std::string& name) {
  static const std::set<std::string> plain = {"matmul", "mm", "bmm", "mv", "dot", "inner", "_int_mm"};
  if (is_linear(name)) return tensor_argument(call, {"input", "X", "qx", "self"});
  if (plain.count(name) > 0) return tensor_argument(call, {"self", "input"});
  if (name == "addmm" || name == "_addmm_activation" || name == "addmv" || name == "addmm_")
    return tensor_argument(call, {"mat1", "mat"});
  if (name == "baddbmm" || name == "baddbmm_") return tensor_argument(call, {"batch1"});
  return std::nullopt;
}

/// q k^T, and what comes of it times v.
std::optional<double> attention_flops(const OperatorCall& call) {
  const auto query = tensor_argument(call, {"query"});
  const auto key = tensor_argument(call, {"key"});
  const auto value = tensor_argument(call, {"value"});
  if (!query || !key || !value || query->dim() < 2 || key->dim() < 2) return std::nullopt;
  const double rows = elements_of(*query) / std::max(1.0, last_size(*query));
  return kMultiplyAdd * rows * static_cast<double>(key->size(key->dim() - 2)) * (last_size(*query) + last_size(*value));
}

/// mkldnn_rnn_layer: both matrices meet each step of each sample once.
std::optional<double> recurrent_flops(const OperatorCall& call) {
  const auto input = tensor_argument(call, {"input"});
  const auto in = tensor_argument(call, {"weight0"});
  const auto hidden = tensor_argument(call, {"weight1"});
  if (!input || !in || !hidden) return std::nullopt;
  const double steps = elements_of(*input) / std::max(1.0, last_size(*input));
  return kMultiplyAdd * steps * (elements_of(*in) + elements_of(*hidden));
}

void for_each_tensor(const c10::IValue& value, const std::function<void(const at::Tensor&)>& visit) {
  if (value.isTensor() && value.toTensor().defined()) visit(value.toTensor());
  if (value.isTensorList())
    for (const at::Tensor& tensor : value.toTensorVector()) visit(tensor);
  if (value.isTuple())
    for (const c10::IValue& element : value.toTupleRef().elements()) for_each_tensor(element, visit);
}

/// What it holds in memory; a dimension that is expanded holds its elements once.
double bytes_of_data(const at::Tensor& tensor) {
  double count = 1;
  const bool has_strides = tensor.layout() == at::kStrided;
  for (std::int64_t i = 0; i < tensor.dim(); ++i)
    if (!has_strides || tensor.stride(i) != 0) count *= static_cast<double>(tensor.size(i));
  return count * static_cast<double>(tensor.element_size());
}

bool shares_memory(const at::Tensor& a, const at::Tensor& b) {
  return a.has_storage() && b.has_storage() && a.storage().unsafeGetStorageImpl() == b.storage().unsafeGetStorageImpl();
}

/// Views, and what had nothing to do: every output lies in an input's memory, and nothing was written.
bool gives_only_views(const OperatorCall& call) {
  if (call.schema.is_mutable()) return false;
  bool only_views = true;
  for (const c10::IValue& output : call.outputs)
    for_each_tensor(output, [&](const at::Tensor& given) {
      bool is_view = false;
      for (const c10::IValue& input : call.inputs)
        for_each_tensor(input, [&](const at::Tensor& taken) { is_view = is_view || shares_memory(given, taken); });
      only_views = only_views && is_view;
    });
  return only_views;
}

std::string dtype_name(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return "float";
    case at::kDouble:
      return "double";
    case at::kHalf:
      return "half";
    case at::kBFloat16:
      return "bfloat16";
    case at::kQUInt8:
    case at::kQInt8:
    case at::kByte:
    case at::kChar:
      return "int8";
    default:
      return "";
  }
}

/// The first tensor's that has numbers to compute with; a quantized layer computes on int8 whatever it is given.
std::string dtype_of(const OperatorCall& call, const std::string& name) {
  if (contains(call.schema.name(), "quantized::") && (is_linear(name) || is_convolution(name))) return "int8";
  std::string dtype;
  for (const c10::ArrayRef<c10::IValue>& side : {call.inputs, call.outputs})
    for (const c10::IValue& value : side)
      for_each_tensor(value, [&](const at::Tensor& tensor) {
        if (dtype.empty()) dtype = dtype_name(tensor.scalar_type());
      });
  return dtype;
}

}  // namespace

std::optional<double> flops_of_products(const OperatorCall& call, const Weights& weights) {
  const std::string name = unqualified(call.schema);
  if (name == "mkldnn_rnn_layer") return recurrent_flops(call);
  if (contains(name, "scaled_dot_product")) return attention_flops(call);
  if (is_convolution(name)) return convolution_flops(call, weights);
  const auto first = first_factor(call, name);
  const auto output = first_output(call);
  if (!first || !output) return std::nullopt;
  return kMultiplyAdd * elements_of(*output) * last_size(*first);
}

OperatorWork work_of(const OperatorCall& call, const Weights& weights, double inner_flops) {
  const std::string name = unqualified(call.schema);
  OperatorWork work;
  work.dtype = dtype_of(call, name);
  if (gives_only_views(call)) return work;
  double largest = 0;
  double given = 0;
  for (const c10::IValue& output : call.outputs)
    for_each_tensor(output, [&](const at::Tensor& tensor) {
      given += bytes_of_data(tensor);
      largest = std::max(largest, elements_of(tensor));
    });
  const auto take = [&](const c10::IValue& value) {
    for_each_tensor(value, [&](const at::Tensor& tensor) {
      const bool is_weight = weights.find(tensor) != nullptr;
      const double bytes = looks_up_rows(name) ? std::min(given, bytes_of_data(tensor)) : bytes_of_data(tensor);
      (is_weight ? work.weight_bytes : work.data_bytes) += bytes;
      if (!is_weight) largest = std::max(largest, elements_of(tensor));
    });
    if (!value.isObject()) return;
    if (const OwnedWeight* owned = weights.find(value)) work.weight_bytes += owned->bytes;
  };
  for (std::size_t i = 0; i < call.inputs.size(); ++i) {
    const auto& arguments = call.schema.arguments();
    // mkl::_mkl_linear is given the plain weight too; what it packed claims to be larger than it is.
    if (i < arguments.size() && arguments[i].name() == "MKL_W") continue;
    take(call.inputs[i]);
  }
  work.data_bytes += given;
  const std::optional<double> products = flops_of_products(call, weights);
  work.flops = products ? *products : inner_flops > 0 ? inner_flops : only_moves(name) ? 0 : largest;
  return work;
}

}  // namespace fusekit::bench
