#include "cover.h"

#include <unordered_map>

namespace synth4d {

namespace {

constexpr int PLANES[3][2] = {{1, 2}, {2, 0}, {0, 1}};
// Place of the first point in cells; a little off the middle, and so off the diagonals of symmetric faces.
constexpr double SHIFT = 0.5 + 1.7e-4;
constexpr int64_t BLOCK = 6;  // cells a side that are looked for at once
constexpr double NEAR_M = 0.1;  // depth that stands for a camera within the bounds of what it looks at

// How far the half-opaque contour of a border row of Gaussians lies beyond the row, in cells, where a pixel is
// `pixel` cells wide across the border: a fit within 1 % to sums over lattices of SIGMA 0.55, OPACITY 0.97 and a
// pixel filter of 0.3 pixels².
double overhang(double pixel) { return 0.77 + 0.70 * pixel * pixel / (1 + 0.39 * pixel); }

// How far that contour of a round silhouette lies beyond the surface, in pixels: many Gaussians overlap there.
constexpr double LIMB = 1.4;
constexpr double EDGE = 1.3;  // the same for a flat surface seen edge-on

struct Lattice {  // of one triangle
  int axis, u, v;
  double slope_u, slope_v;
  double weights[2][3];  // barycentric coordinates 1 and 2 as affine functions of the lattice coordinates

  Lattice(const double *c, const Vec &n) {
    axis = 0;
    for (int k = 1; k < 3; k++)
      if (std::abs(n[k]) > std::abs(n[axis])) axis = k;
    u = PLANES[axis][0], v = PLANES[axis][1];
    slope_u = -n[u] / n[axis], slope_v = -n[v] / n[axis];
    const double ax = c[u], ay = c[v], ex = c[3 + u] - ax, ey = c[3 + v] - ay, fx = c[6 + u] - ax, fy = c[6 + v] - ay;
    const double area = ex * fy - ey * fx;
    const double rows[2][3] = {{fy, -fx, fx * ay - fy * ax}, {-ey, ex, ey * ax - ex * ay}};
    for (int r = 0; r < 2; r++)
      for (int k = 0; k < 3; k++) weights[r][k] = rows[r][k] / area;
  }
};

struct Piece {  // of a triangle within one column of chunks
  int32_t triangle;
  int64_t chunk[2];
  double low[2], high[2];
  Vec center;
  double radius, mean;
  uint32_t group;  // pieces of a body in one chunk share a spacing
  double strip;
};

struct Coverer {
  const Sheet &sheet;
  const Outlines &outlines;
  const std::vector<BodyView> &bodies;
  const Horizon &horizon;
  const std::vector<double> &spacing_px;
  double focal;
  const Grain &grain;
  std::vector<Piece> pieces;
  std::vector<double> spacing;  // of each group
  std::unordered_map<uint64_t, uint32_t> groups;
  Points out;

  void cut(int32_t t) {
    const double *c = sheet.corners + 9 * t;
    const Vec n = vec(sheet.flat + 3 * t);
    const Views &seen = bodies[sheet.body[t]].views;
    const Lattice L(c, n);
    double low[2], high[2];
    const int axes[2] = {L.u, L.v};
    for (int k = 0; k < 2; k++) {
      const double a = c[axes[k]], b = c[3 + axes[k]], d = c[6 + axes[k]];
      low[k] = std::min({a, b, d}), high[k] = std::max({a, b, d});
    }
    int64_t first[2], last[2];
    for (int k = 0; k < 2; k++) {
      first[k] = (int64_t)std::floor(low[k] / grain.chunk + 0.5);
      last[k] = (int64_t)std::floor(high[k] / grain.chunk + 0.5);
    }
    const int32_t s = sheet.source[t];
    const double strip = std::min(2 * outlines.bend[s], outlines.strip[s]);
    for (int64_t i = first[0]; i <= last[0]; i++)
      for (int64_t j = first[1]; j <= last[1]; j++) {
        Piece p{t, {i, j}, {}, {}, {}, 0, 0, 0, strip};
        double half[2], middle[2];
        for (int k = 0; k < 2; k++) {
          p.low[k] = std::max(low[k], (p.chunk[k] - 0.5) * grain.chunk);
          p.high[k] = std::min(high[k], (p.chunk[k] + 0.5) * grain.chunk);
          middle[k] = (p.low[k] + p.high[k]) / 2, half[k] = (p.high[k] - p.low[k]) / 2;
        }
        p.center[L.u] = middle[0], p.center[L.v] = middle[1];
        p.center[L.axis] = c[L.axis] + L.slope_u * (middle[0] - c[L.u]) + L.slope_v * (middle[1] - c[L.v]);
        const double rise = std::abs(L.slope_u) * half[0] + std::abs(L.slope_v) * half[1];
        p.radius = std::sqrt(half[0] * half[0] + half[1] * half[1] + rise * rise);
        const Reach reach = seen.reach(p.center, p.radius);
        if (reach.nearest == INF) continue;
        p.mean = std::max(reach.mean, NEAR_M) / focal;
        // A surface seen at a slant is foreshortened: its Gaussians may stand further apart, up to a limit.
        const double slant = std::clamp(seen.highest(p.center, n), grain.slant, 1.0);
        const double wanted = spacing_px[sheet.body[t]] / focal * std::max(reach.nearest, NEAR_M) * std::sqrt(1 / slant);
        p.group = group(sheet.body[t], p.center);
        spacing[p.group] = std::min(spacing[p.group], wanted);
        pieces.push_back(p);
      }
  }

