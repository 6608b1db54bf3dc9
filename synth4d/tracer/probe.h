// The rays of points that are lit: those that can't meet anything are never sent.
#pragma once

#include "tracer.h"

namespace tracer {

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

// Distances (R,K), as far as `reach`, that the rays (V,K,3) of some rows are open.
inline nb::object openings(const Tracer &tracer, Array<float, 2> points, Array<float, 3> rays, Array<int64_t, 1> rows,
                           Array<float, 2> motion, Array<float, 2> bounds, float reach) {
  require(points.shape(0) == rays.shape(0), "points are (V,3), rays (V,K,3)");
  const int64_t per = int64_t(rays.shape(1)), count = int64_t(rows.shape(0));
  std::vector<float> out(size_t(count * per), reach);
  const Motion into{motion.data()};
  const Box box = box_of(bounds);
  auto queue = tracer.distances([&](int64_t place, const Packet &p, int k) { out[size_t(place)] = p.far[k]; });
  for (int64_t k = 0; k < count; ++k) {
    const int64_t row = row_of(rows, k, points);
    const Vec p = into.move(at(points.data(), row));
    for (int64_t r = 0; r < per; ++r) {
      const Vec d = into.turn(at(rays.data(), row * per + r));
      if (crosses(p, d, box, reach)) queue.add(p, d, reach, k * per + r);
    }
  }
  queue.flush();
  return owned(std::move(out), size_t(per));
}

// Bits (R,): which of the ways of some rows to targets (S,3) are blocked.
inline nb::object hits(const Tracer &tracer, Array<float, 2> points, Array<int64_t, 1> rows, Array<float, 2> targets,
                       Array<float, 2> motion, Array<float, 2> bounds) {
  const int64_t per = int64_t(targets.shape(0)), count = int64_t(rows.shape(0));
  require(per >= 1 && per <= 16, "there are 1 to 16 targets");
  std::vector<uint16_t> bits(size_t(count), 0);
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
  auto queue = tracer.occlusions([&](int64_t place, const Packet &p, int k) {
    if (Tracer::met(p, k)) bits[size_t(place / per)] |= uint16_t(1u << place % per);
  });
  for (int64_t k = 0; k < count; ++k) {
    const Vec p = into.move(at(points.data(), row_of(rows, k, points)));
    if (!crosses(p, {middle.x - p.x, middle.y - p.y, middle.z - p.z}, wide, 1)) continue;
    for (int64_t r = 0; r < per; ++r) {
      const Vec q = at(targets.data(), r), way{q.x - p.x, q.y - p.y, q.z - p.z};
      // The ways are not of unit length: reach is in their lengths.
      if (crosses(p, way, box, 1)) queue.add(p, way, 0.999f, k * per + r);
    }
  }
  queue.flush();
  return owned(std::move(bits), 1);
}

}  // namespace tracer
