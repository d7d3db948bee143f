#include "ir/memory_layout.h"

namespace fusekit::ir {
namespace {

using torch::jit::Node;

/// The planes of `x`, which is contiguous, put together pixel by pixel.
Value* shuffled_planes(Value* x, std::int64_t channels) {
  torch::jit::Graph& graph = *x->owningGraph();
  const auto insert = [&](const char* name, const std::vector<torch::jit::NamedValue>& arguments) {
    return graph.insert(c10::Symbol::fromQualString(name), arguments);
  };
  const auto size = [&](std::int64_t dim) { return insert("aten::size", {x, dim}); };
  // All of a sample as the channels of one pixel, in strides that say so.
  Value* flat = insert("aten::flatten", {x, 1, -1});
  flat = insert("aten::unsqueeze", {insert("aten::unsqueeze", {flat, 1}), 1});
  flat = insert("aten::permute", {flat, std::vector<std::int64_t>{0, 3, 1, 2}});
  Value* shuffled = insert("aten::channel_shuffle", {flat, channels});
  shuffled = insert("aten::permute", {shuffled, std::vector<std::int64_t>{0, 2, 3, 1}});
  const std::vector<Value*> sizes = {size(0), size(2), size(3), graph.insertConstant(channels)};
  Value* rows =
      insert("aten::view", {shuffled, graph.insertNode(graph.createList(c10::IntType::get(), sizes))->output()});
  return insert("aten::permute", {rows, std::vector<std::int64_t>{0, 3, 1, 2}});
}

}  // namespace

Value* write_contiguous(Value* x, at::MemoryFormat format) {
  return x->owningGraph()->insert(c10::aten::contiguous, {x},
                                  {torch::jit::NamedValue("memory_format", static_cast<std::int64_t>(format))});
}

bool is_picture(const std::vector<std::int64_t>& sizes) {
  constexpr std::int64_t most_planes = 4;
  constexpr std::int64_t least_pixels = 2048;
  return sizes.size() == 4 && sizes[1] > 1 && sizes[1] <= most_planes && sizes[2] * sizes[3] >= least_pixels;
}

Value* write_channels_last(Value* x, std::int64_t channels) {
  torch::jit::Graph& graph = *x->owningGraph();
  Value* is_planes = graph.insert(c10::Symbol::aten("is_contiguous"), {x});
  Node* branch = graph.insertNode(graph.create(c10::prim::If, {is_planes}, 0));
  torch::jit::Block* planes = branch->addBlock();
  torch::jit::Block* pixels = branch->addBlock();
  {
    const torch::jit::WithInsertPoint guard(planes);
    planes->registerOutput(shuffled_planes(x, channels));
  }
  {
    const torch::jit::WithInsertPoint guard(pixels);
    pixels->registerOutput(write_contiguous(x, at::MemoryFormat::ChannelsLast));
  }
  return branch->addOutput()->setType(c10::TensorType::get());
}

}  // namespace fusekit::ir
