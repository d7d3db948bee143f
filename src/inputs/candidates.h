#pragma once

#include <optional>
#include <string>
#include <vector>

#include "inputs/draw.h"
#include "inputs/input_hints.h"

namespace fusekit::inputs {

/// The free size of a candidate: a picture's side, a sequence's length; depth of 3-D data.
struct Size {
  std::int64_t side = 1;
  std::int64_t depth = 1;
};

/// An argument that is to be tried: literal (no tensor), a tensor, or a list of one tensor.
struct CandidateArgument {
  std::string literal;  ///< "=1"; empty for tensors
  bool list = false;
  std::optional<InputHint> hint;  ///< what the graph says about a tensor
};

/// The sizes worth trying, likeliest first, for the kind of data that the hints speak of.
std::vector<Size> candidate_sizes(const std::vector<CandidateArgument>& arguments);

/// How an argument without a hint is filled in.
struct Filling {
  bool like_hinted;  ///< the shape of the first argument that has a hint, else `dims`
  std::vector<std::int64_t> dims;
  const char* type;
};

/// The ways to fill in arguments without a hint, likeliest first.
std::vector<Filling> fillings(const std::vector<CandidateArgument>& arguments);

/// Ranks that a hinted operator takes besides the likeliest: variants 0 to kVariants-1.
inline constexpr int kVariants = 4;

/// The candidate for these choices; none where no argument has such a variant.
std::optional<std::vector<ArgumentForm>> make_candidate(const std::vector<CandidateArgument>& arguments, Size size,
                                                        int variant, const Filling& filling);

}  // namespace fusekit::inputs
