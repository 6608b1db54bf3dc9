// synth4d._tracer: rays against triangles, by Embree; use synth4d.rays.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <cstring>

#include "embree.h"

namespace nb = nanobind;

namespace tracer {

template <class T, int N>
using Array = nb::ndarray<const T, nb::numpy, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
template <class T>
using Out = nb::ndarray<T, nb::numpy, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

class Tracer {
 public:
  // Corners (3M,3) of M triangles, which are copied.
  Tracer(const std::string &module, Array<float, 2> corners) : e_(loaded(module)) {
    if (corners.shape(1) != 3 || corners.shape(0) % 3) throw std::invalid_argument("corners are (3M,3)");
    const size_t count = corners.shape(0);
    void *mesh = e_.new_geometry(e_.device, kTriangle);
    void *places = e_.new_buffer(mesh, kVertices, 0, kFloat3, 12, count);
    auto *numbers = static_cast<uint32_t *>(e_.new_buffer(mesh, kIndices, 0, kUint3, 12, count / 3));
    if (!places || !numbers) throw std::bad_alloc();
    std::memcpy(places, corners.data(), 12 * count);
    for (size_t i = 0; i < count; ++i) numbers[i] = static_cast<uint32_t>(i);
    e_.commit_geometry(mesh);
    scene_ = e_.new_scene(e_.device);
    e_.attach(scene_, mesh);
    e_.release_geometry(mesh);
    e_.commit_scene(scene_);
  }
  Tracer(const Tracer &) = delete;
  ~Tracer() { e_.release_scene(scene_); }

  // `far` (N,) is how far each ray reaches; it becomes the distance of the first hit before that. `triangle` (N,) or
  // (0,) becomes the number of the triangle that is hit, −1 = none.
  void first(Array<float, 2> origins, Array<float, 2> ways, Out<float> far, Out<int32_t> triangle, bool alike) const {
    const bool named = triangle.shape(0) > 0;
    if (named && triangle.shape(0) != far.shape(0)) throw std::invalid_argument("triangle and far differ in length");
    each(origins, ways, far, alike, e_.intersect, [&](size_t i, const Packet &p, int k) {
      far.data()[i] = p.far[k];
      if (named) triangle.data()[i] = p.geometry[k] == kNone ? -1 : static_cast<int32_t>(p.triangle[k]);
    });
  }

  void blocked(Array<float, 2> origins, Array<float, 2> ways, Array<float, 1> far, Out<bool> hit, bool alike) const {
    if (hit.shape(0) != far.shape(0)) throw std::invalid_argument("hit and far differ in length");
    each(origins, ways, far, alike, e_.occluded, [&](size_t i, const Packet &p, int k) {
      hit.data()[i] = p.far[k] < 0;  // Embree's mark of a hit
    });
  }

 private:
  const Embree &e_;
  void *scene_;

  static const Embree &loaded(const std::string &module) {
    static const Embree embree(module);
    return embree;
  }

  template <class Far, class Query, class Take>
  void each(const Array<float, 2> &origins, const Array<float, 2> &ways, const Far &far, bool alike, Query query,
            Take take) const {
    const size_t count = far.shape(0);
    if (origins.shape(0) != count || ways.shape(0) != count || origins.shape(1) != 3 || ways.shape(1) != 3)
      throw std::invalid_argument("origins and ways are (N,3), reaches (N,)");
    nb::gil_scoped_release release;
    Arguments how{alike ? 1u << 16 : 0u};
    Packet p{};
    alignas(64) int valid[kPacket];
    for (size_t begin = 0; begin < count; begin += kPacket) {
      const int rays = static_cast<int>(std::min<size_t>(kPacket, count - begin));
      for (int k = 0; k < kPacket; ++k) {
        valid[k] = k < rays ? -1 : 0;
        const size_t i = begin + static_cast<size_t>(k < rays ? k : 0);
        const float *o = origins.data() + 3 * i, *w = ways.data() + 3 * i;
        p.ox[k] = o[0], p.oy[k] = o[1], p.oz[k] = o[2], p.dx[k] = w[0], p.dy[k] = w[1], p.dz[k] = w[2];
        p.near[k] = 0, p.far[k] = far.data()[i], p.mask[k] = p.geometry[k] = p.instance[0][k] = kNone;
      }
      query(valid, scene_, &p, &how);
      for (int k = 0; k < rays; ++k) take(begin + static_cast<size_t>(k), p, k);
    }
  }
};

}  // namespace tracer

NB_MODULE(_tracer, m) {
  m.doc() = "Rays against triangles. Arrays are C-contiguous.";
  nb::class_<tracer::Tracer>(m, "Tracer")
      .def(nb::init<const std::string &, tracer::Array<float, 2>>(), nb::arg("module"), nb::arg("corners"))
      .def("first", &tracer::Tracer::first, nb::arg("origins"), nb::arg("ways"), nb::arg("far"), nb::arg("triangle"),
           nb::arg("alike"), "Distance and number of what each ray hits first, in place.")
      .def("blocked", &tracer::Tracer::blocked, nb::arg("origins"), nb::arg("ways"), nb::arg("far"), nb::arg("hit"),
           nb::arg("alike"), "Whether each ray hits anything, in place.");
}
