#include "fusekit/error.h"
#include "fusekit/lower.h"
#include "ir/model_parts.h"
#include "target/portable/portable.h"
#include "target/target.h"

namespace fusekit {
namespace target {
namespace {

const Target& find(const std::string& name) {
  std::string known;
  for (const Target& target : all_targets()) {
    if (target.name == name) return target;
    known += (known.empty() ? "" : ", ") + target.name;
  }
  throw Error(ErrorKind::unsupported, fmt::format("there is no target {}", name),
              fmt::format("the targets of this version: {}", known));
}

}  // namespace

const std::vector<Target>& all_targets() {
  static const std::vector<Target> targets = {portable()};
  return targets;
}

}  // namespace target

std::vector<TargetInfo> targets() {
  std::vector<TargetInfo> infos;
  for (const target::Target& target : target::all_targets()) infos.push_back({target.name, target.summary});
  return infos;
}

void lower(Model& model, const std::string& name) {
  const target::Target& target = target::find(name);
  ir::Program& program = ModelParts::of(model).program;
  if (program.target == name) return;
  if (!program.target.empty())
    throw Error(ErrorKind::usage, fmt::format("the network was lowered for {} already", program.target),
                fmt::format("read it again to lower it for {}", name));
  target.lower(program);
  program.target = name;
}

}  // namespace fusekit
