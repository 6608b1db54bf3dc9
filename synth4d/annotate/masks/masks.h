// Objects in id images. `rank` (65536,) is the place of an id among N objects, N where it is none of them.
#pragma once

#include <limits>

#include "../../tracer/common.h"

namespace masks {

using namespace geo;
using Ids = Array<uint16_t, 3>;
using Rank = Array<uint16_t, 1>;

// Marks (H,W) of pixels with a neighbour of another id, and of those at the edge of their picture.
inline void mark_borders(const uint16_t *image, size_t height, size_t width, uint8_t *marks) {
  std::fill(marks, marks + height * width, uint8_t(1));
  for (size_t y = 1; y + 1 < height; ++y) {
    const uint16_t *p = image + y * width, *up = p - width, *down = p + width;
    uint8_t *out = marks + y * width;
    for (size_t x = 1; x + 1 < width; ++x)
      out[x] = (p[x] != p[x - 1]) | (p[x] != p[x + 1]) | (p[x] != up[x]) | (p[x] != down[x]);
  }
}

// Counts (T,N) and boxes (T,N,4) [x0,y0,x1,y1), which come as zeros and NaN.
inline void visible(Ids ids, Rank rank, Out<double, 2> counts, Out<double, 3> boxes) {
  const size_t height = ids.shape(1), width = ids.shape(2), n = counts.shape(1);
  require(rank.size() == 65536 && counts.shape(0) == ids.shape(0) && boxes.size() == 4 * counts.size(),
          "rank is (65536,), counts (T,N), boxes (T,N,4)");
  for (size_t t = 0; t < ids.shape(0); ++t)
    for (size_t y = 0; y < height; ++y) {
      const uint16_t *row = ids.data() + (t * height + y) * width;
      for (size_t x = 0, end; x < width; x = end) {  // runs of one id are a few in a hundred of the pixels
        for (end = x + 1; end < width && row[end] == row[x];) ++end;
        const size_t k = rank.data()[row[x]];
        if (k >= n) continue;
        double &count = counts.data()[t * n + k], *box = boxes.data() + 4 * (t * n + k);
        if (count == 0) box[0] = double(x), box[1] = double(y), box[2] = double(end);
        count += double(end - x);
        box[0] = std::min(box[0], double(x)), box[2] = std::max(box[2], double(end)), box[3] = double(y + 1);
      }
    }
}

// Distances of a row, 1 … `width`, where they are less over the row beside it.
inline void step_from(const int32_t *beside, int32_t *row, size_t width) {
  for (size_t x = 1; x <= width; ++x)
    row[x] = std::min(row[x], 1 + std::min(std::min(beside[x - 1], beside[x]), beside[x + 1]));
}

// Found (T,N,3) [x, y, r], which comes as NaN: the place from which the nearest border is furthest, counted in king's
// moves between blocks of `size` × `size` pixels; of equal ones the first in reading order.
inline void deepest(Ids ids, Rank rank, size_t size, Out<double, 3> found) {
  const size_t height = ids.shape(1), width = ids.shape(2), n = found.shape(1), h = height / size, w = width / size;
  require(rank.size() == 65536 && found.shape(0) == ids.shape(0) && found.shape(2) == 3,
          "rank is (65536,), found (T,N,3)");
  // A margin that is infinitely far from every border: what is beyond the picture is none.
  constexpr int32_t FAR = std::numeric_limits<int32_t>::max() / 2;
  const size_t stride = w + 2;
  std::vector<int32_t> away((h + 2) * stride);
  std::vector<int32_t> best(n);
  std::vector<uint8_t> marks(height * width);
  for (size_t t = 0; t < ids.shape(0); ++t) {
    const uint16_t *image = ids.data() + t * height * width;
    std::fill(away.begin(), away.end(), FAR);
    mark_borders(image, height, width, marks.data());
    for (size_t y = 0; y < h; ++y) {
      uint8_t *row = marks.data() + y * size * width;  // of a row of blocks: what is marked in any of its rows
      for (size_t i = 1; i < size; ++i)
        for (size_t x = 0; x < width; ++x) row[x] |= row[i * width + x];
      int32_t *out = &away[(y + 1) * stride + 1];
      for (size_t x = 0; x < w; ++x)
        for (size_t i = 0; i < size; ++i) out[x] = row[x * size + i] ? 0 : out[x];
    }
    // Two passes, each looking at the four neighbours it has been to (Rosenfeld and Pfaltz 1966): those of the row
    // before all at once, the one beside in turn.
    for (size_t y = 1; y <= h; ++y) {
      int32_t *row = &away[y * stride];
      step_from(row - stride, row, w);
      for (size_t x = 1; x <= w; ++x) row[x] = std::min(row[x], row[x - 1] + 1);
    }
    for (size_t y = h; y >= 1; --y) {
      int32_t *row = &away[y * stride];
      step_from(row + stride, row, w);
      for (size_t x = w; x >= 1; --x) row[x] = std::min(row[x], row[x + 1] + 1);
    }
    std::fill(best.begin(), best.end(), 0);
    for (size_t y = 0; y < h; ++y)
      for (size_t x = 0; x < w; ++x) {
        const int32_t r = away[(y + 1) * stride + x + 1];
        const size_t k = rank.data()[image[y * size * width + x * size]];
        if (k >= n || r <= best[k]) continue;
        best[k] = r;
        double *at = found.data() + 3 * (t * n + k);
        at[0] = double(x * size), at[1] = double(y * size), at[2] = double(size_t(r - 1) * size);
      }
  }
}

// Pixels of a group in reading order, as stretches of them.
class Group {
 public:
  void clear() { stretches_.clear(), have_ = 0; }
  void add(size_t first, size_t count) { stretches_.emplace_back(first, have_), have_ += count; }
  // At most `most` of them, evenly spaced: the first, the last, and what lies between.
  template <class Take>
  void spread(size_t most, Take take) const {
    const size_t count = std::min(have_, most);
    auto stretch = stretches_.begin();
    for (size_t i = 0; i < count; ++i) {
      const size_t pick = count > 1 ? i * (have_ - 1) / (count - 1) : 0;
      while (stretch + 1 != stretches_.end() && (stretch + 1)->second <= pick) ++stretch;
      take(stretch->first + pick - stretch->second);
    }
  }

