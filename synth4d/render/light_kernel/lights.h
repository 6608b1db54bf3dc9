// What emitters give points, and how open points are to them and to the ambient.
#pragma once

#include "../../tracer/common.h"

namespace light {

using namespace geo;

// The cosine to the power 24: a broad highlight.
inline float gleam(float c) {
  const float c2 = c * c, c4 = c2 * c2, c8 = c4 * c4;
  return c8 * c8 * c8;
}

// L emitters, each of S samples, in some frame.
class Lights {
 public:
  // Samples (L,S,3) and the normals (L,S,3) there of glowing surfaces: 0 = both sides shine. `lamp` (L,): shines all
  // ways from its middle. No distance is below √least (L,), nothing is given beyond reach (L,).
  Lights(Array<float, 3> samples, Array<float, 3> facing, Array<bool, 1> lamp, Array<float, 1> least,
         Array<float, 1> reach) {
    const size_t count = samples.shape(0);
    require(samples.shape(1) == kSamples && samples.shape(2) == 3 && facing.size() == samples.size(),
            "samples and facing are (L,16,3)");
    require(lamp.shape(0) == count && least.shape(0) == count && reach.shape(0) == count,
            "lamp, least and reach are (L,)");
    for (size_t l = 0; l < count; ++l) {
      Light light{lamp.data()[l], least.data()[l], reach.data()[l]};
      for (size_t s = 0; s < kSamples; ++s) {
        const int64_t i = int64_t(l * kSamples + s);
        light.put(s, at(samples.data(), i), at(facing.data(), i));
      }
      lights_.push_back(light.settled());
    }
  }

  // The same ones in the frame that a motion leads to.
  Lights moved(Array<float, 2> motion) const {
    require(motion.shape(0) == 3 && motion.shape(1) == 4, "motion is (3,4)");
    Lights out = *this;
    const Motion into{motion.data()};
    for (Light &l : out.lights_) {
      for (size_t s = 0; s < kSamples; ++s) l.put(s, into.move(l.sample(s)), into.turn(l.facing(s)));
      l = l.settled();
    }
    return out;
  }

  nb::object samples() const {
    std::vector<float> out;
    for (const Light &l : lights_)
      for (size_t s = 0; s < kSamples; ++s) out.insert(out.end(), {l.side[0][s], l.side[1][s], l.side[2][s]});
    return owned(std::move(out), {lights_.size(), kSamples, size_t(3)});
  }

  // Diffuse and sheen (V,L) of points (V,3) with normals (V,3).
  std::tuple<nb::object, nb::object> aim(Array<float, 2> points, Array<float, 2> normals) const {
    require(points.shape(0) == normals.shape(0), "points and normals are (V,3)");
    const size_t count = points.shape(0), kinds = lights_.size();
    std::vector<float> diffuse(count * kinds), sheen(count * kinds);
    for (size_t v = 0; v < count; ++v) {
      const Vec p = at(points.data(), int64_t(v)), n = at(normals.data(), int64_t(v));
      for (size_t k = 0; k < kinds; ++k) {
        const Light &l = lights_[k];
        float &given = diffuse[v * kinds + k], &glossy = sheen[v * kinds + k];
        const Vec way{l.middle.x - p.x, l.middle.y - p.y, l.middle.z - p.z};
        if (dot(way, n) < -l.radius) continue;  // below the horizon
        const float square = std::max(dot(way, way), l.least);
        if (l.lamp) {
          const float c = std::max(dot(way, n) / std::sqrt(square), 0.0f);
          given = c / square, glossy = gleam(c) / square;
        } else if (square < l.reach * l.reach) {
          float share[kSamples], cosine[kSamples];
          l.give(p, n, share, cosine);
          for (size_t s = 0; s < kSamples; ++s) given += share[s] * cosine[s], glossy += share[s] * gleam(cosine[s]);
        }
      }
    }
    return {owned(std::move(diffuse), {count, kinds}), owned(std::move(sheen), {count, kinds})};
  }

