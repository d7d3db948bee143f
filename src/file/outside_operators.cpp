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

bool reaches_outside(const std::string& name) {
  return std::find(kOutside.begin(), kOutside.end(), name) != kOutside.end() ||
         std::any_of(kOutsideKinds.begin(), kOutsideKinds.end(),
                     [&](std::string_view kind) { return name.starts_with(kind); });
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
