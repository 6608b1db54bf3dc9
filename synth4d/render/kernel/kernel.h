// The nouns of the splat kernel, shared by every build of the stages. No standard containers here or in
// stages.cpp: an inline function of theirs compiled for AVX-512 could be the copy the linker keeps for all.
#pragma once
#include <cstddef>
#include <cstdint>

namespace synth4d {

constexpr int TILE = 16;               // pixels on a side; the unit of binning
constexpr int MAX_SIDE = 16384;        // pixels; int16 ranges and 16-bit tile columns rely on it
constexpr int CHUNK = 256;             // Gaussians projected per call
constexpr float NEAR_PLANE = 0.01f;    // metres
constexpr float LOW_PASS = 0.3f;       // px², added to the diagonal of the projected covariance
constexpr float SLOPE_PASS = 0.0002f;  // px², the same for the slope of depth
constexpr float DEPTH_SPAN = 4.0f;     // standard deviations of depth that a splat reaches from its centre
constexpr float MAX_ALPHA = 0.999f;    // of one Gaussian at one pixel
constexpr float MIN_LOG2_ALPHA = -7.99435344f;  // log2(1/255): fainter is not blended
constexpr float MIN_TRANSMITTANCE = 1e-4f;      // a pixel is done before it falls to this

// 3D Gaussians, world frame; borrowed arrays.
struct Model {
  size_t count;
  const float *x, *y, *z;       // means
  const float *cov[6];          // xx xy xz yy yz zz
  const float *rgb;             // (N,3)
  const float *log2_opacity;
  const uint16_t *id;
};

// A pinhole camera: rows of [R|t] world to camera, pixels.
struct View {
  float m[12];
  float fx, fy, cx, cy;
  int width, height;
};

// A projected Gaussian: log2 alpha at (x+dx, y+dy) is log2_opacity + a dx² + b dx dy + c dy², and the depth
// of its ridge along that pixel's ray is z + zx dx + zy dy, at most z_span from z.
struct alignas(64) Splat {
  float x, y, a, b, c, log2_opacity, z, zx, zy, z_span, rgb[3];
  uint32_t id;
  int16_t x0, x1, y0, y1;       // pixels it can touch, [x0,x1) × [y0,y1)
};

// The tiles a splat touches: `rows` spans (first column | end column << 16) from spans[first] down from `row`.
struct Reach {
  uint32_t first;
  uint16_t row, rows;
};

struct Image {
  int width, height;
  float *rgb, *depth, *expected, *alpha;
  uint16_t *ids;
};

// Where `project` appends: splats, reaches and depths advance together, spans are grown by the caller.
struct Bins {
  Splat *splats;
  Reach *reaches;
  float *depths;
  uint32_t *spans;
  size_t splat_count, span_count;
  uint32_t *tile_counts;
};

// One build of the stages.
struct Stages {
  const char *name;
  void (*project)(const Model &, const View &, size_t begin, size_t end, Bins &);
  void (*blend)(const Splat *, const uint32_t *entries, size_t count, int left, int top, const Image &);
};

}  // namespace synth4d
