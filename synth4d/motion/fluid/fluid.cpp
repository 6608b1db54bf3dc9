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
constexpr int kAtOnce = 512;         // pairs

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

// Turns the squared distances of pairs into the squares of their gradients; and what makes a gradient of the vector
// between two, and their kernels.
void weigh(float* __restrict square, float* __restrict rate, float* __restrict kernel, int count, float inverse,
           float peak, float steep) {
  const float inverse2 = inverse * inverse;
  for (int m = 0; m < count; ++m) {
    const float r2 = square[m] < 1e-12f ? 1e-12f : square[m];
    const float r = std::sqrt(r2), near = 1 - r2 * inverse2, close = 1 - r * inverse;
    const float fall = near < 0 ? 0 : near, u = close < 0 ? 0 : close;
    const float s = steep * u * u;
    rate[m] = s / r, kernel[m] = peak * fall * fall * fall, square[m] = s * s;
  }
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
  for (size_t k = 0; k < n; ++k) p[order[k]] = three(at[k]);
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
  for (size_t k = 0; k < n; ++k) {
    const int i = order[k];
    std::array<Plane, 2>& walls = plane[k];
    if (owner[i] == kFree) {
      walls[0] = {{0, 0, 1}, p[i].z - ground.at(p[i].x, p[i].y)};
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
        if (w.lid || q.z < b.foot.z) walls[0] = {at.turn(unit(b.foot - q, {0, 0, 1})), w.bore - b.away};
        continue;
      }
      if (w.in_bore(b, w.bore)) {  // before the bore's opening there is no side wall
        walls[0] = {at.z, q.z - w.low()};
        continue;
      }
    }
    const Side s = w.side(r, q.z);
    const Vec radial = r > 1e-7f ? Vec{q.x / r, q.y / r, 0} : Vec{1, 0, 0};
    walls[0] = {at.turn(radial * -s.nr + Vec{0, 0, -s.nz}), -s.distance};
    const bool low = !w.lid || q.z - w.low() < w.top() - q.z;
    walls[1] = {low ? at.z : at.z * -1.f, low ? q.z - w.low() : w.top() - q.z};
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
  dx.assign(n, Four{});
  for (int k = 0; k < n; ++k)
    for (const Plane& w : plane[k])
      if (w.gap < h)
        dx[k] += four(w.n * (pressure[k] * look_up(slope, w.at(three(at[k] - predicted[k])) * inverse)));
  for (int k = 0; k < n; ++k) {
    const float mine = pressure[k];
    Four sum{};
    for (int m = row[k], end = row[k + 1]; m < end; ++m) {
      const int j = to[m];
      const Four move = grad[m] * (mine + pressure[j]);
      sum += move, dx[j] -= move;
    }
    dx[k] += sum;
  }
  for (int k = 0; k < n; ++k) {
    const float far = norm(three(dx[k]));
    at[k] += far > most ? dx[k] * (most / far) : dx[k];
  }
}

// One Jacobi iteration on the density constraints: liquid is pushed apart where it is too dense, never pulled together.
void Fluid::solve() {
  const int n = static_cast<int>(p.size());
  const float inverse = 1 / h;
  const Four away{-1, -1, -1, 1};
  pull.assign(n, Four{0, 0, 0, peak}), square.assign(n, 0), change.resize(n);
  for (int from = 0, till = 0; from < n; from = till) {  // in turns whose pairs stay in the nearest cache
    const int begin = row[from];
    for (; till < n && row[till] - begin < kAtOnce; ++till)
      for (int m = row[till]; m < row[till + 1]; ++m) {
        const Four e = at[till] - at[to[m]], e2 = e * e;
        grad[m] = e, steps[m] = e2[0] + e2[1] + e2[2];
      }
    weigh(steps.data() + begin, rate.data() + begin, kernel.data() + begin, row[till] - begin, inverse, peak, steep);
    for (int k = from; k < till; ++k) {
      float sq = 0;
      Four sum{};
      for (int m = row[k], end = row[k + 1]; m < end; ++m) {
        const int j = to[m];
        Four g = grad[m] * rate[m];
        g[3] = kernel[m], grad[m] = g;
        sum += g, pull[j] += g * away;
        sq += steps[m], square[j] += steps[m];
      }
      pull[k] += sum, square[k] += sq;
    }
  }
  for (int k = 0; k < n; ++k) {
    float open_share = 1;
    Vec slant = three(pull[k]);
    for (const Plane& w : plane[k]) {
      if (w.gap >= h) continue;
      const float gap = w.at(three(at[k] - predicted[k])) * inverse;
      open_share *= 1 - look_up(beyond, gap);
      slant = slant + w.n * look_up(slope, gap);
    }
    const float c = pull[k][3] - open_share;
    const float want = c / (square[k] + dot(slant, slant) + kRelax * steep * steep);
    const float next = std::min(lambda[k] - kStep * want, 0.f);
    change[k] = next - lambda[k], lambda[k] = next;
  }
  spread(change);
}

// XSPH (Schechter and Bridson 2012): velocities drift towards those of the neighbours.
void Fluid::smooth() {
  const int n = static_cast<int>(p.size());
  dx.assign(n, Four{}), speed.resize(n);
  for (int k = 0; k < n; ++k) at[k] = four(p[order[k]]), speed[k] = four(v[order[k]]);
  const float inverse2 = 1 / (h * h);
  for (int k = 0; k < n; ++k) {
    Four sum{};
    const Four here = at[k], mine = speed[k];
    for (int m = row[k], end = row[k + 1]; m < end; ++m) {
      const int j = to[m];
      const Four e = here - at[j], e2 = e * e;
      const float fall = std::max(1 - (e2[0] + e2[1] + e2[2]) * inverse2, 0.f);
      const Four drift = (speed[j] - mine) * (viscosity * peak * fall * fall * fall);
      sum += drift, dx[j] -= drift;
    }
    dx[k] += sum;
  }
  for (int k = 0; k < n; ++k) v[order[k]] = three(speed[k] + dx[k]);
}

}  // namespace fluid
