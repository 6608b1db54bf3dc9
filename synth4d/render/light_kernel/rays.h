// Which rays are sent, and what they met.
#pragma once

#include "common.h"

namespace light {

inline nb::object near(Array<float, 2> points, Array<float, 2> normals, Array<float, 2> motion, Array<float, 2> bounds,
                float reach) {
  require(motion.shape(0) == 3 && motion.shape(1) == 4 && bounds.shape(0) == 2, "motion is (3,4), bounds (2,3)");
  require(points.shape(0) == normals.shape(0), "points and normals are (V,3)");
  std::vector<int64_t> rows;
  const Motion into{motion.data()};
  const Box box = box_of(bounds);
  for (size_t i = 0; i < points.shape(0); ++i) {
    const Vec p = into.move(at(points.data(), i));
    const Vec to{box.middle.x - p.x, box.middle.y - p.y, box.middle.z - p.z};
    const float x = std::max(std::fabs(to.x) - box.half.x, 0.0f), y = std::max(std::fabs(to.y) - box.half.y, 0.0f),
                z = std::max(std::fabs(to.z) - box.half.z, 0.0f);
    if (!(x * x + y * y + z * z < reach * reach)) continue;
    const Vec n = into.turn(at(normals.data(), i));
    const float above = to.x * n.x + to.y * n.y + to.z * n.z;
    if (above + std::fabs(n.x) * box.half.x + std::fabs(n.y) * box.half.y + std::fabs(n.z) * box.half.z > 0)
      rows.push_back(int64_t(i));
  }
  return owned(std::move(rows), 1);
}

// Rays as they are handed to the tracer, and where each belongs among rows × rays of a row.
struct Rays {
  std::vector<float> origins, ways;
  std::vector<int64_t> index;
  void add(Vec o, Vec w, int64_t place) {
    origins.insert(origins.end(), {o.x, o.y, o.z});
    ways.insert(ways.end(), {w.x, w.y, w.z});
    index.push_back(place);
  }
  std::tuple<nb::object, nb::object, nb::object> give() {
    return {owned(std::move(origins), 3), owned(std::move(ways), 3), owned(std::move(index), 1)};
  }
};

// Whether a ray meets a box no further than some of its lengths away.
inline bool crosses(Vec p, Vec way, const Box &box, float furthest) {
  const float from[3] = {p.x, p.y, p.z}, d[3] = {way.x, way.y, way.z};
  const float middle[3] = {box.middle.x, box.middle.y, box.middle.z}, half[3] = {box.half.x, box.half.y, box.half.z};
  float enter = 0, leave = furthest;
  for (int a = 0; a < 3; ++a) {
    const float inverse = 1 / (std::fabs(d[a]) < 1e-9f ? std::copysign(1e-9f, d[a]) : d[a]);
    const float s = (middle[a] - half[a] - from[a]) * inverse, t = (middle[a] + half[a] - from[a]) * inverse;
    enter = std::max(enter, std::min(s, t));
    leave = std::min(leave, std::max(s, t));
  }
  return enter <= leave;
}

inline std::tuple<nb::object, nb::object, nb::object> spread(Array<float, 2> points, Array<float, 3> rays,
                                                      Array<int64_t, 1> rows, Array<float, 2> motion,
                                                      Array<float, 2> bounds, float reach) {
  require(points.shape(0) == rays.shape(0), "points are (V,3), rays (V,K,3)");
  const int64_t per = int64_t(rays.shape(1)), count = int64_t(rows.shape(0));
  Rays out;
  const Motion into{motion.data()};
  const Box box = box_of(bounds);
  for (int64_t k = 0; k < count; ++k) {
    const int64_t row = row_of(rows, k, points);
    const Vec p = into.move(at(points.data(), row));
    for (int64_t r = 0; r < per; ++r) {
      const Vec d = into.turn(at(rays.data(), row * per + r));
      if (crosses(p, d, box, reach)) out.add(p, d, k * per + r);
    }
  }
  return out.give();
}

inline std::tuple<nb::object, nb::object, nb::object> toward(Array<float, 2> points, Array<int64_t, 1> rows,
                                                      Array<float, 2> targets, Array<float, 2> motion,
                                                      Array<float, 2> bounds) {
  const int64_t per = int64_t(targets.shape(0)), count = int64_t(rows.shape(0));
  Rays out;
  const Motion into{motion.data()};
  const Box box = box_of(bounds);
  // A point of a way to a target is no further from that of the way to their middle than the targets are.
  const Vec middle = middle_of(targets);
  float radius = 0;
  for (int64_t r = 0; r < per; ++r) {
    const Vec q = at(targets.data(), r), away{q.x - middle.x, q.y - middle.y, q.z - middle.z};
    radius = std::max(radius, std::sqrt(dot(away, away)));
  }
  radius *= 1.001f;
  const Box wide{box.middle, {box.half.x + radius, box.half.y + radius, box.half.z + radius}};
  for (int64_t k = 0; k < count; ++k) {
    const Vec p = into.move(at(points.data(), row_of(rows, k, points)));
    if (!crosses(p, {middle.x - p.x, middle.y - p.y, middle.z - p.z}, wide, 1)) continue;
    for (int64_t r = 0; r < per; ++r) {
      const Vec q = at(targets.data(), r), way{q.x - p.x, q.y - p.y, q.z - p.z};
      if (crosses(p, way, box, 1)) out.add(p, way, k * per + r);
    }
  }
  return out.give();
}

inline nb::object pack(Array<int64_t, 1> index, Array<bool, 1> hits, size_t count, int64_t per) {
  require(index.shape(0) == hits.shape(0) && per >= 1 && per <= 16, "index and hits are of as many rays");
  std::vector<uint16_t> bits(count);
  for (size_t i = 0; i < index.shape(0); ++i) {
    const int64_t row = index.data()[i] / per;
    require(row >= 0 && row < int64_t(count), "a ray is out of range");
    if (hits.data()[i]) bits[size_t(row)] |= uint16_t(1u << (index.data()[i] % per));
  }
  return owned(std::move(bits), 1);
}

}  // namespace light
