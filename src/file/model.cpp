#include "fusekit/model.h"

#include "file/modules_in_training.h"
#include "file/original.h"
#include "file/rebuild.h"
#include "ir/model_parts.h"

namespace fusekit {

Model::Model(std::unique_ptr<ModelParts> parts) : parts_(std::move(parts)) {}
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

const std::filesystem::path& Model::path() const { return parts_->original->path(); }

torch::jit::Module Model::to_module() const { return file::rebuild_to_run(parts_->program); }

std::string Model::name() const { return parts_->program.original.type()->name()->name(); }

std::vector<std::string> Model::methods() const {
  std::vector<std::string> names;
  for (const ir::Method& method : parts_->program.methods) names.push_back(method.name);
  return names;
}

std::vector<std::string> Model::modules_in_training() const { return parts_->program.in_training; }

std::size_t Model::node_count() const {
  std::size_t count = 0;
  for (const ir::Method& method : parts_->program.methods) count += ir::all_nodes(*method.graph).size();
  return count;
}

std::string training_warning(const std::vector<std::string>& modules) {
  if (modules.empty()) return "";
  return fmt::format(
      "the file was saved in training mode: {} compute{} something else than after eval(): {}; "
      "fuse with ReadOptions::eval, or save it anew after model.eval(), to get a file for inference",
      modules.size() == 1 ? "one module" : fmt::format("{} modules", modules.size()), modules.size() == 1 ? "s" : "",
      file::listed(modules));
}

}  // namespace fusekit
