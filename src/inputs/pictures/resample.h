#pragma once

#include <cstdint>

#include "inputs/pictures/picture.h"

namespace fusekit::inputs {

/// A part of a picture; may extend beyond its borders.
struct Box {
  std::int64_t left = 0;
  std::int64_t top = 0;
  std::int64_t width = 0;
  std::int64_t height = 0;
};

/// `picture` resized to width x height as Pillow's BILINEAR does it, of which only `box` (inside of it) is computed: a
/// triangle filter as wide as two output pixels, rows before columns, weights of 22 bits and 8-bit values in between
/// (Pillow's src/libImaging/Resample.c), so that every byte is the same.
Picture resize(const Picture& picture, std::int64_t width, std::int64_t height, const Box& box);

}  // namespace fusekit::inputs
