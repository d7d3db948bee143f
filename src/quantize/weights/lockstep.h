#pragma once

#include <unordered_map>
#include <vector>

#include "quantize/observe/samples.h"
#include "quantize/observe/values.h"

namespace fusekit::quantize {

/// Runs a network on several samples side by side: all of them come to a value before any goes past it. So each operator
/// runs once a sample, however often one stops to look. What is still needed later is kept for every sample.
class Lockstep {
 public:
  /// Forward of `program`, which has to outlive this; every sample starts from the file's state. A weight is read when the
  /// first operator that uses it runs: until then it may be changed.
  Lockstep(const ir::Program& program, const std::vector<Sample>& samples);

  /// Can runs stop at `value`? Not inside of control flow.
  [[nodiscard]] bool can_stop_at(const Value* value) const;
  /// Goes on until `value` is known. What LibTorch throws becomes Error{input}.
  void run_until(const Value* value);
  /// The tensor that `value` is for sample `k`; dequantized. It has to be known and still needed by what is to run.
  [[nodiscard]] at::Tensor tensor(std::size_t k, const Value* value) const;

 private:
  using Environment = std::unordered_map<const Value*, c10::IValue>;

  /// A stretch of the graph as a graph of its own.
  struct Piece {
    std::shared_ptr<Graph> graph;
    std::vector<const Value*> inputs;   ///< of the whole graph, in the order of the piece's first inputs
    std::vector<c10::IValue> weights;   ///< the piece's further inputs
    std::vector<const Value*> outputs;  ///< of the whole graph
  };

  [[nodiscard]] Piece cut(std::size_t end) const;
  void run(const Piece& piece);
  [[nodiscard]] bool is_needed_from(std::size_t place, const Value* value) const;

  const ir::Program& program_;
  std::vector<Node*> nodes_;                             ///< of the graph's own block
  std::unordered_map<const Node*, std::size_t> places_;  ///< in nodes_
  std::unordered_map<const Value*, std::size_t> last_;   ///< the place of the last use
  std::vector<Environment> environments_;                ///< one a sample
  std::size_t next_ = 0;
  std::uint64_t pieces_ = 0;  ///< that were run: the float and the int8 network draw the same random numbers in each
};

}  // namespace fusekit::quantize
