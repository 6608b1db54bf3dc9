// The nouns of the splat kernel, shared by every build of the stages. No standard containers here or in
// stages.cpp, and inline functions are static: one compiled for AVX-512 could be the copy the linker keeps for all.
#pragma once
#include <cstddef>
#include <cstdint>

namespace synth4d {

constexpr int TILE = 16;               // pixels on a side; what is blended at a time
constexpr int REGION = 128;            // pixels on a side at most; what is painted at a time
constexpr int ROW = REGION / TILE;     // tiles
constexpr int MAX_SIDE = 16384;        // pixels; the int16 ranges of a splat rely on it
constexpr int BLOCK = 64;              // Gaussians that lie together and are culled and projected together
constexpr int BATCH = 64;              // splats a tile takes at a time; one bit each
constexpr int MAX_SH = 15;             // coefficients of degrees 1 to 3
constexpr float NEAR_PLANE = 0.01f;    // metres
constexpr float LOW_PASS = 0.3f;       // px², added to the diagonal of the projected covariance
constexpr float SLOPE_PASS = 0.0002f;  // px², the same for the slope of depth
constexpr float DEPTH_SPAN = 4.0f;     // standard deviations of depth that a splat reaches from its centre
constexpr float MAX_VARIANCE = 1e18f;  // px²; what is wider is not drawn, its conic would leave float32
constexpr float MAX_ALPHA = 0.999f;    // of one Gaussian at one pixel
constexpr float MIN_LOG2_ALPHA = -7.99435344f;  // log2(1/255): fainter is not blended
constexpr float MIN_TRANSMITTANCE = 1e-4f;      // a pixel is done before it falls to this, see Rule
// Outlines are drawn a little wide, so that rounding never cuts a pixel that the exact test would keep.
constexpr float WIDE = 1.0002f;

// 3D Gaussians that lie together, world frame, in one page of 4 KB: blocks are read in an order that no processor
// foresees, and with an array for each field every block cost fifteen misses of the cache and of the page tables.
struct alignas(4096) Gaussians {
  float mean[3][BLOCK];
  float cov[6][BLOCK];          // xx xy xz yy yz zz
  float log2_opacity[BLOCK];
  float filtered[BLOCK];        // 1: opacity falls as the low-pass widens the splat, 0: it stays
  float rgb[3][BLOCK];
  uint32_t row[BLOCK];          // in the arrays of the caller
  uint32_t id[BLOCK];
};

// Borrowed arrays. A Gaussian's slot is its place in the blocks, the last of which may not be full.
struct Model {
  size_t count;                 // Gaussians
  const Gaussians *blocks;
  bool filtered;                // whether some are
  int sh_count;                 // coefficients: 0, 3, 8 or 15
  const float *sh;              // block after block: (sh_count, 3, BLOCK)
};

// What holds a block: a box about its means, and its largest standard deviation.
struct Bounds {
  const float *centre[3], *half[3], *sigma;
};

// A pinhole camera: rows of [R|t] world to camera, its eye in the world, pixels.
struct View {
  float m[12], eye[3];
  float fx, fy, cx, cy;
  int width, height;
};

// How splats become light: `expected`, whether Image::expected is asked for; `done`, the transmittance at which a splat
// is its pixel's last, or 0 for the rule of 3DGS, by which the last is the one before it would fall to MIN_TRANSMITTANCE.
struct Rule {
  bool expected;
  float done;
};

// A part of the picture, pixels [x0,x1) × [y0,y1), which of its tiles still take light: bit c of open[r], and whether
// some don't.
struct Region {
  int x0, y0, x1, y1;
  uint32_t open[ROW];
  bool closed;
};

// A block that a region may see: the least depth in it, and the tiles it can touch, ends included.
struct Candidate {
  float near;
  uint32_t block;
  uint8_t left, right, top, bottom;
};

// A projected Gaussian: log2 alpha at (x+dx, y+dy) is log2_opacity + a dx² + b dx dy + c dy², and the depth
// of its ridge along that pixel's ray is z + zx dx + zy dy, at most z_span from z.
struct alignas(64) Splat {
  float x, y, a, b, c, log2_opacity, z, zx, zy, z_span, rgb[3];
  uint32_t row, id;
  uint32_t tiles;  // of the region that it can touch, ends included: left, right, top, bottom, a byte each
};

static inline uint32_t pack_tiles(int left, int right, int top, int bottom) {
  return (uint32_t)(left | right << 8 | top << 16) | (uint32_t)bottom << 24;
}

// Front-to-back state of the pixels of a tile, 4×4 block after block, each row by row.
struct Tile {
  alignas(64) float t[TILE * TILE], r[TILE * TILE], g[TILE * TILE], b[TILE * TILE], wz[TILE * TILE];
  alignas(64) uint32_t median[TILE * TILE];  // the last splat met while transmittance was above one half
  uint16_t live[TILE];                       // pixels of each block that still take light
};

struct Image {
  int width, height;
  float *rgb, *depth, *expected, *alpha;  // expected may be null: it is not asked for
  uint16_t *ids;
};

// Bits [first,last] of a row of tiles.
static inline uint32_t across(int first, int last) { return (2u << last) - (1u << first); }

// Whether a tile of a rectangle, ends included, still takes light.
static inline bool is_open(const Region &region, int left, int right, int top, int bottom) {
  uint32_t open = 0;
  for (int r = top; r <= bottom; r++) open |= region.open[r];
  return open & across(left, right);
}

// One build of the stages.
struct Stages {
  const char *name;
  // The blocks of [0,count) that the region may see, in order of index; returns how many.
  size_t (*cull)(const Bounds &, size_t count, const View &, const Region &, Candidate *);
  // Appends the splats of a block that open tiles of the region may see; returns how many.
  int (*project)(const Model &, const View &, const Region &, size_t block, Splat *);
  // A tile of which width × height pixels lie in the picture, before anything is blended.
  void (*start)(Tile &, int width, int height);
  // Blends up to BATCH splats, in order; left and top are the tile's first pixel. Returns whether it takes more.
  bool (*blend)(const Splat *, const uint32_t *batch, int count, int left, int top, const Rule &, Tile &);
  // Writes a tile into the picture.
  void (*finish)(const Tile &, const Splat *, int left, int top, const Image &);
};

}  // namespace synth4d
