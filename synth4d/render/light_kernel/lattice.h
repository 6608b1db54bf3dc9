// Shapes and turns of Gaussians on triangles.
#pragma once

#include "../../tracer/common.h"

namespace light {

using namespace geo;

// Turn (wxyz) and stretch of a lattice cell projected along the dominant axis of a unit normal on the plane: the
// principal axes of the covariance that fits the lattice, the second of which keeps its length.
inline double cell_on(const double *n, double *turn) {
  int axis = 0;
  for (int k = 1; k < 3; ++k)
    if (std::fabs(n[k]) > std::fabs(n[axis])) axis = k;
  const int u = (axis + 1) % 3, v = (axis + 2) % 3;
  const double gu = -n[u] / n[axis], gv = -n[v] / n[axis], g = std::sqrt(gu * gu + gv * gv);
  const bool level = g < 1e-9;
  const double stretch = std::sqrt(1 + g * g);
  double a[3];
  a[u] = (level ? 1 : gu / g) / stretch, a[v] = (level ? 0 : gv / g) / stretch, a[axis] = level ? 0 : g / stretch;
  const double b[3] = {n[1] * a[2] - n[2] * a[1], n[2] * a[0] - n[0] * a[2], n[0] * a[1] - n[1] * a[0]};
  // The quaternion of the matrix of columns a, b, n, by the largest of its four squared components.
  const double trace = a[0] + b[1] + n[2], s = a[1] - b[0];
  const double p = b[2] - n[1], q = n[0] - a[2], d = a[1] + b[0], e = n[0] + a[2], f = n[1] + b[2];
  const double rows[4][4] = {{1 + trace, p, q, s},
                             {p, 1 + 2 * a[0] - trace, d, e},
                             {q, d, 1 + 2 * b[1] - trace, f},
                             {s, e, f, 1 + 2 * n[2] - trace}};
  const double size[4] = {trace, a[0], b[1], n[2]};
  const double *best = rows[std::max_element(size, size + 4) - size];
  const double length = std::sqrt(best[0] * best[0] + best[1] * best[1] + best[2] * best[2] + best[3] * best[3]);
  for (int k = 0; k < 4; ++k) turn[k] = best[k] / length;
  return stretch;
}

// Quaternions (N,4) wxyz and scales (N,3) of Gaussians in triangles (N,) of normals (F,3), `grain` (N,) apart: the
// standard deviation is `sigma` of that in the plane, `flatness` times less across it.
inline std::tuple<nb::object, nb::object> lay(Array<double, 2> flat, Array<int32_t, 1> triangle, Array<float, 1> grain,
                                              float sigma, float flatness) {
  const size_t count = triangle.shape(0), faces = flat.shape(0);
  require(grain.shape(0) == count && flat.shape(1) == 3, "flat is (F,3), triangle and grain (N,)");
  std::vector<float> cells(7 * faces), quats(4 * count), scales(3 * count);
  for (size_t f = 0; f < faces; ++f) {
    double turn[4];
    float *c = cells.data() + 7 * f;
    c[4] = float(cell_on(flat.data() + 3 * f, turn)) * sigma, c[5] = sigma, c[6] = flatness * sigma;
    for (int k = 0; k < 4; ++k) c[k] = float(turn[k]);
  }
  for (size_t i = 0; i < count; ++i) {
    const int32_t f = triangle.data()[i];
    require(f >= 0 && size_t(f) < faces, "a triangle is out of range");
    const float *c = cells.data() + 7 * size_t(f);
    std::copy(c, c + 4, quats.data() + 4 * i);
    for (size_t k = 0; k < 3; ++k) scales[3 * i + k] = c[4 + k] * grain.data()[i];
  }
  return {owned(std::move(quats), 4), owned(std::move(scales), 3)};
}

}  // namespace light
