// Which particles are near which, on a grid of cells as wide as the kernel.
#include "fluid.h"

namespace fluid {
namespace {

constexpr int kCells = 64;        // most cells of a side of the grid; what lies beyond shares the last
constexpr float kMargin = 0.08f;  // m
constexpr int kLanes = 8;         // so many are asked at once; the last lanes may be of none

}  // namespace

void Fluid::find_openings(const std::vector<Pose>& next) {
  open.assign(p.size(), 0);
  for (size_t i = 0; i < p.size(); ++i)
    for (size_t k = 0; k < vessels.size(); ++k) {
      const Vessel& w = vessels[k];
      const Vec q = next[k].in(p[i]);
      bool here = !w.lid && q.z > w.top() - d;
      if (!here && w.spout && dot(q, q) < w.bound() * w.bound() * 4) {
        const Vessel::Bore b = w.bore_at(q);
        here = b.t > w.length - 2 * d && b.away < 2 * w.bore;
      }
      if (here) open[i] |= 1u << k;
    }
}

// Pairs within the kernel's reach, each once. Particles with a wall between them are none: one is in a vessel, and not
// both are at its openings.
void Fluid::pair_up() {
  const int n = static_cast<int>(p.size());
  Vec low{1e9f, 1e9f, 1e9f}, high{-1e9f, -1e9f, -1e9f};
  bool any = false;
  for (int i = 0; i < n; ++i) any = any || owner[i] != kFree;
  for (int i = 0; i < n; ++i) {  // the grid spans what is contained, and a hand's breadth of what is not
    if (any && owner[i] == kFree) continue;
    low = {std::min(low.x, p[i].x), std::min(low.y, p[i].y), std::min(low.z, p[i].z)};
    high = {std::max(high.x, p[i].x), std::max(high.y, p[i].y), std::max(high.z, p[i].z)};
  }
  low = low - Vec{kMargin, kMargin, kMargin};
  auto cells = [&](float a, float b) { return std::clamp(static_cast<int>((b + kMargin - a) / h) + 1, 1, kCells); };
  const int nx = cells(low.x, high.x), ny = cells(low.y, high.y), nz = cells(low.z, high.z);
  auto slot = [&](float a, float from, int count) {
    return static_cast<int>(std::clamp((a - from) / h, 0.f, static_cast<float>(count - 1)));
  };
  cell.resize(n), order.resize(n), seen.resize(n), row.assign(n + 1, 0);
  at.resize(n), px.resize(n), py.resize(n), pz.resize(n);
  const int room = n + kLanes;
  about.resize(room), ax.resize(room), ay.resize(room), az.resize(room), near.resize(room);
  first.assign(nx * ny * nz + 2, 0);
  for (int i = 0; i < n; ++i) {
    cell[i] = (slot(p[i].z, low.z, nz) * ny + slot(p[i].y, low.y, ny)) * nx + slot(p[i].x, low.x, nx);
    ++first[cell[i] + 2];  // counted two ahead: while they are sorted in, `first` moves on to where each cell begins
  }
  int before = 0;
  for (int& f : first) f = before += f;
  for (int i = 0; i < n; ++i) order[first[cell[i] + 1]++] = i;
  bool mixed = false;
  for (int k = 0; k < n; ++k) {
    const int i = order[k];
    seen[k] = {owner[i], owner[i] == kFree ? 0u : 1u << owner[i], open[i]};
    at[k] = four(p[i]), px[k] = p[i].x, py[k] = p[i].y, pz[k] = p[i].z;
    mixed = mixed || owner[i] != owner[0];
  }
  predicted = at;
  const float h2 = h * h;
  size_t count = 0;
  for (int k = 0; k < n;) {  // all of a cell have the same about them
    const int c = cell[order[k]], cx = c % nx, cy = c / nx % ny, cz = c / (nx * ny);
    const int left = cx > 0 ? 1 : 0, right = cx + 1 < nx ? 1 : 0;
    int some = 0;
    auto add = [&](int begin, int end) {
      for (int m = begin; m < end; ++m, ++some) about[some] = m, ax[some] = px[m], ay[some] = py[m], az[some] = pz[m];
    };
    add(k, first[c + 1 + right]);
    for (int s = 0; s < 4; ++s) {
      const int y = cy + (s == 0 ? 1 : s - 2), z = cz + (s == 0 ? 0 : 1);
      if (y < 0 || y >= ny || z >= nz) continue;
      const int b = (z * ny + y) * nx + cx;
      add(first[b - left], first[b + 1 + right]);
    }
    for (int own = 0; k < first[c + 1]; ++k) {
      row[k] = static_cast<int>(count), ++own;
      if (to.size() < count + some) to.resize(2 * (count + some));
      const size_t found = count + reached(at[k], own, some, h2, count);
      if (!mixed) {
        count = found;
        continue;
      }
      const Seen a = seen[k];
      for (size_t m = count; m < found; ++m) {
        const Seen& b = seen[to[m]];
        to[count] = to[m];
        count += (a.owner == b.owner) | (((a.inside | b.inside) & ~(a.open & b.open)) == 0);
      }
    }
  }
  row[n] = static_cast<int>(count);
  grad.resize(count), steps.resize(count), rate.resize(count), kernel.resize(count);
}

// Puts those of `about` from one on that are nearer than the root of h2 to a place into `to` from `count`; how many.
size_t Fluid::reached(Four place, int from, int end, float h2, size_t count) {
  const float *__restrict x = ax.data(), *__restrict y = ay.data(), *__restrict z = az.data();
  int *__restrict hit = near.data(), *__restrict out = to.data() + count;
  const float px = place[0], py = place[1], pz = place[2];
  for (int m = from; m < end; m += kLanes)
    for (int i = m; i < m + kLanes; ++i) {
      const float ex = x[i] - px, ey = y[i] - py, ez = z[i] - pz;
      hit[i] = ex * ex + ey * ey + ez * ez < h2;
    }
  const int* __restrict names = about.data();
  size_t found = 0;
  for (int m = from; m < end; ++m) out[found] = names[m], found += hit[m];  // no branch: it couldn't be foreseen
  return found;
}

}  // namespace fluid
