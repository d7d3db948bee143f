#include "fusekit/error.h"
#include "fusekit/lower.h"
#include "ir/model_parts.h"
#include "target/channels_last_weights.h"
#include "target/cpu/cpu.h"
#include "target/mobile/mobile.h"
#include "target/portable/portable.h"
#include "target/target.h"

namespace fusekit {
namespace target {

const Target& target_named(const std::string& name) {
  std::string known;
  for (const Target& target : all_targets()) {
    if (target.name == name) return target;
    known += (known.empty() ? "" : ", ") + target.name;
  }
  throw Error(ErrorKind::unsupported, fmt::format("there is no target {}", name),
              fmt::format("the targets of this version: {}", known));
}

const std::vector<Target>& all_targets() {
  static const std::vector<Target> targets = {portable(), cpu(), mobile()};
  return targets;
}

}  // namespace target

std::vector<TargetInfo> targets() {
  std::vector<TargetInfo> infos;
  for (const target::Target& target : target::all_targets())
    infos.push_back({target.name, target.summary, target.for_shapes});
  return infos;
}

void lower(Model& model, const LowerOptions& options) {
  const target::Target& target = target::target_named(options.target);
  ModelParts& parts = ModelParts::of(model);
  if (parts.program.target == target.name) return;
  if (!parts.program.target.empty())
    throw Error(ErrorKind::usage, fmt::format("the network was lowered for {} already", parts.program.target),
                fmt::format("read it again to lower it for {}", target.name));
  for (const ir::Method& method : parts.program.methods) target::keep_layouts_of_int8(*method.graph);
  target.lower(parts.program, *parts.original, options);
  parts.program.target = target.name;
}

void lower(Model& model, const std::string& target) { lower(model, LowerOptions{.target = target}); }

}  // namespace fusekit
