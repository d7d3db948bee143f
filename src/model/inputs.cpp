#include "model/inputs.h"

#include "fusekit/error.h"
#include "model/draw.h"
#include "model/load.h"

namespace fusekit::model {

Sample draw_sample(const InputOptions& options, std::uint64_t k) {
  return draw(argument_forms(options), options.int_high, options.seed + k);
}

int sample_count(const InputOptions&) { return 0; }

InputSummary resolve_inputs(torch::jit::Module&, const InputOptions& options, const std::string&) {
  if (!options.given())
    throw Error(ErrorKind::input, "no inputs are given", "give --input_dims, e.g. --input_dims \"1,3,224,224\"");
  std::string text;
  for (const ArgumentForm& form : argument_forms(options)) text += (text.empty() ? "" : "; ") + describe(form);
  return {options, false, text};
}

}  // namespace fusekit::model

namespace fusekit {

InputSummary resolve_inputs(const std::filesystem::path& model, const InputOptions& options) {
  torch::jit::Module module = model::load(model).module;
  return model::resolve_inputs(module, options);
}

}  // namespace fusekit
