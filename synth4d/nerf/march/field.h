// The nouns of the marcher, shared by every build of its stages. No standard containers here or in stages.cpp:
// an inline function of theirs compiled for AVX-512 could be the copy the linker keeps for all.
#pragma once
#include <cstddef>
#include <cstdint>

namespace synth4d::nerf {

constexpr int RAYS = 64;          // rays marched together, so that their samples fill the registers
constexpr int WAVE = 4;           // samples a ray puts forward before it is asked whether it has ended
constexpr int BATCH = RAYS * WAVE;
constexpr int BLOCK = 8;          // outputs of a layer computed together; weights are packed [out/8][in][8]
constexpr int MAX_LAYERS = 8, MAX_WIDTH = 256, MAX_ROUNDS = 4, MAX_SAMPLES = 2048;
constexpr int PROBES = 8;         // points of a cell of the occupancy grid that are looked at
constexpr int DIRECTIONS = 16;    // spherical harmonics of a direction, degree 3

// y = W x + b; b is padded to whole blocks.
struct Layer {
  int in, out;
  const float *w, *b;
};

// Layers with ReLU between them, and after the last if so said.
struct Mlp {
  int depth;
  bool ends_in_relu;
  Layer layer[MAX_LAYERS];
};

// A multi-resolution hash grid over [0,1]³ and the MLP behind it, whose first output is the logarithm of density.
struct Network {
  int levels, features;
  uint32_t mask;                  // entries of a level − 1; a power of two − 1
  const float *scalings, *table;  // (levels), (levels, mask + 1, features)
  Mlp mlp;
  float density_scale;
  int cells;                      // on a side of the occupancy grid; 0 = none, everything is asked
  const uint32_t *occupied;       // a bit a cell, z fastest
  int samples;                    // a ray is given in this network's round
};

struct Field {
  int rounds;                     // proposal networks, then the field itself
  Network round[MAX_ROUNDS];
  int geometry;                   // outputs of the field's MLP after its density
  Mlp colour, semantics;          // of directions and geometry; of geometry, without the last linear layer
  Layer classes;                  // that last layer, asked once a ray, being linear; its bias is the weight of a
                                  // last input, the ray's opacity. out = 0: no classes
  bool contracted, piecewise;     // space beyond ±1 drawn in; samples even in distance, or half of them in disparity
  float low[3], inverse_size[3];  // of the box that becomes [0,1]³
  float near, far;
  bool last_sample_behind;        // rays that have light left see the colour of their last sample, else this:
  float background[3];
  float stop, least_weight;       // transmittance at which a ray ends; weight from which a sample's colour is asked
};

// Rays in the field's own axes and units; directions of length 1.
struct Rays {
  const float *origins, *directions;  // (N,3)
};

struct Picture {
  float *rgb, *median, *expected, *alpha;  // (N,3), (N), (N), (N); distances along the ray
  uint16_t *classes;                       // (N) index of the class, if the field has any
};

// Memory of one thread, for one block of rays.
struct Scratch {
  float *bins, *edges, *weights;  // (RAYS, most samples + 1)
  float *x, *y, *z;               // (RAYS, most samples) in [0,1]³
  uint16_t *live;                 // (RAYS, most samples) which samples are asked
  float *hidden;                  // (RAYS, inputs of the classes), in tiles of rays
  size_t stride;
};

// One build of the stages.
struct Stages {
  const char *name;
  void (*march)(const Field &, const Rays &, size_t begin, int count, const Scratch &, const Picture &);
  // The greatest density among PROBES points of each of the cells [begin, begin + count) of an occupancy grid.
  void (*peaks)(const Network &, int cells, size_t begin, size_t count, float *out);
  // Outputs (N, out) of a network at positions (N,3) in [0,1]³, the first being density; of the heads at
  // geometry (N,G) and directions (N,3): colours (N,3) and, where there are classes, logits (N,classes).
  void (*densities)(const Network &, const float *positions, size_t count, float *out);
  void (*heads)(const Field &, const float *geometry, const float *directions, size_t count, float *rgb, float *logits);
};

}  // namespace synth4d::nerf
