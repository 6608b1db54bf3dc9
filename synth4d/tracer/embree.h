// The part of Embree 4's C API that is used, found at run time in the library that embreex brings along.
//
// embreex itself takes triangles one number at a time in Python, 2 µs each: as long as half the rays of a shot.
#pragma once

#include <dlfcn.h>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace tracer {

constexpr int kTriangle = 0;  // RTC_GEOMETRY_TYPE_TRIANGLE; below RTCBufferType and RTCFormat
constexpr int kIndices = 0, kVertices = 1, kUint3 = 0x5003, kFloat3 = 0x9003;
constexpr uint32_t kNone = ~0u;
constexpr int kPacket = 16;

// RTCRayHit16, with room for what other versions add behind.
struct alignas(64) Packet {
  float ox[kPacket], oy[kPacket], oz[kPacket], near[kPacket], dx[kPacket], dy[kPacket], dz[kPacket], time[kPacket];
  float far[kPacket];
  uint32_t mask[kPacket], id[kPacket], flags[kPacket];
  float nx[kPacket], ny[kPacket], nz[kPacket], u[kPacket], v[kPacket];
  uint32_t triangle[kPacket], geometry[kPacket], instance[8][kPacket];
};

// RTCIntersectArguments, likewise.
struct Arguments {
  uint32_t flags;  // 1 << 16: the rays of a packet take about the same way
  uint32_t features = ~0u;
  void *spare[8] = {};
};

struct Embree {
  void *(*new_scene)(void *);
  void *(*new_geometry)(void *, int);
  void *(*new_buffer)(void *, int, unsigned, int, size_t, size_t);
  void (*commit_geometry)(void *);
  unsigned (*attach)(void *, void *);
  void (*release_geometry)(void *);
  void (*commit_scene)(void *);
  void (*release_scene)(void *);
  void (*intersect)(const int *, void *, Packet *, Arguments *);
  void (*occluded)(const int *, void *, Packet *, Arguments *);
  void *device;

  // `module` is a library linked to Embree's: names are looked up in all that it loaded.
  explicit Embree(const std::string &module) : library_(dlopen(module.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (!library_) throw std::runtime_error(std::string("Embree can't be loaded: ") + dlerror());
    void *(*new_device)(const char *);
    find(new_device, "rtcNewDevice"), find(new_scene, "rtcNewScene"), find(new_geometry, "rtcNewGeometry");
    find(new_buffer, "rtcSetNewGeometryBuffer"), find(commit_geometry, "rtcCommitGeometry");
    find(attach, "rtcAttachGeometry"), find(release_geometry, "rtcReleaseGeometry");
    find(commit_scene, "rtcCommitScene"), find(release_scene, "rtcReleaseScene");
    find(intersect, "rtcIntersect16"), find(occluded, "rtcOccluded16");
    device = new_device("threads=1");
    if (!device) throw std::runtime_error("Embree gives no device on this processor");
  }

 private:
  void *library_;

  template <class F>
  void find(F &function, const char *name) {
    function = reinterpret_cast<F>(dlsym(library_, name));
    if (!function) throw std::runtime_error(std::string("Embree 4 has no ") + name + "; update embreex");
  }
};

}  // namespace tracer
