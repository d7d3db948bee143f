#include "differential/random_network.h"

#include "differential/drawer.h"

namespace fusekit::test {
namespace {

/// Layers, layers with traps, or layers with state between them.
void draw_piece(Drawer& d, std::int64_t theme) {
  const bool layer = theme == 0 || d.chance(2);
  d.one_of(layer ? layer_pieces() : theme == 1 ? trap_pieces() : state_pieces())(d);
}

void draw_kind(Drawer& d) {
  d.spatial = d.one_of<std::int64_t>({2, 2, 2, 2, 1, 3});
  d.side = d.spatial == 3 ? 4 : 6;
  d.channels = d.pick(2, 4);
  d.traced = d.chance(3);
  d.trains = !d.traced && d.chance(4);
  if (d.chance(10)) d.dtype = at::kDouble;
}

}  // namespace

RandomNetwork random_network(std::uint64_t seed, const std::set<std::int64_t>& without) {
  Drawer d(seed);
  draw_kind(d);
  const std::int64_t theme = d.pick(0, 2);
  const std::int64_t pieces = d.pick(4, 9);
  std::vector<std::int64_t> dims = {d.pick(1, 3), d.channels};
  for (std::int64_t k = 0; k < d.spatial; ++k) dims.push_back(d.side);
  for (std::int64_t piece = 0; piece < pieces; ++piece) {
    d.begin_piece(piece);
    if (without.count(piece) > 0) continue;
    if (piece == 0)
      convolution(d);
    else
      draw_piece(d, theme);
  }
  RandomNetwork network = d.finish();
  network.pieces = pieces;
  network.dims = {dims};
  network.dtype = d.dtype;
  return network;
}

}  // namespace fusekit::test
