#include "ir/flatten.h"

#include <torch/csrc/jit/api/function_impl.h>

#include "fusekit/error.h"
#include "ir/new_module.h"
#include "ir/program.h"
#include "ir/stubs.h"

namespace fusekit::ir {
namespace {

constexpr std::size_t kMaxNodes = 5'000'000;  // a small file can call a function 2^n times

/// Is this the type of a module, by class or by interface?
bool is_module_type(const c10::TypePtr& type) {
  if (const auto class_type = type->cast<c10::ClassType>()) return class_type->is_module();
  if (const auto interface = type->cast<c10::InterfaceType>()) return interface->is_module();
  return false;
}

void visit_modules(const torch::jit::Module& module, const std::string& path,
                   std::unordered_map<c10::ivalue::Object*, std::string>& paths) {
  if (!paths.emplace(module._ivalue().get(), path).second) return;
  for (const auto& child : module.named_children()) visit_modules(child.value, join_path(path, child.name), paths);
}

class Flattener {
 public:
  Flattener(const torch::jit::Module& root, const std::string& method) : paths_(first_paths(root)) {
    flat_.graph = torch::jit::toGraphFunction(root.get_method(method).function()).graph()->copy();
    flat_.modules.emplace(flat_.graph->inputs().at(0), ModuleAt{"", root});
    for (Node* node : all_nodes(*flat_.graph)) set_scope(node, "");
  }

  FlatGraph run() {
    walk(flat_.graph->block());
    mark_outside_of_stubs(*flat_.graph);
    return std::move(flat_);
  }

 private:
  void walk(Block* block) {
    for (Node* node = block->nodes().front(); node != block->return_node();) {
      if (Node* first_inlined = inline_call(node)) {
        node = first_inlined;
        continue;
      }
      note_attribute(node);
      refuse_other_uses_of_modules(node);
      for (Block* inner : node->blocks()) walk(inner);
      node = node->next();
    }
  }

  /// Replaces a call by the callee's nodes and returns the first of them (or what followed the call); a stub's call by
  /// a mark.
  Node* inline_call(Node* call) {
    torch::jit::GraphFunction* callee = nullptr;
    std::string scope = scope_of(call);
    if (call->kind() == c10::prim::CallFunction) {
      callee = torch::jit::tryToGraphFunction(*call->input(0)->type()->expectRef<c10::FunctionType>().function());
      if (callee == nullptr) return nullptr;
      call->removeInput(0);
    } else if (call->kind() == c10::prim::CallMethod) {
      if (keep_call(call)) return nullptr;
      callee = method_of(call, scope);
    }
    if (callee == nullptr) return nullptr;
    callee->ensure_defined();
    if (Node* mark = replace_stub(call, *callee)) return mark->next();

    Node* before = call->prev();
    Node* after = call->next();
    torch::jit::inlineCallTo(call, callee, callee->graph().get());
    for (Node* node = before->next(); node != after; node = node->next()) tag(node, scope);
    if (inlined_ > kMaxNodes)
      throw Error(ErrorKind::model,
                  fmt::format("the network grows past {} operators when its calls are inlined", kMaxNodes));
    return before->next();
  }

  /// A module that FuseKit wrote, with packed weights, runs as it is: its calls stay calls.
  bool keep_call(Node* call) const {
    const auto at = flat_.modules.find(call->input(0));
    if (at == flat_.modules.end() || !is_new_module_class(*at->second.module.type())) return false;
    set_scope(call, at->second.path);
    return true;
  }

  /// The mark that a QuantStub or DeQuantStub leaves; nullptr for any other call.
  static Node* replace_stub(Node* call, torch::jit::GraphFunction& callee) {
    if (call->kind() != c10::prim::CallMethod || call->s(c10::attr::name) != "forward") return nullptr;
    const auto type = call->input(0)->type()->cast<c10::ClassType>();
    return type && type->name() ? replace_stub_call(call, type->name()->name(), *callee.graph()) : nullptr;
  }

