#pragma once

namespace fusekit::quantize {

/// Do int8 products of full-range levels saturate on this CPU under the engine in use? Without VNNI, fbgemm (and x86,
/// which stands for it then) adds pairs of products in 16 bits: activations have to keep to 128 levels.
bool saturates();

}  // namespace fusekit::quantize
