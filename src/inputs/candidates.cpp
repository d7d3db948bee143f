#include "inputs/candidates.h"

#include <algorithm>
#include <cmath>

#include "inputs/dtype.h"

namespace fusekit::inputs {
namespace {

using Shape = std::vector<std::int64_t>;
using Kind = InputHint::Kind;

Shape convolution_shape(const InputHint& hint, Size size) {
  Shape shape{1, hint.channels};
  if (hint.spatial == 3) shape.push_back(size.depth);
  for (int k = hint.spatial == 3 ? 1 : 0; k < hint.spatial; ++k) shape.push_back(size.side);
  return shape;
}

/// Possible shapes before the flattening in front of a layer, square pictures first.
std::optional<Shape> flattened_shape(std::int64_t features, int variant) {
  const auto square = [features](std::int64_t channels) -> std::optional<Shape> {
    const std::int64_t pixels = features / channels;
    const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(pixels))));
    if (channels * side * side != features) return std::nullopt;
    return Shape{1, channels, side, side};
  };
  switch (variant) {
    case 0:
      return Shape{1, features};
    case 1:
      return square(1);
    case 2:
      return square(3);
    default:
      return Shape{1, 1, features};
  }
}

std::optional<Shape> linear_shape(const InputHint& hint, Size size, int variant) {
  if (hint.flattened) return flattened_shape(hint.channels, variant);
  switch (variant) {
    case 0:
      return Shape{1, hint.channels};
    case 1:
      return hint.matrix_only ? std::nullopt : std::optional(Shape{1, size.side, hint.channels});
    case 2:
      return hint.matrix_only ? std::nullopt : std::optional(Shape{1, size.side, size.side, hint.channels});
    default:
      return hint.matrix_only ? std::nullopt : std::optional(Shape{hint.channels});
  }
}

/// The shape of the operator's own input.
std::optional<Shape> operator_shape(const InputHint& hint, Size size, int variant) {
  const std::int64_t side = size.side;
  switch (hint.kind) {
    case Kind::linear:
      return linear_shape(hint, size, variant);
    case Kind::convolution:
      if (variant == 0) return convolution_shape(hint, size);
      break;
    case Kind::indices:
      if (variant == 0) return Shape{1, side};
      if (variant == 1) return Shape{side};
      break;
    case Kind::recurrent:
      if (variant == 0) return Shape{1, side, hint.channels};
      if (variant == 1) return Shape{side, hint.channels};
      break;
    case Kind::normalization:
      if (variant == 0) return Shape{1, hint.channels, side, side};
      if (variant == 1) return Shape{1, hint.channels, side};
      if (variant == 2) return Shape{2, hint.channels};
      if (variant == 3) return Shape{1, hint.channels, side, side, side};
      break;
  }
  return std::nullopt;
}

std::optional<Shape> argument_shape(const CandidateArgument& argument, Size size, int variant) {
  auto shape = operator_shape(*argument.hint, size, variant);
  if (!shape) return std::nullopt;
  if (!argument.list) {
    auto before = undo_path(*argument.hint, *shape);
    return before ? before : shape;
  }
  shape->erase(shape->begin());  // an element of a list has no batch dimension
  return shape;
}

std::vector<Size> same_depth(std::initializer_list<std::int64_t> sides) {
  std::vector<Size> sizes;
  for (const std::int64_t side : sides) sizes.push_back({side, side});
  return sizes;
}

bool has_indices(const CandidateArgument& argument) { return argument.hint && argument.hint->kind == Kind::indices; }

}  // namespace

