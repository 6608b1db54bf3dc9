// The Python face of authoring; render/author.py is its only caller.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <tuple>

#include "cover.h"
#include "refine.h"
#include "surface.h"

namespace nb = nanobind;
using namespace synth4d;

template <class T, class... Shape>
using In = nb::ndarray<const T, Shape..., nb::c_contig, nb::device::cpu>;
template <class T>
using Out = nb::ndarray<nb::numpy, T>;
using Rows3 = In<double, nb::shape<-1, 3>>;
using Rows33 = In<double, nb::shape<-1, 3, 3>>;
using List = In<double, nb::ndim<1>>;

namespace {

template <class T>
Out<T> owned(std::vector<T> &&values, std::vector<size_t> inner = {}) {
  auto *held = new std::vector<T>(std::move(values));
  size_t stride = 1;
  for (size_t n : inner) stride *= n;
  inner.insert(inner.begin(), held->size() / stride);
  nb::capsule owner(held, [](void *p) noexcept { delete static_cast<std::vector<T> *>(p); });
  return Out<T>(held->data(), inner.size(), inner.data(), owner);
}

// The views of every body (B,): the same number of groups G for all that stand still, others for those that move.
struct Eyes {
  Rows3 eyes;
  Rows33 axes;
  List shift, turn;
  In<int64_t, nb::ndim<1>> begin;  // (B+1,)
  std::array<double, 2> spread;
  double focal;

  Views of(int64_t body) const {
    const int64_t a = begin.data()[body];
    return {eyes.data() + 3 * a, axes.data() + 9 * a, shift.data() + a, turn.data() + a, begin.data()[body + 1] - a, spread};
  }
};

// A horizon and the cameras it looks from.
struct Depths {
  In<double, nb::shape<-1, 4, 4>> cameras;
  Horizon horizon;
};

using Flags = In<uint8_t, nb::ndim<1>>;

std::vector<BodyView> bodies_of(const Eyes &eyes, const Flags &still, const Flags &contact, const Rows33 &rotation,
                                const Rows3 &place) {
  std::vector<BodyView> out;
  for (size_t b = 0; b < still.shape(0); b++)
    out.push_back({eyes.of((int64_t)b), still.data()[b] != 0, contact.data()[b] != 0, rotation.data() + 9 * b,
                   place.data() + 3 * b});
  return out;
}

}  // namespace

