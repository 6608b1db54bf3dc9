// A vessel as a solid of revolution about +z: an inside given by radii at heights, walls of one thickness, a mouth that
// is open or lidded, and perhaps a spout: a straight bore from inside to its tip, under a lid a tube, else a trough.
#pragma once

#include <algorithm>
#include <vector>

#include "vec.h"

namespace fluid {

// What a wall did to a step of a particle.
struct Step {
  Vec at;
  bool inside;
  bool touched = false;
  Vec normal{0, 0, 1};  // of the wall that was touched, towards the liquid
};

// The nearest side wall in the half-plane (r, z): signed distance (negative inside) and outward direction.
struct Side {
  float distance, nr, nz;
};

class Vessel {
 public:
  std::vector<float> z, r;  // profile from the bottom up, z rising
  float wall = 0.004f, bore = 0;
  bool lid = false, spout = false;
  Vec throat, tip, along;  // the bore's axis, and its direction
  float length = 0;

  void finish() {
    along = unit(tip - throat, {1, 0, 0});
    length = norm(tip - throat);
    narrow = *std::min_element(r.begin(), r.end());
    wide = *std::max_element(r.begin(), r.end());
    const float tall = std::max(top() * top(), low() * low());
    reach = std::max(spout ? norm(tip) + bore : 0.f, std::sqrt(wide * wide + tall)) + wall;
  }
  float low() const { return z.front(); }
  float top() const { return z.back(); }
  float mouth() const { return r.back(); }
  float bound() const { return reach; }

  float radius(float at) const {
    if (at <= z.front()) return r.front();
    for (size_t k = 1; k < z.size(); ++k)
      if (at <= z[k]) return r[k - 1] + (r[k] - r[k - 1]) * ((at - z[k - 1]) / (z[k] - z[k - 1]));
    return r.back();
  }

  Side side(float pr, float pz) const {
    float best = 1e30f, br = 1, bz = 0, nr = 1, nz = 0;
    for (size_t k = 1; k < z.size(); ++k) {
      const float dr = r[k] - r[k - 1], dz = z[k] - z[k - 1];
      const float u = std::clamp(((pr - r[k - 1]) * dr + (pz - z[k - 1]) * dz) / (dr * dr + dz * dz), 0.f, 1.f);
      const float cr = pr - (r[k - 1] + u * dr), cz = pz - (z[k - 1] + u * dz), d2 = cr * cr + cz * cz;
      if (d2 < best) {
        const float n = 1 / std::sqrt(dr * dr + dz * dz);
        best = d2, br = cr, bz = cz, nr = dz * n, nz = -dr * n;
      }
    }
    const float d = std::sqrt(best), sign = pr < radius(pz) ? -1.f : 1.f;
    if (d > 1e-7f) nr = sign * br / d, nz = sign * bz / d;
    return {sign * d, nr, nz};
  }

  // Far enough inside that no wall matters within `margin`.
  bool deep(Vec p, float margin) const {
    const float free = narrow - margin;
    return free > 0 && p.x * p.x + p.y * p.y < free * free && p.z > low() + margin && p.z < top() - margin;
  }

  struct Bore {
    float t = 0;     // metres along the axis from the throat
    float away = 0;  // from the axis
    Vec foot;
  };
  Bore bore_at(Vec p) const {
    const float t = dot(p - throat, along);
    const Vec foot = throat + along * std::clamp(t, 0.f, length);
    return {t, norm(p - foot), foot};
  }

  bool in_bore(const Bore& b, float radius) const { return spout && b.t <= length && b.away < radius; }

  bool in_body(Vec p) const {
    return p.z > low() && p.z < top() && p.x * p.x + p.y * p.y < radius(p.z) * radius(p.z);
  }

  // The part of space in which liquid counts as contained, shrunk by `clear`.
  bool holds(Vec p, float clear) const {
    if (p.z < top() && p.z > low() + clear && (!lid || p.z < top() - clear)) {
      const float pr = std::sqrt(p.x * p.x + p.y * p.y);
      if (side(pr, p.z).distance < -clear) return true;
    }
    return spout && in_bore(bore_at(p), bore - clear);
  }

  Step contained(Vec p0, Vec p1, float clear) const;
  Step outside(Vec p0, Vec p1, float clear) const;

 private:
  float narrow = 0, wide = 0, reach = 0;

  Step into_spout(const Bore& b0, Vec p1, const Bore& b1, float clear) const;
  Vec into_cone(Vec p, float clear, Vec& normal) const;
  Vec into_bore(Vec p, const Bore& b, float clear, Vec& normal) const;
};

}  // namespace fluid