std::vector<Size> candidate_sizes(const std::vector<CandidateArgument>& arguments) {
  for (const CandidateArgument& argument : arguments) {
    if (!argument.hint) continue;
    switch (argument.hint->kind) {
      case Kind::convolution:
        if (argument.hint->spatial == 1) return same_depth({128, 1024, 256, 512, 64, 32, 100, 28, 16000, 16, 8, 4, 1});
        if (argument.hint->spatial == 3)
          return {{112, 16}, {32, 32}, {64, 8}, {64, 64}, {16, 16}, {32, 4}, {8, 8}, {1, 1}};
        [[fallthrough]];
      case Kind::normalization:
        return same_depth({224, 32, 28, 64, 299, 256, 128, 96, 512, 16, 8, 384, 320, 112, 84, 48, 4, 1});
      default:
        return same_depth({16, 8, 32, 128, 64, 77, 256, 512, 10, 4, 2, 1});
    }
  }
  return same_depth({16, 1});
}

bool take_for_masks(std::vector<CandidateArgument>& arguments) {
  if (std::none_of(arguments.begin(), arguments.end(), has_indices)) return false;
  bool changed = false;
  for (CandidateArgument& argument : arguments) {
    if (!argument.hint || has_indices(argument)) continue;
    argument.hint.reset();
    changed = true;
  }
  return changed;
}

std::vector<Filling> fillings(const std::vector<CandidateArgument>& arguments) {
  const auto is_open = [](const CandidateArgument& a) { return a.literal.empty() && !a.hint; };
  const auto has_hint = [](const CandidateArgument& a) { return a.hint.has_value(); };
  if (std::none_of(arguments.begin(), arguments.end(), is_open)) return {{true, {}, "float"}};
  if (std::any_of(arguments.begin(), arguments.end(), has_indices))  // masks and kinds of tokens, most often
    return {{true, {}, "int64"},   {true, {}, "bool"},   {true, {}, "float"}, {false, {1}, "float"},
            {false, {1}, "int64"}, {false, {}, "float"}, {false, {}, "int64"}};
  if (std::any_of(arguments.begin(), arguments.end(), has_hint))
    return {{true, {}, "float"},   {true, {}, "int64"},  {true, {}, "bool"},  {false, {1}, "float"},
            {false, {1}, "int64"}, {false, {}, "float"}, {false, {}, "int64"}};
  return {{false, {1, 3, 224, 224}, "float"},
          {false, {1, 3, 32, 32}, "float"},
          {false, {1, 1, 28, 28}, "float"},
          {false, {1, 16}, "float"},
          {false, {1, 3, 64}, "float"},
          {false, {4, 4}, "float"},
          {false, {1, 8, 16}, "float"},
          {false, {1}, "float"},
          {false, {}, "float"},
          {false, {1, 16}, "int64"},
          {false, {1}, "int64"},
          {false, {1, 3, 224, 224}, "uint8_t"}};
}

std::optional<std::vector<ArgumentForm>> make_candidate(const std::vector<CandidateArgument>& arguments, Size size,
                                                        int variant, const Filling& filling) {
  std::vector<ArgumentForm> forms;
  bool has_variant = variant == 0;
  Shape hinted = filling.dims;
  bool found_hinted = !filling.like_hinted;
  for (const CandidateArgument& argument : arguments) {
    ArgumentForm form{{}, argument.literal, "contiguous_format"};
    if (argument.hint) {
      auto shape = argument_shape(argument, size, variant);
      has_variant = has_variant || shape.has_value();
      if (!shape) shape = argument_shape(argument, size, 0);
      if (!shape) return std::nullopt;
      form.dims = *shape;
      const std::string type = name_of(argument.hint->dtype);
      form.type = find_dtype(type) ? type : "float";  // of weights that are kept in another type, such as float8
      if (!found_hinted) hinted = *shape;
      found_hinted = true;
    }
    forms.push_back(std::move(form));
  }
  if (!has_variant) return std::nullopt;
  for (std::size_t k = 0; k < forms.size(); ++k) {
    if (arguments[k].literal.empty() && !arguments[k].hint) {
      forms[k].dims = hinted;
      forms[k].type = filling.type;
    }
    if (arguments[k].list) forms[k].type += "[]";
  }
  return forms;
}

}  // namespace fusekit::inputs
