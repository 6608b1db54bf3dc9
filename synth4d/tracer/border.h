// Pixels at the borders between things: each shows what the ray through its centre meets first.
#pragma once

#include "probe.h"

namespace tracer {

// Triangles of one frame, each of some thing. One is seen from its front alone, unless it has two.
class Solid {
 public:
  Solid(const Tracer &tracer, Array<float, 3> corners, Array<uint16_t, 1> owner, Array<bool, 1> both,
        Array<float, 2> bounds)
      : tracer_(tracer), corners_(corners), owner_(owner), both_(both), box_(box_of(bounds)) {
    require(corners.shape(0) == owner.shape(0) && owner.shape(0) == both.shape(0) && corners.shape(1) == 3 &&
                corners.shape(2) == 3, "corners are (F,3,3), owner and both (F,)");
  }

  // Rays from an eye: `far` becomes the lengths of their ways to the first front before that, `ids` its thing.
  void see(Vec eye, const std::vector<Vec> &ways, const Motion &into, std::vector<float> &far,
           std::vector<uint16_t> &ids) const {
    const Vec from = into.move(eye);
    std::vector<std::pair<int64_t, float>> through;  // rays that met a back, and how far away
    auto queue = tracer_.distances([&](int64_t i, const Packet &p, int k) {
      if (p.geometry[k] == kNone) return;
      const uint32_t f = p.triangle[k];
      const auto [t, front] = meet(f, from, into.turn(ways[size_t(i)]));
      if (front || both_.data()[f]) far[size_t(i)] = t, ids[size_t(i)] = owner_.data()[f];
      else through.emplace_back(i, t);
    }, true);
    // Most rays pass the sphere about a thing that moves.
    const Vec to{box_.middle.x - from.x, box_.middle.y - from.y, box_.middle.z - from.z}, out = into.turned_back(to);
    const float apart = dot(to, to) - 1.001f * dot(box_.half, box_.half);
    for (size_t i = 0; i < ways.size(); ++i) {
      const float along = dot(out, ways[i]);
      if (apart > 0 && (along <= 0 || apart * dot(ways[i], ways[i]) > along * along)) continue;
      const Vec way = into.turn(ways[i]);
      if (crosses(from, way, box_, far[i])) queue.add(from, way, far[i], int64_t(i));
    }
    for (queue.flush(); !through.empty(); queue.flush()) {
      const auto again = std::move(through);
      through.clear();
      for (const auto &[i, t] : again) {
        const float start = t + kBehind * std::max(t, 1.0f);
        const Vec way = into.turn(ways[size_t(i)]);
        const Vec at{from.x + start * way.x, from.y + start * way.y, from.z + start * way.z};
        if (start < far[size_t(i)]) queue.add(at, way, far[size_t(i)] - start, i);
      }
    }
  }

 private:
  static constexpr float kBehind = 1e-4f;  // of a length: how far behind a back a ray goes on
  const Tracer &tracer_;
  Array<float, 3> corners_;
  Array<uint16_t, 1> owner_;
  Array<bool, 1> both_;
  Box box_;

