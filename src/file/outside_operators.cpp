#include "file/outside_operators.h"

#include <torch/csrc/jit/runtime/operator.h>

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

namespace fusekit::file {
namespace {

constexpr std::array<std::string_view, 2> kOutside = {"aten::save", "aten::from_file"};
constexpr std::array<std::string_view, 5> kOutsideKinds = {"prim::rpc_", "c10d::", "_c10d_functional",
                                                           "symm_mem::", "dist_rpc::"};

// They believe what they are told of sizes, strides and indices, and read and write memory that is not theirs.
constexpr std::array<std::string_view, 7> kUnchecked = {"aten::_reshape_alias",
                                                        "aten::_reshape_alias_copy",
                                                        "aten::_convert_indices_from_coo_to_csr",
                                                        "aten::_convert_indices_from_csr_to_coo",
                                                        "aten::_nested_view_from_buffer",
                                                        "aten::_nested_view_from_buffer_copy",
                                                        "aten::_coalesced_"};
constexpr std::array<std::string_view, 2> kUncheckedKinds = {"inductor::", "prim::data_ptr"};
constexpr std::string_view kUncheckedEnd = "_tensor_unsafe";  // _sparse_csr_tensor_unsafe and its like

template <typename Names>
bool is_one_of(const Names& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

template <typename Kinds>
bool is_of(const Kinds& kinds, const std::string& name) {
  return std::any_of(kinds.begin(), kinds.end(), [&](std::string_view kind) { return name.starts_with(kind); });
}

bool is_unchecked(const std::string& name) {
  return is_one_of(kUnchecked, name) || is_of(kUncheckedKinds, name) || name.ends_with(kUncheckedEnd);
}

bool reaches_outside(const std::string& name) {
  return is_one_of(kOutside, name) || is_of(kOutsideKinds, name) || is_unchecked(name);
}

std::mutex mutex;  // of what follows
int users = 0;
std::vector<torch::jit::Operator> removed;

}  // namespace

WithoutOutsideOperators::WithoutOutsideOperators() {
  const std::lock_guard lock(mutex);
  if (users++ > 0) return;
  for (const std::shared_ptr<torch::jit::Operator>& op : torch::jit::getAllOperators()) {
    if (!reaches_outside(op->schema().name())) continue;
    removed.push_back(*op);
    torch::jit::deregisterOperator(removed.back().schema());
  }
}

WithoutOutsideOperators::~WithoutOutsideOperators() {
  const std::lock_guard lock(mutex);
  if (--users > 0) return;
  for (torch::jit::Operator& op : removed) torch::jit::registerOperator(std::move(op));
  removed.clear();
}

std::string WithoutOutsideOperators::named_in(const std::string& reason) {
  const std::size_t at = reason.find("Unknown builtin op: ");
  if (at == std::string::npos) return {};
  const std::size_t begin = at + std::string_view("Unknown builtin op: ").size();
  std::string name = reason.substr(begin, reason.find_first_of(" \n", begin) - begin);
  while (!name.empty() && name.back() == '.') name.pop_back();
  return reaches_outside(name) ? name : std::string();
}

}  // namespace fusekit::file
