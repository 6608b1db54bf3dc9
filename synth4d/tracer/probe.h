// The rays of points that are lit: those that can't meet anything are never sent.
#pragma once

#include "tracer.h"

namespace tracer {

// Whether a ray meets a box no further than some of its lengths away.
inline bool crosses(Vec p, Vec way, const Box &box, float furthest) {
  const Vec to = box.from(p);
  if (std::fabs(to.x) <= box.half.x && std::fabs(to.y) <= box.half.y && std::fabs(to.z) <= box.half.z) return true;
  // Most pass even the sphere about it, which takes no division.
  const float apart = dot(to, to) - 1.001f * dot(box.half, box.half), along = dot(to, way);
  if (apart > 0 && (along <= 0 || apart * dot(way, way) > along * along)) return false;
  const float toward[3] = {to.x, to.y, to.z}, d[3] = {way.x, way.y, way.z}, half[3] = {box.half.x, box.half.y, box.half.z};
  float enter = 0, leave = furthest;
  for (int a = 0; a < 3; ++a) {
    const float inverse = 1 / (std::fabs(d[a]) < 1e-9f ? std::copysign(1e-9f, d[a]) : d[a]);
    const float s = (toward[a] - half[a]) * inverse, t = (toward[a] + half[a]) * inverse;
    enter = std::max(enter, std::min(s, t));
    leave = std::min(leave, std::max(s, t));
  }
  return enter <= leave;
}

// Whether a point is within reach of a box some of which is above its horizon.
inline bool near(Vec p, Vec n, const Box &box, float reach) {
  const Vec to = box.from(p);
  const float x = std::max(std::fabs(to.x) - box.half.x, 0.0f), y = std::max(std::fabs(to.y) - box.half.y, 0.0f),
              z = std::max(std::fabs(to.z) - box.half.z, 0.0f);
  if (!(x * x + y * y + z * z < reach * reach)) return false;
  return dot(to, n) + std::fabs(n.x) * box.half.x + std::fabs(n.y) * box.half.y + std::fabs(n.z) * box.half.z > 0;
}

// Two axes across a unit vector (Duff et al. 2017, Building an orthonormal basis, revisited).
inline std::pair<Vec, Vec> across(Vec n) {
  const float sign = std::copysign(1.0f, n.z), a = -1 / (sign + n.z), b = n.x * n.y * a;
  return {{1 + sign * n.x * n.x * a, sign * b, -sign * n.x}, {b, sign + n.y * n.y * a, -n.y}};
}

// Points (V,3) with normals (V,3), each with one of the patterns (P,K,3) of rays about +z; some have met things at
// distances (V,K), at most `reach`. Those that meet something nearer: rows (R,), and their distances (R,K).
inline std::tuple<nb::object, nb::object> openings(const Tracer &tracer, Array<float, 2> points,
                                                   Array<float, 2> normals, Array<uint8_t, 1> pattern,
                                                   Array<float, 3> patterns, Array<float, 2> motion,
                                                   Array<float, 2> bounds, Array<float, 2> opening,
                                                   float reach) {
  const size_t count = points.shape(0), per = opening.shape(1);
  require(normals.shape(0) == count && pattern.shape(0) == count && opening.shape(0) == count,
          "points and normals are (V,3), pattern (V,), opening (V,K)");
  require(patterns.shape(0) == 256 && patterns.shape(1) == per && patterns.shape(2) == 3, "patterns are (256,K,3)");
  std::vector<int64_t> rows;
  std::vector<float> out;
  const Motion into{motion.data()};
  const Box box = box_of(bounds);
  auto queue = tracer.distances([&](int64_t place, const Packet &p, int k) { out[size_t(place)] = p.far[k]; });
  for (size_t v = 0; v < count; ++v) {
    const float *known = opening.data() + v * per, *ways = patterns.data() + pattern.data()[v] * per * 3;
    const Vec p = into.move(at(points.data(), int64_t(v))), own = at(normals.data(), int64_t(v)), n = into.turn(own);
    if (!near(p, n, box, reach)) continue;
    const auto [a, b] = across(own);
    const Vec first = into.turn(a), second = into.turn(b), to = box.from(p);
    // The test of the ball about the box that `crosses` begins with, before a way is turned: most end here.
    const Vec hub{dot(to, first), dot(to, second), dot(to, n)};
    const float apart = dot(to, to) - 1.002f * dot(box.half, box.half);
    bool sent = false;
    for (size_t r = 0; r < per; ++r) {
      const float *w = ways + 3 * r, along = w[0] * hub.x + w[1] * hub.y + w[2] * hub.z;
      if (apart > std::max(along, 0.0f) * along) continue;
      const Vec d{w[0] * first.x + w[1] * second.x + w[2] * n.x, w[0] * first.y + w[1] * second.y + w[2] * n.y,
                  w[0] * first.z + w[1] * second.z + w[2] * n.z};
      if (!crosses(p, d, box, known[r])) continue;
      if (!sent) sent = true, rows.push_back(int64_t(v)), out.insert(out.end(), known, known + per);
      queue.add(p, d, known[r], int64_t((rows.size() - 1) * per + r));
    }
  }
  queue.flush();
  return {owned(std::move(rows), 1), owned(std::move(out), per)};
}

// Bits of the targets (L,S,3), of L lights, that are blocked on the ways from points; those in `known` (V,L) are so
// already, and who has all is not asked. Where the `first` few of a light agree, the rest is taken to: only penumbrae
// ask all. Rows (R,) with something more, and all their bits (R,L).
inline std::tuple<nb::object, nb::object> shadows(const Tracer &tracer, Array<float, 2> points, Array<float, 3> targets,
                                                  Array<float, 2> motion, Array<float, 2> bounds,
                                                  Array<uint16_t, 2> known, int first) {
  const size_t count = points.shape(0), lights = targets.shape(0);
  const int per = int(targets.shape(1));
  require(known.shape(0) == count && known.shape(1) == lights && per <= 16 && first >= 1 && first <= per,
          "known is (V,L), targets (L,S,3) with up to 16 a light");
  const uint16_t all = uint16_t((1u << per) - 1), led = uint16_t((1u << first) - 1);
  std::vector<uint16_t> bits(count * lights, 0);
  const Motion into{motion.data()};
  const Box box = box_of(bounds);
  auto queue = tracer.occlusions([&](int64_t place, const Packet &p, int k) {
    if (Tracer::met(p, k)) bits[size_t(place / per)] |= uint16_t(1u << place % per);
  });
  for (size_t l = 0; l < lights; ++l) {
    const float *samples = targets.data() + l * size_t(per) * 3;
    // A point of a way to a target is no further from that of the way to their middle than the targets are.
    Vec middle{0, 0, 0};
    for (int s = 0; s < per; ++s) {
      const Vec q = at(samples, s);
      middle = {middle.x + q.x / float(per), middle.y + q.y / float(per), middle.z + q.z / float(per)};
    }
    float radius = 0;
    for (int s = 0; s < per; ++s) {
      const Vec q = at(samples, s), away{q.x - middle.x, q.y - middle.y, q.z - middle.z};
      radius = std::max(radius, std::sqrt(dot(away, away)));
    }
    radius *= 1.001f;
    const Box wide{box.middle, {box.half.x + radius, box.half.y + radius, box.half.z + radius}};
    // Sample by sample: points in a row lie near each other, so that the rays of a packet take about the same way.
    auto ask = [&](const std::vector<std::pair<size_t, Vec>> &who, int from, int to) {
      for (int s = from; s < to; ++s)
        for (const auto &[v, p] : who) {
          const Vec q = at(samples, s), way{q.x - p.x, q.y - p.y, q.z - p.z};
          // The ways are not of unit length: reach is in their lengths.
          if (crosses(p, way, box, 1)) queue.add(p, way, 0.999f, int64_t(v * lights + l) * per + s);
        }
      queue.flush();
    };
    std::vector<std::pair<size_t, Vec>> lit, partly;
    for (size_t v = 0; v < count; ++v) {
      if (known.data()[v * lights + l] == all) continue;
      const Vec p = into.move(at(points.data(), int64_t(v)));
      if (crosses(p, {middle.x - p.x, middle.y - p.y, middle.z - p.z}, wide, 1)) lit.emplace_back(v, p);
    }
    ask(lit, 0, first);
    for (const auto &one : lit) {
      uint16_t &mine = bits[one.first * lights + l];
      if (mine == led) mine = all;
      else if (mine) partly.push_back(one);
    }
    ask(partly, first, per);
  }
  std::vector<int64_t> rows;
  std::vector<uint16_t> out;
  for (size_t v = 0; v < count; ++v) {
    const uint16_t *mine = bits.data() + v * lights, *old = known.data() + v * lights;
    if (!std::any_of(mine, mine + lights, [&](const uint16_t &b) { return b & ~old[&b - mine]; })) continue;
    rows.push_back(int64_t(v));
    for (size_t l = 0; l < lights; ++l) out.push_back(uint16_t(mine[l] | old[l]));
  }
  const size_t found = rows.size();
  return {owned(std::move(rows), 1), owned(std::move(out), {found, lights})};
}

}  // namespace tracer
