#include "quantize/work_in_a_run.h"

#include <c10/util/accumulate.h>

namespace fusekit::quantize {
namespace {

using AllShapes = std::vector<std::vector<std::int64_t>>;

const AllShapes* shapes_of(const Value* value, const Observed& observed) {
  const auto found = observed.shapes.find(observed.numbers->of(value));
  return found == observed.shapes.end() || found->second.empty() ? nullptr : &found->second;
}

double multiply_adds(const ir::Work& work, const Observed& observed) {
  const AllShapes* outputs = shapes_of(work.tensors.back(), observed);
  double sum = 0;
  for (std::size_t k = 0; outputs != nullptr && k < outputs->size(); ++k)
    sum += ir::multiply_adds(work, *observed.program, [&](const Value* value) {
      const AllShapes* all = shapes_of(value, observed);
      return all == nullptr ? std::vector<std::int64_t>() : all->size() == outputs->size() ? all->at(k) : all->back();
    });
  return sum;
}

}  // namespace

std::vector<std::pair<ir::Work, double>> work_in_a_run(const Observed& observed) {
  std::vector<std::pair<ir::Work, double>> all;
  for (Node* node : ir::all_nodes(*observed.program->methods.front().graph))
    if (const auto work = ir::as_work(node)) all.emplace_back(*work, multiply_adds(*work, observed));
  return all;
}

double elements_in_a_run(const Value* value, const Observed& observed) {
  const AllShapes* all = shapes_of(value, observed);
  double sum = 0;
  for (std::size_t k = 0; all != nullptr && k < all->size(); ++k)
    sum += static_cast<double>(c10::multiply_integers(all->at(k)));
  return sum;
}

}  // namespace fusekit::quantize
