// Python bindings of the loops of lighting: which rays to send, colours from light, pictures from floats.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/tuple.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <tuple>
#include <vector>

namespace nb = nanobind;

namespace {

template <class T, int N>
using Array = nb::ndarray<const T, nb::numpy, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
template <class T, int N>
using Out = nb::ndarray<T, nb::numpy, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
using Release = nb::call_guard<nb::gil_scoped_release>;

void require(bool sound, const char *what) {
  if (!sound) throw std::invalid_argument(what);
}

template <class T>
nb::object owned(std::vector<T> values, size_t columns) {
  auto *kept = new std::vector<T>(std::move(values));
  nb::capsule owner(kept, [](void *p) noexcept { delete static_cast<std::vector<T> *>(p); });
  if (columns == 1) return nb::cast(nb::ndarray<nb::numpy, T>(kept->data(), {kept->size()}, owner));
  return nb::cast(nb::ndarray<nb::numpy, T>(kept->data(), {kept->size() / columns, columns}, owner));
}

struct Vec {
  float x, y, z;
};

Vec at(const float *p, int64_t row) { return {p[3 * row], p[3 * row + 1], p[3 * row + 2]}; }

// A rigid motion: rows of a (3,4) array [R | t].
struct Motion {
  const float *m;
  Vec turn(Vec v) const {
    return {m[0] * v.x + m[1] * v.y + m[2] * v.z, m[4] * v.x + m[5] * v.y + m[6] * v.z,
            m[8] * v.x + m[9] * v.y + m[10] * v.z};
  }
  Vec move(Vec v) const {
    Vec r = turn(v);
    return {r.x + m[3], r.y + m[7], r.z + m[11]};
  }
};

struct Box {
  Vec middle, half;
};

template <class P>
int64_t row_of(const Array<int64_t, 1> &rows, int64_t k, const P &points) {
  const int64_t row = rows.data()[k];
  require(row >= 0 && row < int64_t(points.shape(0)), "a row is out of range");
  return row;
}

Box box_of(const Array<float, 2> &bounds) {
  const float *b = bounds.data();
  return {{(b[0] + b[3]) / 2, (b[1] + b[4]) / 2, (b[2] + b[5]) / 2},
          {(b[3] - b[0]) / 2, (b[4] - b[1]) / 2, (b[5] - b[2]) / 2}};
}

nb::object near(Array<float, 2> points, Array<float, 2> normals, Array<float, 2> motion, Array<float, 2> bounds,
                float reach) {
  require(motion.shape(0) == 3 && motion.shape(1) == 4 && bounds.shape(0) == 2, "motion is (3,4), bounds (2,3)");
  require(points.shape(0) == normals.shape(0), "points and normals are (V,3)");
  std::vector<int64_t> rows;
  const Motion into{motion.data()};
  const Box box = box_of(bounds);
  for (size_t i = 0; i < points.shape(0); ++i) {
    const Vec p = into.move(at(points.data(), i));
    const Vec to{box.middle.x - p.x, box.middle.y - p.y, box.middle.z - p.z};
    const float x = std::max(std::fabs(to.x) - box.half.x, 0.0f), y = std::max(std::fabs(to.y) - box.half.y, 0.0f),
                z = std::max(std::fabs(to.z) - box.half.z, 0.0f);
    if (!(x * x + y * y + z * z < reach * reach)) continue;
    const Vec n = into.turn(at(normals.data(), i));
    const float above = to.x * n.x + to.y * n.y + to.z * n.z;
    if (above + std::fabs(n.x) * box.half.x + std::fabs(n.y) * box.half.y + std::fabs(n.z) * box.half.z > 0)
      rows.push_back(int64_t(i));
  }
  return owned(std::move(rows), 1);
}

// Rays as they are handed to the tracer, and where each belongs among rows × rays of a row.
struct Rays {
  std::vector<float> origins, ways;
  std::vector<int64_t> index;
  void add(Vec o, Vec w, int64_t place) {
    origins.insert(origins.end(), {o.x, o.y, o.z});
    ways.insert(ways.end(), {w.x, w.y, w.z});
    index.push_back(place);
  }
  std::tuple<nb::object, nb::object, nb::object> give() {
    return {owned(std::move(origins), 3), owned(std::move(ways), 3), owned(std::move(index), 1)};
  }
};

// Whether a ray meets a box no further than some of its lengths away.
bool crosses(Vec p, Vec way, const Box &box, float furthest) {
  const float from[3] = {p.x, p.y, p.z}, d[3] = {way.x, way.y, way.z};
  const float middle[3] = {box.middle.x, box.middle.y, box.middle.z}, half[3] = {box.half.x, box.half.y, box.half.z};
  float enter = 0, leave = furthest;
  for (int a = 0; a < 3; ++a) {
    const float inverse = 1 / (std::fabs(d[a]) < 1e-9f ? std::copysign(1e-9f, d[a]) : d[a]);
    const float s = (middle[a] - half[a] - from[a]) * inverse, t = (middle[a] + half[a] - from[a]) * inverse;
    enter = std::max(enter, std::min(s, t));
    leave = std::min(leave, std::max(s, t));
  }
  return enter <= leave;
}

std::tuple<nb::object, nb::object, nb::object> spread(Array<float, 2> points, Array<float, 3> rays,
                                                      Array<int64_t, 1> rows, Array<float, 2> motion,
                                                      Array<float, 2> bounds, float reach) {
  require(points.shape(0) == rays.shape(0), "points are (V,3), rays (V,K,3)");
  const int64_t per = int64_t(rays.shape(1)), count = int64_t(rows.shape(0));
  Rays out;
  const Motion into{motion.data()};
  const Box box = box_of(bounds);
  for (int64_t k = 0; k < count; ++k) {
    const int64_t row = row_of(rows, k, points);
    const Vec p = into.move(at(points.data(), row));
    for (int64_t r = 0; r < per; ++r) {
      const Vec d = into.turn(at(rays.data(), row * per + r));
      if (crosses(p, d, box, reach)) out.add(p, d, k * per + r);
    }
  }
  return out.give();
}

std::tuple<nb::object, nb::object, nb::object> toward(Array<float, 2> points, Array<int64_t, 1> rows,
                                                      Array<float, 2> targets, Array<float, 2> motion,
                                                      Array<float, 2> bounds) {
  const int64_t per = int64_t(targets.shape(0)), count = int64_t(rows.shape(0));
  Rays out;
  const Motion into{motion.data()};
  const Box box = box_of(bounds);
  for (int64_t k = 0; k < count; ++k) {
    const Vec p = into.move(at(points.data(), row_of(rows, k, points)));
    for (int64_t r = 0; r < per; ++r) {
      const Vec q = at(targets.data(), r), way{q.x - p.x, q.y - p.y, q.z - p.z};
      if (crosses(p, way, box, 1)) out.add(p, way, k * per + r);
    }
  }
  return out.give();
}

nb::object pack(Array<int64_t, 1> index, Array<bool, 1> hits, size_t count, int64_t per) {
  require(index.shape(0) == hits.shape(0) && per >= 1 && per <= 16, "index and hits are of as many rays");
  std::vector<uint16_t> bits(count);
  for (size_t i = 0; i < index.shape(0); ++i) {
    const int64_t row = index.data()[i] / per;
    require(row >= 0 && row < int64_t(count), "a ray is out of range");
    if (hits.data()[i]) bits[size_t(row)] |= uint16_t(1u << (index.data()[i] % per));
  }
  return owned(std::move(bits), 1);
}

// ---- Light ------------------------------------------------------------------------------------------

float dot(Vec a, Vec b) { return a.x * b.x + a.y * b.y + a.z * b.z; }

// The cosine to the power 24: a broad highlight.
float gleam(float c) {
  const float c2 = c * c, c4 = c2 * c2, c8 = c4 * c4;
  return c8 * c8 * c8;
}

std::tuple<nb::object, nb::object, nb::object> aim(Array<float, 2> points, Array<float, 2> normals,
                                                   Array<float, 2> samples, Array<float, 2> facing, float least,
                                                   float reach) {
  require(points.shape(0) == normals.shape(0), "points and normals are (R,3)");
  const size_t count = points.shape(0), per = samples.shape(0);
  const bool lamp = facing.shape(0) == 0;
  require(lamp || facing.shape(0) == per, "facing is (S,3) or (0,3)");
  std::vector<float> diffuse(count), sheen(count), weight(lamp ? 0 : count * per);
  Vec middle{0, 0, 0};
  for (size_t s = 0; s < per; ++s) {
    const Vec q = at(samples.data(), int64_t(s));
    middle = {middle.x + q.x, middle.y + q.y, middle.z + q.z};
  }
  middle = {middle.x / float(per), middle.y / float(per), middle.z / float(per)};
  for (size_t i = 0; i < count; ++i) {
    const Vec p = at(points.data(), int64_t(i)), n = at(normals.data(), int64_t(i));
    const Vec way{middle.x - p.x, middle.y - p.y, middle.z - p.z};
    const float square = std::max(dot(way, way), least);
    if (lamp) {
      const float c = std::max(dot(way, n) / std::sqrt(square), 0.0f);
      diffuse[i] = c / square;
      sheen[i] = gleam(c) / square;
      continue;
    }
    if (!(square < reach * reach)) continue;
    for (size_t s = 0; s < per; ++s) {
      const Vec q = at(samples.data(), int64_t(s)), w{q.x - p.x, q.y - p.y, q.z - p.z};
      const float d2 = dot(w, w), length = std::sqrt(std::max(d2, 1e-12f)), c = std::max(dot(w, n) / length, 0.0f);
      const Vec f = at(facing.data(), int64_t(s));
      const bool both = f.x == 0 && f.y == 0 && f.z == 0;
      const float given = (both ? 0.5f : std::max(-dot(w, f) / length, 0.0f)) / (std::max(d2, least) * float(per));
      weight[i * per + s] = given * c;
      diffuse[i] += given * c;
      sheen[i] += given * gleam(c);
    }
  }
  return {owned(std::move(diffuse), 1), owned(std::move(sheen), 1), owned(std::move(weight), lamp ? 1 : per)};
}

nb::object seen(Array<uint16_t, 1> blocked, Array<float, 2> weight, Array<float, 1> diffuse) {
  const size_t count = blocked.shape(0), per = weight.shape(1);
  require(weight.shape(0) == count && diffuse.shape(0) == count && per <= 16, "weight is (R,S), diffuse (R,)");
  std::vector<float> share(count);
  for (size_t i = 0; i < count; ++i) {
    float sum = 0;
    for (size_t s = 0; s < per; ++s)
      if (!(blocked.data()[i] >> s & 1)) sum += weight.data()[i * per + s];
    share[i] = diffuse.data()[i] > 0 ? sum / diffuse.data()[i] : 0;
  }
  return owned(std::move(share), 1);
}

nb::object mean(Array<float, 2> values, float over) {
  std::vector<float> out(values.shape(0));
  for (size_t i = 0; i < out.size(); ++i) {
    float sum = 0;
    for (size_t k = 0; k < values.shape(1); ++k) sum += values.data()[i * values.shape(1) + k];
    out[i] = sum / over;
  }
  return owned(std::move(out), 1);
}

// ---- Colours ----------------------------------------------------------------------------------------

struct Curve {
  const float *table;
  float top, size;
  float operator()(float light) const {
    const float step = std::sqrt(std::min(std::max(light, 0.0f), top) / top) * size;
    return table[int32_t(step + 0.5f)];
  }
};

nb::object expose(Array<float, 1> ambient, Array<float, 2> lamps, Array<float, 2> sheen, Array<float, 1> around,
                  Array<float, 2> power, float full, float most, float least, Out<float, 2> light) {
  const size_t count = ambient.shape(0), kinds = power.shape(0);
  require(lamps.shape(0) == count && lamps.shape(1) == kinds && sheen.shape(0) == count && sheen.shape(1) == kinds,
          "lamps and sheen are (V,L)");
  require(light.shape(0) == count && light.shape(1) == 6 && around.shape(0) == 3, "light is (V,6), around (3,)");
  std::vector<uint8_t> stirred(count);
  const float room = most - full;
  for (size_t i = 0; i < count; ++i) {
    float now[6];
    for (int c = 0; c < 3; ++c) now[c] = ambient.data()[i] * around.data()[c], now[c + 3] = 0;
    for (size_t k = 0; k < kinds; ++k)
      for (int c = 0; c < 3; ++c) {
        now[c] += lamps.data()[i * kinds + k] * power.data()[3 * k + size_t(c)];
        now[c + 3] += sheen.data()[i * kinds + k] * power.data()[3 * k + size_t(c)];
      }
    const float peak = std::max(now[0], std::max(now[1], now[2]));
    if (peak > full) {
      const float over = (peak - full) / room, shown = (full + room * over / (1 + over)) / peak;
      for (int c = 0; c < 3; ++c) now[c] *= shown;
    }
    float *kept = light.data() + 6 * i;
    bool differs = false;
    for (int c = 0; c < 6; ++c) differs |= !(std::fabs(now[c] - kept[c]) < least);
    stirred[i] = differs;
    if (differs) std::copy(now, now + 6, kept);
  }
  return owned(std::move(stirred), 1);
}

void shade(Array<uint8_t, 1> stirred, Array<bool, 1> rekindled, Array<int32_t, 1> triangle, Array<float, 2> bary,
           Array<int64_t, 2> faces, Array<float, 2> light, Array<int32_t, 1> skin, Array<float, 2> albedo,
           Array<float, 1> gloss, Array<float, 2> glow, Array<float, 1> table, float top, Out<float, 2> colours) {
  const size_t count = triangle.shape(0), corners = faces.shape(0);
  require(bary.shape(0) == count && skin.shape(0) == count && albedo.shape(0) == count && colours.shape(0) == count,
          "triangle, bary, skin, albedo and colours have N rows");
  require(light.shape(0) == stirred.shape(0) && light.shape(1) == 6, "light is (V,6)");
  require(glow.shape(0) == gloss.shape(0) && rekindled.shape(0) == gloss.shape(0), "glow and gloss have S rows");
  std::vector<uint8_t> touched(corners);
  for (size_t f = 0; f < corners; ++f) {
    const int64_t *c = faces.data() + 3 * f;
    touched[f] = stirred.data()[c[0]] | stirred.data()[c[1]] | stirred.data()[c[2]];
  }
  const Curve curve{table.data(), top, float(table.shape(0) - 1)};
  for (size_t i = 0; i < count; ++i) {
    const int32_t f = triangle.data()[i], s = skin.data()[i];
    if (!touched[size_t(f)] && !rekindled.data()[s]) continue;
    const int64_t *c = faces.data() + 3 * int64_t(f);
    const float *a = light.data() + 6 * c[0], *b = light.data() + 6 * c[1], *d = light.data() + 6 * c[2];
    const float *w = bary.data() + 3 * i, *paint = albedo.data() + 3 * i, *own = glow.data() + 3 * s;
    float *out = colours.data() + 3 * i;
    for (int k = 0; k < 3; ++k) {
      const float diffuse = w[0] * a[k] + w[1] * b[k] + w[2] * d[k];
      const float sheen = w[0] * a[k + 3] + w[1] * b[k + 3] + w[2] * d[k + 3];
      out[k] = curve(paint[k] * diffuse + gloss.data()[s] * sheen + own[k]);
    }
  }
}

void quantise(Array<float, 3> rgb, Array<float, 2> alpha, Array<float, 2> depth, Array<uint16_t, 2> ids,
              Array<float, 1> background, Out<uint8_t, 3> rgb8, Out<float, 2> solid_depth, Out<uint16_t, 2> solid_ids) {
  const size_t count = alpha.size();
  require(rgb.size() == 3 * count && depth.size() == count && ids.size() == count, "pictures differ in size");
  require(rgb8.size() == 3 * count && solid_depth.size() == count && solid_ids.size() == count,
          "the frame differs in size from the picture");
  for (size_t i = 0; i < count; ++i) {
    const float a = alpha.data()[i];
    for (int k = 0; k < 3; ++k) {
      const float v = rgb.data()[3 * i + k] + (1 - a) * background.data()[k];
      rgb8.data()[3 * i + k] = uint8_t(std::min(std::max(v, 0.0f), 1.0f) * 255 + 0.5f);
    }
    const bool solid = a >= 0.5f;
    solid_depth.data()[i] = solid ? depth.data()[i] : 0;
    solid_ids.data()[i] = solid ? ids.data()[i] : 0;
  }
}

}  // namespace

