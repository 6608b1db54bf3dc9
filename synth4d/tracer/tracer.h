// Triangles, and batches of rays against them in packets.
#pragma once

#include <cstring>
#include <string>

#include "common.h"
#include "embree.h"

namespace tracer {

using namespace geo;

// (2,3) lowest and highest corner of some corners (N,3).
inline nb::object bounds(Array<float, 2> corners) {
  require(corners.shape(1) == 3, "corners are (N,3)");
  float low[3] = {1e30f, 1e30f, 1e30f}, high[3] = {-1e30f, -1e30f, -1e30f};
  for (size_t i = 0; i < corners.shape(0); ++i)
    for (size_t k = 0; k < 3; ++k) {
      low[k] = std::min(low[k], corners.data()[3 * i + k]), high[k] = std::max(high[k], corners.data()[3 * i + k]);
    }
  return owned(std::vector<float>{low[0], low[1], low[2], high[0], high[1], high[2]}, {2, 3});
}

class Tracer {
 public:
  // Corners (3M,3) of M triangles, which are copied.
  Tracer(const std::string &module, Array<float, 2> corners) : e_(loaded(module)) {
    require(corners.shape(1) == 3 && corners.shape(0) % 3 == 0, "corners are (3M,3)");
    const size_t count = corners.shape(0);
    void *mesh = e_.new_geometry(e_.device, kTriangle);
    void *places = e_.new_buffer(mesh, kVertices, 0, kFloat3, 12, count);
    auto *numbers = static_cast<uint32_t *>(e_.new_buffer(mesh, kIndices, 0, kUint3, 12, count / 3));
    if (!places || !numbers) throw std::bad_alloc();
    std::memcpy(places, corners.data(), 12 * count);
    for (size_t i = 0; i < count; ++i) numbers[i] = static_cast<uint32_t>(i);
    e_.commit_geometry(mesh);
    scene_ = e_.new_scene(e_.device);
    e_.attach(scene_, mesh);
    e_.release_geometry(mesh);
    e_.commit_scene(scene_);
  }
  Tracer(const Tracer &) = delete;
  ~Tracer() { e_.release_scene(scene_); }

  // `far` (N,) is how far each ray reaches; it becomes the distance of the first hit before that. `triangle` (N,) or
  // (0,) becomes the number of the triangle that is hit, −1 = none.
  void first(Array<float, 2> origins, Array<float, 2> ways, Out<float, 1> far, Out<int32_t, 1> triangle,
             bool alike) const {
    const bool named = triangle.shape(0) > 0;
    require(!named || triangle.shape(0) == far.shape(0), "triangle and far differ in length");
    each(origins, ways, far, alike, e_.intersect, [&](int64_t i, const Packet &p, int k) {
      far.data()[i] = p.far[k];
      if (named) triangle.data()[i] = p.geometry[k] == kNone ? -1 : static_cast<int32_t>(p.triangle[k]);
    });
  }

  void blocked(Array<float, 2> origins, Array<float, 2> ways, Array<float, 1> far, Out<bool, 1> hit,
               bool alike) const {
    require(hit.shape(0) == far.shape(0), "hit and far differ in length");
    each(origins, ways, far, alike, e_.occluded, [&](int64_t i, const Packet &p, int k) {
      hit.data()[i] = met(p, k);
    });
  }

  // `depth` (h,w): how far along the camera's axis the rays of a picture meet something, of `ways` (3,h,w) in the
  // camera's axes with 1 for length; those that do not within `most` have that for distance.
  void depths(Array<double, 2> T_world_cam, Array<double, 3> ways, float most, Out<float, 2> depth) const {
    const int64_t h = int64_t(depth.shape(0)), w = int64_t(depth.shape(1));
    require(T_world_cam.size() == 16 && ways.size() == 3 * depth.size(), "T_world_cam is (4,4), ways (3,h,w)");
    const double *T = T_world_cam.data(), *x = ways.data(), *y = x + h * w, *z = y + h * w;
    const Vec eye{float(T[3]), float(T[7]), float(T[11])};
    Queue queue(*this, e_.intersect, true, [&](int64_t i, const Packet &p, int k) {
      depth.data()[i] = float(double(p.far[k]) * z[i]);
    });
    constexpr int64_t kRows = 2, kColumns = kPacket / kRows;  // a packet's rays keep close: a fifth faster than in a row
    for (int64_t top = 0; top < h; top += kRows)
      for (int64_t left = 0; left < w; left += kColumns)
        for (int64_t r = top; r < std::min(top + kRows, h); ++r)
          for (int64_t i = r * w + left; i < r * w + std::min(left + kColumns, w); ++i) {
            auto along = [&](int a) { return float(x[i] * T[a] + y[i] * T[a + 1] + z[i] * T[a + 2]); };
            queue.add(eye, {along(0), along(4), along(8)}, most, i);
          }
    queue.flush();
  }

  // What is `query` for rays that are added one by one: `take` gets each one's place and what became of it.
  template <class Query, class Take>
  class Queue {
   public:
    Queue(const Tracer &tracer, Query query, bool alike, Take take)
        : tracer_(tracer), query_(query), take_(take), how_{alike ? 1u << 16 : 0u} {}
    void add(Vec o, Vec w, float far, int64_t place) {
      const int k = count_++;
      p_.ox[k] = o.x, p_.oy[k] = o.y, p_.oz[k] = o.z, p_.dx[k] = w.x, p_.dy[k] = w.y, p_.dz[k] = w.z;
      p_.far[k] = far, place_[k] = place;
      if (count_ == kPacket) flush();
    }
    void flush() {
      if (!count_) return;
      for (int k = 0; k < kPacket; ++k) {
        valid_[k] = k < count_ ? -1 : 0;
        p_.near[k] = 0, p_.mask[k] = p_.geometry[k] = p_.instance[0][k] = kNone;
      }
      query_(valid_, tracer_.scene_, &p_, &how_);
      for (int k = 0; k < count_; ++k) take_(place_[k], p_, k);
      count_ = 0;
    }

   private:
    const Tracer &tracer_;
    Query query_;
    Take take_;
    Arguments how_;
    int count_ = 0;
    Packet p_{};
    alignas(64) int valid_[kPacket];
    int64_t place_[kPacket];
  };

  template <class Take>
  auto distances(Take take, bool alike = false) const { return Queue(*this, e_.intersect, alike, take); }
  template <class Take>
  auto occlusions(Take take, bool alike = false) const { return Queue(*this, e_.occluded, alike, take); }
  static bool met(const Packet &p, int k) { return p.far[k] < 0; }  // Embree's mark of an occluded ray

 private:
  const Embree &e_;
  void *scene_;

  static const Embree &loaded(const std::string &module) {
    static const Embree embree(module);
    return embree;
  }

  template <class Far, class Query, class Take>
  void each(const Array<float, 2> &origins, const Array<float, 2> &ways, const Far &far, bool alike, Query query,
            Take take) const {
    const int64_t count = int64_t(far.shape(0));
    require(int64_t(origins.shape(0)) == count && int64_t(ways.shape(0)) == count && origins.shape(1) == 3 &&
                ways.shape(1) == 3, "origins and ways are (N,3), reaches (N,)");
    nb::gil_scoped_release release;
    Queue queue(*this, query, alike, take);
    for (int64_t i = 0; i < count; ++i) queue.add(at(origins.data(), i), at(ways.data(), i), far.data()[i], i);
    queue.flush();
  }
};

}  // namespace tracer
