// synth4d._tracer: rays against triangles, by Embree; use synth4d.rays.
#include <nanobind/stl/string.h>

#include "probe.h"

using namespace tracer;

NB_MODULE(_tracer, m) {
  m.doc() = "Rays against triangles. Arrays are C-contiguous.";
  nb::class_<Tracer>(m, "Tracer")
      .def(nb::init<const std::string &, Array<float, 2>>(), nb::arg("module"), nb::arg("corners"))
      .def("first", &Tracer::first, nb::arg("origins"), nb::arg("ways"), nb::arg("far"), nb::arg("triangle"),
           nb::arg("alike"), "Distance and number of what each ray hits first, in place.")
      .def("blocked", &Tracer::blocked, nb::arg("origins"), nb::arg("ways"), nb::arg("far"), nb::arg("hit"),
           nb::arg("alike"), "Whether each ray hits anything, in place.")
      .def("openings", &openings, nb::arg("points"), nb::arg("rays"), nb::arg("rows"), nb::arg("motion"),
           nb::arg("bounds"), nb::arg("reach"), "Distances that the rays of some points are open.")
      .def("hits", &hits, nb::arg("points"), nb::arg("rows"), nb::arg("targets"), nb::arg("motion"),
           nb::arg("bounds"), "A bit of each row for each target whose way is blocked.");
}
