// Points of one object, looked at again: in other frames, and along headings.
#pragma once

#include "points.h"

namespace masks {

// How many (T,2) of some points are gone, and stay, when looked for `lag` frames later; counted at the earlier frame.
// `slack` (M,) is how far depth may be off.
inline void looked_for(Ids ids, Array<float, 3> depth, Array<int64_t, 1> frames, Array<double, 2> world,
                       Array<uint16_t, 1> own, Array<double, 1> slack, Array<double, 1> lens,
                       Array<double, 3> T_cam_world, int64_t lag, Out<int64_t, 2> counts) {
  const auto T = int64_t(ids.shape(0)), height = int64_t(ids.shape(1)), width = int64_t(ids.shape(2));
  const size_t count = frames.shape(0);
  require(depth.size() == ids.size() && world.shape(0) == count && world.shape(1) == 3 && own.shape(0) == count &&
              slack.shape(0) == count && lens.size() == 4 && T_cam_world.size() == 16 * ids.shape(0) &&
              counts.size() == 2 * ids.shape(0),
          "depth is (T,H,W), world (M,3), own and slack (M,), lens (4,), T_cam_world (T,4,4), counts (T,2)");
  const double *l = lens.data();
  for (size_t i = 0; i < count; ++i) {
    const int64_t from = frames.data()[i], t = from + lag;
    if (t < 0 || t >= T) continue;
    const double *M = T_cam_world.data() + 16 * t, *p = world.data() + 3 * i;
    double c[3];
    for (size_t k = 0; k < 3; ++k) c[k] = M[4 * k] * p[0] + M[4 * k + 1] * p[1] + M[4 * k + 2] * p[2] + M[4 * k + 3];
    if (!(c[2] > 0.05)) continue;
    const double x = std::floor(l[0] * c[0] / c[2] + l[2]), y = std::floor(l[1] * c[1] / c[2] + l[3]);
    if (!(x >= 0 && x < double(width) && y >= 0 && y < double(height))) continue;
    const int64_t at = (t * height + int64_t(y)) * width + int64_t(x);
    const double shown = double(depth.data()[at]), off = slack.data()[i];
    int64_t *tally = counts.data() + 2 * std::min(from, t);
    if (shown == 0 || shown > c[2] + off) ++tally[0];
    else if (std::fabs(shown - c[2]) <= off && ids.data()[at] == own.data()[i]) ++tally[1];
  }
}

// The least numbers, a few of them, sorted.
class Least {
 public:
  explicit Least(size_t count) : kept_(count) { clear(); }
  void clear() { std::fill(kept_.begin(), kept_.end(), std::numeric_limits<double>::infinity()); }
  double last() const { return kept_.back(); }
  void add(double value) {
    if (!(value < kept_.back())) return;
    size_t k = kept_.size() - 1;
    for (; k > 0 && kept_[k - 1] > value; --k) kept_[k] = kept_[k - 1];
    kept_[k] = value;
  }
  // What lies `share` of the way from the last but one to the last.
  double between(double share) const {
    return kept_[kept_.size() - 2] * (1 - share) + kept_.back() * share;
  }

 private:
  std::vector<double> kept_;
};

// Points (M,2) in columns x and y, along a heading.
SYNTH4D_BUILDS static void project(const double *x, const double *y, size_t count, double c, double s, double *along) {
  for (size_t i = 0; i < count; ++i) along[i] = x[i] * c + y[i] * s;
}

// Extents (2,N) of points (M,2) along and across N headings, between two percentiles: the one `rank` + `share` places
// from the low end, and from the high end. `ways` (N,2) are cosine and sine.
inline void extents(Array<double, 2> plan, Array<double, 2> ways, size_t rank, double share, Out<double, 2> out) {
  const size_t count = plan.shape(0), headings = ways.shape(0);
  require(plan.shape(1) == 2 && ways.shape(1) == 2 && out.size() == 2 * headings && rank + 2 <= count,
          "plan is (M,2), ways (N,2), out (2,N), rank below M - 1");
  Least low(rank + 2), high(rank + 2);
  std::vector<double> x(count), y(count), along(count);
  for (size_t i = 0; i < count; ++i) x[i] = plan.data()[2 * i], y[i] = plan.data()[2 * i + 1];
  for (size_t h = 0; h < headings; ++h)
    for (size_t k = 0; k < 2; ++k) {
      const double c = ways.data()[2 * h], s = ways.data()[2 * h + 1];
      if (k) project(y.data(), x.data(), count, c, -s, along.data());
      else project(x.data(), y.data(), count, c, s, along.data());
      low.clear(), high.clear();
      for (const double a : along)
        if ((a < low.last()) | (-a < high.last())) low.add(a), high.add(-a);  // hardly ever
      out.data()[k * headings + h] = -high.between(share) - low.between(share);
    }
}

}  // namespace masks
