#include "surface.h"

#include <stdexcept>
#include <unordered_map>

namespace synth4d {

namespace {

constexpr double CREASE = 0.766044443118978;  // cosine of 40°
constexpr double FLUSH = 1 - 1e-5, WELDS = 1e5, AREA = 1e-9;
constexpr double NONE = std::numeric_limits<double>::quiet_NaN();

Vec cross(const Vec &a, const Vec &b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

Vec unit(const Vec &v) {
  const double length = std::max(std::sqrt(dot(v, v)), 1e-12);
  return {v[0] / length, v[1] / length, v[2] / length};
}

int32_t next(int32_t corner) { return corner % 3 == 2 ? corner - 2 : corner + 1; }
int32_t last(int32_t corner) { return corner % 3 == 0 ? corner + 2 : corner - 1; }

// What lies along an edge; `hard`: a convex crease or an open border.
struct Side {
  bool hard;
  bool flush;  // the triangle across lies in the same plane
  Vec inward;  // this and the offset are a hard line's alone
  double offset;
};

// The triangles of one part. A corner is numbered 3·triangle + k, and so is the edge from it to the next.
struct Shape {
  std::vector<Vec> at, flat;
  std::vector<int32_t> face, vertex, begin, around, twin;
  std::vector<Side> sides;

  explicit Shape(const Part &part) {
    clean(part, weld(part));
    surround(part.vertex_count);
    pair();
    sides.reserve(vertex.size());
    for (int32_t edge = 0; edge < (int32_t)vertex.size(); edge++) sides.push_back(side(edge));
  }

  // (V,) equal numbers for vertices within the same cell.
  static std::vector<int32_t> weld(const Part &part) {
    struct Hash {
      size_t operator()(const std::array<int64_t, 3> &k) const {
        return (size_t)k[0] * 0x9E3779B97F4A7C15 ^ (size_t)k[1] * 0xC2B2AE3D27D4EB4F ^ (size_t)k[2] * 0x165667B19E3779F9;
      }
    };
    std::unordered_map<std::array<int64_t, 3>, int32_t, Hash> known((size_t)part.vertex_count);
    std::vector<int32_t> out;
    for (int64_t i = 0; i < part.vertex_count; i++) {
      std::array<int64_t, 3> cell;
      for (int k = 0; k < 3; k++) cell[k] = (int64_t)std::nearbyint(part.vertices[3 * i + k] * WELDS);
      out.push_back(known.emplace(cell, (int32_t)known.size()).first->second);
    }
    return out;
  }

  void clean(const Part &part, const std::vector<int32_t> &welded) {
    std::vector<std::array<int32_t, 3>> known;  // welded vertices of the triangles that are kept, ascending
    std::vector<int32_t> newest((size_t)part.vertex_count, -1), older;  // kept triangles by their first of those
    for (int64_t f = 0; f < part.face_count; f++) {
      std::array<Vec, 3> corners;
      std::array<int32_t, 3> own;
      for (int k = 0; k < 3; k++) {
        const int64_t v = part.faces[3 * f + k];
        if (v < 0 || v >= part.vertex_count) throw std::out_of_range("a face of a mesh names a vertex it lacks");
        corners[k] = vec(part.vertices + 3 * v), own[k] = welded[v];
      }
      const Vec normal = cross(corners[1] - corners[0], corners[2] - corners[0]);
      if (!(std::sqrt(dot(normal, normal)) / 2 > AREA)) continue;
      std::array<int32_t, 3> ascending = own;
      std::sort(ascending.begin(), ascending.end());
      int32_t &head = newest[ascending[0]], same = head;
      while (same >= 0 && known[same] != ascending) same = older[same];
      if (same >= 0) continue;
      older.push_back(head), head = (int32_t)known.size();
      known.push_back(ascending), flat.push_back(unit(normal)), face.push_back((int32_t)f);
      for (int k = 0; k < 3; k++) at.push_back(corners[k]), vertex.push_back(own[k]);
    }
  }

  // The corners at each welded vertex, ascending.
  void surround(int64_t count) {
    begin.assign((size_t)count + 1, 0);
    for (int32_t v : vertex) begin[v + 1]++;
    for (int64_t v = 0; v < count; v++) begin[v + 1] += begin[v];
    around.resize(vertex.size());
    std::vector<int32_t> free(begin.begin(), begin.end() - 1);
    for (size_t c = 0; c < vertex.size(); c++) around[free[vertex[c]]++] = (int32_t)c;
  }

  // The other edge between the same vertices, or −1 where there is none or more than one.
  void pair() {
    std::vector<int32_t> ahead, behind;
    for (int32_t c = 0; c < (int32_t)vertex.size(); c++) ahead.push_back(vertex[next(c)]), behind.push_back(vertex[last(c)]);
    for (int32_t edge = 0; edge < (int32_t)vertex.size(); edge++) {
      const int32_t a = vertex[edge], b = ahead[edge];
      int32_t found = -1, count = 0;
      for (int32_t i = begin[a]; i < begin[a + 1]; i++) {
        const int32_t c = around[i];
        if (ahead[c] == b && c != edge) found = c, count++;
        if (behind[c] == b && a != b) found = last(c), count++;
      }
      twin.push_back(count == 1 ? found : -1);
    }
  }

  Side side(int32_t edge) const {
    const Vec &normal = flat[edge / 3];
    Side out{true, false, {}, 0};
    if (const int32_t other = twin[edge]; other >= 0) {
      const double facing = dot(normal, flat[other / 3]);
      out.hard = facing < CREASE && dot(normal, at[last(other)] - at[edge]) < 0;
      out.flush = facing > FLUSH;
    }
    if (out.hard) {
      out.inward = unit(cross(normal, at[next(edge)] - at[edge]));
      out.offset = dot(out.inward, at[edge]);
    }
    return out;
  }

  // (3N,) angle-weighted normals over the faces around a vertex that lie within the crease angle.
  std::vector<Vec> corner_normals() const {
    std::vector<Vec> weighted, out;
    weighted.reserve(vertex.size()), out.reserve(vertex.size());
    for (int32_t c = 0; c < (int32_t)vertex.size(); c += 3) {
      const Vec edges[3] = {unit(at[c + 1] - at[c]), unit(at[c + 2] - at[c + 1]), unit(at[c] - at[c + 2])};
      for (int k = 0; k < 3; k++)
        weighted.push_back(std::acos(std::clamp(-dot(edges[k], edges[(k + 2) % 3]), -1.0, 1.0)) * flat[c / 3]);
    }
    for (int32_t c = 0; c < (int32_t)vertex.size(); c++) {
      Vec sum{};
      for (int32_t i = begin[vertex[c]]; i < begin[vertex[c] + 1]; i++)
        if (dot(flat[c / 3], flat[around[i] / 3]) > CREASE) sum = sum + weighted[around[i]];
      out.push_back(unit(sum));
    }
    return out;
  }

  // Least radius of convex curvature, from how far smooth normals turn along the edges.
  double bend(int32_t triangle, const Vec *normals) const {
    double square = INF;
    for (int k = 0; k < 3; k++) {
      const Vec edge = at[3 * triangle + k] - at[3 * triangle + (k + 1) % 3], turn = normals[k] - normals[(k + 1) % 3];
      const double turned = dot(turn, turn);
      if (turned > 1e-8 && dot(edge, turn) > 0) square = std::min(square, dot(edge, edge) / turned);
    }
    return std::sqrt(square);
  }

  // The edges, its own and of its coplanar neighbours, whose hard lines a triangle lies inside of.
  std::vector<int32_t> hard_edges(int32_t triangle) const {
    std::vector<int32_t> own, theirs;
    for (int32_t edge = 3 * triangle; edge < 3 * triangle + 3; edge++) {
      if (sides[edge].hard) own.push_back(edge);
      if (!sides[edge].flush) continue;
      for (int32_t other : {next(twin[edge]), last(twin[edge])}) {
        const Side &side = sides[other];
        bool inside = side.hard;
        for (int k = 0; k < 3; k++) inside = inside && dot(side.inward, at[3 * triangle + k]) - side.offset > -1e-6;
        if (inside) theirs.push_back(other);
      }
    }
    own.insert(own.end(), theirs.begin(), theirs.end());
    return own;
  }
};

template <class T>
void append(std::vector<double> &to, const std::vector<T> &from) {
  const auto *values = reinterpret_cast<const double *>(from.data());
  to.insert(to.end(), values, values + from.size() * sizeof(T) / sizeof(double));
}

// The hard lines of all triangles, and how wide the strips on both sides of them are.
void outline(Ready &out, const Shape &shape) {
  std::vector<int32_t> edges;  // of the lines
  std::vector<double> width(shape.twin.size(), INF);  // by edge
  for (int32_t t = 0; t < (int32_t)shape.flat.size(); t++) {
    const std::vector<int32_t> hard = shape.hard_edges(t);
    auto inward = [&](size_t k) { return shape.sides[hard[k]].inward; };
    auto distance = [&](size_t k) { return dot(inward(k), shape.at[3 * t]) - shape.sides[hard[k]].offset; };
    double strip = INF;
    for (size_t k = 0; k < hard.size(); k++) {
      double least = INF;
      for (size_t j = 0; j < hard.size(); j++)
        if (dot(inward(k), inward(j)) < -0.8) least = std::min(least, distance(k) + distance(j));
      const Side &side = shape.sides[hard[k]];
      const int32_t other = shape.twin[hard[k]];
      for (double x : side.inward) out.lines.push_back(x);
      out.lines.push_back(side.offset);
      for (int i = 0; i < 3; i++) out.across.push_back(other < 0 ? NONE : shape.flat[other / 3][i]);
      out.widths.push_back(least);
      if (hard[k] / 3 == t) width[hard[k]] = least;
      strip = std::min(strip, least);
    }
    edges.insert(edges.end(), hard.begin(), hard.end());
    out.begin.push_back((int64_t)out.widths.size());
    out.strip.push_back(strip);
  }
  for (int32_t edge : edges) out.beyond.push_back(shape.twin[edge] < 0 ? INF : width[shape.twin[edge]]);
}

void add(Ready &out, const Part &part, int32_t index) {
  const Shape shape(part);
  const std::vector<Vec> smooth = shape.corner_normals();
  append(out.corners, shape.at);
  append(out.flat, shape.flat);
  if (part.smooth) append(out.normals, smooth);
  out.part.insert(out.part.end(), shape.flat.size(), index);
  out.face.insert(out.face.end(), shape.face.begin(), shape.face.end());
  for (int32_t t = 0; t < (int32_t)shape.flat.size(); t++) {
    if (!part.smooth)
      for (int k = 0; k < 3; k++) out.normals.insert(out.normals.end(), shape.flat[t].begin(), shape.flat[t].end());
    out.bend.push_back(shape.bend(t, &smooth[3 * t]));
  }
  outline(out, shape);
}

void bound(Ready &out, const Part &part) {
  Vec low{INF, INF, INF}, high{-INF, -INF, -INF};
  for (int64_t i = 0; i < 3 * part.vertex_count; i++) {
    low[i % 3] = std::min(low[i % 3], part.vertices[i]);
    high[i % 3] = std::max(high[i % 3], part.vertices[i]);
  }
  for (const Vec &v : {low, high}) out.bounds.insert(out.bounds.end(), v.begin(), v.end());
}

}  // namespace

Ready ready(const std::vector<Part> &parts) {
  Ready out;
  size_t count = 0;
  for (const Part &part : parts) count += (size_t)part.face_count;
  out.corners.reserve(count * 9), out.normals.reserve(count * 9), out.begin.reserve(count + 1);
  for (size_t i = 0; i < parts.size(); i++) bound(out, parts[i]), add(out, parts[i], (int32_t)i);
  return out;
}

}  // namespace synth4d
