#include "fluid.h"

namespace fluid {
namespace {

constexpr float kGravity = 9.81f;
constexpr float kReach = 1.9f;       // kernel radius in spacings: about 28 neighbours
constexpr int kIterations = 2;
constexpr float kStep = 0.55f;       // of a Jacobi step: whole ones overshoot, and settled liquid would seethe
constexpr float kBelow = 0.97f;      // share of a vessel's particles that liquid at rest would carry
constexpr float kFastest = 4.0f;     // m/s; nothing in a kitchen falls faster before it lands
constexpr float kRelax = 0.02f;      // of the square of the constraint's gradient: keeps lone particles still
constexpr float kRestCount = 0.95f;  // the kernel sum of settled particles whose volume is spacing³
constexpr float kSteep = 7.3f;       // the spiky gradient's size, to be the kernel's own at one spacing
constexpr int kSlices = 64;

// Volume of the kernel 315/64π (1-q²)³ beyond a plane at distance u, in kernel radii: the midpoint rule over shells.
double cap(double u) {
  double sum = 0;
  constexpr int n = 2000;
  for (int k = 0; k < n; ++k) {
    const double q = (k + 0.5) / n;
    const double fall = 1 - q * q;
    if (q > u) sum += 315.0 / 32.0 * fall * fall * fall * q * (q - u) / n;
  }
  return sum;
}

float look_up(const std::vector<float>& table, float u) {
  const float at = std::clamp(u, 0.f, 1.f) * kSlices;
  const int k = std::min(static_cast<int>(at), kSlices - 1);
  return table[k] + (table[k + 1] - table[k]) * (at - static_cast<float>(k));
}

}  // namespace

Fluid::Fluid(float spacing, float viscosity)
    : d(spacing), h(kReach * spacing), clear(0.2f * spacing), viscosity(viscosity) {
  peak = static_cast<float>(315.0 / 64 / 3.14159265358979323846 / (kReach * kReach * kReach) / kRestCount);
  steep = -kSteep * peak / h;
  for (int k = 0; k <= kSlices; ++k) {
    const double u = static_cast<double>(k) / kSlices, e = 1e-4;
    beyond.push_back(static_cast<float>(cap(u)));
    slope.push_back(static_cast<float>((cap(u + e) - cap(u > e ? u - e : 0)) / (u > e ? 2 * e : u + e)) / h);
  }
}

void Fluid::step(const std::vector<Pose>& next, float dt, float calm) {
  const size_t n = x.size();
  p.resize(n);
  buoy(next, dt);
  for (size_t i = 0; i < n; ++i) {
    Vec w = v[i] * (1 - calm);
    w.z += (lift[i] - kGravity) * dt;
    const float speed = norm(w);
    if (speed > kFastest) w = w * (kFastest / speed);
    p[i] = x[i] + w * dt;
  }
  const std::vector<int> before = owner;
  collide(next);
  find_openings(next);
  pair_up();
  find_planes(next);
  lambda.assign(n, 0);
  for (int k = 0; k < kIterations; ++k) solve();
  owner = before;
  collide(next);
  for (size_t i = 0; i < n; ++i) v[i] = (p[i] - x[i]) * (1 / dt);
  smooth();
  x = p;
  poses = next;
}

// ---- Walls -----------------------------------------------------------------------------------------

void Fluid::find_planes(const std::vector<Pose>& next) {
  const size_t n = p.size();
  plane.assign(n, {});
  predicted = p;
  for (size_t i = 0; i < n; ++i) {
    if (owner[i] == kFree) {
      plane[i][0] = {{0, 0, 1}, p[i].z - ground.at(p[i].x, p[i].y)};
      continue;
    }
    const Vessel& w = vessels[owner[i]];
    const Pose& at = next[owner[i]];
    const Vec q = at.in(p[i]);
    if (w.deep(q, h)) continue;
    const float r = std::sqrt(q.x * q.x + q.y * q.y);
    if (w.spout) {
      const Vessel::Bore b = w.bore_at(q);
      const bool inside = q.z < w.top() && w.side(r, q.z).distance < 0;
      if (w.in_bore(b, w.bore) && !inside) {
        if (w.lid || q.z < b.foot.z) plane[i][0] = {at.turn(unit(b.foot - q, {0, 0, 1})), w.bore - b.away};
        continue;
      }
      if (w.in_bore(b, w.bore)) {  // before the bore's opening there is no side wall
        plane[i][0] = {at.z, q.z - w.low()};
        continue;
      }
    }
    const Side s = w.side(r, q.z);
    const Vec radial = r > 1e-7f ? Vec{q.x / r, q.y / r, 0} : Vec{1, 0, 0};
    plane[i][0] = {at.turn(radial * -s.nr + Vec{0, 0, -s.nz}), -s.distance};
    const bool low = !w.lid || q.z - w.low() < w.top() - q.z;
    plane[i][1] = {low ? at.z : at.z * -1.f, low ? q.z - w.low() : w.top() - q.z};
  }
}

void Fluid::collide(const std::vector<Pose>& next) {
  const float stride = 0.6f * d;
  for (size_t i = 0; i < p.size(); ++i) {
    if (owner[i] != kFree) {
      const int k = owner[i];
      const Step s = vessels[k].contained(poses[k].in(x[i]), next[k].in(p[i]), clear);
      if (s.touched) p[i] = next[k].out(s.at);
      if (s.inside) continue;
      owner[i] = kFree;
    } else {
      for (size_t k = 0; k < vessels.size(); ++k) {
        const Vec from = p[i] - next[k].t;
        const float bound = vessels[k].bound() + kFastest * 0.005f;
        if (dot(from, from) > bound * bound) continue;
        const Step s = vessels[k].outside(poses[k].in(x[i]), next[k].in(p[i]), clear);
        if (s.touched) p[i] = next[k].out(s.at);
        if (s.inside) {
          owner[i] = static_cast<int>(k);
          break;
        }
      }
      if (owner[i] != kFree) continue;
    }
    float floor = ground.at(p[i].x, p[i].y) + clear;
    if (p[i].z >= floor) continue;
    if (x[i].z < floor - stride) {  // the side of something: stop before it
      p[i].x = x[i].x, p[i].y = x[i].y;
      floor = ground.at(p[i].x, p[i].y) + clear;
    } else {  // lying on something: half of what it slides is lost to friction in every 20 ms
      p[i].x = x[i].x + (p[i].x - x[i].x) * 0.85f, p[i].y = x[i].y + (p[i].y - x[i].y) * 0.85f;
      floor = std::max(floor, ground.at(p[i].x, p[i].y) + clear);
    }
    p[i].z = std::max(p[i].z, floor);
  }
}

// ---- Pressure and viscosity ------------------------------------------------------------------------

// What liquid at rest would press upwards with (m/s²): all of gravity below the level that `kBelow` of a vessel's
// particles lie under, nothing above it; more where the vessel is lifted, none where it falls. Without this head start
// one Jacobi iteration carries the weight of no more than a few layers, and deep liquid is squeezed.
void Fluid::buoy(const std::vector<Pose>& next, float dt) {
  const size_t n = x.size();
  lift.assign(n, 0);
  climb.resize(vessels.size(), 0);
  std::vector<float> heights;
  for (size_t k = 0; k < vessels.size(); ++k) {
    const float before = climb[k];
    climb[k] = (next[k].t.z - poses[k].t.z) / dt;
    const float most = std::clamp(kGravity + (climb[k] - before) / dt, 0.f, 2 * kGravity);
    heights.clear();
    for (size_t i = 0; i < n; ++i)
      if (owner[i] == static_cast<int>(k)) heights.push_back(x[i].z);
    if (heights.empty()) continue;
    const auto at = heights.begin() + static_cast<std::ptrdiff_t>(kBelow * static_cast<float>(heights.size()));
    std::nth_element(heights.begin(), at, heights.end());
    for (size_t i = 0; i < n; ++i)
      if (owner[i] == static_cast<int>(k)) lift[i] = most * std::clamp((*at - x[i].z) / (2 * d), 0.f, 1.f);
  }
}

// Moves particles apart by pressures along the gradients of their densities: the pairs' share, and the walls' share.
void Fluid::spread(const std::vector<float>& pressure) {
  const int n = static_cast<int>(p.size());
  const float inverse = 1 / h, most = 0.3f * d;
  dx.assign(n, {});
  for (int i = 0; i < n; ++i)
    for (const Plane& w : plane[i])
      if (w.gap < h) dx[i] = dx[i] + w.n * (pressure[i] * look_up(slope, w.at(p[i] - predicted[i]) * inverse));
  for (int k = 0; k < n; ++k) {
    const int i = order[k];
    const float mine = pressure[i];
    Vec sum;
    for (int m = row[k]; m < row[k + 1]; ++m) {
      const int j = to[m];
      const Vec move = grad[m] * (mine + pressure[j]);
      sum = sum + move, dx[j] = dx[j] - move;
    }
    dx[i] = dx[i] + sum;
  }
  for (int i = 0; i < n; ++i) {
    const float far = norm(dx[i]);
    p[i] = p[i] + (far > most ? dx[i] * (most / far) : dx[i]);
  }
}

// One Jacobi iteration on the density constraints: liquid is pushed apart where it is too dense, never pulled together.
void Fluid::solve() {
  const int n = static_cast<int>(p.size());
  density.assign(n, peak), square.assign(n, 0), slant.assign(n, {}), change.resize(n);
  const float inverse = 1 / h, inverse2 = inverse * inverse;
  for (int k = 0; k < n; ++k) {
    const int i = order[k];
    const Vec a = p[i];
    float sum = 0, sq = 0;
    Vec g;
    for (int m = row[k]; m < row[k + 1]; ++m) {
      const int j = to[m];
      const Vec e = a - p[j];
      const float r2 = std::max(dot(e, e), 1e-12f), r = std::sqrt(r2);
      const float fall = std::max(1 - r2 * inverse2, 0.f), u = std::max(1 - r * inverse, 0.f);
      const float w = peak * fall * fall * fall, s = steep * u * u;
      const Vec way = e * (s / r);
      grad[m] = way;
      sum += w, sq += s * s, g = g + way;
      density[j] += w, square[j] += s * s, slant[j] = slant[j] - way;
    }
    density[i] += sum, square[i] += sq, slant[i] = slant[i] + g;
  }
  for (int i = 0; i < n; ++i) {
    float open_share = 1;
    for (const Plane& w : plane[i]) {
      if (w.gap >= h) continue;
      const float gap = w.at(p[i] - predicted[i]) * inverse;
      open_share *= 1 - look_up(beyond, gap);
      slant[i] = slant[i] + w.n * look_up(slope, gap);
    }
    const float c = density[i] - open_share;
    const float want = c / (square[i] + dot(slant[i], slant[i]) + kRelax * steep * steep);
    const float next = std::min(lambda[i] - kStep * want, 0.f);
    change[i] = next - lambda[i], lambda[i] = next;
  }
  spread(change);
}

// XSPH (Schechter and Bridson 2012): velocities drift towards those of the neighbours.
void Fluid::smooth() {
  const int n = static_cast<int>(p.size());
  dx.assign(n, {});
  const float inverse2 = 1 / (h * h);
  for (int k = 0; k < n; ++k) {
    const int i = order[k];
    const Vec a = p[i], va = v[i];
    Vec sum;
    for (int m = row[k]; m < row[k + 1]; ++m) {
      const int j = to[m];
      const Vec e = a - p[j];
      const float fall = std::max(1 - dot(e, e) * inverse2, 0.f);
      const Vec drift = (v[j] - va) * (viscosity * peak * fall * fall * fall);
      sum = sum + drift, dx[j] = dx[j] - drift;
    }
    dx[i] = dx[i] + sum;
  }
  for (int i = 0; i < n; ++i) v[i] = v[i] + dx[i];
}

}  // namespace fluid
