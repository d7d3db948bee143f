#include "fusekit/inspect.h"

#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/passes/inliner.h>

#include <algorithm>
#include <set>

#include "file/load.h"
#include "file/modules_in_training.h"
#include "file/original.h"
#include "fusekit/error.h"
#include "inputs/draw.h"
#include "inputs/inputs.h"
#include "inputs/packed_shapes.h"
#include "ir/counted_work.h"
#include "ir/model_parts.h"

namespace fusekit {
namespace {

std::string signature_of(const c10::FunctionSchema& schema) {
  std::vector<std::string> arguments;
  for (std::size_t i = 1; i < schema.arguments().size(); ++i) {  // the first is self
    const c10::Argument& argument = schema.arguments()[i];
    arguments.push_back(fmt::format("{}: {}", argument.name(), argument.type()->annotation_str()));
  }
  std::vector<std::string> returns;
  for (const c10::Argument& value : schema.returns()) returns.push_back(value.type()->annotation_str());
  return fmt::format("{}({}) -> {}", schema.name(), c10::Join(", ", arguments), c10::Join(", ", returns));
}

std::vector<MethodInfo> methods_of(const torch::jit::Module& module) {
  std::vector<MethodInfo> methods;
  for (const torch::jit::Method& method : module.get_methods())
    methods.push_back({method.name(), signature_of(method.function().getSchema())});
  std::stable_partition(methods.begin(), methods.end(), [](const auto& method) { return method.name == "forward"; });
  return methods;
}

void count(const torch::jit::Block* block, std::map<std::string, std::size_t>& counts) {
  for (const torch::jit::Node* node : block->nodes()) {
    if (!node->kind().is_prim()) ++counts[node->kind().toQualString()];
    for (const torch::jit::Block* inner : node->blocks()) count(inner, counts);
  }
}

std::vector<OperatorCount> operators_of(const torch::jit::Module& module) {
  std::map<std::string, std::size_t> counts;
  for (const torch::jit::Method& method : module.get_methods()) {
    const auto graph = method.graph()->copy();
    torch::jit::Inline(*graph);
    count(graph->block(), counts);
  }
  std::vector<OperatorCount> operators;
  for (const auto& [name, number] : counts) operators.push_back({name, number});
  std::stable_sort(operators.begin(), operators.end(), [](const auto& a, const auto& b) { return a.count > b.count; });
  return operators;
}

std::vector<std::string> extra_files_of(caffe2::serialize::PyTorchStreamReader& archive) {
  const std::string folder = "extra/";
  std::vector<std::string> names;
  for (const std::string& record : archive.getAllRecords())
    if (record.starts_with(folder)) names.push_back(record.substr(folder.size()));
  std::sort(names.begin(), names.end());
  return names;
}

template <typename List>
TensorTotals totals_of(const List& tensors) {
  TensorTotals totals;
  std::set<const void*> seen;
  for (const at::Tensor& tensor : tensors) {
    if (!tensor.defined() || !seen.insert(tensor.unsafeGetTensorImpl()).second) continue;
    ++totals.tensors;
    totals.elements += tensor.numel();
    totals.bytes += tensor.numel() * static_cast<std::int64_t>(tensor.element_size());
  }
  return totals;
}

/// nullopt where the file can't be read as a network, which says nothing of what it holds.
std::optional<MultiplyAdds> multiply_adds_of(const std::filesystem::path& path, const InputOptions& given) {
  std::optional<Model> model;
  try {
    model = read(path);
  } catch (const Error&) {
    return std::nullopt;
  }
  const ModelParts& parts = ModelParts::of(*model);
  const ir::Method& forward = parts.program.methods.front();
  const InputSummary inputs = inputs::resolve_inputs(*parts.original, given, forward.name);
  inputs::Sample arguments = inputs::blank(inputs::argument_forms(inputs.options));
  for (std::size_t i = arguments.size() + 1; i < forward.schema.arguments().size(); ++i)
    arguments.push_back(forward.schema.arguments()[i].default_value().value_or(c10::IValue()));
  const ir::CountedWork work = ir::count_work(parts.program, forward, arguments);
  return MultiplyAdds{work.multiply_adds, work.unknown, inputs.text};
}

}  // namespace

FileInfo inspect(const std::filesystem::path& path, const InputOptions& inputs) {
  const file::Loaded loaded = file::load(path);
  FileInfo info;
  info.file_bytes = std::filesystem::file_size(path);
  caffe2::serialize::PyTorchStreamReader archive(path.string());
  info.format_version = archive.version();
  info.has_mobile_bytecode = archive.hasRecord("bytecode.pkl");
  info.extra_files = extra_files_of(archive);
  info.tree = tree_of(loaded.module);
  info.methods = methods_of(loaded.module);
  info.operators = operators_of(loaded.module);
  info.parameters = totals_of(loaded.module.parameters());
  info.packed_for = inputs::text_of(inputs::packed_shapes(loaded.module));
  info.in_training = file::modules_in_training(loaded.module);
  info.buffers = totals_of(loaded.module.buffers());
  if (!inputs.dims.empty() || !inputs.types.empty()) info.multiply_adds = multiply_adds_of(path, inputs);
  return info;
}

}  // namespace fusekit
