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
    for (int64_t g = 0; g < count; g++) {
      const double z = depth(g, point, radius);
      if (z == INF) continue;
      out.nearest = std::min(out.nearest, z);
      sum += z;
      in_view++;
    }
    if (in_view) out.mean = sum / in_view;
    return out;
  }

  bool in_view(const Vec &point, double radius) const {
    for (int64_t g = 0; g < count; g++)
      if (depth(g, point, radius) != INF) return true;
    return false;
  }

  // Sine of the height of an eye over the plane through a point, never less than the truth, and never more.
  double highest(int64_t g, const Vec &point, const Vec &normal) const {
    const Vec r = vec(eyes + 3 * g) - point;
    return (dot(r, normal) + shift[g]) / std::max(std::sqrt(dot(r, r)) - shift[g], 1e-6);
  }
  double lowest(int64_t g, const Vec &point, const Vec &normal) const {
    const Vec r = vec(eyes + 3 * g) - point;
    return (dot(r, normal) - shift[g]) / std::max(std::sqrt(dot(r, r)) + shift[g], 1e-6);
  }

  // Of all eyes.
  double highest(const Vec &point, const Vec &normal) const {
    double best = -1;
    for (int64_t g = 0; g < count; g++) best = std::max(best, highest(g, point, normal));
    return best;
  }
  double lowest(const Vec &point, const Vec &normal) const {
    double worst = 1;
    for (int64_t g = 0; g < count; g++) worst = std::min(worst, lowest(g, point, normal));
    return worst;
  }

  // Whether any eye may be that high.
  bool rises(const Vec &point, const Vec &normal, double sine) const {
    for (int64_t g = 0; g < count; g++)
      if (highest(g, point, normal) > sine) return true;
    return false;
  }

 private:
  // z-depth of a sphere about a point in a group of frames; infinite: not in view.
  double depth(int64_t g, const Vec &point, double radius) const {
    const double slope_x = std::sqrt(1 + spread[0] * spread[0]), slope_y = std::sqrt(1 + spread[1] * spread[1]);
    const Vec r = point - vec(eyes + 3 * g);
    const double *a = axes + 9 * g;
    const double x = dot(r, vec(a)), y = dot(r, vec(a + 3)), z = dot(r, vec(a + 6));
    const double margin = radius + shift[g] + turn[g] * std::sqrt(x * x + y * y + z * z);
    const bool out = z <= -margin || std::abs(x) >= spread[0] * z + margin * slope_x ||
                     std::abs(y) >= spread[1] * z + margin * slope_y;
    return out ? INF : z;
  }
};

}  // namespace synth4d
