#pragma once

#include <torch/script.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

// A module that a rewrite makes: a class with TorchScript methods of its own, and one object of it in the written tree.

namespace fusekit::ir {

struct Program;

enum class AttributeRole {
  parameter,
  buffer,
  plain,   ///< saved as it is, not part of state_dict()
  packed,  ///< never saved: the class's method `pack` computes it, when the module is made and whenever it is loaded
};

struct NewAttribute {
  std::string name;
  c10::TypePtr type;
  c10::IValue value;  ///< of a packed one: None
  AttributeRole role = AttributeRole::plain;
};

/// What a new module is. Where an attribute is packed, the class gets `__getstate__` and `__setstate__`, which save and
/// restore all others and then call `pack`; such a module is kept as it is when its file is read again (is_opaque).
struct NewModule {
  /// E.g. "PackedConv2d": the name that Python shows as original_name. The class becomes __torch__.fusekit.PackedConv2d.
  std::string class_name;
  /// Attributes; `training` (bool, false) is added where it is not among them.
  std::vector<NewAttribute> attributes;
  /// Its methods in TorchScript, `def pack(self) -> None` among them where an attribute is packed. They read `torch.OP`
  /// for aten, `ops.NAMESPACE.OP` for any other operator, and `annotate(TYPE, VALUE)`. They may assign attributes in
  /// `pack` alone, and write no attribute in place: two modules may share a tensor.
  std::string source;
};

/// A new module that a Program owns.
struct OwnedModule {
  NewModule module;
  std::string path;  ///< where it would like to live
  /// The packed module as an object of a class that is no module: one that a graph may hold as a constant, and run.
  c10::intrusive_ptr<c10::ivalue::Object> object;
};

/// Compiled classes of new modules, each once, in a compilation unit of their own.
class NewClasses {
 public:
  explicit NewClasses(std::shared_ptr<torch::jit::CompilationUnit> unit, bool are_modules)
      : unit_(std::move(unit)), are_modules_(are_modules) {}

  /// The class of `module`: the one that there is where name, source and attributes are the same, else a new one under
  /// `name`. Error{model}: the source can't be compiled, e.g. for an operator that this LibTorch lacks.
  c10::ClassTypePtr of(const NewModule& module, const c10::QualifiedName& name);

  /// What tells classes apart: name, source, and names, types and roles of the attributes.
  static std::string signature(const NewModule& module);

  [[nodiscard]] bool has(const NewModule& module) const { return types_.count(signature(module)) > 0; }
  [[nodiscard]] const std::shared_ptr<torch::jit::CompilationUnit>& unit() const { return unit_; }

 private:
  std::shared_ptr<torch::jit::CompilationUnit> unit_;
  bool are_modules_;
  std::map<std::string, c10::ClassTypePtr> types_;
};

/// "PackedConv2d" -> __torch__.fusekit.PackedConv2d.
c10::QualifiedName class_name_of(const NewModule& module);

/// Is it a class of a new module that FuseKit wrote before? Calls of its methods stay calls when a file is read.
bool is_new_module_class(const c10::ClassType& type);

/// Adds a module to the program, packs it, and gives a value in front of `before` that stands for it. `path`: where it
/// would like to live, e.g. "layer1.0.conv1": the written tree has it there where the name is free or where nothing is
/// left of the original module at that place, whose settings it then carries on; else at the next free name
/// ("layer1.0.conv1_1"). Empty: the class's name, in the root.
/// Error{model}: the class can't be compiled, or `pack` fails; the program is then as it was.
torch::jit::Value* add_module(Program& program, torch::jit::Node* before, const std::string& path, NewModule module);

/// One more value, in front of `before`, for the module `key`.
torch::jit::Value* insert_module(const Program& program, torch::jit::Node* before, const std::string& key);

/// The key into Program::modules of the module that `value` stands for.
std::optional<std::string> module_key(const torch::jit::Value* value);

/// A call of a method of `module` (add_module, insert_module), in front of `before`; arguments with defaults may be
/// left out. Error{model}: the arguments do not fit.
torch::jit::Value* call_module(torch::jit::Node* before, torch::jit::Value* module, const std::string& method,
                               const std::vector<torch::jit::NamedValue>& arguments);

/// A read of an attribute of `module`, in front of `before`, e.g. of its packed weight.
torch::jit::Value* read_module(torch::jit::Node* before, torch::jit::Value* module, const std::string& attribute);

}  // namespace fusekit::ir
