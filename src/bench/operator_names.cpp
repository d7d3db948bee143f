#include "bench/operator_names.h"

#include <set>

namespace fusekit::bench {

std::string unqualified(const c10::FunctionSchema& schema) {
  const std::string& name = schema.name();
  const std::size_t colons = name.rfind(':');
  return colons == std::string::npos ? name : name.substr(colons + 1);
}

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

bool is_convolution(const std::string& name) {
  return (contains(name, "conv") || contains(name, "Conv")) && !contains(name, "prepack") &&
         !contains(name, "unpack") && !contains(name, "reorder") && !contains(name, "backward");
}

bool is_linear(const std::string& name) {
  static const std::set<std::string> plain = {"linear",
                                              "_mkl_linear",
                                              "mkldnn_linear",
                                              "_linear_pointwise",
                                              "linear_relu",
                                              "linear_leaky_relu",
                                              "linear_tanh",
                                              "linear_dynamic",
                                              "linear_relu_dynamic",
                                              "linear_dynamic_fp16",
                                              "linear_relu_dynamic_fp16"};
  return plain.count(name) > 0 || name.starts_with("qlinear") || name.starts_with("linear_with_input_q_dq");
}

bool only_moves(const std::string& name) {
  static const std::set<std::string> movers = {"cat",
                                               "concat",
                                               "concatenate",
                                               "stack",
                                               "hstack",
                                               "vstack",
                                               "contiguous",
                                               "clone",
                                               "copy_",
                                               "to",
                                               "_to_copy",
                                               "embedding",
                                               "index_select",
                                               "index",
                                               "gather",
                                               "reshape",
                                               "flatten",
                                               "view",
                                               "permute",
                                               "transpose",
                                               "pad",
                                               "constant_pad_nd",
                                               "reflection_pad2d",
                                               "replication_pad2d",
                                               "channel_shuffle",
                                               "native_channel_shuffle",
                                               "pixel_shuffle",
                                               "pixel_unshuffle",
                                               "repeat",
                                               "repeat_interleave",
                                               "expand",
                                               "roll",
                                               "flip",
                                               "tile",
                                               "zeros",
                                               "ones",
                                               "full",
                                               "empty",
                                               "zeros_like",
                                               "ones_like",
                                               "full_like",
                                               "empty_like",
                                               "arange",
                                               "fill_",
                                               "zero_",
                                               "masked_fill",
                                               "masked_fill_",
                                               "unbind",
                                               "split",
                                               "chunk",
                                               "slice",
                                               "select",
                                               "dropout",
                                               "tril",
                                               "triu",
                                               "int_repr"};
  return movers.count(name) > 0;
}

bool looks_up_rows(const std::string& name) {
  return name == "embedding" || name == "index_select" || name == "index" || name == "gather" ||
         name == "embedding_bag";
}

}  // namespace fusekit::bench