  // How open points are, 0..1, to the ambient and to each emitter (R,1+L): from openings (R,K), whose sums are divided
  // by `over`, and bits of blocked samples (R,L), of some rows of points, normals (V,3) and their diffuse (V,L).
  nb::object columns(Array<float, 2> opening, float over, Array<uint16_t, 2> blocked, Array<int64_t, 1> rows,
                     Array<float, 2> points, Array<float, 2> normals, Array<float, 2> diffuse) const {
    const size_t count = rows.shape(0), kinds = lights_.size(), per = opening.shape(1);
    require(opening.shape(0) == count && blocked.shape(0) == count && blocked.shape(1) == kinds,
            "opening is (R,K), blocked (R,L)");
    require(points.shape(0) == normals.shape(0) && points.shape(0) == diffuse.shape(0) && diffuse.shape(1) == kinds,
            "points and normals are (V,3), diffuse (V,L)");
    std::vector<float> out(count * (1 + kinds));
    for (size_t i = 0; i < count; ++i) {
      float sum = 0, *own = out.data() + i * (1 + kinds);
      for (size_t k = 0; k < per; ++k) sum += opening.data()[i * per + k];
      own[0] = sum / over;
      const int64_t row = row_of(rows, int64_t(i), points);
      for (size_t k = 0; k < kinds; ++k)
        own[1 + k] = lights_[k].open(blocked.data()[i * kinds + k], at(points.data(), row), at(normals.data(), row),
                                     diffuse.data()[size_t(row) * kinds + k]);
    }
    return owned(std::move(out), {count, 1 + kinds});
  }

 private:
  static constexpr size_t kSamples = 16;
  struct Light {
    bool lamp;
    float least, reach;
    Vec middle{};
    float radius = 0;
    float side[6][kSamples] = {}, half[kSamples] = {};  // samples and normals by coordinate; ½ where both sides shine

    Vec sample(size_t s) const { return {side[0][s], side[1][s], side[2][s]}; }
    Vec facing(size_t s) const { return {side[3][s], side[4][s], side[5][s]}; }
    void put(size_t s, Vec p, Vec f) {
      side[0][s] = p.x, side[1][s] = p.y, side[2][s] = p.z, side[3][s] = f.x, side[4][s] = f.y, side[5][s] = f.z;
      half[s] = f.x == 0 && f.y == 0 && f.z == 0 ? 0.5f : 0.0f;
    }

    Light settled() {
      middle = {0, 0, 0}, radius = 0;
      for (size_t s = 0; s < kSamples; ++s) {
        const Vec v = sample(s);
        middle = {middle.x + v.x / kSamples, middle.y + v.y / kSamples, middle.z + v.z / kSamples};
      }
      for (size_t s = 0; s < kSamples; ++s) {
        const Vec v = sample(s), away{v.x - middle.x, v.y - middle.y, v.z - middle.z};
        radius = std::max(radius, 1.001f * std::sqrt(dot(away, away)));
      }
      return *this;
    }

    // What each sample sends to a point, and its cosine there: side by side, to be summed in order.
    void give(Vec p, Vec n, float *given, float *cosine) const {
      for (size_t s = 0; s < kSamples; ++s) {
        const Vec w{side[0][s] - p.x, side[1][s] - p.y, side[2][s] - p.z}, f{side[3][s], side[4][s], side[5][s]};
        const float d2 = dot(w, w), length = std::sqrt(std::max(d2, 1e-12f));
        cosine[s] = std::max(dot(w, n) / length, 0.0f);
        given[s] = (std::max(-dot(w, f) / length, 0.0f) + half[s]) / (std::max(d2, least) * float(kSamples));
      }
    }

    // Share of its light on a point that some blocked samples leave.
    float open(uint32_t bits, Vec p, Vec n, float whole) const {
      if (!bits) return 1;
      if (bits == (1u << kSamples) - 1) return 0;
      float sum = 0;
      if (lamp) {
        for (size_t s = 0; s < kSamples; ++s) sum += float(!(bits >> s & 1));
        return sum / kSamples;
      }
      float given[kSamples], cosine[kSamples];
      give(p, n, given, cosine);
      for (size_t s = 0; s < kSamples; ++s)
        if (!(bits >> s & 1)) sum += given[s] * cosine[s];
      return whole > 0 ? sum / whole : 0;
    }
  };
  std::vector<Light> lights_;
};

}  // namespace light
