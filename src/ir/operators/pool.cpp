#include "ir/operators/pool.h"

#include <string_view>

namespace fusekit::ir {
namespace {

/// 2 for "...2d"; 0 for a name that does not end so.
int spatial_of(std::string_view name) {
  if (name.size() < 2 || name.back() != 'd') return 0;
  const char digit = name[name.size() - 2];
  return digit >= '1' && digit <= '3' ? digit - '0' : 0;
}

}  // namespace

std::optional<Pool> as_pool(Node* node) {
  if (!node->kind().is_aten() || node->maybeSchema() == nullptr) return std::nullopt;
  std::string_view name = node->kind().toUnqualString();
  const int spatial = spatial_of(name);
  const bool is_adaptive = name.starts_with("adaptive_");
  if (is_adaptive) name.remove_prefix(std::string_view("adaptive_").size());
  const bool is_max = name.starts_with("max_pool");
  const bool is_pool = is_max || name.starts_with("avg_pool");
  if (!is_pool || spatial == 0 || name.size() != std::string_view("max_pool2d").size()) return std::nullopt;
  return Pool{node, node->input(0), spatial, is_max, is_adaptive};
}

std::optional<Upsample> as_upsample(Node* node) {
  if (!node->kind().is_aten() || node->maybeSchema() == nullptr) return std::nullopt;
  const std::string_view name = node->kind().toUnqualString();
  const int spatial = spatial_of(name);
  if (!name.starts_with("upsample_") || spatial == 0) return std::nullopt;
  return Upsample{node, node->input(0), spatial};
}

}  // namespace fusekit::ir
