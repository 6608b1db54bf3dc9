// synth4d._tracer: rays against triangles, by Embree; use synth4d.rays.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "border.h"
#include "probe.h"
#include "silhouette.h"

using namespace tracer;

NB_MODULE(_tracer, m) {
  m.doc() = "Rays against triangles. Arrays are C-contiguous.";
  nb::class_<Tracer>(m, "Tracer")
      .def(nb::init<const std::string &, Array<float, 2>>(), nb::arg("module"), nb::arg("corners"))
      .def("first", &Tracer::first, nb::arg("origins"), nb::arg("ways"), nb::arg("far"), nb::arg("triangle"),
           nb::arg("alike"), "Distance and number of what each ray hits first, in place.")
      .def("blocked", &Tracer::blocked, nb::arg("origins"), nb::arg("ways"), nb::arg("far"), nb::arg("hit"),
           nb::arg("alike"), "Whether each ray hits anything, in place.")
      .def("depths", &Tracer::depths, nb::arg("T_world_cam"), nb::arg("ways"), nb::arg("most"), nb::arg("depth"),
           Release(), "How deep each ray of a picture gets, in place.")
      .def("openings", &openings, nb::arg("points"), nb::arg("normals"), nb::arg("pattern"), nb::arg("patterns"),
           nb::arg("motion"), nb::arg("bounds"), nb::arg("opening"), nb::arg("reach"),
           "Rows of points whose rays meet something nearer than what is known, and how far each is open.")
      .def("shadows", &shadows, nb::arg("points"), nb::arg("targets"), nb::arg("motion"), nb::arg("bounds"),
           nb::arg("known"), nb::arg("first"),
           "Rows of points that lose targets, and a bit of each for each target whose way is blocked.")
      .def("shown", &shown, nb::arg("bounds"), nb::arg("eyes"), nb::arg("motions"), nb::arg("lens"),
           nb::arg("boxes"), nb::arg("ids"), nb::arg("depth"), nb::arg("own"), nb::arg("behind"), nb::arg("most"),
           "Frame, id and count of the pixels that show what stands at a body's silhouette.");
  m.def("extents", &extents, nb::arg("vertices"), nb::arg("faces"), nb::arg("motions"), nb::arg("lens"),
        nb::arg("near"), nb::arg("boxes"), Release(), "Boxes in the picture of a body in each frame, in place.");
  nb::class_<Solid>(m, "Solid")
      .def(nb::init<const Tracer &, Array<float, 3>, Array<uint16_t, 1>, Array<bool, 1>, Array<float, 2>>(),
           nb::keep_alive<1, 2>(), nb::arg("tracer"), nb::arg("corners"), nb::arg("owner"), nb::arg("both"),
           nb::arg("bounds"));
  m.def("bounds", &bounds, nb::arg("corners"), "Lowest and highest corner (2,3).");
  m.def("settle", &settle, nb::arg("solids"), nb::arg("motions"), nb::arg("lens"), nb::arg("T_world_cam"),
        nb::arg("certain"), nb::arg("depth"), nb::arg("ids"), Release(),
        "Ids and depths of the pixels at borders between things, in place.");
}
