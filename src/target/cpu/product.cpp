#include "target/cpu/product.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "ir/uses.h"
#include "target/cpu/post_op.h"

namespace fusekit::target {
namespace {

/// Up to so many rows a call of oneDNN's takes longer than its arithmetic, in float: the plain product costs least, on
/// Intel's CPUs MKL's. (In bfloat16 the plain one arranges its weights anew in every call.)
constexpr std::int64_t kFewRows = 16;
/// Up to so many, in float, MKL's with an activation in place.
constexpr std::int64_t kRowsForMkl = 200;
/// With large weights MKL's arithmetic is faster on Intel's CPUs, by more than the activation's pass over the output
/// costs, up to so many rows.
constexpr std::int64_t kLargeWeight = 128 * 1024;
constexpr std::int64_t kRowsForMklWithLargeWeight = 2048;

bool is_intel() {
#if defined(__x86_64__)
  return __builtin_cpu_is("intel") != 0;
#else
  return false;
#endif
}

bool is_faster_by_mkl(const Product& product) {
  if (product.rows <= kFewRows) return is_intel();
  if (product.rows <= kRowsForMkl) return true;
  const bool is_large = product.in * product.out >= kLargeWeight;
  return is_large && product.rows <= kRowsForMklWithLargeWeight && is_intel();
}

bool are_all(c10::IntArrayRef numbers, std::int64_t of) {
  return std::all_of(numbers.begin(), numbers.end(), [of](std::int64_t number) { return number == of; });
}

/// Is it a matrix product of each pixel's channels?
bool is_pixelwise(const ir::Layer& layer, const at::Tensor& weight) {
  if (layer.transposed || layer.groups != 1 || !are_all(weight.sizes().slice(2), 1)) return false;
  const auto geometry = ir::geometry_of(*ir::as_convolution(layer.node), weight);
  return geometry && are_all(geometry->stride, 1) && are_all(geometry->padding, 0) && are_all(geometry->padding_end, 0);
}

std::int64_t count_of(c10::IntArrayRef sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), std::int64_t{1}, std::multiplies<>());
}

}  // namespace

std::optional<Product> as_product(const ir::Layer& layer, const ir::Program& program,
                                  const inputs::ObservedTensors& observed) {
  if (!has_constant_weights(layer, program)) return std::nullopt;
  const at::Tensor weight = *ir::constant_tensor(program, layer.weight);
  const inputs::ObservedTensor input = inputs::seen(observed, layer.input);
  const bool is_known_type = weight.scalar_type() == at::kFloat || weight.scalar_type() == at::kBFloat16;
  if (!is_known_type || input.dtype != weight.scalar_type() || !input.sizes || input.sizes->size() < 2)
    return std::nullopt;
  const c10::IntArrayRef sizes = *input.sizes;
  if (!layer.is_linear && (sizes.size() != static_cast<std::size_t>(weight.dim()) || !is_pixelwise(layer, weight)))
    return std::nullopt;
  Product product;
  product.in = weight.size(1);
  product.out = weight.size(0);
  product.rows = layer.is_linear ? count_of(sizes.slice(0, sizes.size() - 1)) : sizes[0] * count_of(sizes.slice(2));
  product.dtype = weight.scalar_type();
  product.has_bias = layer.bias != nullptr && !ir::is_none(layer.bias);
  torch::jit::Node* user = ir::only_user(layer.node->output());
  product.is_activated = user != nullptr && post_op_of(user).has_value();
  return product;
}

Packing packing_of(const Product& product, const ProductTimes* times) {
  if (product.dtype != at::kFloat) return Packing::linear;
  if (const auto fastest = times != nullptr ? times->fastest(product) : std::nullopt) return *fastest;
  if (is_faster_by_mkl(product) && PackedLayers::is_supported(Packing::mkl)) return Packing::mkl;
  return product.rows <= kFewRows ? Packing::matrix : Packing::linear;
}

bool is_faster_in_float(const Product& product) {
  return product.rows <= kFewRows && product.in * product.out <= kLargeWeight;
}

}  // namespace fusekit::target