  uint32_t group(int32_t body, const Vec &center) {
    uint64_t key = (uint64_t)body;
    for (double x : center) key = key << 16 | (uint64_t)(uint16_t)(int64_t)std::floor(x / grain.chunk + 0.5);
    const auto [found, fresh] = groups.try_emplace(key, (uint32_t)spacing.size());
    if (fresh) spacing.push_back(INF);
    return found->second;
  }

  // Cells a chunk side: even within a chunk of a body, finer on strips narrower than a cell and a half and on beads
  // as thin.
  int64_t cells(const Piece &p) const {
    double step = std::clamp(spacing[p.group], grain.low, grain.high);
    step = std::max({std::min(step, p.strip / 1.5), step / 3, grain.low});
    const auto level = std::lower_bound(grain.levels.begin(), grain.levels.end(), grain.chunk / step);
    return level == grain.levels.end() ? grain.levels.back() : *level;
  }

  struct Border {  // a line, and how far points keep from it
    Vec n;
    double offset, inset;
  };

  // The hard lines that a piece's points may be too close to.
  int borders(const Piece &p, double step, Border *found) const {
    const Views &seen = bodies[sheet.body[p.triangle]].views;
    const int64_t *begin = outlines.begin + sheet.source[p.triangle];
    int number = 0;
    for (int64_t h = begin[0]; h < begin[1]; h++) {
      const double *line = outlines.lines + 4 * h;
      const Vec inward = vec(line);
      const double away = dot(inward, p.center) - line[3];
      double inset = grain.joint * step;
      if (!sheet.joined[p.triangle * LINES + h - begin[0]]) {
        const double *other = outlines.across + 3 * h;
        const Vec at = p.center - away * inward;
        // What hangs over is hidden by the other side as far as that is seen.
        const double height = std::isnan(other[0]) ? -1 : seen.lowest(at, vec(other));
        const double hidden = height > 0 ? height * std::min(outlines.beyond[h], 1.0) : 0;
        const double cosine = across(seen, at, inward, vec(sheet.flat + 3 * p.triangle)), straight = step * overhang(p.mean / step);
        // A foreshortened side ends further in, but within its triangle.
        const double slanted = step * overhang(p.mean / step / cosine) - hidden / cosine;
        inset = std::max(inset, std::min(slanted, std::max(straight, extent(p.triangle, line) / 2)));
      }
      inset = std::min(inset, outlines.widths[h] / 2);
      if (away > p.radius + inset) continue;
      found[number++] = {inward, line[3], inset};
    }
    return number;
  }

  double extent(int32_t triangle, const double *line) const {
    double far = 0;
    for (int k = 0; k < 3; k++) far = std::max(far, dot(vec(line), vec(sheet.corners + 9 * triangle + 3 * k)) - line[3]);
    return far;
  }

  // Mean foreshortening, bounded, of the distance from a line in a surface: how far the images of a point beside it and
  // of the line lie apart. Of the way n across both the line and the view nothing is lost.
  static double across(const Views &seen, const Vec &at, const Vec &inward, const Vec &normal) {
    double sum = 0;
    int64_t in_front = 0;
    for (int64_t g = 0; g < seen.count; g++) {
      const Vec r = vec(seen.eyes + 3 * g) - at;
      const double up = dot(r, normal), along = dot(r, inward);
      if (up <= 0) continue;
      sum += up / std::sqrt(up * up + along * along);
      in_front++;
    }
    return in_front ? std::max(sum / in_front, 0.03) : 1;
  }

  // How far points lie under a surface where some eye sees it edge-on: a round one as far as its half-opaque contour
  // lies outside, a flat strip by what its borders' insets can't make up for.
  double depth(const Piece &p, const Vec &normal) const {
    const double room = sheet.room[p.triangle];
    if (room == 0) return 0;
    const Views &seen = bodies[sheet.body[p.triangle]].views;
    const double bend = outlines.bend[sheet.source[p.triangle]];
    if (bend == INF) return std::min(mean_need(seen, p, normal), room);
    const double sine = std::clamp(seen.lowest(p.center, normal), 0.0, 1.0), cosine = std::sqrt(1 - sine * sine);
    const double over = LIMB * p.mean - bend * (1 - cosine);  // less how far the point lies inside the outline
    return std::clamp(over / std::max(cosine, 0.3), 0.0, room);
  }