NB_MODULE(_author, m) {
  m.doc() = "Covering surfaces with Gaussians; use synth4d.render.author.";
  m.attr("LINES") = LINES;

  nb::class_<Eyes>(m, "Eyes")
      .def("__init__",
           [](Eyes *self, Rows3 eyes, Rows33 axes, List shift, List turn, In<int64_t, nb::ndim<1>> begin,
              std::pair<double, double> spread, double focal) {
             new (self) Eyes{eyes, axes, shift, turn, begin, {spread.first, spread.second}, focal};
           })
      .def("reach",
           [](const Eyes &self, int64_t body, Rows3 points, double radius) {
             std::vector<double> out(points.shape(0));
             const Views seen = self.of(body);
             for (size_t i = 0; i < out.size(); i++) out[i] = seen.reach(vec(points.data() + 3 * i), radius).nearest;
             return owned(std::move(out));
           })
      .def("facing", [](const Eyes &self, Rows3 points, Rows3 normals, In<int32_t, nb::ndim<1>> body) {
        std::vector<double> out;
        for (size_t i = 0; i < points.shape(0); i++) {
          const Views seen = self.of(body.data()[i]);
          const Vec point = vec(points.data() + 3 * i), normal = vec(normals.data() + 3 * i);
          out.push_back(seen.highest(point, normal)), out.push_back(seen.lowest(point, normal));
        }
        return owned(std::move(out), {2});
      });

  nb::class_<Depths>(m, "Depths")
      .def("__init__",
           [](Depths *self, In<double, nb::shape<-1, 4, 4>> cameras, In<float, nb::ndim<3>> depth,
              In<double, nb::shape<3, 3>> K, std::vector<int64_t> reach, double between, double slack) {
             const double *k = K.data();
             Horizon horizon{cameras.data(), (int64_t)depth.shape(0), (int64_t)depth.shape(1), (int64_t)depth.shape(2),
                             k[0], k[4], k[2], k[5], reach, between, slack, {}};
             horizon.widen(depth.data());
             new (self) Depths{cameras, std::move(horizon)};
           })
      .def("sees", [](const Depths &self, Rows3 points, List radius) {
        std::vector<uint8_t> out(points.shape(0));
        for (size_t i = 0; i < out.size(); i++)
          out[i] = self.horizon.sees(vec(points.data() + 3 * i), radius.data()[i]);
        return owned(std::move(out));
      });

  m.def("refine", [](Rows33 corners, Rows33 normals, Rows3 flat, List slack, In<int32_t, nb::ndim<1>> body, const Eyes &eyes,
                     const Depths &depths, Flags still, Flags contact,
                     Rows33 rotation, Rows3 place, In<int64_t, nb::ndim<1>> near, In<int64_t, nb::ndim<1>> nearer,
                     std::tuple<double, double, double, double, double, double, double> l) {
    const std::vector<BodyView> bodies = bodies_of(eyes, still, contact, rotation, place);
    const auto [coarse, px, low, high, nearest, edge, cell] = l;
    const Mesh mesh{corners.data(), normals.data(), flat.data(), slack.data(), body.data(), (int64_t)corners.shape(0)};
    Cut cut = refine(mesh, bodies, depths.horizon, eyes.focal, Limits{coarse, px, low, high, nearest, edge, cell},
                     {near.data(), nearer.data()}, {(int64_t)near.shape(0), (int64_t)nearer.shape(0)});
    return std::make_tuple(owned(std::move(cut.source)), owned(std::move(cut.corners), {3, 3}),
                           owned(std::move(cut.normals), {3, 3}), owned(std::move(cut.share), {3, 3}),
                           owned(std::move(cut.pixel)));
  });

  m.def("ready", [](const std::vector<std::tuple<Rows3, In<int32_t, nb::shape<-1, 3>>, bool>> &surfaces) {
    std::vector<Part> parts;
    for (const auto &[vertices, faces, smooth] : surfaces)
      parts.push_back({vertices.data(), (int64_t)vertices.shape(0), faces.data(), (int64_t)faces.shape(0), smooth});
    Ready r = ready(parts);
    return std::make_tuple(owned(std::move(r.corners), {3, 3}), owned(std::move(r.normals), {3, 3}),
                           owned(std::move(r.flat), {3}), owned(std::move(r.begin)),
                           owned(std::move(r.lines), {4}), owned(std::move(r.widths)), owned(std::move(r.beyond)),
                           owned(std::move(r.across), {3}), owned(std::move(r.strip)), owned(std::move(r.bend)),
                           owned(std::move(r.part)), owned(std::move(r.face)), owned(std::move(r.bounds), {2, 3}));
  });

  m.def("turned", [](Rows3 vectors, In<int32_t, nb::ndim<1>> body, Rows33 rotation, Rows3 shift) {
    std::vector<double> out(3 * vectors.shape(0));
    for (size_t i = 0; i < vectors.shape(0); i++) {
      const double *v = vectors.data() + 3 * i, *R = rotation.data() + 9 * body.data()[i];
      for (int k = 0; k < 3; k++)
        out[3 * i + k] = R[3 * k] * v[0] + R[3 * k + 1] * v[1] + R[3 * k + 2] * v[2] + shift.data()[3 * body.data()[i] + k];
    }
    return owned(std::move(out), {3});
  });

  m.def("cover", [](Rows33 corners, Rows3 flat, In<int32_t, nb::ndim<1>> body, In<int32_t, nb::ndim<1>> source,
                    In<uint8_t, nb::shape<-1, LINES>> joined, List room,
                    In<int64_t, nb::ndim<1>> begin, In<double, nb::shape<-1, 4>> lines, List widths, List beyond,
                    Rows3 across, List strip, List bend,
                    const Eyes &eyes, const Depths &depths, Flags still, Rows33 rotation, Rows3 place,
                    std::vector<double> spacing_px, double chunk, std::vector<int64_t> levels,
                    std::pair<double, double> bounds, double slant, double joint) {
    const Sheet sheet{corners.data(), flat.data(), body.data(), source.data(), joined.data(), room.data(), (int64_t)corners.shape(0)};
    const Outlines outlines{begin.data(), lines.data(), widths.data(), beyond.data(), across.data(), strip.data(), bend.data()};
    Points p = cover(sheet, outlines, bodies_of(eyes, still, still, rotation, place), depths.horizon, spacing_px, eyes.focal,
                     Grain{chunk, levels, bounds.first, bounds.second, slant, joint});
    return std::make_tuple(owned(std::move(p.triangle)), owned(std::move(p.share), {3}), owned(std::move(p.means), {3}),
                           owned(std::move(p.grain)), owned(std::move(p.pixel)));
  });
}
