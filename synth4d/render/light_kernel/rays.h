// Which points something is near.
#pragma once

#include "../../tracer/common.h"

namespace light {

using namespace geo;

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

}  // namespace light
