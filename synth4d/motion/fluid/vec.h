// Three-vectors and rigid poses in single precision. Only + - * / and sqrt: the same bits on every IEEE machine.
#pragma once

#include <cmath>

namespace fluid {

struct Vec {
  float x = 0, y = 0, z = 0;
};
inline Vec operator+(Vec a, Vec b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
inline Vec operator-(Vec a, Vec b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
inline Vec operator*(Vec a, float k) { return {a.x * k, a.y * k, a.z * k}; }
inline float dot(Vec a, Vec b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
inline float norm(Vec a) { return std::sqrt(dot(a, a)); }
inline Vec unit(Vec a, Vec otherwise) {
  const float n = norm(a);
  return n > 1e-9f ? a * (1 / n) : otherwise;
}

// Four numbers that are reckoned with at once: a vector, and one more.
typedef float Four __attribute__((vector_size(16)));
inline Four four(Vec a, float w = 0) { return Four{a.x, a.y, a.z, w}; }
inline Vec three(Four a) { return {a[0], a[1], a[2]}; }

// T_world_body from xyz + unit quaternion wxyz.
struct Pose {
  Vec x{1, 0, 0}, y{0, 1, 0}, z{0, 0, 1}, t;  // columns of the rotation, and the origin

  Pose() = default;
  explicit Pose(const double* p) {
    const double w = p[3], a = p[4], b = p[5], c = p[6];
    auto f = [](double v) { return static_cast<float>(v); };
    x = {f(1 - 2 * (b * b + c * c)), f(2 * (a * b + c * w)), f(2 * (a * c - b * w))};
    y = {f(2 * (a * b - c * w)), f(1 - 2 * (a * a + c * c)), f(2 * (b * c + a * w))};
    z = {f(2 * (a * c + b * w)), f(2 * (b * c - a * w)), f(1 - 2 * (a * a + b * b))};
    t = {f(p[0]), f(p[1]), f(p[2])};
  }
  Vec turn(Vec v) const { return x * v.x + y * v.y + z * v.z; }
  Vec out(Vec v) const { return turn(v) + t; }
  Vec in(Vec v) const {
    const Vec d = v - t;
    return {dot(d, x), dot(d, y), dot(d, z)};
  }
};

}  // namespace fluid
