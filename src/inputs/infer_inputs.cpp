#include "inputs/infer_inputs.h"

#include <fmt/ranges.h>

#include <chrono>
#include <regex>
#include <set>

#include "fusekit/error.h"
#include "inputs/candidates.h"
#include "inputs/input_hints.h"
#include "inputs/signature.h"
#include "ir/foreign_device.h"
#include "runtime/captured_output.h"
#include "runtime/error_text.h"
#include "runtime/limited_run.h"

namespace fusekit::inputs {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kTimeLimit = std::chrono::seconds(60);
constexpr double kSlowSeconds = 3;  // a smaller candidate is sought where one takes longer
constexpr std::size_t kMostTries = 300;
constexpr int kTriesBeforeSearch = 3;  // common sizes are tried before the search for an uncommon one

std::vector<CandidateArgument> candidate_arguments(const torch::jit::Module& module, const std::string& method,
                                                   const HintedGraph& graph) {
  std::vector<CandidateArgument> candidates;
  const auto arguments = arguments_of(module, method);
  for (std::size_t k = 0; k < arguments.size() && !arguments[k].default_value(); ++k) {
    CandidateArgument candidate;
    const bool optional = arguments[k].type()->kind() == c10::TypeKind::OptionalType;
    candidate.list = !optional && takes_tensor_list(arguments[k]);
    if (!optional && takes_tensor(arguments[k])) {
      candidate.hint = graph.hint(k);
    } else if (candidate.list) {
      candidate.hint = graph.first_hint();
    } else {
      candidate.literal = literal_for(arguments[k]);
    }
    candidates.push_back(std::move(candidate));
  }
  return candidates;
}

/// A candidate gave a layer more or fewer features than its weight has.
struct FeatureMismatch {
  std::int64_t have;
  std::int64_t want;
};

std::optional<FeatureMismatch> find_mismatch(const std::string& problem) {
  static const std::regex product(R"(shapes cannot be multiplied \(\d+x(\d+) and (\d+)x\d+\))");
  static const std::regex view(R"(shape '\[([-\d, ]+)\]' is invalid for input of size (\d+))");
  std::smatch match;
  if (std::regex_search(problem, match, product)) return FeatureMismatch{std::stoll(match[1]), std::stoll(match[2])};
  if (!std::regex_search(problem, match, view)) return std::nullopt;
  std::int64_t want = 1;
  const std::string shape = match[1];
  static const std::regex number(R"(-?\d+)");
  for (std::sregex_iterator it(shape.begin(), shape.end(), number), end; it != end; ++it)
    want *= std::max<std::int64_t>(1, std::stoll(it->str()));
  return FeatureMismatch{std::stoll(match[2]), want};
}

class Search {
 public:
  Search(const torch::jit::Module& module, const std::string& method, const Fresh& fresh)
      : module_(module),
        fresh_(fresh),
        method_(method),
        graph_(module, method),
        rows_(graph_.embedding_rows()),
        arguments_(candidate_arguments(module, method, graph_)) {}

  std::vector<ArgumentForm> run() {
    const runtime::CapturedOutput captured;
    const torch::NoGradGuard no_grad;
    do {
      for (const Filling& filling : fillings(arguments_)) {
        if (auto found = run(filling)) return *found;
        if (slow_) return *slow_;
      }
    } while (take_for_masks(arguments_));
    throw nothing_runs();
  }

  /// What was too large, in words; empty where nothing was.
  [[nodiscard]] const std::string& remark() const { return remark_; }

 private:
  std::optional<std::vector<ArgumentForm>> run(const Filling& filling) {
    const std::vector<Size> sizes = candidate_sizes(arguments_);
    std::optional<Size> too_small;
    std::optional<Size> too_large;
    int tried = 0;
    for (const Size size : sizes) {
      if (is_too_large(size)) continue;
      for (int variant = 0; variant < kVariants; ++variant) {
        if (limit_reached() && slow_) return slow_;
        if (limit_reached()) throw nothing_runs();
        if (auto found = attempt(size, variant, filling)) return found;
        if (variant == 0) note_mismatch(size, too_small, too_large);
      }
      if (++tried == kTriesBeforeSearch && (too_small || too_large))
        if (auto found = bisect(too_small, too_large, filling)) return found;
    }
    return std::nullopt;
  }

  /// Bisection: the number of features of a flattened picture grows with its side, so the right side is between the two.
  std::optional<std::vector<ArgumentForm>> bisect(std::optional<Size> too_small, std::optional<Size> too_large,
                                                  const Filling& filling) {
    std::int64_t low = too_small ? too_small->side : 0;
    std::int64_t high = too_large ? too_large->side : 2 * low;
    while (low + 1 < high && high <= 2048 && !limit_reached() && !is_too_large({high, high})) {
      const std::int64_t side = too_large ? (low + high) / 2 : high;
      std::optional<Size> small;
      std::optional<Size> large;
      if (auto found = attempt({side, side}, 0, filling)) return found;
      note_mismatch({side, side}, small, large);
      if (large) {
        too_large = large;
        high = side;
      } else {  // too few features, or smaller than a kernel
        low = side;
        if (!too_large) high = 2 * side;
      }
    }
    return std::nullopt;
  }

