// The Python face of the kernel; render/splat.py checks every argument before it comes here.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstring>

#include "rasteriser.h"

namespace nb = nanobind;
using synth4d::Image;
using synth4d::Rasteriser;
using synth4d::View;

template <class T, class... Shape>
using In = nb::ndarray<const T, Shape..., nb::c_contig, nb::device::cpu>;
template <class T, class... Shape>
using Out = nb::ndarray<T, Shape..., nb::c_contig, nb::device::cpu>;
using Free = nb::call_guard<nb::gil_scoped_release>;

NB_MODULE(_kernel, m) {
  m.doc() = "CPU Gaussian-splat rasteriser; use synth4d.render.splat.";
  m.attr("MAX_SIDE") = synth4d::MAX_SIDE;
  m.def("builds", &synth4d::builds, "Builds this processor can run, best first.");
  nb::class_<Rasteriser>(m, "Rasteriser")
      .def(nb::init<int, std::string>(), nb::arg("threads"), nb::arg("isa"))
      .def_prop_ro("isa", &Rasteriser::isa)
      .def("load",
           [](Rasteriser &self, In<float, nb::shape<-1, 3>> means, In<float, nb::shape<-1, 4>> quats_wxyz,
              In<float, nb::shape<-1, 3>> scales, In<float, nb::ndim<1>> opacities, In<float, nb::shape<-1, 3>> rgb,
              In<uint16_t, nb::ndim<1>> ids, In<uint8_t, nb::ndim<1>> filtered, In<float, nb::shape<-1, -1, 3>> sh) {
             self.load({means.shape(0), means.data(), quats_wxyz.data(), scales.data(), opacities.data(), rgb.data(),
                        ids.data(), filtered.data(), (int)sh.shape(1), sh.data()});
           }, Free())
      .def("update",
           [](Rasteriser &self, In<int64_t, nb::ndim<1>> rows, In<float, nb::shape<-1, 3>> means,
              In<float, nb::shape<-1, 4>> quats_wxyz, In<float, nb::shape<-1, -1, 3>> sh) {
             self.update(rows.shape(0), rows.data(), means.data(), quats_wxyz.data(), sh.size() ? sh.data() : nullptr);
           }, Free())
      .def("recolour",
           [](Rasteriser &self, In<int64_t, nb::ndim<1>> rows, In<float, nb::shape<-1, 3>> rgb) {
             self.recolour(rows.shape(0), rows.data(), rgb.data());
           }, Free())
      .def("render",
           [](Rasteriser &self, In<float, nb::shape<3, 4>> view, In<float, nb::shape<3>> eye, float fx, float fy,
              float cx, float cy, float done,
              Out<float, nb::shape<-1, -1, 3>> rgb, Out<float, nb::ndim<2>> depth, Out<float, nb::ndim<2>> expected,
              Out<float, nb::ndim<2>> alpha, Out<uint16_t, nb::ndim<2>> ids) {
             View v{{}, {}, fx, fy, cx, cy, (int)rgb.shape(1), (int)rgb.shape(0)};
             std::memcpy(v.m, view.data(), sizeof v.m), std::memcpy(v.eye, eye.data(), sizeof v.eye);
             self.render(v, done, Image{v.width, v.height, rgb.data(), depth.data(),
                                        expected.size() ? expected.data() : nullptr, alpha.data(), ids.data()});
           }, Free());
}
