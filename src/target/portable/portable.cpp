#include "target/portable/portable.h"

#include "ir/functional.h"

namespace fusekit::target {
namespace {

void lower_to_portable(ir::Program& program) {
  for (const ir::Method& method : program.methods) ir::make_in_place(*method.graph);
}

}  // namespace

Target portable() { return {"portable", "plain operators, for every LibTorch and every machine", lower_to_portable}; }

}  // namespace fusekit::target
