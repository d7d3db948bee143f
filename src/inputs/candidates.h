#pragma once

#include <optional>
#include <string>
#include <vector>

#include "inputs/draw.h"
#include "inputs/input_hints.h"

namespace fusekit::inputs {

/// The size that a candidate can choose: the side of a picture or the length of a sequence, and the depth of 3-D data.
struct Size {
  std::int64_t side = 1;
  std::int64_t depth = 1;
};

/// An argument of forward to find inputs for: a literal (not a tensor), a tensor, or a list of one tensor.
struct CandidateArgument {
  std::string literal;  ///< "=1"; empty for tensors
  bool list = false;
  std::optional<InputHint> hint;  ///< what the graph tells about a tensor
};

/// The sizes to try, most likely first, for the kind of data in the hints.
std::vector<Size> candidate_sizes(const std::vector<CandidateArgument>& arguments);

/// The shape and type of an argument without a hint.
struct Filling {
  bool like_hinted;  ///< the shape of the first argument that has a hint, else `dims`
  std::vector<std::int64_t> dims;
  const char* type;
};

/// Beside indices of an embedding, what the graph tells of another tensor may be what it tells of the scores that the tensor
/// masks: takes these hints away. False where there are none.
bool take_for_masks(std::vector<CandidateArgument>& arguments);

/// The fillings to try, most likely first.
std::vector<Filling> fillings(const std::vector<CandidateArgument>& arguments);

/// An operator can take inputs of several ranks, most likely first: variants 0 to kVariants-1.
inline constexpr int kVariants = 4;

/// The candidate for these choices; nullopt where no argument has this variant.
std::optional<std::vector<ArgumentForm>> make_candidate(const std::vector<CandidateArgument>& arguments, Size size,
                                                        int variant, const Filling& filling);

}  // namespace fusekit::inputs
