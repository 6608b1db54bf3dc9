// Python bindings of the loops of lighting.

#include "colours.h"
#include "glint.h"
#include "lattice.h"
#include "lights.h"
#include "mesh.h"
#include "pose.h"

using namespace light;

NB_MODULE(_light, m) {
  m.doc() = "Loops of lighting. Arrays are C-contiguous; points (V,3), motions (3,4) into the frame of bounds.";
  m.def("weld", &weld, nb::arg("corners"), nb::arg("normals"), nb::arg("skin"), nb::arg("cell"),
        "The point of each corner, the first corner of each point, and its way to the middle of its triangles.");
  m.def("lay", &lay, nb::arg("flat"), nb::arg("triangle"), nb::arg("grain"), nb::arg("sigma"), nb::arg("flatness"),
        "Quaternions (N,4) wxyz and scales (N,3) of Gaussians in triangles.");
  m.def("rebind", &rebind, nb::arg("place"), nb::arg("triangle"), nb::arg("bary"),
        "Gaussians of triangles that are cut in four go to the parts they lie in, in place.");
  nb::class_<Smoother>(m, "Smoother")
      .def(nb::init<Array<double, 2>, Array<int64_t, 2>, Array<float, 1>, Array<bool, 1>, float>(), nb::arg("points"),
           nb::arg("faces"), nb::arg("alike"), nb::arg("buried"), nb::arg("edge"))
      .def("smooth", &Smoother::smooth, nb::arg("columns"), nb::arg("diffuse"), nb::arg("sheen"),
           "Ambient (V,), and shares of emitters times their diffuse and sheen (V,L).");
  nb::class_<Lights>(m, "Lights")
      .def(nb::init<Array<float, 3>, Array<float, 3>, Array<bool, 1>, Array<float, 1>, Array<float, 1>>(),
           nb::arg("samples"), nb::arg("facing"), nb::arg("lamp"), nb::arg("least"), nb::arg("reach"))
      .def("moved", &Lights::moved, nb::arg("motion"), "The same ones in the frame that a motion leads to.")
      .def("samples", &Lights::samples, "(L,S,3)")
      .def("aim", &Lights::aim, nb::arg("points"), nb::arg("normals"), "Diffuse and sheen (V,L).")
      .def("columns", &Lights::columns, nb::arg("opening"), nb::arg("over"), nb::arg("blocked"), nb::arg("rows"),
           nb::arg("points"), nb::arg("normals"), nb::arg("diffuse"),
           "How open rows of points are to the ambient and to each emitter (R,1+L).");
  m.def("mean", &mean, nb::arg("values"), nb::arg("over"), "Sums of rows, divided.");
  m.def("look_up", &look_up, nb::arg("values"), nb::arg("table"), "Entries (N,3) of a table over 0..1.");
  m.def("noise", &noise, nb::arg("u"), nb::arg("v"), nb::arg("axis"), nb::arg("across"), nb::arg("along"),
        nb::arg("shift"), nb::arg("tile"), "A periodic tile at places of surfaces (N,).");
  m.def("expose", &expose, nb::arg("ambient"), nb::arg("lamps"), nb::arg("sheen"), nb::arg("around"),
        nb::arg("power"), nb::arg("full"), nb::arg("most"), nb::arg("least"), nb::arg("light"),
        "Exposed, compressed light of points, in place; which of them it changed by more than the least.");
  m.def("shade", &shade, nb::arg("stirred"), nb::arg("rekindled"), nb::arg("triangle"), nb::arg("bary"),
        nb::arg("faces"), nb::arg("light"), nb::arg("skin"), nb::arg("albedo"), nb::arg("gloss"), nb::arg("glow"),
        nb::arg("table"), nb::arg("top"), nb::arg("colours"), Release(),
        "Colours of the Gaussians between stirred light points or of rekindled skins, in place.");
  m.def("glint", &glint, nb::arg("means"), nb::arg("normals"), nb::arg("own"), nb::arg("shade"), nb::arg("eye"),
        nb::arg("lamps"), nb::arg("gloss"), nb::arg("light"), nb::arg("table"), nb::arg("top"),
        "Display values (N,3) of liquids: their own colour, what they mirror, and highlights of lamps.");
  m.def("posed", &posed, nb::arg("means"), nb::arg("quats"), nb::arg("motion"), nb::arg("turn"),
        "Means (N,3) moved and quaternions (N,4) wxyz turned.");
  m.def("quantise", &quantise, nb::arg("rgb"), nb::arg("alpha"), nb::arg("depth"), nb::arg("ids"),
        nb::arg("background"), nb::arg("covered"), nb::arg("rgb8"), nb::arg("solid_depth"), nb::arg("solid_ids"), Release(),
        "A picture over a background as bytes, in place; at alpha `covered` nothing of the background is left. Depth and "
        "ids where it is at least half opaque.");
}
