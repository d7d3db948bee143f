#pragma once

// The vocabulary: what FuseKit knows operators as, whatever their spelling. Each view is read-only and made from a node
// where it is needed; a rewrite of the graph makes it stale. A new operator is one new file in operators/.

#include "ir/constants.h"
#include "ir/operators/activation.h"
#include "ir/operators/arithmetic.h"
#include "ir/operators/batch_norm.h"
#include "ir/operators/channel_shuffle.h"
#include "ir/operators/convolution.h"
#include "ir/operators/dtype_conversion.h"
#include "ir/operators/layer.h"
#include "ir/operators/linear.h"
#include "ir/operators/pad.h"
#include "ir/operators/permutation.h"
#include "ir/operators/pool.h"
#include "ir/operators/transformer.h"
#include "ir/operators/work.h"
#include "ir/uses.h"
