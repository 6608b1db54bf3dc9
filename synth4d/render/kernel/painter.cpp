#include "painter.h"

#include <algorithm>
#include <cmath>

namespace synth4d {
namespace {

constexpr size_t GROUP = 64;  // blocks between two looks at which tiles are done

uint64_t key_of(float depth, uint32_t index) {  // depths are positive, so their bits order as they do
  uint32_t bits;
  std::memcpy(&bits, &depth, sizeof bits);
  return (uint64_t)bits << 32 | index;
}

// Blocks are read in an order that no processor foresees; asking two ahead takes 2 % off a frame.
void prefetch(const Gaussians &block) {
  for (size_t i = 0; i < sizeof block; i += 64) __builtin_prefetch((const char *)&block + i);
}

}  // namespace

// order_ becomes the candidates, nearest first.
size_t Painter::order_candidates(const Stages &stages, const Bounds &bounds, size_t blocks, const View &view,
                                 const Region &region) {
  const size_t count = stages.cull(bounds, blocks, view, region, candidates_.grow(blocks));
  uint64_t *order = order_.grow(count);
  for (size_t i = 0; i < count; i++) order[i] = key_of(candidates_[i].near, (uint32_t)i);
  radix_sort(order_, spare_, count);
  return count;
}

// Candidates [begin,end) of the order become waiting splats, but for blocks with nothing but done tiles before them.
void Painter::project(const Stages &stages, const Model &model, const View &view, const Region &region, size_t begin,
                      size_t end) {
  Splat *splats = splats_.grow(splat_count_ + (end - begin) * BLOCK, splat_count_);
  uint64_t *waiting = waiting_.grow(waiting_count_ + (end - begin) * BLOCK, waiting_count_);
  for (size_t i = begin; i < end; i++) {
    const Candidate &c = candidates_[(uint32_t)order_[i]];
    if (i + 2 < end) prefetch(model.blocks[candidates_[(uint32_t)order_[i + 2]].block]);
    if (!is_open(region, c.left, c.right, c.top, c.bottom)) continue;
    const int more = stages.project(model, view, region, c.block, splats + splat_count_);
    for (int s = 0; s < more; s++, splat_count_++)
      waiting[waiting_count_++] = key_of(splats[splat_count_].z, (uint32_t)splat_count_);
  }
}

// ready_ becomes the waiting splats nearer than `limit`, by depth and then by row. Returns how many.
size_t Painter::take_ready(float limit) {
  const uint64_t end = key_of(limit, 0);
  uint64_t *waiting = waiting_.data.get(), *ready = ready_.grow(waiting_count_);
  size_t count = 0, left = 0;
  for (size_t i = 0; i < waiting_count_; i++) {
    const uint64_t key = waiting[i];
    ready[count] = key, waiting[left] = key;
    count += key < end, left += key >= end;
  }
  waiting_count_ = left;
  radix_sort(ready_, spare_, count);
  ready = ready_.data.get();
  for (size_t i = 0, next; i < count; i = next) {
    for (next = i + 1; next < count && ready[next] >> 32 == ready[i] >> 32;) next++;
    if (next > i + 1)
      std::sort(ready + i, ready + next, [&](uint64_t a, uint64_t b) {
        return splats_[(uint32_t)a].row < splats_[(uint32_t)b].row;
      });
  }
  return count;
}

void Painter::flush(const Stages &stages, const Rule &rule, Region &region, size_t tile) {
  const int row = (int)tile / ROW, column = (int)tile % ROW;
  if (!fill_[tile]) return;
  const bool more = stages.blend(splats_.data.get(), &batches_[tile * BATCH], (int)fill_[tile],
                                 region.x0 + column * TILE, region.y0 + row * TILE, rule, tiles_[tile]);
  if (!more) region.open[row] &= ~(1u << column), region.closed = true;
  fill_[tile] = 0;
}

// Each ready splat goes to the open tiles it can touch; a tile that has a full batch blends it.
void Painter::hand_out(const Stages &stages, const Rule &rule, Region &region, size_t ready) {
  constexpr size_t AHEAD = 12;
  uint32_t *const fill = fill_, *const batches = batches_.data.get();
  const uint64_t *keys = ready_.data.get();
  const Splat *splats = splats_.data.get();
  for (size_t i = 0; i < ready; i++) {
    if (i + AHEAD < ready) __builtin_prefetch(&splats[(uint32_t)keys[i + AHEAD]]);
    const uint32_t index = (uint32_t)keys[i], tiles = splats[index].tiles;
    const int left = tiles & 255, right = tiles >> 8 & 255, top = tiles >> 16 & 255, bottom = (int)(tiles >> 24);
    const uint32_t columns = across(left, right);
    for (int row = top; row <= bottom; row++)
      for (uint32_t open = region.open[row] & columns; open; open &= open - 1) {
        const uint32_t tile = (uint32_t)(row * ROW + __builtin_ctz(open));
        batches[tile * BATCH + fill[tile]] = index;
        if (++fill[tile] == BATCH) flush(stages, rule, region, tile);
      }
  }
}

void Painter::paint(const Stages &stages, const Model &model, const Bounds &bounds, size_t blocks,
                    const View &view, const Rule &rule, Region region, const Image &image) {
  const int columns = (region.x1 - region.x0 + TILE - 1) / TILE, rows = (region.y1 - region.y0 + TILE - 1) / TILE;
  tiles_.grow(ROW * ROW), batches_.grow(ROW * ROW * BATCH);
  for (int r = 0; r < ROW; r++) region.open[r] = r < rows ? across(0, columns - 1) : 0;
  for (int r = 0; r < rows; r++)
    for (int c = 0; c < columns; c++) {
      fill_[r * ROW + c] = 0;
      stages.start(tiles_[(size_t)(r * ROW + c)], region.x1 - region.x0 - c * TILE, region.y1 - region.y0 - r * TILE);
    }
  splat_count_ = waiting_count_ = 0;
  const size_t count = order_candidates(stages, bounds, blocks, view, region);
  for (size_t begin = 0; begin < count && is_open(region, 0, ROW - 1, 0, ROW - 1); begin += GROUP) {
    const size_t end = std::min(begin + GROUP, count);
    project(stages, model, view, region, begin, end);
    hand_out(stages, rule, region, take_ready(end < count ? candidates_[(uint32_t)order_[end]].near : INFINITY));
  }
  for (int r = 0; r < rows; r++)
    for (int c = 0; c < columns; c++) {
      const size_t tile = (size_t)(r * ROW + c);
      flush(stages, rule, region, tile);
      stages.finish(tiles_[tile], splats_.data.get(), region.x0 + c * TILE, region.y0 + r * TILE, image);
    }
}

}  // namespace synth4d
