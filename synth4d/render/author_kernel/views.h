// The cameras of a clip as one body sees them: what they can see of its points. All in the body's frame.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

namespace synth4d {

using Vec = std::array<double, 3>;
constexpr double INF = std::numeric_limits<double>::infinity();

inline Vec operator-(const Vec &a, const Vec &b) { return {a[0] - b[0], a[1] - b[1], a[2] - b[2]}; }
inline Vec operator+(const Vec &a, const Vec &b) { return {a[0] + b[0], a[1] + b[1], a[2] + b[2]}; }
inline Vec operator*(double s, const Vec &a) { return {s * a[0], s * a[1], s * a[2]}; }
inline double dot(const Vec &a, const Vec &b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }
inline Vec vec(const double *p) { return {p[0], p[1], p[2]}; }

// A sphere, or how a camera path sees it.
struct Reach {
  double nearest = INF;  // least z-depth in any frame; infinite: never in view
  double mean = INF;     // mean z-depth over the frames it is in view
};

// G groups of frames that are close together; each is known by its first one and how far the others stray.
struct Views {
  const double *eyes;   // (G,3)
  const double *axes;   // (G,3,3) rows: the camera's x, y, z axes
  const double *shift;  // (G,) metres between eyes of a group
  const double *turn;   // (G,) metres a point moves in the camera's frame by its turning, per metre of distance
  int64_t count;
  std::array<double, 2> spread;  // half width and half height of the image plane at distance 1

  Reach reach(const Vec &point, double radius) const {
    Reach out;
    double sum = 0;
    int64_t in_view = 0;
    const double slope_x = std::sqrt(1 + spread[0] * spread[0]), slope_y = std::sqrt(1 + spread[1] * spread[1]);
    for (int64_t g = 0; g < count; g++) {
      const Vec r = point - vec(eyes + 3 * g);
      const double *a = axes + 9 * g;
      const double x = dot(r, vec(a)), y = dot(r, vec(a + 3)), z = dot(r, vec(a + 6));
      const double margin = radius + shift[g] + turn[g] * std::sqrt(x * x + y * y + z * z);
      if (z <= -margin || std::abs(x) >= spread[0] * z + margin * slope_x ||
          std::abs(y) >= spread[1] * z + margin * slope_y)
        continue;
      out.nearest = std::min(out.nearest, z);
      sum += z;
      in_view++;
    }
    if (in_view) out.mean = sum / in_view;
    return out;
  }

  // Sine of the height of the eyes over the plane through a point, the greatest and the least of them; the greatest
  // is never less than the truth, the least never more.
  std::array<double, 2> facing(const Vec &point, const Vec &normal) const {
    double best = -1, worst = 1;
    for (int64_t g = 0; g < count; g++) {
      const Vec r = vec(eyes + 3 * g) - point;
      const double height = dot(r, normal), away = std::sqrt(dot(r, r));
      best = std::max(best, (height + shift[g]) / std::max(away - shift[g], 1e-6));
      worst = std::min(worst, (height - shift[g]) / std::max(away + shift[g], 1e-6));
    }
    return {best, worst};
  }
};

}  // namespace synth4d
