#pragma once

#include <memory>

#include "fusekit/model.h"
#include "ir/program.h"

namespace fusekit {

namespace file {
class Original;
}
namespace gate {
struct Allowance;
}

/// What is in a Model, for the rooms that work on it.
struct ModelParts {
  ir::Program program;
  std::shared_ptr<const file::Original> original;    ///< as it was read
  std::shared_ptr<const gate::Allowance> allowance;  ///< how forward is judged where it is not meant to be the same

  static Model wrap(std::unique_ptr<ModelParts> parts) { return Model(std::move(parts)); }
  static ModelParts& of(Model& model) { return *model.parts_; }
  static const ModelParts& of(const Model& model) { return *model.parts_; }
};

}  // namespace fusekit