  // Of the eyes that see a flat strip; one that passes through its plane counts for little.
  double mean_need(const Views &seen, const Piece &p, const Vec &normal) const {
    double sum = 0;
    int64_t in_front = 0;
    for (int64_t g = 0; g < seen.count; g++) {
      const Vec r = vec(seen.eyes + 3 * g) - p.center;
      const double sine = dot(r, normal) / std::sqrt(dot(r, r));
      if (sine < -0.02) continue;
      sum += std::max(EDGE * p.mean - std::max(sine, 0.0) * std::min(p.strip, 1.0) / 2, 0.0);
      in_front++;
    }
    return in_front ? sum / in_front : 0;
  }

  void fill(const Piece &p) {
    const int64_t count = cells(p);
    const double step = grain.chunk / count;
    const double *c = sheet.corners + 9 * p.triangle;
    const Vec n = vec(sheet.flat + 3 * p.triangle);
    const Lattice L(c, n);
    int64_t first[2], last[2];
    double origin[2];
    for (int k = 0; k < 2; k++) {
      const double start = (p.chunk[k] - 0.5) * grain.chunk;
      first[k] = std::max((int64_t)std::ceil((p.low[k] - start) / step - SHIFT), (int64_t)0);
      last[k] = std::min((int64_t)std::floor((p.high[k] - start) / step - SHIFT), count - 1);
      origin[k] = start + SHIFT * step;
    }
    Border lines[LINES];
    const int number = borders(p, step, lines);
    const double sink = depth(p, n);
    auto on_plane = [&](double x, double y) {
      Vec at;
      at[L.u] = x, at[L.v] = y;
      at[L.axis] = c[L.axis] + L.slope_u * (x - c[L.u]) + L.slope_v * (y - c[L.v]);
      return at;
    };
    const BodyView &body = bodies[sheet.body[p.triangle]];
    const double own = step + p.mean;  // here a Gaussian has faded to 5 %
    const double radius = step * BLOCK * std::sqrt((1 + L.slope_u * L.slope_u + L.slope_v * L.slope_v) / 2) + own;
    for (int64_t a = first[0]; a <= last[0]; a += BLOCK)
      for (int64_t b = first[1]; b <= last[1]; b += BLOCK) {
        const Vec middle = on_plane(origin[0] + (a + (BLOCK - 1) / 2.0) * step, origin[1] + (b + (BLOCK - 1) / 2.0) * step);
        if (hidden(p, middle, radius)) continue;
        for (int64_t i = a; i <= std::min(a + BLOCK - 1, last[0]); i++)
          for (int64_t j = b; j <= std::min(b + BLOCK - 1, last[1]); j++) {
            const double x = origin[0] + i * step, y = origin[1] + j * step;
            const double b1 = L.weights[0][0] * x + L.weights[0][1] * y + L.weights[0][2];
            const double b2 = L.weights[1][0] * x + L.weights[1][1] * y + L.weights[1][2];
            const double b0 = 1 - b1 - b2;
            if (b0 < 0 || b1 < 0 || b2 < 0) continue;
            const Vec at = on_plane(x, y);
            if (body.still && !horizon.sees(body.placed(at), own, 0)) continue;
            add(p, {b0, b1, b2}, at, sink, n, step, lines, number);
          }
      }
  }

  bool hidden(const Piece &p, const Vec &middle, double radius) const {
    const BodyView &body = bodies[sheet.body[p.triangle]];
    return !body.views.in_view(middle, radius) || (body.still && !horizon.sees(body.placed(middle), radius));
  }

  void add(const Piece &p, const Vec &share, Vec at, double sink, const Vec &normal, double step, const Border *lines,
           int number) {
    for (int k = 0; k < number; k++) {
      const double short_of = lines[k].inset - (dot(lines[k].n, at) - lines[k].offset);
      if (short_of > 0) at = at + short_of * lines[k].n;
    }
    at = at - sink * normal;
    out.triangle.push_back(p.triangle);
    for (double b : share) out.share.push_back((float)b);
    for (double a : at) out.means.push_back((float)a);
    out.grain.push_back((float)step);
    out.pixel.push_back((float)p.mean);
  }
};

}  // namespace

Points cover(const Sheet &sheet, const Outlines &outlines, const std::vector<BodyView> &bodies, const Horizon &horizon,
             const std::vector<double> &spacing_px, double focal, const Grain &grain) {
  Coverer coverer{sheet, outlines, bodies, horizon, spacing_px, focal, grain, {}, {}, {}, {}};
  for (int64_t t = 0; t < sheet.count; t++) coverer.cut((int32_t)t);
  for (const Piece &piece : coverer.pieces) coverer.fill(piece);
  return std::move(coverer.out);
}

}  // namespace synth4d
