#include "target/portable/portable.h"

#include "fusekit/error.h"
#include "inputs/inputs.h"
#include "ir/functional.h"
#include "target/bfloat16.h"
#include "target/channels_last_weights.h"

namespace fusekit::target {
namespace {

void lower_to_portable(ir::Program& program, const file::Original& original, const LowerOptions& options) {
  const bool is_portable = options.target == portable().name;  // the target mobile is lowered so, too
  if (options.dtype == "bfloat16" && is_portable) {
    const auto inputs = inputs::resolve_inputs(original, options.inputs).options;
    compute_in_bfloat16(program, program.methods.front(), original, inputs::draw_sample(inputs, 0));  // forward
  } else if (options.dtype != "float") {
    throw Error(ErrorKind::unsupported, fmt::format("the target {} has no dtype {}", options.target, options.dtype),
                is_portable ? "the dtypes of this version: float, bfloat16" : "the targets cpu and portable have it");
  }
  if (wants_channels_last(options) && is_portable) {
    const std::vector<InChannelsLast> data = put_weights_in_channels_last(program);
    for (std::size_t i = 0; i < data.size(); ++i) run_in_channels_last(*program.methods[i].graph, data[i]);
  }
  for (const ir::Method& method : program.methods) ir::make_in_place(*method.graph);
}

}  // namespace

Target portable() { return {"portable", "plain operators, for every LibTorch and every machine", lower_to_portable}; }

}  // namespace fusekit::target
