#pragma once

#include "differential/drawer.h"

namespace fusekit::test {

/// The settings of a convolution, or, where x has no sides, of a linear.
struct LayerSettings {
  std::int64_t in = 1;
  std::int64_t out = 1;
  std::int64_t kernel = 1;
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  std::int64_t dilation = 1;
  std::int64_t groups = 1;
  bool transposed = false;
  bool padding_in_words = false;  ///< "same"
  bool bias = true;
};

/// Any layer that x's channels and sides allow.
LayerSettings any_layer(Drawer& d);

/// One that keeps x's channels and sides.
LayerSettings layer_of_same_shape(Drawer& d);

/// The side that the layer makes of x's.
std::int64_t side_after(const Drawer& d, const LayerSettings& layer);

/// A submodule with the weights; lines of forward that make `to` of `from`. Returns the submodule's name.
std::string add_layer(Drawer& d, const LayerSettings& layer, const std::string& from = "x",
                      const std::string& to = "x");

/// One more call of a layer that is there.
void call_layer(Drawer& d, const std::string& name, const LayerSettings& layer, const std::string& from,
                const std::string& to);

/// The same for a BatchNorm of so many channels. None, and "", where x would be one number a channel: in training mode that
/// is an error.
std::string add_batch_norm(Drawer& d, std::int64_t channels, const std::string& from = "x",
                           const std::string& to = "x");

void call_batch_norm(Drawer& d, const std::string& name, const std::string& from, const std::string& to);

/// An activation of any kind.
void add_activation(Drawer& d, const std::string& from = "x", const std::string& to = "x");

}  // namespace fusekit::test
