// Arrays of Python, vectors, rigid motions and boxes.
#pragma once

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

// Of a function, one build for processors with AVX2 and one for all. The values are the same: nothing is contracted.
#if defined(__x86_64__) && defined(__ELF__)
#define SYNTH4D_BUILDS __attribute__((target_clones("avx2", "default")))
#else
#define SYNTH4D_BUILDS
#endif

namespace geo {

template <class T, int N>
using Array = nb::ndarray<const T, nb::numpy, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
template <class T, int N>
using Out = nb::ndarray<T, nb::numpy, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
using Release = nb::call_guard<nb::gil_scoped_release>;

inline void require(bool sound, const char *what) {
  if (!sound) throw std::invalid_argument(what);
}

template <class T>
inline nb::object owned(std::vector<T> values, std::initializer_list<size_t> shape) {
  auto *kept = new std::vector<T>(std::move(values));
  nb::capsule owner(kept, [](void *p) noexcept { delete static_cast<std::vector<T> *>(p); });
  return nb::cast(nb::ndarray<nb::numpy, T>(kept->data(), shape, owner));
}

template <class T>
inline nb::object owned(std::vector<T> values, size_t columns) {
  const size_t rows = values.size() / columns;
  return columns == 1 ? owned(std::move(values), {rows}) : owned(std::move(values), {rows, columns});
}

struct Vec {
  float x, y, z;
};

inline Vec at(const float *p, int64_t row) { return {p[3 * row], p[3 * row + 1], p[3 * row + 2]}; }

// A rigid motion: rows of a (3,4) array [R | t].
struct Motion {
  const float *m;
  Vec turn(Vec v) const {
    return {m[0] * v.x + m[1] * v.y + m[2] * v.z, m[4] * v.x + m[5] * v.y + m[6] * v.z,
            m[8] * v.x + m[9] * v.y + m[10] * v.z};
  }
  Vec turned_back(Vec v) const {
    return {m[0] * v.x + m[4] * v.y + m[8] * v.z, m[1] * v.x + m[5] * v.y + m[9] * v.z,
            m[2] * v.x + m[6] * v.y + m[10] * v.z};
  }
  Vec move(Vec v) const {
    Vec r = turn(v);
    return {r.x + m[3], r.y + m[7], r.z + m[11]};
  }
};

struct Box {
  Vec middle, half;
  Vec from(Vec p) const { return {middle.x - p.x, middle.y - p.y, middle.z - p.z}; }  // the way to its middle
};

template <class P>
int64_t row_of(const Array<int64_t, 1> &rows, int64_t k, const P &points) {
  const int64_t row = rows.data()[k];
  require(row >= 0 && row < int64_t(points.shape(0)), "a row is out of range");
  return row;
}

inline Box box_of(const Array<float, 2> &bounds) {
  const float *b = bounds.data();
  return {{(b[0] + b[3]) / 2, (b[1] + b[4]) / 2, (b[2] + b[5]) / 2},
          {(b[3] - b[0]) / 2, (b[4] - b[1]) / 2, (b[5] - b[2]) / 2}};
}

inline float dot(Vec a, Vec b) { return a.x * b.x + a.y * b.y + a.z * b.z; }

}  // namespace geo
