#pragma once

#include <torch/script.h>

#include <string>

namespace fusekit::bench {

// What an operator that was run does, by its name: int8's and packed ones of every library among them.

/// "conv2d" of "aten::conv2d".
std::string unqualified(const c10::FunctionSchema& schema);

bool contains(const std::string& text, const char* part);

bool is_convolution(const std::string& name);
bool is_linear(const std::string& name);

/// Those that move data and compute nothing.
bool only_moves(const std::string& name);

/// Those that read as much of a table as they give.
bool looks_up_rows(const std::string& name);

}  // namespace fusekit::bench
