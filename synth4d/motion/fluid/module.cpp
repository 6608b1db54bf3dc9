// synth4d.motion._fluid: particles of liquid among moving vessels, stepped without threads.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "fluid.h"

namespace nb = nanobind;
using nb::c_contig;
using Doubles1 = nb::ndarray<const double, nb::ndim<1>, c_contig, nb::device::cpu>;
using Doubles2 = nb::ndarray<const double, nb::ndim<2>, c_contig, nb::device::cpu>;
using Doubles3 = nb::ndarray<const double, nb::ndim<3>, c_contig, nb::device::cpu>;
using Ints1 = nb::ndarray<const int32_t, nb::ndim<1>, c_contig, nb::device::cpu>;
using Floats2 = nb::ndarray<float, nb::ndim<2>, c_contig, nb::device::cpu>;
using Ints1Out = nb::ndarray<int32_t, nb::ndim<1>, c_contig, nb::device::cpu>;

namespace {

fluid::Vec vec(const double* p) {
  return {static_cast<float>(p[0]), static_cast<float>(p[1]), static_cast<float>(p[2])};
}

void add_vessel(fluid::Fluid& f, Doubles2 profile, double wall, bool lid, Doubles2 bore, double radius) {
  fluid::Vessel v;
  for (size_t k = 0; k < profile.shape(0); ++k) {
    v.z.push_back(static_cast<float>(profile(k, 0)));
    v.r.push_back(static_cast<float>(profile(k, 1)));
  }
  v.wall = static_cast<float>(wall), v.lid = lid, v.spout = bore.shape(0) == 2;
  if (v.spout) v.throat = vec(bore.data()), v.tip = vec(bore.data() + 3), v.bore = static_cast<float>(radius);
  v.finish();
  f.vessels.push_back(v);
  f.poses.emplace_back();
}

void set_ground(fluid::Fluid& f, double x0, double y0, double cell, double beyond, Doubles2 height) {
  f.ground.x0 = static_cast<float>(x0), f.ground.y0 = static_cast<float>(y0), f.ground.cell = static_cast<float>(cell);
  f.ground.beyond = static_cast<float>(beyond);
  f.ground.nx = static_cast<int>(height.shape(0)), f.ground.ny = static_cast<int>(height.shape(1));
  f.ground.height.resize(height.size());
  for (size_t k = 0; k < height.size(); ++k) f.ground.height[k] = static_cast<float>(height.data()[k]);
}

void put(fluid::Fluid& f, Doubles2 positions, Ints1 owner) {
  for (size_t i = 0; i < positions.shape(0); ++i) {
    f.x.push_back(vec(positions.data() + 3 * i));
    f.v.emplace_back();
    f.owner.push_back(owner(i));
  }
}

// Steps of dt along poses (S,V,7): the first is where the vessels are now.
void run(fluid::Fluid& f, Doubles3 poses, double dt, double calm) {
  nb::gil_scoped_release release;
  const size_t count = poses.shape(1);
  std::vector<fluid::Pose> next(count);
  for (size_t s = 0; s < poses.shape(0); ++s) {
    for (size_t k = 0; k < count; ++k) next[k] = fluid::Pose(poses.data() + (s * count + k) * 7);
    if (s == 0)
      f.poses = next;
    else
      f.step(next, static_cast<float>(dt), static_cast<float>(calm));
  }
}

void state(const fluid::Fluid& f, Floats2 positions, Floats2 velocities, Ints1Out owner) {
  for (size_t i = 0; i < f.x.size(); ++i) {
    float *p = positions.data() + 3 * i, *v = velocities.data() + 3 * i;
    p[0] = f.x[i].x, p[1] = f.x[i].y, p[2] = f.x[i].z, v[0] = f.v[i].x, v[1] = f.v[i].y, v[2] = f.v[i].z;
    owner.data()[i] = f.owner[i];
  }
}

}  // namespace

NB_MODULE(_fluid, m) {
  m.attr("MAX_VESSELS") = fluid::kMaxVessels;
  nb::class_<fluid::Fluid>(m, "Fluid")
      .def(nb::init<float, float>(), nb::arg("spacing"), nb::arg("viscosity"))
      .def("add_vessel", &add_vessel)
      .def("set_ground", &set_ground)
      .def("put", &put)
      .def("run", &run)
      .def("state", &state);
}
