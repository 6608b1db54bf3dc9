// The mesh of points that are lit: welding its corners, and averages over its sides.
#pragma once

#include "../../tracer/common.h"

namespace light {

using namespace geo;

// Numbers for 64-bit keys in the order in which they first come.
class Numbers {
 public:
  explicit Numbers(size_t most) {
    size_t size = 16;
    while (size < 2 * most) size *= 2;
    slots_.assign(size, {0, -1});
  }
  // The number of a key, and whether it is new.
  std::pair<int64_t, bool> of(uint64_t key) {
    for (size_t i = key & (slots_.size() - 1);; i = (i + 1) & (slots_.size() - 1)) {
      auto &[known, number] = slots_[i];
      if (number < 0) return known = key, number = count_, std::pair{count_++, true};
      if (known == key) return {number, false};
    }
  }

 private:
  std::vector<std::pair<uint64_t, int64_t>> slots_;
  int64_t count_ = 0;
};

// Corners (F,3,3) that share skin, cell of a grid and about a normal are one: the point of each corner (3F,), the first
// corner of each point (V,), and (V,3) the mean way from it to the middle of its triangles. Points come in the order of
// the triangles, so that neighbours lie near each other in memory.
inline std::tuple<nb::object, nb::object, nb::object> weld(Array<double, 3> corners, Array<double, 3> normals,
                                                           Array<int32_t, 1> skin, double cell) {
  const size_t count = corners.shape(0);
  require(normals.shape(0) == count && skin.shape(0) == count, "corners and normals are (F,3,3), skin (F,)");
  std::vector<int64_t> vertex(3 * count), first;
  std::vector<double> pull, shares;
  Numbers numbers(3 * count);
  for (size_t i = 0; i < 3 * count; ++i) {
    const double *p = corners.data() + 3 * i, *n = normals.data() + 3 * i, *own = corners.data() + 9 * (i / 3);
    uint64_t key = 0;
    auto mix = [&](double column) {  // skins and cells are small numbers that cancel: each is a column of its own
      key = (key ^ uint64_t(int64_t(column))) * 0x9E3779B97F4A7C15u;
      key ^= key >> 29;
    };
    mix(skin.data()[i / 3]);
    for (int k = 0; k < 3; ++k) mix(std::floor(p[k] / cell));
    for (int k = 0; k < 3; ++k) mix(std::nearbyint(n[k] * 6));
    const auto [number, fresh] = numbers.of(key);
    if (fresh) first.push_back(int64_t(i)), shares.push_back(0), pull.insert(pull.end(), 3, 0.0);
    vertex[i] = number;
    shares[size_t(number)] += 1;
    for (int k = 0; k < 3; ++k) pull[3 * size_t(number) + size_t(k)] += (own[k] + own[k + 3] + own[k + 6]) / 3 - p[k];
  }
  for (size_t i = 0; i < pull.size(); ++i) pull[i] /= shares[i / 3];
  return {owned(std::move(vertex), 1), owned(std::move(first), 1), owned(std::move(pull), 3)};
}

// Weights of the points (V,) at the other ends of the sides of triangles, each point's in a row.
class Smoother {
 public:
  // Light is alike within `alike` (V,) of a point, shadows within `edge`. Buried points (V,) give nothing.
  Smoother(Array<double, 2> points, Array<int64_t, 2> faces, Array<float, 1> alike, Array<bool, 1> buried, float edge)
      : begin_(points.shape(0) + 1, 0) {
    require(alike.shape(0) == points.shape(0) && buried.shape(0) == points.shape(0), "alike and buried are (V,)");
    const size_t count = points.shape(0), sides = 3 * faces.shape(0);
    const int64_t *f = faces.data();
    auto both = [&](auto &&take) {
      for (size_t s = 0; s < sides; ++s) {
        const int64_t a = f[s], b = f[s % 3 == 2 ? s - 2 : s + 1];
        require(a >= 0 && a < int64_t(count), "a corner is out of range");
        take(size_t(a), b), take(size_t(b), a);
      }
    };
    both([&](size_t a, int64_t) { ++begin_[a + 1]; });
    for (size_t v = 0; v < count; ++v) begin_[v + 1] += begin_[v];
    std::vector<int64_t> other(begin_[count]);
    std::vector<size_t> next(begin_.begin(), begin_.end() - 1);
    both([&](size_t a, int64_t b) { other[next[a]++] = b; });
    size_t kept = 0;
    for (size_t v = 0, from = 0; v < count; ++v) {
      const size_t end = begin_[v + 1];
      std::sort(other.begin() + int64_t(from), other.begin() + int64_t(end));
      begin_[v] = kept;
      link(v, other.data() + from, other.data() + end, points.data(), alike.data(), buried.data(), edge);
      kept = links_.size(), from = end;
    }
    begin_[count] = kept;
  }

