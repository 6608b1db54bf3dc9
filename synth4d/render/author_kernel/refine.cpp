#include "refine.h"

namespace synth4d {

namespace {

// Greatest of each value and those a step of rows before and after it, n rows of `stride` values.
void widest(const float *from, float *to, int64_t n, int64_t stride, int64_t step) {
  for (int64_t i = 0; i < n; i++) {
    const float *a = from + std::max<int64_t>(i - step, 0) * stride, *b = from + std::min(i + step, n - 1) * stride;
    for (int64_t k = 0; k < stride; k++) to[i * stride + k] = std::max({a[k], from[i * stride + k], b[k]});
  }
}

}  // namespace

void Horizon::widen(const float *depth) {
  const int64_t size = height * width;
  std::vector<float> tall((size_t)size);
  levels.reserve((size_t)(count * size) * (reach.size() + 1));  // `last` points into it
  for (int64_t c = 0; c < count; c++) {
    const float *last = depth + c * size;
    int64_t wide = 0;
    for (const int64_t cells : reach) {
      float *out = &*levels.insert(levels.end(), (size_t)size, 0.0f);
      widest(last, tall.data(), height, width, cells - wide);
      for (int64_t y = 0; y < height; y++) widest(&tall[y * width], out + y * width, width, 1, cells - wide);
      last = out, wide = cells;
    }
    levels.insert(levels.end(), (size_t)size, (float)INF);
  }
}

bool Horizon::sees(const Vec &point, double radius, double margin) const {
  for (int64_t k = 0; k < count; k++) {
    const int64_t camera = (latest + k) % count;
    if (sees(camera, point, radius, margin)) return latest = camera, true;
  }
  return false;
}

bool Horizon::sees(int64_t camera, const Vec &point, double radius, double margin) const {
  const double *T = cameras + 16 * camera;
  const Vec r = {point[0] - T[3], point[1] - T[7], point[2] - T[11]};
  const double x = r[0] * T[0] + r[1] * T[4] + r[2] * T[8];
  const double y = r[0] * T[1] + r[1] * T[5] + r[2] * T[9];
  const double z = r[0] * T[2] + r[1] * T[6] + r[2] * T[10];
  if (z < 2 * radius + 0.05) return z > -radius;  // behind the camera is not in sight
  const double cells = fx * radius / std::max(z - radius, 0.01) + margin;
  const double at_x = fx * x / z + cx, at_y = fy * y / z + cy, aside = cells + between;
  if (at_x < -aside || at_y < -aside || at_x > width + aside || at_y > height + aside) return false;
  const int64_t level_count = (int64_t)reach.size() + 1, level = std::lower_bound(reach.begin(), reach.end(), cells) - reach.begin();
  const auto u = (int64_t)std::clamp(at_x, 0.0, (double)(width - 1));
  const auto v = (int64_t)std::clamp(at_y, 0.0, (double)(height - 1));
  return z - radius - slack <= levels[((camera * level_count + level) * height + v) * width + u];
}

int64_t cell_key(const Vec &point, double cell) {
  int64_t key = 0;
  for (double p : point) key = key << 16 | ((int64_t)std::floor(p / cell) + (1 << 15));
  return key;
}

namespace {

struct Piece {
  std::array<Vec, 3> at, share;
};

struct Refiner {
  const Mesh &mesh;
  const std::vector<BodyView> &bodies;
  const Horizon &horizon;
  double focal;
  const Limits &limits;
  const std::array<const int64_t *, 2> &contact;
  const std::array<int64_t, 2> &contact_count;
  Cut out;
  int32_t row = 0;
  const BodyView *body = nullptr;
  Vec normal{};

  static Vec middle(const Piece &p) { return (1.0 / 3) * (p.at[0] + p.at[1] + p.at[2]); }

  static double radius(const Piece &p, const Vec &center) {
    double square = 0;
    for (const Vec &corner : p.at) square = std::max(square, dot(corner - center, corner - center));
    return std::sqrt(square);
  }

