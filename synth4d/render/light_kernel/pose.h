// Gaussians of a body at a pose.
#pragma once

#include "../../tracer/common.h"

namespace light {

using namespace geo;

inline std::tuple<nb::object, nb::object> posed(Array<float, 2> means, Array<float, 2> quats, Array<float, 2> motion,
                                                Array<float, 1> turn) {
  const size_t count = means.shape(0);
  require(quats.shape(0) == count && means.shape(1) == 3 && quats.shape(1) == 4, "means are (N,3), quats (N,4)");
  require(motion.shape(0) == 3 && motion.shape(1) == 4 && turn.shape(0) == 4, "motion is (3,4), turn (4,)");
  std::vector<float> places(3 * count), turns(4 * count);
  const Motion out{motion.data()};
  const float w = turn.data()[0], x = turn.data()[1], y = turn.data()[2], z = turn.data()[3];
  for (size_t i = 0; i < count; ++i) {
    const Vec v = out.move(at(means.data(), int64_t(i)));
    const float *u = quats.data() + 4 * i, p = u[0], q = u[1], r = u[2], s = u[3];
    float *place = places.data() + 3 * i, *to = turns.data() + 4 * i;
    place[0] = v.x, place[1] = v.y, place[2] = v.z;
    to[0] = w * p - x * q - y * r - z * s;
    to[1] = w * q + x * p + y * s - z * r;
    to[2] = w * r - x * s + y * p + z * q;
    to[3] = w * s + x * r - y * q + z * p;
  }
  return {owned(std::move(places), 3), owned(std::move(turns), 4)};
}

}  // namespace light