  // Of columns (V,1+L): the ambient (V,), and shares of emitters times their diffuse and sheen (V,L).
  std::tuple<nb::object, nb::object, nb::object> smooth(Array<float, 2> columns, Array<float, 2> diffuse,
                                                        Array<float, 2> sheen) const {
    const size_t count = own_.size(), kinds = columns.shape(1) - 1;
    require(columns.shape(0) == count && diffuse.size() == count * kinds && sheen.size() == count * kinds,
            "columns are (V,1+L), diffuse and sheen (V,L)");
    std::vector<float> once(count), ambient(count), given(count * kinds), glossy(count * kinds);
    const size_t groups = kinds / 4 + 1;
    std::vector<Four> padded(count * groups), sums(groups);
    for (size_t v = 0; v < count; ++v)
      std::copy_n(columns.data() + v * (kinds + 1), kinds + 1, reinterpret_cast<float *>(&padded[v * groups]));
    const float *share = reinterpret_cast<const float *>(sums.data());
    for (size_t v = 0; v < count; ++v) {
      auto average = [&](size_t g, auto weight) {
        Four sum = weight(own_[v]) * padded[v * groups + g];
        for (size_t l = begin_[v]; l < begin_[v + 1]; ++l)
          sum += weight(links_[l]) * padded[size_t(links_[l].other) * groups + g];
        sums[g] = sum;
      };
      average(0, [](const Link &l) { return Four{l.ambient, l.shadow, l.shadow, l.shadow}; });
      for (size_t g = 1; g < groups; ++g)
        average(g, [](const Link &l) { return Four{l.shadow, l.shadow, l.shadow, l.shadow}; });
      once[v] = share[0];
      for (size_t k = 0, i = v * kinds; k < kinds; ++k, ++i)
        given[i] = share[1 + k] * diffuse.data()[i], glossy[i] = share[1 + k] * sheen.data()[i];
    }
    for (size_t v = 0; v < count; ++v) {
      ambient[v] = own_[v].ambient * once[v];
      for (size_t l = begin_[v]; l < begin_[v + 1]; ++l) ambient[v] += links_[l].ambient * once[size_t(links_[l].other)];
    }
    return {owned(std::move(ambient), 1), owned(std::move(given), {count, kinds}),
            owned(std::move(glossy), {count, kinds})};
  }

 private:
  using Four = float __attribute__((vector_size(16)));  // columns that are averaged side by side
  struct Link {
    int32_t other;
    float ambient, shadow;
  };
  std::vector<size_t> begin_;
  std::vector<Link> links_, own_;

  // exp(−x²) to two parts in a hundred where it matters, by exact operations: the same everywhere.
  static float bell(double square) {
    double c = 1 / (1 + square / 32);
    for (int k = 0; k < 5; ++k) c *= c;
    return float(c);
  }

  void link(size_t v, const int64_t *from, const int64_t *end, const double *points, const float *alike,
            const bool *buried, float edge) {
    const size_t first = links_.size();
    float ambient = 0, shadow = 0;
    while (from != end) {
      const int64_t b = *from;
      float sides = 0;
      for (; from != end && *from == b; ++from) ++sides;
      if (buried[b]) continue;
      Link link{int32_t(b), sides, sides};
      if (!buried[v]) {
        double far = 0;
        for (int k = 0; k < 3; ++k) {
          const double away = points[3 * v + size_t(k)] - points[3 * size_t(b) + size_t(k)];
          far += away * away;
        }
        const double reach = std::min(alike[v], alike[size_t(b)]);
        link.ambient *= bell(far / (reach * reach)), link.shadow *= bell(far / (double(edge) * edge)) / 4;
      }
      ambient += link.ambient, shadow += link.shadow;
      links_.push_back(link);
    }
    // Buried points take their neighbours' light, where they have any.
    const bool taken = buried[v] && ambient > 0;
    const float own = taken ? 0.0f : 1.0f;
    for (size_t l = first; l < links_.size(); ++l)
      links_[l].ambient /= own + ambient, links_[l].shadow /= own + shadow;
    own_.push_back({int32_t(v), own / (own + ambient), own / (own + shadow)});
  }
};

// Gaussians (N,) of triangles (F,) that are cut in four by the middles of their sides: those whose triangle's `place`
// among the cut is not −1 get the part they lie in, and their place in it, in place.
inline void rebind(Array<int64_t, 1> place, Out<int32_t, 1> triangle, Out<float, 2> bary) {
  const size_t count = triangle.shape(0);
  require(bary.shape(0) == count && bary.shape(1) == 3, "triangle is (N,), bary (N,3)");
  for (size_t i = 0; i < count; ++i) {
    const int32_t own = triangle.data()[i];
    require(own >= 0 && size_t(own) < place.shape(0), "a triangle is out of range");
    const int64_t cut = place.data()[own];
    if (cut < 0) continue;
    float *w = bary.data() + 3 * i;
    const int corner = w[0] > 0.5f ? 0 : w[1] > 0.5f ? 1 : w[2] > 0.5f ? 2 : -1;
    if (corner >= 0) triangle.data()[i] = int32_t(int64_t(place.shape(0)) + 3 * cut + corner);
    for (int k = 0; k < 3; ++k) w[k] = corner < 0 ? 1 - 2 * w[k] : 2 * w[k] - float(k == corner);
  }
}

}  // namespace light
