// What bodies would show of themselves if nothing stood before them, and what stands there.
#pragma once

#include <array>
#include <limits>
#include <map>

#include "tracer.h"

namespace tracer {

using Place = std::array<double, 3>;

// The box (x0, y0, x1, y1) of points before a camera of lens (fx, fy, cx, cy).
class Extent {
 public:
  Extent(const double *lens, double *box) : lens_(lens), box_(box) {}
  void add(double x, double y, double z) {
    const double u = lens_[0] * x / z + lens_[2], v = lens_[1] * y / z + lens_[3];
    if (empty_) box_[0] = box_[2] = u, box_[1] = box_[3] = v, empty_ = false;
    box_[0] = std::min(box_[0], u), box_[1] = std::min(box_[1], v);
    box_[2] = std::max(box_[2], u), box_[3] = std::max(box_[3], v);
  }

 private:
  const double *lens_;
  double *box_;
  bool empty_ = true;
};

// Boxes (T,4), which come as NaN, of triangles placed by each T_cam_body (T,4,4), as far as they are beyond `near`.
inline void extents(Array<double, 2> vertices, Array<int64_t, 2> faces, Array<double, 3> motions,
                    Array<double, 1> lens, double near, Out<double, 2> boxes) {
  require(vertices.shape(1) == 3 && faces.shape(1) == 3 && motions.shape(1) == 4 && motions.shape(2) == 4 &&
              lens.size() == 4 && boxes.shape(0) == motions.shape(0) && boxes.shape(1) == 4,
          "vertices are (V,3), faces (F,3), motions (T,4,4), lens (4,), boxes (T,4)");
  const size_t count = vertices.shape(0);
  std::vector<Place> seen(count);
  for (size_t t = 0; t < motions.shape(0); ++t) {
    const double *m = motions.data() + 16 * t;
    bool whole = true;
    for (size_t i = 0; i < count; ++i) {
      const double *p = vertices.data() + 3 * i;
      for (size_t k = 0; k < 3; ++k)
        seen[i][k] = m[4 * k] * p[0] + m[4 * k + 1] * p[1] + m[4 * k + 2] * p[2] + m[4 * k + 3];
      whole &= seen[i][2] >= near;
    }
    Extent extent(lens.data(), boxes.data() + 4 * t);
    for (const auto &[x, y, z] : seen)
      if (z >= near) extent.add(x, y, z);
    for (size_t e = 0; !whole && e < faces.size(); ++e) {  // where edges cross the near plane
      const size_t next = e % 3 == 2 ? e - 2 : e + 1;
      const auto row = [&](size_t at) {
        const auto i = size_t(faces.data()[at]);
        require(i < count, "a face has a vertex that is none");
        return seen[i];
      };
      const Place a = row(e), b = row(next);
      if ((a[2] < near) == (b[2] < near)) continue;
      const double s = (near - a[2]) / (b[2] - a[2]);
      extent.add(a[0] + s * (b[0] - a[0]), a[1] + s * (b[1] - a[1]), near);
    }
  }
}

// Rows (M,3) of frame, id and pixels: what a clip shows at pixels where the tracer's body would be if nothing stood
// before it. They are on a regular grid over each of the boxes (T,4), about `most` a frame; where the clip shows
// another thing more than `behind` farther, or nothing, they are not counted. `eyes` (T,3) and `motions` T_cam_body.
inline nb::object shown(const Tracer &tracer, Array<float, 2> eyes, Array<double, 3> motions, Array<double, 1> lens,
                        Array<double, 2> boxes, Array<uint16_t, 3> ids, Array<float, 3> depth, uint16_t own,
                        double behind, double most) {
  const size_t frames = ids.shape(0), height = ids.shape(1), width = ids.shape(2);
  require(eyes.shape(0) == frames && motions.shape(0) == frames && boxes.shape(0) == frames &&
              depth.size() == ids.size() && lens.size() == 4,
          "eyes are (T,3), motions (T,4,4), lens (4,), boxes (T,4), ids and depth (T,H,W)");
  std::vector<std::map<uint16_t, int64_t>> found(frames);
  auto queue = tracer.distances([&](int64_t place, const Packet &p, int k) {
    const float far = p.far[k], z = depth.data()[place];
    if (!std::isfinite(far)) return;
    const uint16_t id = ids.data()[place];
    if (id == own || (z != 0 && !(double(z) > double(far) + behind))) ++found[size_t(place) / (height * width)][id];
  }, true);
  for (size_t t = 0; t < frames; ++t) {
    const double *m = motions.data() + 16 * t, *box = boxes.data() + 4 * t, *l = lens.data();
    if (!std::isfinite(box[0])) continue;
    require(box[0] >= 0 && box[1] >= 0 && box[2] <= double(width) && box[3] <= double(height),
            "a box is not within the picture");
    const auto x0 = int64_t(std::floor(box[0])), y0 = int64_t(std::floor(box[1]));
    const auto w = int64_t(std::ceil(box[2])) - x0, h = int64_t(std::ceil(box[3])) - y0;
    const auto step = std::max<int64_t>(int64_t(std::ceil(std::sqrt(double(w * h) / most))), 1);
    for (int64_t y = y0 + std::min((step - 1) / 2, h - 1); y < y0 + h; y += step)
      for (int64_t x = x0 + std::min((step - 1) / 2, w - 1); x < x0 + w; x += step) {
        const double u = (double(x) + 0.5 - l[2]) / l[0], v = (double(y) + 0.5 - l[3]) / l[1];
        const Vec way{float(m[0] * u + m[4] * v + m[8]), float(m[1] * u + m[5] * v + m[9]),
                      float(m[2] * u + m[6] * v + m[10])};
        queue.add(at(eyes.data(), int64_t(t)), way, std::numeric_limits<float>::infinity(),
                  int64_t((t * height + size_t(y)) * width + size_t(x)));
      }
  }
  queue.flush();
  std::vector<int64_t> rows;
  for (size_t t = 0; t < frames; ++t)
    for (const auto &[id, pixels] : found[t]) rows.insert(rows.end(), {int64_t(t), int64_t(id), pixels});
  return owned(std::move(rows), 3);
}

}  // namespace tracer
