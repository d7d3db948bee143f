#include "target/portable/portable.h"

#include "fusekit/error.h"
#include "ir/functional.h"

namespace fusekit::target {
namespace {

void lower_to_portable(ir::Program& program, const file::Original& /*original*/, const LowerOptions& options) {
  if (options.dtype != "float")
    throw Error(ErrorKind::unsupported, fmt::format("the target {} has no dtype {}", options.target, options.dtype),
                "LowerOptions::target = cpu has it");
  for (const ir::Method& method : program.methods) ir::make_in_place(*method.graph);
}

}  // namespace

Target portable() { return {"portable", "plain operators, for every LibTorch and every machine", lower_to_portable}; }

}  // namespace fusekit::target
