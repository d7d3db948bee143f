#pragma once

#include <torch/script.h>

#include <cstdint>
#include <string>

#include "inputs/inputs.h"

namespace fusekit::inputs {

/// Rows: what the first dimension of a tensor counts.

/// How many samples of `batch` rows `whole` is taken apart into: by its tensors with more rows than that, if these have
/// equally many; all other arguments belong to each sample. 1 where it is one as it is.
std::size_t pieces_of(const Sample& whole, std::int64_t batch);
/// How many of its rows are left over.
std::int64_t rows_left(const Sample& whole, std::int64_t batch);
/// The k-th of them. Its tensors are views of those of `whole`.
Sample piece_of(const Sample& whole, std::int64_t batch, std::size_t k);

/// 1 where `method` gives each row of `whole` by itself what it gives it among others, or runs on single rows only, so that
/// each is a sample; else kAsTheyAre.
std::int64_t batch_by_runs(const Fresh& fresh, const std::string& method, const Sample& whole);

}  // namespace fusekit::inputs