  // Square and number of the longest edge: neighbours choose the same, and cut it at the same midpoint.
  static std::pair<double, int> longest(const Piece &p) {
    double best = -1;
    int edge = 0;
    for (int k = 0; k < 3; k++) {
      const Vec e = p.at[k] - p.at[(k + 1) % 3];
      if (dot(e, e) > best) best = dot(e, e), edge = k;
    }
    return {best, edge};
  }

  static std::array<Piece, 2> halves(const Piece &p, int edge) {
    const int a = edge, b = (edge + 1) % 3, c = (edge + 2) % 3;
    const Vec at = 0.5 * (p.at[a] + p.at[b]), share = 0.5 * (p.share[a] + p.share[b]);
    return {Piece{{p.at[a], at, p.at[c]}, {p.share[a], share, p.share[c]}},
            Piece{{at, p.at[b], p.at[c]}, {share, p.share[b], p.share[c]}}};
  }

  // Cut to a limit; each step is a stage: 0 coarse, 1 by distance, 2 and 3 next to props.
  void run(const Piece &p, int stage, double limit, double pixel) {
    const Vec center = middle(p);
    const double r = radius(p, center);
    double nearest = 0;
    if (stage < 2) {
      nearest = body->views.reach(center, r).nearest;
      if (nearest == INF || !body->views.rises(center, normal, -mesh.slack[row])) return;
    }
    const auto [square, edge] = longest(p);
    if (square > limit * limit) {
      for (const Piece &half : halves(p, edge)) run(half, stage, limit, pixel);
      return;
    }
    if (stage == 0) {
      pixel = std::max(nearest - r, limits.near) / focal;
      run(p, 1, std::clamp(limits.light_px * pixel, limits.light_low, limits.light_high), pixel);
    } else if (stage == 1 && body->still && !horizon.sees(body->placed(center), r)) {
      return;
    } else if (stage < 3) {
      run(p, stage + 1, touches(center, stage - 1) ? limits.contact * (stage == 1 ? 2 : 1) : INF, pixel);
    } else {
      emit(p, pixel);
    }
  }

  bool touches(const Vec &center, int which) const {
    if (!body->contact) return false;
    const int64_t *keys = contact[which], *end = keys + contact_count[which];
    return std::binary_search(keys, end, cell_key(body->placed(center), limits.cell));
  }

  void emit(const Piece &p, double pixel) {
    out.source.push_back(row);
    out.pixel.push_back(pixel);
    const double *n = mesh.normals + 9 * (int64_t)row;
    for (int k = 0; k < 3; k++) {
      const Vec &b = p.share[k];
      const Vec normal = b[0] * vec(n) + b[1] * vec(n + 3) + b[2] * vec(n + 6);
      out.corners.insert(out.corners.end(), p.at[k].begin(), p.at[k].end());
      out.normals.insert(out.normals.end(), normal.begin(), normal.end());
      out.share.insert(out.share.end(), b.begin(), b.end());
    }
  }
};

}  // namespace

Cut refine(const Mesh &mesh, const std::vector<BodyView> &bodies, const Horizon &horizon, double focal,
           const Limits &limits, const std::array<const int64_t *, 2> &contact,
           const std::array<int64_t, 2> &contact_count) {
  Refiner refiner{mesh, bodies, horizon, focal, limits, contact, contact_count, {}};
  const std::array<Vec, 3> whole = {Vec{1, 0, 0}, Vec{0, 1, 0}, Vec{0, 0, 1}};
  for (int64_t f = 0; f < mesh.count; f++) {
    refiner.row = (int32_t)f;
    refiner.body = &bodies[mesh.body[f]];
    refiner.normal = vec(mesh.flat + 3 * f);
    const double *c = mesh.corners + 9 * f;
    refiner.run({{vec(c), vec(c + 3), vec(c + 6)}, whole}, 0, limits.coarse, 0);
  }
  return std::move(refiner.out);
}

}  // namespace synth4d
