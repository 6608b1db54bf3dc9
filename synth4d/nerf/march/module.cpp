// The Python face of the marcher; nerf/march.py checks every argument before it comes here.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "marcher.h"

namespace nb = nanobind;
using namespace synth4d::nerf;

template <class T, class... Shape>
using In = nb::ndarray<const T, Shape..., nb::c_contig, nb::device::cpu>;
template <class T, class... Shape>
using Out = nb::ndarray<T, Shape..., nb::c_contig, nb::device::cpu>;
using Free = nb::call_guard<nb::gil_scoped_release>;
using Matrices = std::vector<In<float, nb::ndim<2>>>;
using Vectors = std::vector<In<float, nb::ndim<1>>>;

static std::vector<Weights> layers(const Matrices &weights, const Vectors &biases) {
  std::vector<Weights> out;
  for (size_t k = 0; k < weights.size(); k++)
    out.push_back({(int)weights[k].shape(0), (int)weights[k].shape(1), weights[k].data(), biases[k].data()});
  return out;
}

NB_MODULE(_march, m) {
  m.doc() = "Marches rays through a hash-grid radiance field; use synth4d.nerf.march.";
  m.attr("MAX_WIDTH") = MAX_WIDTH;
  m.attr("MAX_LAYERS") = MAX_LAYERS;
  m.attr("MAX_PROPOSALS") = MAX_ROUNDS - 1;
  m.attr("MAX_SAMPLES") = MAX_SAMPLES;
  m.def("builds", &builds, "Builds this processor can run, best first.");
  nb::class_<Marcher>(m, "Marcher")
      .def(nb::init<std::string>(), nb::arg("isa"))
      .def_prop_ro("isa", &Marcher::isa)
      .def("add_network",
           [](Marcher &self, In<float, nb::ndim<2>> table, In<float, nb::ndim<1>> resolutions, const Matrices &weights,
              const Vectors &biases, float density_scale, int samples) {
             const size_t levels = resolutions.shape(0);
             self.add_network((int)levels, (int)table.shape(1), table.shape(0) / levels, resolutions.data(), table.data(),
                              layers(weights, biases), density_scale, samples);
           })
      .def("set_heads",
           [](Marcher &self, const Matrices &cw, const Vectors &cb, const Matrices &sw, const Vectors &sb) {
             self.set_heads(layers(cw, cb), layers(sw, sb));
           })
      .def("set_space",
           [](Marcher &self, bool contracted, In<float, nb::shape<2, 3>> aabb, bool uniform, float near, float far) {
             Field &f = self.field();
             f.contracted = contracted, f.piecewise = !uniform, f.near = near, f.far = far;
             for (int k = 0; k < 3; k++)
               f.low[k] = aabb.data()[k], f.inverse_size[k] = 1.0f / (aabb.data()[3 + k] - aabb.data()[k]);
           })
      .def("set_background",
           [](Marcher &self, bool last_sample, float r, float g, float b) {
             Field &f = self.field();
             f.last_sample_behind = last_sample, f.background[0] = r, f.background[1] = g, f.background[2] = b;
           })
      .def("set_pruning", [](Marcher &self, float stop, float least_weight) {
             self.field().stop = stop, self.field().least_weight = least_weight;
           })
      .def("set_occupied", [](Marcher &self, int round, int cells, In<uint32_t, nb::ndim<1>> words) {
             self.set_occupied(round, cells, words.data());
           })
      .def("march",
           [](const Marcher &self, In<float, nb::shape<-1, 3>> origins, In<float, nb::shape<-1, 3>> directions, int threads,
              Out<float, nb::shape<-1, 3>> rgb, Out<float, nb::ndim<1>> median, Out<float, nb::ndim<1>> expected,
              Out<float, nb::ndim<1>> alpha, Out<uint16_t, nb::ndim<1>> classes) {
             self.march({origins.data(), directions.data()}, origins.shape(0), threads,
                        {rgb.data(), median.data(), expected.data(), alpha.data(), classes.data()});
           }, Free())
      .def("peaks",
           [](const Marcher &self, int round, int threads, Out<float, nb::ndim<3>> out) {
             self.peaks(round, (int)out.shape(0), threads, out.data());
           }, Free())
      .def("densities",
           [](const Marcher &self, int round, In<float, nb::shape<-1, 3>> positions, int threads, Out<float, nb::ndim<2>> out) {
             self.densities(round, positions.data(), positions.shape(0), threads, out.data());
           }, Free())
      .def("heads",
           [](const Marcher &self, In<float, nb::ndim<2>> geometry, In<float, nb::shape<-1, 3>> directions,
              Out<float, nb::shape<-1, 3>> rgb, Out<float, nb::ndim<2>> logits) {
             self.heads(geometry.data(), directions.data(), geometry.shape(0), rgb.data(), logits.data());
           }, Free());
}
