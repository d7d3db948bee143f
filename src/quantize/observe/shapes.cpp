#include "quantize/observe/shapes.h"

#include "quantize/observe/network.h"

namespace fusekit::quantize {

Shapes shapes_in_a_run(const ir::Program& program, const Numbering& numbers, const std::vector<const Value*>& values,
                       const Sample& sample) {
  ir::Program copy = ir::copy_of(program);
  const Numbering copied(*copy.methods.front().graph);
  std::map<int, Watch> watches;
  for (const Value* value : values) watches[numbers.of(value)] = {numbers.of(value), copied.value(numbers.of(value))};
  std::vector<Watch> unique;
  for (const auto& [number, watch] : watches) unique.push_back(watch);
  Network network(std::move(copy), unique);
  Shapes shapes;
  network.run(sample.inputs,
              [&](int number, const at::Tensor& tensor) { shapes[number].push_back(tensor.sizes().vec()); });
  return shapes;
}

}  // namespace fusekit::quantize
