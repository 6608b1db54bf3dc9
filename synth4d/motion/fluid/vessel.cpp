#include "vessel.h"

namespace fluid {
namespace {

constexpr float kSlide = 3e-4f;  // m in a step

float flat(Vec p) { return std::sqrt(p.x * p.x + p.y * p.y); }

// The point at radius `r` and height `z` in the half-plane of p.
Vec at(Vec p, float r, float z) {
  const float pr = flat(p);
  return pr > 1e-7f ? Vec{p.x * r / pr, p.y * r / pr, z} : Vec{r, 0, z};
}

// Where a way crosses the height z; the way does cross it.
Vec crossing(Vec a, Vec b, float z) { return a + (b - a) * ((z - a.z) / (b.z - a.z)); }

}  // namespace

Vec Vessel::into_cone(Vec p, float clear, Vec& normal) const {
  const float ceiling = lid ? top() - clear : top();
  float pz = std::clamp(p.z, low() + clear, ceiling), pr = flat(p);
  if (p.z < low() + clear) normal = {0, 0, 1};
  if (p.z > ceiling) normal = {0, 0, -1};
  for (int k = 0; k < 2; ++k) {  // the second pass is for corners
    const Side s = side(pr, pz);
    if (s.distance <= -clear) break;
    const float push = s.distance + clear;
    pr -= push * s.nr, pz = std::clamp(pz - push * s.nz, low() + clear, ceiling);
    const Vec out = at(p, 1, 0);
    normal = {-out.x * s.nr, -out.y * s.nr, -s.nz};
  }
  pr = std::clamp(pr, 0.f, std::max(radius(pz) - 0.5f * clear, 0.f));
  return at(p, pr, pz);
}

Vec Vessel::into_bore(Vec p, const Bore& b, float clear, Vec& normal) const {
  normal = unit(b.foot - p, {0, 0, 1});
  return b.away > bore - clear ? b.foot - normal * (bore - clear) : p;
}

Step Vessel::contained(Vec p0, Vec p1, float clear) const {
  if (deep(p1, clear) && deep(p0, clear)) return {p1, true};
  Step out{p1, true};
  const Bore b0 = spout ? bore_at(p0) : Bore{}, b1 = spout ? bore_at(p1) : Bore{};
  const bool in_spout = in_bore(b0, bore) && !in_body(p0);
  // A way that cuts through the wall between the bore and the body ends on the side where it began.
  if (holds(p1, clear) && (!spout || holds((p0 + p1) * 0.5f, -0.25f * wall))) return out;
  out.touched = true;
  if (spout && b1.t > length && b0.t <= length && b0.away < bore) {
    const float s = (length - b0.t) / (b1.t - b0.t);
    if (norm(p0 + (p1 - p0) * s - tip) < bore) return {p1, false};
  }
  if (in_spout) {
    if (!lid && p1.z > b1.foot.z) return {p1, false};
    out.at = into_bore(p1, b1, clear, out.normal);
    return out;
  }
  if (!lid && p1.z >= top()) {
    if (p0.z >= top() || flat(crossing(p0, p1, top())) < mouth()) return {p1, false};
    out.at = at(p1, std::max(mouth() - clear, 0.f), top() - clear);
    const Vec radial = at(p1, 1, 0);
    out.normal = {-radial.x, -radial.y, 0};
    return out;
  }
  out.at = into_cone(p1, clear, out.normal);
  if (in_bore(b0, bore)) {
    Vec normal;
    const Vec other = into_bore(p1, b1, clear, normal);
    if (norm(other - p1) < norm(out.at - p1)) out.at = other, out.normal = normal;
  }
  return out;
}

// Liquid from the open that comes into the spout: through its tip, or from above where it is a trough.
Step Vessel::into_spout(const Bore& b0, Vec p1, const Bore& b1, float clear) const {
  if (b1.away <= bore - clear) return {p1, true};
  Step out{p1, true, true};
  if (b0.t >= length)  // it met the edge of the tip
    out.at = p1 + along * (length - b1.t + 1e-4f), out.normal = along, out.inside = false;
  else
    out.at = into_bore(p1, b1, clear, out.normal);
  return out;
}

Step Vessel::outside(Vec p0, Vec p1, float clear) const {
  if (holds(p0, 0)) return contained(p0, p1, clear);  // another vessel let it go in here
  Step out{p1, false};
  const float roof = lid ? top() + wall : top();
  if (spout) {
    const Bore b0 = bore_at(p0), b1 = bore_at(p1);
    if (b1.t > 0 && in_bore(b1, bore + wall)) {
      const bool front = b0.t >= length, above = !lid && p0.z > b0.foot.z;
      if ((front || above) && b1.away < bore) return into_spout(b0, p1, b1, clear);
      if (!front && !above && flat(p1) > radius(p1.z) + wall) {
        out.normal = unit(p1 - b1.foot, {0, 0, -1}), out.touched = true;
        out.at = b1.foot + out.normal * (bore + wall + clear);
        return out;
      }
    }
  }
  if (p0.z >= roof && p1.z < roof) {
    const Vec c = crossing(p0, p1, roof);
    if (!lid && flat(c) < mouth()) {
      Step in{p1, true};
      if (!in_body(p1) || !holds(p1, clear)) in.at = into_cone(p1, clear, in.normal), in.touched = true;
      return in;
    }
    if (flat(c) < mouth() + wall) {
      // Rims are round: what lands on one slides off, to the nearer side.
      const float slide = lid || flat(c) > mouth() + wall / 2 ? kSlide : -kSlide;
      out.at = at(c, flat(c) + slide, roof + clear), out.touched = true;
      return out;
    }
  }
  const float pr = flat(p1), shell = radius(p1.z) + wall;
  if (pr >= shell || p1.z >= roof || p1.z <= low() - wall) return out;
  out.touched = true;
  const float under = p1.z - (low() - wall);
  if (under < shell - pr && p0.z < low()) {
    out.at.z = low() - wall - clear, out.normal = {0, 0, -1};
    return out;
  }
  out.normal = at(p1, 1, 0), out.normal.z = 0;
  out.at = at(p1, shell + clear, p1.z);
  return out;
}

}  // namespace fluid
