#include "fusekit/example.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/csrc/jit/serialization/export.h>

#include <array>

#include "file/output.h"
#include "fusekit/error.h"
#include "models/models.h"

namespace fusekit {
namespace {

struct Example {
  const char* name;
  torch::jit::Module (*make)(std::uint64_t seed);
};

constexpr std::array<Example, 3> kExamples = {
    {{"conv_bn_relu", models::conv_bn_relu}, {"resnet18", models::resnet18}, {"mobilenet_v2", models::mobilenet_v2}}};

}  // namespace

std::vector<std::string> example_names() {
  std::vector<std::string> names;
  for (const Example& example : kExamples) names.emplace_back(example.name);
  return names;
}

torch::jit::Module make_example(const std::string& name, std::uint64_t seed) {
  for (const Example& example : kExamples)
    if (name == example.name) return example.make(seed);
  throw Error(ErrorKind::usage, fmt::format("{}: no such example", name),
              fmt::format("use one of {}", fmt::join(example_names(), ", ")));
}

ModuleTree write_example(const std::string& name, std::uint64_t seed, const std::filesystem::path& output,
                         const WriteOptions& options) {
  const torch::jit::Module module = make_example(name, seed);
  file::AtomicFile file = file::begin_output(output, {}, options);
  torch::jit::ExportModule(module, [&file](const void* bytes, std::size_t size) {
    file.append(bytes, size);
    return size;
  });
  file.finish();
  file.publish(options.force);
  return tree_of(module);
}

}  // namespace fusekit