 private:
  std::vector<std::pair<size_t, size_t>> stretches_;  // the first pixel of each, and how many are before it
  size_t have_ = 0;
};

// Frame, object and flat pixel (M,3) of at most `inner` pixels inside each of `count` objects and `border` of its
// outline, evenly spaced in reading order.
inline nb::object sample(Ids ids, Rank rank, size_t count, size_t inner, size_t border) {
  require(rank.size() == 65536, "rank is (65536,)");
  const size_t pixels = ids.shape(1) * ids.shape(2);
  std::vector<uint8_t> edge(pixels);
  std::vector<int64_t> out;
  out.reserve(3 * ids.shape(0) * count * (inner + border));
  std::vector<Group> groups(2 * count);
  for (size_t t = 0; t < ids.shape(0); ++t) {
    const uint16_t *image = ids.data() + t * pixels;
    mark_borders(image, ids.shape(1), ids.shape(2), edge.data());
    for (auto &group : groups) group.clear();
    for (size_t p = 0, end; p < pixels; p = end) {
      for (end = p + 1; end < pixels && image[end] == image[p] && edge[end] == edge[p];) ++end;
      if (const size_t k = rank.data()[image[p]]; k < count) groups[2 * k + edge[p]].add(p, end - p);
    }
    for (size_t g = 0; g < groups.size(); ++g)
      groups[g].spread(g % 2 ? border : inner, [&](size_t pixel) {
        out.insert(out.end(), {int64_t(t), int64_t(g / 2), int64_t(pixel)});
      });
  }
  return owned(std::move(out), 3);
}

}  // namespace masks
