// Colours of liquids: their own, what they mirror, and highlights of lamps.
#pragma once

#include "colours.h"

namespace light {

inline Vec unit(Vec v) {
  const float length = std::max(std::sqrt(dot(v, v)), 1e-9f);
  return {v.x / length, v.y / length, v.z / length};
}

inline float power(float x, int n) {
  float out = 1;
  for (; n; n >>= 1, x *= x)
    if (n & 1) out *= x;
  return out;
}

// Display values (N,3) of Gaussians at means (N,3) that face ways (N,3), of albedo `own` (N,3) dimmed by `shade` (N,),
// from an eye
// (2,3: place, way ahead), under lamps (M,3) and in even exposed light (3,). `gloss`: reflectance at normal incidence, albedo
// of what is mirrored, strength of highlights and their exponent (Blinn and Phong).
inline nb::object glint(Array<float, 2> means, Array<float, 2> normals, Array<float, 2> own, Array<float, 1> shade,
                        Array<float, 2> eye, Array<float, 2> lamps, std::tuple<float, float, float, int> gloss,
                        Array<float, 1> light, Array<float, 1> table, float top) {
  const size_t count = means.shape(0), bulbs = lamps.shape(0);
  require(normals.shape(0) == count && own.shape(0) == count && shade.shape(0) == count,
          "means, normals and own are (N,3), shade (N,)");
  require(eye.shape(0) == 2 && light.shape(0) == 3, "eye is (2,3), light (3,)");
  const auto [f0, sky, strength, sharp] = gloss;
  const Curve curve{table.data(), top, float(table.shape(0) - 1)};
  const Vec from = at(eye.data(), 0), ahead = at(eye.data(), 1);
  std::vector<float> out(3 * count);
  for (size_t i = 0; i < count; ++i) {
    const Vec p = at(means.data(), int64_t(i)), n = at(normals.data(), int64_t(i));
    if (dot(ahead, {p.x - from.x, p.y - from.y, p.z - from.z}) < 0) continue;  // half of them wait behind it
    const Vec to = unit({from.x - p.x, from.y - p.y, from.z - p.z});
    const float mirrored = f0 + (1 - f0) * power(1 - std::min(std::fabs(dot(n, to)), 1.0f), 5);  // Schlick
    float bright = 0;
    for (size_t m = 0; m < bulbs; ++m) {
      const Vec q = at(lamps.data(), int64_t(m)), way = unit({q.x - p.x, q.y - p.y, q.z - p.z});
      const Vec half = unit({way.x + to.x, way.y + to.y, way.z + to.z});
      bright += power(std::min(std::max(dot(n, half), 0.0f), 1.0f), sharp) / float(bulbs);
    }
    const float body = shade.data()[i] * (1 - mirrored), over = sky * mirrored + strength * bright;
    for (size_t k = 0; k < 3; ++k)
      out[3 * i + k] = curve((own.data()[3 * i + k] * body + over) * light.data()[k]);
  }
  return owned(std::move(out), 3);
}

}  // namespace light
