// Pixels of objects as points in the world, and what stands beside them.
#pragma once

#include <cmath>

#include "masks.h"

namespace masks {

// What is beside a pixel of an object.
struct Beside {
  double slope = 0, nearest = std::numeric_limits<double>::infinity();  // steps in depth to its own neighbours
  bool border = false, cut = false, met = false;
  int64_t by = -1;
};

// `per_pixel` is what a pixel spans at the depth.
inline Beside beside(const uint16_t *ids, const float *depths, int64_t height, int64_t width, int64_t x, int64_t y,
                     double per_pixel) {
  Beside out;
  const int64_t here = y * width + x;
  const double depth = double(depths[here]), before = std::max(0.02, 4 * per_pixel);
  double tilt = 0;
  constexpr int kWays[4][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}};
  for (const auto &[dx, dy] : kWays) {
    if (x + dx < 0 || x + dx >= width || y + dy < 0 || y + dy >= height) {
      out.border = out.cut = true;
      continue;
    }
    const int64_t there = here + dx + dy * width;
    const double z = double(depths[there]);
    if (ids[there] == ids[here]) {
      if (dy == 1) tilt = depth - z;
      const double step = std::fabs(z - depth);
      out.slope = std::max(out.slope, step), out.nearest = std::min(out.nearest, step);
      continue;
    }
    out.border = true;
    if (z > 0 && z < depth - before) out.cut = true, out.by = ids[there];
    // Above it, and nearer than the object would be there if it went on.
    if (dy == -1 && z > 0 && tilt > 0.006 && z < depth + 0.5 * tilt) out.met = true;
  }
  out.met &= !out.cut;
  return out;
}

// Of each of `count` objects the sampled pixels (M,3) whose depth agrees with an own neighbour's, in columns (M,): frame,
// x, y, depth, world (M,3), slope, border, cut, met, by; and the rows (N,2) that are filled for each object.
inline nb::object points(Ids ids, Array<float, 3> depth, Array<int64_t, 2> rows, size_t count, Array<double, 1> lens,
                         Array<double, 3> T_world_cam) {
  require(depth.size() == ids.size() && rows.shape(1) == 3 && lens.size() == 4 &&
              T_world_cam.size() == 16 * ids.shape(0),
          "depth is (T,H,W), rows (M,3), lens (4,), T_world_cam (T,4,4)");
  const auto height = int64_t(ids.shape(1)), width = int64_t(ids.shape(2));
  const size_t all = rows.shape(0);
  std::vector<int64_t> frame(all), xs(all), ys(all), by(all), filled(2 * count, 0);
  std::vector<double> depths(all), world(3 * all), slope(all);
  std::vector<uint8_t> border(all), cut(all), met(all);
  for (size_t i = 0; i < all; ++i) ++filled[2 * size_t(rows.data()[3 * i + 1]) + 1];
  for (size_t k = 0, start = 0; k < count; ++k) {
    const size_t have = size_t(filled[2 * k + 1]);
    filled[2 * k] = filled[2 * k + 1] = int64_t(start), start += have;
  }
  const double *l = lens.data();
  for (size_t i = 0; i < all; ++i) {
    const int64_t *row = rows.data() + 3 * i, t = row[0], x = row[2] % width, y = row[2] / width;
    const float *picture = depth.data() + t * height * width;
    const double z = double(picture[row[2]]), per_pixel = z / l[0];
    if (!(z > 0)) continue;
    const Beside b = beside(ids.data() + t * height * width, picture, height, width, x, y, per_pixel);
    if (!(b.nearest < std::max(0.015, 3 * per_pixel))) continue;
    const auto to = size_t(filled[2 * size_t(row[1]) + 1]++);
    frame[to] = t, xs[to] = x, ys[to] = y, depths[to] = z;
    slope[to] = b.slope, border[to] = b.border, cut[to] = b.cut, met[to] = b.met, by[to] = b.by;
    const double u = (double(x) + 0.5 - l[2]) / l[0] * z, v = (double(y) + 0.5 - l[3]) / l[1] * z;
    const double *T = T_world_cam.data() + 16 * t;
    for (size_t k = 0; k < 3; ++k)
      world[3 * to + k] = u * T[4 * k] + v * T[4 * k + 1] + z * T[4 * k + 2] + T[4 * k + 3];
  }
  return nb::make_tuple(owned(std::move(frame), 1), owned(std::move(xs), 1), owned(std::move(ys), 1),
                        owned(std::move(depths), 1), owned(std::move(world), 3), owned(std::move(slope), 1),
                        owned(std::move(border), 1), owned(std::move(cut), 1), owned(std::move(met), 1),
                        owned(std::move(by), 1), owned(std::move(filled), 2));
}

}  // namespace masks
