// synth4d.annotate._masks: what the id images of a clip show of each object; use synth4d.annotate.visible.
#include "extents.h"

using namespace masks;

NB_MODULE(_masks, m) {
  m.doc() = "Loops over the id images of a clip and what they show. Arrays are C-contiguous.";
  m.def("visible", &visible, nb::arg("ids"), nb::arg("rank"), nb::arg("counts"), nb::arg("boxes"), Release(),
        "Pixels and tight boxes of each object, in place.");
  m.def("deepest", &deepest, nb::arg("ids"), nb::arg("rank"), nb::arg("size"), nb::arg("found"), Release(),
        "The place deepest inside each object, in place.");
  m.def("sample", &sample, nb::arg("ids"), nb::arg("rank"), nb::arg("count"), nb::arg("inner"), nb::arg("border"),
        "Evenly spaced pixels of each object's inside and of its outline.");
  m.def("points", &points, nb::arg("ids"), nb::arg("depth"), nb::arg("rows"), nb::arg("count"), nb::arg("lens"),
        nb::arg("T_world_cam"), "Sampled pixels as points in the world, and what stands beside them.");
  m.def("looked_for", &looked_for, nb::arg("ids"), nb::arg("depth"), nb::arg("frames"), nb::arg("world"),
        nb::arg("own"), nb::arg("slack"), nb::arg("lens"), nb::arg("T_cam_world"), nb::arg("lag"), nb::arg("counts"),
        Release(), "How many points are gone, and stay, some frames later, in place.");
  m.def("extents", &extents, nb::arg("plan"), nb::arg("ways"), nb::arg("rank"), nb::arg("share"), nb::arg("out"),
        Release(), "Extents of points along and across headings, in place.");
}
