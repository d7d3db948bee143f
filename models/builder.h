#pragma once

#include <torch/script.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace fusekit::models {

enum class SlotKind { parameter, buffer, attribute };

/// One attribute of a module object; a submodule is an attribute of module type.
struct Slot {
  std::string name;
  c10::TypePtr type;
  c10::IValue value;
  SlotKind kind = SlotKind::attribute;
};

/// Known when the class is made: `Final` in a saved file.
struct Constant {
  std::string name;
  c10::IValue value;
};

/// A module as torch.jit.script sees it, in the order in which PyTorch registers its parts.
struct ModuleSpec {
  std::string class_name;  ///< e.g. "torch.nn.modules.conv.Conv2d"
  std::vector<Slot> slots;
  std::vector<Constant> constants;
  /// The methods in TorchScript. Functions of torch.nn.functional stand by their plain names, `prim.RaiseException` too.
  std::string source;
};

/// Makes modules in one compilation unit. As in torch.jit.script, modules that differ in nothing but their values share
/// one class, and further classes of the same name are mangled.
class Builder {
 public:
  Builder();

  /// `spec` plus `training` = false.
  torch::jit::Module make(const ModuleSpec& spec);

 private:
  torch::jit::Module make_class(const ModuleSpec& spec);

  std::shared_ptr<torch::jit::CompilationUnit> unit_;
  torch::jit::ResolverPtr resolver_;
  std::map<std::string, c10::ClassTypePtr> classes_;  ///< by everything that tells two classes apart
};

}  // namespace fusekit::models