  std::optional<std::vector<ArgumentForm>> attempt(Size size, int variant, const Filling& filling) {
    problem_.clear();
    const auto forms = make_candidate(arguments_, size, variant, filling);
    if (!forms || !tried_.insert(text_of(*forms)).second) return std::nullopt;
    const Clock::time_point begin = Clock::now();
    runtime::LimitedRun limited(fmt::format("{} on {}, which is a guess,", method_, text_of(*forms)), limits_);
    try {
      module_.get_method(method_)(draw(*forms, rows_, 0));
      if (is_fast_enough(begin, size, *forms)) return forms;
      return std::nullopt;
    } catch (...) {
      problem_ = limited.breach() ? limited.breach()->message() : runtime::explain_current_exception();
    }
    if (limited.breach()) note_too_large(size, *forms, *limited.breach());
    if (fresh_) module_ = fresh_();  // what it wrote before it failed is no state that the next one may meet
    if (first_problem_.empty()) {
      first_problem_ = problem_;
      first_forms_ = *forms;
    }
    return std::nullopt;
  }

  /// One that runs, but takes long, is kept for the case that nothing smaller runs.
  bool is_fast_enough(Clock::time_point begin, Size size, const std::vector<ArgumentForm>& forms) {
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    if (seconds < kSlowSeconds) return true;
    note_too_large(size, forms, {ErrorKind::model, fmt::format("takes {:.0f} s", seconds)});
    slow_ = forms;
    return false;
  }

  /// A larger one would take yet more.
  void note_too_large(Size size, const std::vector<ArgumentForm>& forms, const Error& why) {
    if (!too_large_ || size.side < too_large_->side) too_large_ = size;
    if (remark_.empty()) remark_ = text_of(forms);
    last_breach_ = why;
  }

  [[nodiscard]] bool is_too_large(Size size) const { return too_large_ && size.side >= too_large_->side; }

  void note_mismatch(Size size, std::optional<Size>& too_small, std::optional<Size>& too_large) const {
    const auto mismatch = find_mismatch(problem_);
    if (!mismatch) return;
    if (mismatch->have < mismatch->want && (!too_small || too_small->side < size.side)) too_small = size;
    if (mismatch->have > mismatch->want && (!too_large || too_large->side > size.side)) too_large = size;
  }

  [[nodiscard]] bool limit_reached() const { return tried_.size() >= kMostTries || Clock::now() - start_ > kTimeLimit; }

  /// The options of the first candidate, as a pattern to follow.
  [[nodiscard]] std::string first_options() const {
    const InputOptions options = options_of(first_forms_);
    std::string dims;
    for (const auto& shape : options.dims) dims += fmt::format("{}{}", dims.empty() ? "" : ";", fmt::join(shape, ","));
    return fmt::format("InputOptions::dims = \"{}\" InputOptions::types = \"{}\"", dims, fmt::join(options.types, ";"));
  }

  [[nodiscard]] Error nothing_runs() const {
    if (const std::string device = ir::foreign_device_in(module_, method_, first_problem_); !device.empty())
      return {ErrorKind::model, fmt::format("{} can't be run: {}", signature_text(module_, method_), device),
              ir::kForeignDeviceHint};
    if (last_breach_)
      return {
          ErrorKind::input,
          fmt::format("can't work out the inputs of {}: {}", signature_text(module_, method_), last_breach_->message()),
          "give them: InputOptions::dims = SHAPES; or more for guesses: RuntimeOptions::max_memory, "
          "RuntimeOptions::run_limit"};
    return {ErrorKind::input,
            fmt::format("can't work out the inputs of {}: none of {} candidates runs; the first: {}",
                        signature_text(module_, method_), tried_.size(), first_problem_),
            fmt::format("give them, in this manner: {}; or InputOptions::file = FILE", first_options())};
  }

  torch::jit::Module module_;
  const Fresh& fresh_;
  const std::string& method_;
  HintedGraph graph_;
  std::int64_t rows_;
  std::vector<CandidateArgument> arguments_;
  runtime::Limits limits_ = runtime::limits_of_guesses();
  Clock::time_point start_ = Clock::now();
  std::optional<Size> too_large_;  ///< the smallest of these
  std::optional<std::vector<ArgumentForm>> slow_;
  std::string remark_;
  std::optional<Error> last_breach_;
  std::set<std::string> tried_;
  std::string problem_;
  std::string first_problem_;
  std::vector<ArgumentForm> first_forms_;
};

}  // namespace

InferredInputs infer_inputs(const torch::jit::Module& module, const std::string& method, const Fresh& fresh) {
  Search search(module, method, fresh);
  std::vector<ArgumentForm> forms = search.run();
  return {std::move(forms), search.remark()};
}

}  // namespace fusekit::inputs
