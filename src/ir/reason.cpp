#include "fusekit/reason.h"

#include <fmt/args.h>
#include <fmt/format.h>

#include <array>

namespace fusekit {
namespace {

struct Wording {
  ReasonCode code;
  std::string_view name;
  std::string_view text;
};

using enum ReasonCode;

constexpr std::array kWordings = {
    Wording{none, "", ""},
    Wording{read_by_another, "read_by_another", "{} reads what it computes, too"},
    Wording{read_by_another_in, "read_by_another_in", "{} in {} reads what it computes, too"},
    Wording{read_by_output, "read_by_output", "the output of the method or block reads what it computes, too"},
    Wording{two_batch_norms, "two_batch_norms", "two BatchNorms read what it computes"},
    Wording{written_by_another, "written_by_another", "{} writes what it computes in place"},
    Wording{written_by_another_in, "written_by_another_in", "{} in {} writes what it computes in place"},
    Wording{input_written_in_place, "input_written_in_place", "what it reads is written in place"},
    Wording{output_written_in_place, "output_written_in_place", "what it computes is written in place"},
    Wording{several_blocks, "several_blocks", "its parts stand in different branches or loops"},
    Wording{under_autocast, "under_autocast",
            "it stands in a torch.autocast, which casts its weights to another dtype at run time"},
    Wording{not_floating_point, "not_floating_point", "its {} is not a dense floating-point tensor"},
    Wording{written_by_method, "written_by_method", "its {} {} is written by a method"},
    Wording{is_an_input, "is_an_input", "its {} is an input"},
    Wording{is_computed, "is_computed", "its {} is computed by {}"},
    Wording{weight_is_a_vector, "weight_is_a_vector", "its weight has fewer than two dimensions"},
    Wording{not_finite, "not_finite", "its {} holds an infinity or a NaN"},
    Wording{channels_differ, "channels_differ", "it has {} output channels and the BatchNorm {}"},
    Wording{settings_computed, "settings_computed", "its settings are computed at run time"},
    Wording{depends_on_input, "depends_on_input", "its {} is computed of an input"},
    Wording{depends_on_state, "depends_on_state", "its {} is computed of {}, which a method writes"},
    Wording{not_a_function, "not_a_function", "its {} is computed by {}, which need not give the same each time"},
    Wording{weight_written_in_place, "weight_written_in_place", "its {} is computed, and written in place"},
    Wording{weight_would_grow, "weight_would_grow", "its {} has {} numbers, computed of {}: the file would grow"},
    Wording{view_of_shared_weight, "view_of_shared_weight", "its {} is a view of one that something else reads"},
    Wording{computed_once, "computed_once", "computed once, of {}"},
    Wording{no_running_statistics, "no_running_statistics", "its BatchNorm has no running statistics"},
    Wording{training_unknown, "training_unknown", "whether its BatchNorm uses batch statistics is decided at run time"},
    Wording{batch_statistics, "batch_statistics",
            "its BatchNorm uses batch statistics (it was saved in training mode)"},
    Wording{eps_computed, "eps_computed", "the BatchNorm's eps is computed"},
    Wording{variance_not_positive, "variance_not_positive", "the BatchNorm's var + eps is not positive and finite"},
    Wording{leaves_finite_range, "leaves_finite_range", "the folded weights leave the finite range of {}"},
    Wording{no_batch_dimension, "no_batch_dimension", "its data has {} dimensions, no batch among them"},
    Wording{normalizes_dimension_one, "normalizes_dimension_one",
            "its data has {} dimensions: BatchNorm normalizes dimension 1, not the features"},
    Wording{normalizes_other_dimension, "normalizes_other_dimension",
            "its data has {} dimensions: behind the permutation, BatchNorm does not normalize the features"},
    Wording{rank_by_inputs, "rank_by_inputs", "its data has {} dimensions by the inputs that were given"},
    Wording{rank_unknown, "rank_unknown", "how many dimensions its data has is not known"},
    Wording{insists_on_rank, "insists_on_rank", "it now insists on {}-D data"},
    Wording{masked_attention, "masked_attention", "it has a mask"},
    Wording{nested_tensors, "nested_tensors", "its data may be nested tensors"},
    Wording{attends_to_others, "attends_to_others", "its keys or values are not its queries"},
    Wording{weights_are_read, "weights_are_read", "its attention weights are read"},
    Wording{pads_other_dimensions, "pads_other_dimensions", "it pads the batch or the channels, or cuts off"},
    Wording{pads_one_side, "pads_one_side", "it pads one side more than the other"},
    Wording{pads_with_value, "pads_with_value", "it pads with another value than 0"},
    Wording{skipped, "skipped", "it was to be skipped"},
    Wording{outside_of_stubs, "outside_of_stubs", "it lies outside of the file's QuantStub and DeQuantStub"},
    Wording{breaks_error_bound, "breaks_error_bound", "int8 would break the bound on the error"},
    Wording{slower_in_int8, "slower_in_int8", "so little work is faster in float than in int8 with its conversions"},
    Wording{measured_without, "measured_without", "measured without it"},
    Wording{no_int8_input, "no_int8_input", "none of its inputs is int8"},
    Wording{input_not_int8, "input_not_int8", "its input is not int8"},
    Wording{no_sample, "no_sample", "no sample reached it"},
    Wording{computes_in, "computes_in", "it computes in {}"},
    Wording{wrong_rank, "wrong_rank", "its input has {} dimensions, and the int8 operator wants {}"},
    Wording{weight_computed, "weight_computed", "its weight is computed or written at run time"},
    Wording{weight_not_float32, "weight_not_float32", "its weight is not float32"},
    Wording{weight_not_matrix, "weight_not_matrix", "its weight is no matrix"},
    Wording{bias_computed, "bias_computed", "its bias is computed or written at run time"},
    Wording{geometry_unknown, "geometry_unknown", "its stride, padding or dilation is not known"},
    Wording{large_output_padding, "large_output_padding", "its output padding is larger than its padding"},
    Wording{transposed_channels, "transposed_channels",
            "LibTorch computes it wrongly with {} input and {} output channels in a group"},
    Wording{statistics_not_constant, "statistics_not_constant", "its statistics are not constant float32 tensors"},
    Wording{affine_not_constant, "affine_not_constant", "its weight and bias are not constant float32 tensors"},
    Wording{slope_computed, "slope_computed", "its slope is computed"},
    Wording{operand_constant, "operand_constant", "one side is a constant"},
    Wording{alpha_not_one, "alpha_not_one", "its alpha is not 1"},
    Wording{list_made_at_run_time, "list_made_at_run_time", "its list is made at run time"},
    Wording{list_empty, "list_empty", "its list is empty"},
    Wording{list_kept, "list_kept", "its list is written to, or kept by something that may write to it"},
    Wording{dim_computed, "dim_computed", "its dim is computed at run time"},
    Wording{converts_dtype, "converts_dtype", "it converts to another dtype"},
    Wording{several_outputs, "several_outputs", "it has several outputs"},
    Wording{bounds_unusable, "bounds_unusable", "its bounds are computed, or leave out 0"},
    Wording{used_as_list, "used_as_list", "its parts are used as a list"},
    Wording{
        transposed_uneven, "transposed_uneven",
        "LibTorch computes it wrongly with {} input and {} output channels, and filling up to {} would cost more than "
        "int8 saves"},
    Wording{many_groups, "many_groups",
            "LibTorch's default engine is slow, and may overflow, with more than {} groups, and its {} can't be made "
            "fewer"},
    Wording{unsafe_groups, "unsafe_groups", "the engine fbgemm computes its {} groups of {} channels wrongly"},
    Wording{long_depthwise_kernel, "long_depthwise_kernel",
            "oneDNN may never end to prepare a depthwise convolution with a kernel of {}"},
    Wording{no_int8_operator, "no_int8_operator", "there is no int8 operator for it"},
};

constexpr bool is_in_order() {
  for (std::size_t i = 0; i < kWordings.size(); ++i)
    if (static_cast<std::size_t>(kWordings[i].code) != i) return false;
  return true;
}
static_assert(is_in_order() && kWordings.back().code == no_int8_operator, "one wording for each code, in their order");

}  // namespace

std::string to_text(const Reason& reason) {
  fmt::dynamic_format_arg_store<fmt::format_context> arguments;
  for (const std::string& value : reason.values) arguments.push_back(value);
  return fmt::vformat(kWordings.at(static_cast<std::size_t>(reason.code)).text, arguments);
}

std::string_view name_of(ReasonCode code) { return kWordings.at(static_cast<std::size_t>(code)).name; }

}  // namespace fusekit