  /// The function that a method call runs; `scope` becomes the path of the module that it is called on.
  torch::jit::GraphFunction* method_of(Node* call, std::string& scope) const {
    const std::string& name = call->s(c10::attr::name);
    const auto at = flat_.modules.find(call->input(0));
    c10::ClassTypePtr type;
    if (at != flat_.modules.end()) {
      scope = at->second.path;
      type = at->second.module.type();
    } else {
      type = call->input(0)->type()->cast<c10::ClassType>();
    }
    if (!type)
      throw Error(ErrorKind::model, fmt::format("can't tell which class's method {} is called in {}", name,
                                                scope.empty() ? "the root module" : scope));
    torch::jit::Function* function = type->findMethod(name);
    if (function == nullptr)
      throw Error(ErrorKind::model, fmt::format("class {} has no method {}", type->repr_str(), name));
    return torch::jit::tryToGraphFunction(*function);
  }

  void tag(Node* node, const std::string& scope) {
    ++inlined_;
    set_scope(node, scope);
    for (Block* inner : node->blocks())
      for (Node* child : inner->nodes()) tag(child, scope);
  }

  void note_attribute(Node* node) {
    if (node->kind() != c10::prim::GetAttr) return;
    const auto at = flat_.modules.find(node->input());
    if (at == flat_.modules.end() || !is_module_type(node->output()->type())) return;
    const c10::IValue child = at->second.module.attr(node->s(c10::attr::name));
    if (!child.isObject()) return;
    torch::jit::Module module(child.toObject());
    const std::string path = paths_.at(module._ivalue().get());
    node->output()->setType(module.type());
    flat_.modules.emplace(node->output(), ModuleAt{path, std::move(module)});
  }

  void refuse_other_uses_of_modules(const Node* node) const {
    if (node->kind() == c10::prim::GetAttr) return;
    const bool reads_first = node->kind() == c10::prim::SetAttr || node->kind() == c10::prim::CallMethod;
    for (std::size_t i = 0; i < node->inputs().size(); ++i) {
      if (!is_module_type(node->input(i)->type()) || (reads_first && i == 0)) continue;
      const std::string scope = scope_of(node);
      throw Error(ErrorKind::model,
                  fmt::format("{}: a module is passed to {}, which can't be followed",
                              scope.empty() ? "the root module" : scope, node->kind().toQualString()),
                  "modules may be called and read; not forked, put into lists, or compared");
    }
  }

  std::unordered_map<c10::ivalue::Object*, std::string> paths_;
  FlatGraph flat_;
  std::size_t inlined_ = 0;
};

}  // namespace

std::string join_path(const std::string& parent, const std::string& name) {
  return parent.empty() ? name : parent + "." + name;
}

std::pair<std::string, std::string> split_path(const std::string& path) {
  const auto dot = path.rfind('.');
  if (dot == std::string::npos) return {"", path};
  return {path.substr(0, dot), path.substr(dot + 1)};
}

std::unordered_map<c10::ivalue::Object*, std::string> first_paths(const torch::jit::Module& root) {
  std::unordered_map<c10::ivalue::Object*, std::string> paths;
  visit_modules(root, "", paths);
  return paths;
}

void forget_removed_modules(FlatGraph& flat) {
  std::unordered_map<const torch::jit::Value*, ModuleAt> live;
  const auto keep = [&](const Value* value) {
    const auto at = flat.modules.find(value);
    if (at != flat.modules.end()) live.insert(*at);
  };
  keep(flat.graph->inputs().at(0));
  for (const Node* node : all_nodes(*flat.graph))
    if (node->kind() == c10::prim::GetAttr) keep(node->output());
  flat.modules = std::move(live);
}

FlatGraph flatten(const torch::jit::Module& root, const std::string& method) { return Flattener(root, method).run(); }

bool is_opaque(const torch::jit::Module& module) {
  return module.find_method("__getstate__").has_value() || module.find_method("__setstate__").has_value();
}

}  // namespace fusekit::ir
