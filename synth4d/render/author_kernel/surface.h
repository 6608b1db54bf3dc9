// Meshes made ready to be covered: welded, without degenerate and repeated triangles, with shading normals and hard
// edges. What the values are is told in render/surface.py.
#pragma once

#include <vector>

#include "views.h"

namespace synth4d {

// At most: own three edges and those of up to three coplanar neighbours, two each.
constexpr int LINES = 9;

// A surface's mesh as it comes.
struct Part {
  const double *vertices;  // (V,3)
  int64_t vertex_count;
  const int32_t *faces;  // (F,3)
  int64_t face_count;
  bool smooth;
};

// The triangles that are left of all parts, in their order.
struct Ready {
  std::vector<double> corners, normals;       // (N,3,3)
  std::vector<double> flat;                   // (N,3)
  std::vector<int64_t> begin = {0};           // (N+1,)
  std::vector<double> lines;                  // (H,4)
  std::vector<double> widths, beyond;         // (H,)
  std::vector<double> across;                 // (H,3)
  std::vector<double> strip, bend;            // (N,)
  std::vector<int32_t> part, face;            // (N,)
  std::vector<double> bounds;                 // (P,2,3) least and greatest vertex of a part
};

Ready ready(const std::vector<Part> &parts);

}  // namespace synth4d
