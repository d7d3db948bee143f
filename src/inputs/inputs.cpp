#include "inputs/inputs.h"

#include "fusekit/error.h"
#include "inputs/draw.h"
#include "inputs/infer_inputs.h"
#include "inputs/input_hints.h"
#include "inputs/sample_source.h"
#include "inputs/signature.h"
#include "ir/model_parts.h"

namespace fusekit::inputs {
namespace {

using torch::jit::Module;

void require_method(const Module& module, const std::string& method, const std::string& name) {
  if (!module.find_method(method))
    throw Error(ErrorKind::model, fmt::format("{} has no method \"{}\"", name, method),
                "save a module whose forward is compiled (torch.jit.script or torch.jit.trace)");
}

std::string default_literal(const c10::Argument& argument) { return "=" + c10::str(*argument.default_value()); }

Error wrong_count(const Module& module, const std::string& method, std::size_t given) {
  std::size_t tensors = 0;
  for (const c10::Argument& argument : arguments_of(module, method))
    tensors += takes_tensor(argument) || takes_tensor_list(argument) ? 1 : 0;
  return {ErrorKind::input,
          fmt::format("{} takes {} tensor{}, and {} shape{} given", signature_text(module, method), tensors,
                      tensors == 1 ? "" : "s", given, given == 1 ? " is" : "s are"),
          "give one shape for each tensor, separated by semicolons: InputOptions::dims = \"1,3,224,224;1,10\""};
}

/// Assigns the given shapes to the method's tensors, in order; the arguments between them get defaults.
std::vector<ArgumentForm> fit(const Module& module, const InputOptions& options, const std::string& method) {
  const std::vector<ArgumentForm> given = argument_forms(options);
  std::vector<ArgumentForm> forms;
  std::size_t next = 0;
  for (const c10::Argument& argument : arguments_of(module, method)) {
    const bool tensor = takes_tensor(argument) || takes_tensor_list(argument);
    if (next < given.size() && (tensor || is_literal(given[next]))) {
      forms.push_back(given[next++]);
      const bool has_mark = is_literal(forms.back()) || forms.back().type.ends_with("[]");
      if (takes_tensor_list(argument) && !has_mark) forms.back().type += "[]";
    } else if (argument.default_value()) {
      if (next == given.size()) break;  // LibTorch fills in the other defaults
      forms.push_back({{}, default_literal(argument), "contiguous_format"});
    } else if (tensor && argument.type()->kind() != c10::TypeKind::OptionalType) {
      throw wrong_count(module, method, given.size());
    } else {
      forms.push_back({{}, literal_for(argument), "contiguous_format"});
    }
  }
  if (next < given.size()) throw wrong_count(module, method, given.size());
  return forms;
}

InputSummary resolve_file(const Module& module, const Fresh& fresh, InputOptions options, const std::string& method) {
  const auto arguments = arguments_of(module, method);
  std::size_t required = 0;
  options.arguments.clear();
  for (const c10::Argument& argument : arguments) {
    options.arguments.push_back(argument.name());
    required += argument.default_value() ? 0 : 1;
  }
  const auto check = [&](const std::filesystem::path& file, const Sample& sample, std::size_t number) {
    if (sample.size() >= required && sample.size() <= arguments.size()) return;
    throw Error(ErrorKind::input,
                fmt::format("{}: sample {} holds {} argument{}, {} takes {}", file.string(), number + 1, sample.size(),
                            sample.size() == 1 ? "" : "s", signature_text(module, method), arguments.size()),
                "a tuple holds forward's arguments, a list of tuples several samples");
  };
  SampleSource source({options.file}, options.pictures, options.arguments, check);
  options.batch = source.settle_batch(options, fresh, method);
  options.dims.clear();
  return {std::move(options), false, source.text(), source.size()};
}

bool has_integers(const std::vector<ArgumentForm>& forms) {
  return std::any_of(forms.begin(), forms.end(), [](const ArgumentForm& form) { return form.type.starts_with("int"); });
}

/// One memory format goes for all, so that it works with inferred shapes, too.
void set_memory_formats(std::vector<ArgumentForm>& forms, const std::vector<std::string>& formats) {
  for (std::size_t k = 0; k < forms.size() && !formats.empty(); ++k)
    forms[k].memory_format = formats[std::min(k, formats.size() - 1)];
}

}  // namespace

Sample draw_sample(const InputOptions& options, std::uint64_t k) { return sampler(options)(k); }

std::function<Sample(std::uint64_t)> sampler(const InputOptions& options) {
  if (options.file.empty())
    return [options](std::uint64_t k) { return draw(argument_forms(options), options.int_high, options.seed + k); };
  const auto source = std::make_shared<SampleSource>(std::vector{options.file}, options.pictures, options.arguments);
  source->set_batch(options.batch);
  const bool channels_last = !options.memory_formats.empty() && options.memory_formats.front() == "channels_last";
  return [source, channels_last](std::uint64_t k) {
    std::optional<NamedSample> sample = source->at(k);
    if (!sample) sample = source->at(k % source->size());
    for (c10::IValue& value : sample->values)
      if (channels_last && value.isTensor() && value.toTensor().dim() == 4)
        value = value.toTensor().contiguous(at::MemoryFormat::ChannelsLast);
    return sample->values;
  };
}

namespace {

/// What is looked up in embeddings is drawn below their rows, and beside it other integers, masks and kinds of tokens, are 0
/// or 1: scores that a mask of many values moves by as much hide whatever else is in them. Returns the rows.
std::int64_t bound_integers(std::vector<ArgumentForm>& forms, const HintedGraph& graph) {
  const std::int64_t rows = graph.embedding_rows();
  std::vector<ArgumentForm*> others;
  bool any_indices = false;
  for (std::size_t k = 0; k < forms.size(); ++k) {
    if (!forms[k].type.starts_with("int") || forms[k].type.find('<') != std::string::npos) continue;
    const auto hint = graph.hint(k);
    const bool is_indices = hint && hint->kind == InputHint::Kind::indices;
    any_indices = any_indices || is_indices;
    if (!is_indices) others.push_back(&forms[k]);
  }
  if (any_indices)
    for (ArgumentForm* form : others) form->type.insert(std::min(form->type.find('['), form->type.size()), "<2");
  return rows;
}

InputSummary resolve(const Module& module, const Fresh& fresh, const InputOptions& options, const std::string& method) {
  if (!options.file.empty() && !options.types.empty())
    throw Error(ErrorKind::usage, "InputOptions::types is for random inputs, and a file is given",
                "leave out InputOptions::types");
  argument_forms(options);  // throws for unknown names before anything runs
  if (!options.file.empty()) return resolve_file(module, fresh, options, method);
  const bool inferred = options.dims.empty();
  if (inferred && !options.types.empty())
    throw Error(ErrorKind::usage, "InputOptions::types needs the shapes that it is for", "add InputOptions::dims");
  InferredInputs guess;
  if (inferred) guess = infer_inputs(module, method, fresh);
  std::vector<ArgumentForm> forms = inferred ? std::move(guess.forms) : fit(module, options, method);
  if (inferred) set_memory_formats(forms, options.memory_formats);

  std::int64_t int_high = options.int_high;
  if (int_high == 0 && has_integers(forms)) int_high = bound_integers(forms, HintedGraph(module, method));
  InputOptions explicit_options = options_of(forms);
  explicit_options.seed = options.seed;
  explicit_options.int_high = int_high;
  std::string text = forms.empty() ? "no arguments" : text_of(forms);
  if (!guess.too_large.empty()) text += fmt::format(" ({} takes too much time or memory)", guess.too_large);
  return {explicit_options, inferred, text + (inferred ? ", inferred" : ""), 0};
}

}  // namespace

InputSummary resolve_inputs(const Module& module, const InputOptions& options, const std::string& method) {
  require_method(module, method, "the module");
  const Fresh itself = options.file.empty() ? Fresh() : [&module] { return module; };
  return resolve(module, itself, options, method);
}

InputSummary resolve_inputs(const file::Original& original, const InputOptions& options, const std::string& method) {
  require_method(original.module(), method, original.path().string());
  const Fresh anew = [&original] { return original.fresh(); };
  if (options.given()) return resolve(original.module(), anew, options, method);  // candidates run on it
  return resolve(original.fresh(), original.has_no_state() ? Fresh() : anew, options, method);
}

}  // namespace fusekit::inputs

namespace fusekit {

InputSummary resolve_inputs(const std::filesystem::path& model, const InputOptions& options) {
  return inputs::resolve_inputs(file::Original(model), options);
}

InputSummary resolve_inputs(const Model& model, const InputOptions& options) {
  return inputs::resolve_inputs(*ModelParts::of(model).original, options);
}

}  // namespace fusekit