  // Where a ray meets the plane of a triangle, and whether from the front. Embree's own distance is in its last bits
  // another on other processors.
  std::pair<float, bool> meet(uint32_t f, Vec from, Vec way) const {
    const float *c = corners_.data() + 9 * size_t(f);
    double e[2][3];
    for (int k = 0; k < 3; ++k) e[0][k] = double(c[3 + k]) - c[k], e[1][k] = double(c[6 + k]) - c[k];
    const double n[3] = {e[0][1] * e[1][2] - e[0][2] * e[1][1], e[0][2] * e[1][0] - e[0][0] * e[1][2],
                         e[0][0] * e[1][1] - e[0][1] * e[1][0]};
    const double rise = n[0] * (c[0] - double(from.x)) + n[1] * (c[1] - double(from.y)) + n[2] * (c[2] - double(from.z));
    const double slope = n[0] * way.x + n[1] * way.y + n[2] * way.z;
    return {float(rise / slope), slope < 0};
  }
};

// Ids and depths (H,W) of a pinhole camera (lens: fx, fy, cx, cy) are made those of rays at the borders between
// things that are `certain` (by id): what they meet among solids, each in the frame that its motion (M,3,4) leads to.
// Where that changes an id the border has moved, and the pixels about it are asked too.
inline void settle(const std::vector<const Solid *> &solids, Array<float, 3> motions, Array<double, 1> lens,
                   Array<double, 2> T_world_cam, Array<bool, 1> certain, Out<float, 2> depth, Out<uint16_t, 2> ids) {
  require(motions.shape(0) == solids.size() && lens.shape(0) == 4 && certain.shape(0) == 65536 &&
              depth.shape(0) == ids.shape(0) && depth.shape(1) == ids.shape(1),
          "a motion a solid, a lens of four, 65,536 flags, pictures of one size");
  const int64_t width = int64_t(ids.shape(1)), height = int64_t(ids.shape(0)), count = width * height;
  const double *T = T_world_cam.data(), *l = lens.data();
  uint16_t *id = ids.data();
  std::vector<uint8_t> asked(size_t(count), 0);
  std::vector<int64_t> todo;
  auto ask = [&](int64_t p) {
    if (!asked[size_t(p)] && certain.data()[id[p]]) asked[size_t(p)] = 1, todo.push_back(p);
  };
  auto border = [&](int64_t p, int64_t q) {
    if (id[p] != id[q] && certain.data()[id[p]] && certain.data()[id[q]]) ask(p), ask(q);
  };
  // Tile by tile, so that the rays of a packet take about the same way: 1.5 times as fast as row by row.
  constexpr int64_t kTile = 16;
  auto row = [&](int64_t begin, int64_t end, int64_t step) {  // most have one id only
    if (begin >= end || !std::memcmp(id + begin, id + begin + step, sizeof(*id) * size_t(end - begin))) return;
    for (int64_t p = begin; p < end; ++p) border(p, p + step);
  };
  for (int64_t top = 0; top < height; top += kTile)
    for (int64_t left = 0; left < width; left += kTile)
      for (int64_t y = top; y < std::min(top + kTile, height); ++y) {
        const int64_t begin = y * width + left, end = y * width + std::min(left + kTile, width);
        row(begin, std::min(end, y * width + width - 1), 1);
        if (y + 1 < height) row(begin, end, width);
      }
  const Vec eye{float(T[3]), float(T[7]), float(T[11])};
  while (!todo.empty()) {
    const std::vector<int64_t> now = std::move(todo);
    todo.clear();
    std::vector<Vec> ways;
    for (int64_t p : now) {
      const double x = (double(p % width) + 0.5 - l[2]) / l[0], y = (double(p / width) + 0.5 - l[3]) / l[1];
      ways.push_back({float(T[0] * x + T[1] * y + T[2]), float(T[4] * x + T[5] * y + T[6]),
                      float(T[8] * x + T[9] * y + T[10])});
    }
    std::vector<float> far(now.size(), INFINITY);
    std::vector<uint16_t> met(now.size(), 0);
    for (size_t s = 0; s < solids.size(); ++s) solids[s]->see(eye, ways, Motion{motions.data() + 12 * s}, far, met);
    for (size_t i = 0; i < now.size(); ++i) {
      const int64_t p = now[i];
      const bool moved = id[p] != met[i];
      id[p] = met[i], depth.data()[p] = std::isinf(far[i]) ? 0 : far[i];
      if (!moved) continue;
      if (p % width) ask(p - 1);
      if ((p + 1) % width) ask(p + 1);
      if (p >= width) ask(p - width);
      if (p + width < count) ask(p + width);
    }
  }
}

}  // namespace tracer