NB_MODULE(_light, m) {
  m.doc() = "Loops of lighting. Arrays are C-contiguous; points (V,3), motions (3,4) into the frame of bounds or targets.";
  m.def("near", &near, nb::arg("points"), nb::arg("normals"), nb::arg("motion"), nb::arg("bounds"), nb::arg("reach"),
        "Rows of points within reach of a box that have some of it above their horizon.");
  m.def("spread", &spread, nb::arg("points"), nb::arg("rays"), nb::arg("rows"), nb::arg("motion"), nb::arg("bounds"),
        nb::arg("reach"), "Those of the rays (V,K,3) of some rows that meet a box: origins, directions, place.");
  m.def("toward", &toward, nb::arg("points"), nb::arg("rows"), nb::arg("targets"), nb::arg("motion"),
        nb::arg("bounds"), "Those of the ways of some rows to targets (S,3) that cross a box: origins, ways, place.");
  m.def("pack", &pack, nb::arg("index"), nb::arg("hits"), nb::arg("count"), nb::arg("per"),
        "A bit of each row for each of its rays that hit.");
  m.def("aim", &aim, nb::arg("points"), nb::arg("normals"), nb::arg("samples"), nb::arg("facing"), nb::arg("least"),
        nb::arg("reach"), "Diffuse and sheen of an emitter's light (R,), and each sample's share (R,S).");
  m.def("seen", &seen, nb::arg("blocked"), nb::arg("weight"), nb::arg("diffuse"),
        "Share of the light of samples (R,S) that is not blocked.");
  m.def("mean", &mean, nb::arg("values"), nb::arg("over"), "Sums of rows, divided.");
  m.def("expose", &expose, nb::arg("ambient"), nb::arg("lamps"), nb::arg("sheen"), nb::arg("around"),
        nb::arg("power"), nb::arg("full"), nb::arg("most"), nb::arg("least"), nb::arg("light"),
        "Exposed, compressed light of points, in place; which of them it changed by more than the least.");
  m.def("shade", &shade, nb::arg("stirred"), nb::arg("rekindled"), nb::arg("triangle"), nb::arg("bary"),
        nb::arg("faces"), nb::arg("light"), nb::arg("skin"), nb::arg("albedo"), nb::arg("gloss"), nb::arg("glow"),
        nb::arg("table"), nb::arg("top"), nb::arg("colours"), Release(),
        "Colours of the Gaussians between stirred light points or of rekindled skins, in place.");
  m.def("quantise", &quantise, nb::arg("rgb"), nb::arg("alpha"), nb::arg("depth"), nb::arg("ids"),
        nb::arg("background"), nb::arg("rgb8"), nb::arg("solid_depth"), nb::arg("solid_ids"), Release(),
        "A picture over a background as bytes, in place; depth and ids where it is at least half opaque.");
}
