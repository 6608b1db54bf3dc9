// Paints one region of a picture: candidates near to far, a group of blocks at a time, until no tile takes more light.
#pragma once
#include "buffer.h"
#include "kernel.h"

namespace synth4d {

class Painter {
 public:
  void paint(const Stages &, const Model &, const Bounds &, size_t blocks, const View &, const Rule &, Region,
             const Image &);

 private:
  size_t order_candidates(const Stages &, const Bounds &, size_t blocks, const View &, const Region &);
  void project(const Stages &, const Model &, const View &, const Region &, size_t begin, size_t end);
  size_t take_ready(float limit);
  void hand_out(const Stages &, const Rule &, Region &, size_t ready);
  void flush(const Stages &, const Rule &, Region &, size_t tile);

  Buffer<Candidate> candidates_;
  Buffer<uint64_t> order_, spare_, waiting_, ready_;  // keys: bits of a depth, index
  Buffer<Splat> splats_;
  Buffer<Tile> tiles_;
  Buffer<uint32_t> batches_;  // of a tile: BATCH indices of splats
  uint32_t fill_[ROW * ROW];  // and how many
  size_t splat_count_ = 0, waiting_count_ = 0;
};

}  // namespace synth4d
