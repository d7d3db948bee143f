#pragma once

#include <torch/script.h>

#include <string>
#include <vector>

namespace fusekit::inputs {

/// A method's arguments, without self.
std::vector<c10::Argument> arguments_of(const torch::jit::Module& module, const std::string& method);

/// "forward(x: Tensor, lengths: Optional[Tensor])", for messages.
std::string signature_text(const torch::jit::Module& module, const std::string& method);

bool takes_tensor(const c10::Argument& argument);       ///< Tensor or Optional[Tensor]
bool takes_tensor_list(const c10::Argument& argument);  ///< List[Tensor] or Optional[List[Tensor]]

/// The default for an argument that is not a tensor: "=1", "=1.0", "=false", or "=None" for an Optional of anything.
/// Error{input} names an argument for which there is no default.
std::string literal_for(const c10::Argument& argument);

}  // namespace fusekit::inputs
