#pragma once

namespace fusekit::quantize {

/// Do int8 products of full-range levels saturate on this CPU under the engine in use (fusekit/engine.h)? Then
/// activations have to keep to 128 levels.
bool saturates();

}  // namespace fusekit::quantize
