// What bodies would show of themselves if nothing stood before them, and what stands there.
#pragma once

#include <limits>
#include <utility>

#include "tracer.h"

namespace tracer {

// Points in columns.
struct Columns {
  std::vector<double> x, y, z;
  void add(double a, double b, double c) { x.push_back(a), y.push_back(b), z.push_back(c); }
  void resize(size_t count) { x.resize(count), y.resize(count), z.resize(count); }
};

// Points moved by a (4,4) motion.
SYNTH4D_BUILDS static void move(const Columns &points, const double *m, Columns &out) {
  const size_t count = points.x.size();
  out.resize(count);
  const double *x = points.x.data(), *y = points.y.data(), *z = points.z.data();
  for (double *to : {out.x.data(), out.y.data(), out.z.data()}) {
    for (size_t i = 0; i < count; ++i) to[i] = m[0] * x[i] + m[1] * y[i] + m[2] * z[i] + m[3];
    m += 4;
  }
}

// What edges of triangles are cut by the near plane in, behind the points.
inline void add_cuts(Array<int64_t, 2> faces, double near, Columns &points) {
  const size_t count = points.x.size();
  for (size_t e = 0; e < faces.size(); ++e) {
    const auto a = size_t(faces.data()[e]), b = size_t(faces.data()[e % 3 == 2 ? e - 2 : e + 1]);
    require(a < count && b < count, "a face has a vertex that is none");
    const double za = points.z[a], zb = points.z[b], s = (near - za) / (zb - za);
    if ((za < near) != (zb < near))
      points.add(points.x[a] + s * (points.x[b] - points.x[a]), points.y[a] + s * (points.y[b] - points.y[a]), near);
  }
}

// The box (x0, y0, x1, y1) of what is beyond `near` before a camera of lens (fx, fy, cx, cy); as it was if nothing is.
SYNTH4D_BUILDS static void bound(const Columns &points, const double *lens, double near, double *box) {
  constexpr size_t kLanes = 8;  // each looks at every eighth point, all of them at once
  constexpr double kFar = std::numeric_limits<double>::infinity();
  double low[2][kLanes], high[2][kLanes];
  for (size_t k = 0; k < kLanes; ++k) low[0][k] = low[1][k] = kFar, high[0][k] = high[1][k] = -kFar;
  const double *x = points.x.data(), *y = points.y.data(), *z = points.z.data();
  for (size_t i = 0, lanes; i < points.x.size(); i += lanes) {
    lanes = i + kLanes <= points.x.size() ? kLanes : 1;
    for (size_t k = 0; k < lanes; ++k) {
      const double u = lens[0] * x[i + k] / z[i + k] + lens[2], v = lens[1] * y[i + k] / z[i + k] + lens[3];
      const bool there = z[i + k] >= near;
      low[0][k] = there & (u < low[0][k]) ? u : low[0][k], high[0][k] = there & (u > high[0][k]) ? u : high[0][k];
      low[1][k] = there & (v < low[1][k]) ? v : low[1][k], high[1][k] = there & (v > high[1][k]) ? v : high[1][k];
    }
  }
  for (size_t k = 0; k < 2; ++k) {
    const double least = *std::min_element(low[k], low[k] + kLanes);
    const double most = *std::max_element(high[k], high[k] + kLanes);
    if (least <= most) box[k] = least, box[k + 2] = most;
  }
}

// Boxes (T,4), which come as NaN, of triangles placed by each T_cam_body (T,4,4), as far as they are beyond `near`.
inline void extents(Array<double, 2> vertices, Array<int64_t, 2> faces, Array<double, 3> motions,
                    Array<double, 1> lens, double near, Out<double, 2> boxes) {
  require(vertices.shape(1) == 3 && faces.shape(1) == 3 && motions.shape(1) == 4 && motions.shape(2) == 4 &&
              lens.size() == 4 && boxes.shape(0) == motions.shape(0) && boxes.shape(1) == 4,
          "vertices are (V,3), faces (F,3), motions (T,4,4), lens (4,), boxes (T,4)");
  Columns points, seen;
  for (size_t i = 0; i < vertices.size(); i += 3)
    points.add(vertices.data()[i], vertices.data()[i + 1], vertices.data()[i + 2]);
  for (size_t t = 0; t < motions.shape(0); ++t) {
    move(points, motions.data() + 16 * t, seen);
    if (std::any_of(seen.z.begin(), seen.z.end(), [&](double z) { return z < near; })) add_cuts(faces, near, seen);
    bound(seen, lens.data(), near, boxes.data() + 4 * t);
  }
}

// The least and most depth of a box (2,3) before a camera, with a millimetre for what is lost in floats.
inline std::pair<double, double> depths_of(Array<float, 2> bounds, const double *T_cam_body) {
  const double *row = T_cam_body + 8;
  double least = row[3] - 1e-3, most = row[3] + 1e-3;
  for (size_t k = 0; k < 3; ++k) {
    const double a = row[k] * double(bounds.data()[k]), b = row[k] * double(bounds.data()[3 + k]);
    least += std::min(a, b), most += std::max(a, b);
  }
  return {least, most};
}

// Rows (M,3) of frame, id and pixels: what a clip shows at pixels where the tracer's body, within `bounds`, would be if
// nothing stood before it. They are on a regular grid over each of the boxes (T,4), about `most` a frame; where the
// clip shows another thing more than `behind` farther, or nothing, they are not counted. `eyes` (T,3) and `motions`
// T_cam_body.
inline nb::object shown(const Tracer &tracer, Array<float, 2> bounds, Array<float, 2> eyes, Array<double, 3> motions,
                        Array<double, 1> lens, Array<double, 2> boxes, Array<uint16_t, 3> ids, Array<float, 3> depth,
                        uint16_t own, double behind, double most) {
  const size_t frames = ids.shape(0), height = ids.shape(1), width = ids.shape(2);
  require(eyes.shape(0) == frames && motions.shape(0) == frames && boxes.shape(0) == frames && bounds.size() == 6 &&
              depth.size() == ids.size() && lens.size() == 4,
          "bounds are (2,3), eyes (T,3), motions (T,4,4), lens (4,), boxes (T,4), ids and depth (T,H,W)");
  std::vector<std::vector<int64_t>> found(frames);
  const auto count = [&](size_t t, uint16_t id) {
    if (id >= found[t].size()) found[t].resize(id + 1);
    ++found[t][id];
  };
  // Where any depth of the body counts it is asked whether there is one, else how deep it is.
  auto touched = tracer.occlusions([&](int64_t place, const Packet &p, int k) {
    if (Tracer::met(p, k)) count(size_t(place) / (height * width), ids.data()[place]);
  }, true);
  auto reached = tracer.distances([&](int64_t place, const Packet &p, int k) {
    const double far = double(p.far[k]), z = double(depth.data()[place]);
    if (std::isfinite(far) && !(z > far + behind)) count(size_t(place) / (height * width), ids.data()[place]);
  }, true);
  for (size_t t = 0; t < frames; ++t) {
    const double *m = motions.data() + 16 * t, *box = boxes.data() + 4 * t, *l = lens.data();
    if (!std::isfinite(box[0])) continue;
    require(box[0] >= 0 && box[1] >= 0 && box[2] <= double(width) && box[3] <= double(height),
            "a box is not within the picture");
    const auto x0 = int64_t(std::floor(box[0])), y0 = int64_t(std::floor(box[1]));
    const auto w = int64_t(std::ceil(box[2])) - x0, h = int64_t(std::ceil(box[3])) - y0;
    const auto step = std::max<int64_t>(int64_t(std::ceil(std::sqrt(double(w * h) / most))), 1);
    const auto [nearest, farthest] = depths_of(bounds, m);
    const Vec eye = at(eyes.data(), int64_t(t));
    for (int64_t y = y0 + std::min((step - 1) / 2, h - 1); y < y0 + h; y += step)
      for (int64_t x = x0 + std::min((step - 1) / 2, w - 1); x < x0 + w; x += step) {
        const auto place = int64_t((t * height + size_t(y)) * width + size_t(x));
        const double z = double(depth.data()[place]);
        const bool is_own = ids.data()[place] == own;
        if (!is_own && (z == 0 || z > farthest + behind)) continue;
        const double u = (double(x) + 0.5 - l[2]) / l[0], v = (double(y) + 0.5 - l[3]) / l[1];
        const Vec way{float(m[0] * u + m[4] * v + m[8]), float(m[1] * u + m[5] * v + m[9]),
                      float(m[2] * u + m[6] * v + m[10])};
        constexpr float kFar = std::numeric_limits<float>::infinity();
        if (is_own || z < nearest + behind) touched.add(eye, way, kFar, place);
        else reached.add(eye, way, kFar, place);
      }
  }
  touched.flush(), reached.flush();
  std::vector<int64_t> rows;
  for (size_t t = 0; t < frames; ++t)
    for (size_t id = 0; id < found[t].size(); ++id)
      if (found[t][id]) rows.insert(rows.end(), {int64_t(t), int64_t(id), found[t][id]});
  return owned(std::move(rows), 3);
}

}  // namespace tracer
