#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace fusekit {

/// Why a place was left as it is, or what has to be known of one that was changed. The words are in to_text.
enum class ReasonCode {
  none,
  // Who else uses a value.
  read_by_another,
  read_by_another_in,
  read_by_output,
  two_batch_norms,
  written_by_another,
  written_by_another_in,
  input_written_in_place,
  output_written_in_place,
  several_blocks,
  under_autocast,
  // Weights and settings.
  not_floating_point,
  written_by_method,
  is_an_input,
  is_computed,
  weight_is_a_vector,
  not_finite,
  channels_differ,
  settings_computed,
  // A weight that is computed.
  depends_on_input,
  depends_on_state,
  not_a_function,
  weight_written_in_place,
  weight_would_grow,
  view_of_shared_weight,
  computed_once,
  // BatchNorm.
  no_running_statistics,
  training_unknown,
  batch_statistics,
  eps_computed,
  variance_not_positive,
  leaves_finite_range,
  // The number of dimensions.
  no_batch_dimension,
  normalizes_dimension_one,
  normalizes_other_dimension,
  rank_by_inputs,
  rank_unknown,
  insists_on_rank,
  // Fused attention.
  masked_attention,
  nested_tensors,
  attends_to_others,
  weights_are_read,
  // Padding.
  pads_other_dimensions,
  pads_one_side,
  pads_with_value,
  // What int8 operators can't take.
  skipped,
  outside_of_stubs,
  breaks_error_bound,
  slower_in_int8,
  measured_without,
  no_int8_input,
  input_not_int8,
  no_sample,
  computes_in,
  wrong_rank,
  weight_computed,
  weight_not_float32,
  weight_not_matrix,
  bias_computed,
  geometry_unknown,
  large_output_padding,
  transposed_channels,
  statistics_not_constant,
  affine_not_constant,
  slope_computed,
  operand_constant,
  alpha_not_one,
  list_made_at_run_time,
  list_empty,
  list_kept,
  dim_computed,
  converts_dtype,
  several_outputs,
  bounds_unusable,
  used_as_list,
  transposed_uneven,
  many_groups,
  unsafe_groups,
  long_depthwise_kernel,
  no_int8_operator,
};

/// A code with the values that its text names; nothing where the code is `none`.
struct Reason {
  ReasonCode code = ReasonCode::none;
  std::vector<std::string> values;

  Reason() = default;
  /// Each value a number or a text.
  template <typename... Values>
  Reason(ReasonCode why, const Values&... given) : code(why), values{as_text(given)...} {}

  explicit operator bool() const { return code != ReasonCode::none; }
  friend bool operator==(const Reason&, const Reason&) = default;

 private:
  template <typename Value>
  static std::string as_text(const Value& value) {
    if constexpr (std::is_arithmetic_v<Value>) {
      return std::to_string(value);
    } else {
      return std::string(value);
    }
  }
};

/// The reason as a clause: "two BatchNorms read what it computes"; "" for none.
std::string to_text(const Reason& reason);

/// The code's name for programs: "two_batch_norms"; "" for none.
std::string_view name_of(ReasonCode code);

}  // namespace fusekit
