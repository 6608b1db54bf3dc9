// Triangles that some camera may see, cut to the size in which light varies.
#pragma once

#include <vector>

#include "views.h"

namespace synth4d {

// How far a path sees among still occluders: pyramids of farthest depths, world axes.
struct Horizon {
  const double *cameras;  // (C,4,4) T_world_cam
  int64_t count, height, width;
  double fx, fy, cx, cy;
  std::vector<int64_t> reach;  // (L,) cells, each at most three times the one before and one
  double between;              // cells that a point moves at most to a frame that has no camera here
  double slack;
  std::vector<float> levels;   // (C,L+1,h,w) farthest depth about each cell; the last level is infinite
  mutable int64_t latest = 0;  // the camera that saw the last point: it is likely to see the next one too

  void widen(const float *depth);  // (C,h,w): fills the levels
  // Whether some camera may see anything of a sphere. Rays may pass by it; `margin` cells make up for that.
  bool sees(const Vec &point, double radius, double margin = 0.5) const;
  bool sees(int64_t camera, const Vec &point, double radius, double margin) const;
};

struct Limits {
  double coarse, light_px, light_low, light_high, near, contact, cell;
};

// Per body; still ones stand at a pose in the world.
struct BodyView {
  Views views;
  bool still;
  bool contact;           // small shadows may fall on it
  const double *rotation;  // (3,3)
  const double *place;     // (3,)

  Vec placed(const Vec &p) const {
    const double *R = rotation, *t = place;
    return {R[0] * p[0] + R[1] * p[1] + R[2] * p[2] + t[0], R[3] * p[0] + R[4] * p[1] + R[5] * p[2] + t[1],
            R[6] * p[0] + R[7] * p[1] + R[8] * p[2] + t[2]};
  }
};

struct Cut {
  std::vector<int32_t> source;
  std::vector<double> corners;  // (M,3,3)
  std::vector<double> normals;  // (M,3,3) at the corners
  std::vector<double> share;  // (M,3,3) corners as barycentric coordinates of the source
  std::vector<double> pixel;  // (M,) metres a pixel at the nearest distance
};

struct Mesh {
  const double *corners;  // (F,3,3)
  const double *normals;  // (F,3,3)
  const double *flat;     // (F,3)
  const double *slack;    // (F,) sine by which a triangle may be turned away and yet be needed
  const int32_t *body;    // (F,)
  int64_t count;
};

Cut refine(const Mesh &mesh, const std::vector<BodyView> &bodies, const Horizon &horizon, double focal,
           const Limits &limits, const std::array<const int64_t *, 2> &contact, const std::array<int64_t, 2> &contact_count);

int64_t cell_key(const Vec &point, double cell);

}  // namespace synth4d
