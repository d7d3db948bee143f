#include "quantize/fallback.h"

#include <algorithm>

namespace fusekit::quantize {
namespace {

constexpr std::size_t kSamplesForOrder = 8;  // ranking the layers needs fewer than judging the bound

class Search {
 public:
  Search(const std::function<Built(const std::function<Reason(const Node*)>&)>& build_with,
         std::vector<const Node*> layers, const Judge& judge, const std::function<bool(const Score&)>& holds,
         const std::function<void(double)>& progress)
      : build_with_(build_with), layers_(std::move(layers)), judge_(judge), holds_(holds), progress_(progress) {}

  Fallback run() {
    if (holds_with({})) return std::move(result_);
    rank();
    std::size_t count = shortest_prefix();
    result_.holds = count <= layers_.size();
    count = std::min(count, layers_.size());
    result_.floats = {layers_.begin(), layers_.begin() + static_cast<std::ptrdiff_t>(count)};
    if (result_.holds) give_back(count);
    return std::move(result_);
  }

 private:
  [[nodiscard]] bool holds_with(const std::set<const Node*>& floats) const {
    return holds_(judge_.score(build_with_(
        [&](const Node* node) { return floats.count(node) > 0 ? Reason(ReasonCode::breaks_error_bound) : Reason(); })));
  }

  void rank() {
    const std::set<const Node*> all(layers_.begin(), layers_.end());
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      if (progress_) progress_(static_cast<double>(i) / static_cast<double>(layers_.size()));
      const Node* alone = layers_[i];
      const Built built = build_with_([&](const Node* node) {
        return node != alone && all.count(node) > 0 ? Reason(ReasonCode::measured_without) : Reason();
      });
      result_.alone_db[alone] = judge_.score(built, kSamplesForOrder).whole.sqnr_db;
    }
    std::stable_sort(layers_.begin(), layers_.end(),
                     [&](const Node* a, const Node* b) { return result_.alone_db.at(a) < result_.alone_db.at(b); });
  }

  /// How many of the worst layers have to be float; one more than there are where not even all suffice.
  std::size_t shortest_prefix() const {
    std::size_t low = 1;
    std::size_t high = layers_.size() + 1;
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      if (middle <= layers_.size() &&
          holds_with({layers_.begin(), layers_.begin() + static_cast<std::ptrdiff_t>(middle)})) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

  void give_back(std::size_t count) {
    for (std::size_t i = count; i-- > 0;) {
      std::set<const Node*> fewer = result_.floats;
      fewer.erase(layers_[i]);
      if (holds_with(fewer)) result_.floats = std::move(fewer);
    }
  }

  const std::function<Built(const std::function<Reason(const Node*)>&)>& build_with_;
  std::vector<const Node*> layers_;
  const Judge& judge_;
  const std::function<bool(const Score&)>& holds_;
  const std::function<void(double)>& progress_;
  Fallback result_;
};

}  // namespace

Fallback find_fallback(const std::function<Built(const std::function<Reason(const Node*)>&)>& build_with,
                       const std::vector<const Node*>& layers, const Judge& judge,
                       const std::function<bool(const Score&)>& holds, const std::function<void(double)>& progress) {
  return Search(build_with, layers, judge, holds, progress).run();
}

}  // namespace fusekit::quantize
