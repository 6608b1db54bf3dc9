// The arithmetic of the marcher, compiled once for each instruction set; the sequence of IEEE operations of a
// sample and of a ray is the same in all, so all give the same bits (tests/test_nerf_march.py).
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "field.h"

namespace synth4d::nerf::SYNTH4D_ISA {
namespace {

#include "simd.h"
#include "network.h"
#include "rays.h"

void densities(const Network &net, const float *positions, size_t count, float *out) {
  static thread_local Activations a;
  const size_t width = (size_t)net.mlp.layer[net.mlp.depth - 1].out;
  alignas(64) float p[3][TILE];
  for (size_t first = 0; first < count; first += TILE) {
    const size_t n = count - first < (size_t)TILE ? count - first : (size_t)TILE;
    for (size_t i = 0; i < (size_t)TILE; i++)
      for (size_t k = 0; k < 3; k++) p[k][i] = positions[3 * (first + (i < n ? i : 0)) + k];
    const float *rows = ask(net, p[0], p[1], p[2], a);
    for (size_t i = 0; i < n; i++)
      for (size_t k = 0; k < width; k++) out[(first + i) * width + k] = rows[k * TILE + i];
  }
}

// Points of a cell: the first of the R₃ sequence (powers of the inverse of the root of x⁴ = x + 1), which fill a
// cube evenly.
void peaks(const Network &net, int cells, size_t begin, size_t count, float *out) {
  static thread_local Activations a;
  constexpr size_t TOGETHER_CELLS = (size_t)(TILE / PROBES);
  const double step[3] = {0.8191725133961645, 0.6710436067037893, 0.5497004779019703};
  float offset[PROBES][3];
  for (int i = 0; i < PROBES; i++)
    for (int k = 0; k < 3; k++) {
      const double at = 0.5 + (i + 1) * step[k];
      offset[i][k] = (float)(at - (double)(int)at);
    }
  alignas(64) float p[3][TILE];
  const size_t n = (size_t)cells;
  const float size = 1.0f / (float)cells;
  for (size_t first = 0; first < count; first += TOGETHER_CELLS) {
    for (size_t c = 0; c < TOGETHER_CELLS; c++) {
      const size_t cell = begin + (first + c < count ? first + c : 0);
      const size_t corner[3] = {cell / (n * n), cell / n % n, cell % n};
      for (size_t i = 0; i < (size_t)PROBES; i++)
        for (size_t k = 0; k < 3; k++) p[k][c * PROBES + i] = ((float)corner[k] + offset[i][k]) * size;
    }
    const float *density = ask(net, p[0], p[1], p[2], a);
    for (size_t c = 0; c < TOGETHER_CELLS && first + c < count; c++) {
      float peak = 0.0f;
      for (size_t i = 0; i < (size_t)PROBES; i++) peak = larger_of(peak, density[c * PROBES + i]);
      out[first + c] = peak;
    }
  }
}

void heads(const Field &f, const float *geometry, const float *directions, size_t count, float *rgb, float *logits) {
  static thread_local Activations a;
  const size_t G = (size_t)f.geometry, C = (size_t)f.classes.out;
  for (size_t first = 0; first < count; first += TILE) {
    const size_t n = count - first < (size_t)TILE ? count - first : (size_t)TILE;
    auto fill = [&](float *to) {
      for (size_t i = 0; i < (size_t)TILE; i++)
        for (size_t k = 0; k < G; k++) to[k * TILE + i] = geometry[(first + (i < n ? i : 0)) * G + k];
    };
    for (size_t i = 0; i < (size_t)TILE; i++) {
      float basis[DIRECTIONS];
      harmonics(directions + 3 * (first + (i < n ? i : 0)), basis);
      for (size_t k = 0; k < DIRECTIONS; k++) a.x[k * TILE + i] = basis[k];
    }
    fill(a.x + DIRECTIONS * TILE);
    float *colours = through(f.colour, a);
    squash(colours);
    for (size_t i = 0; i < n; i++)
      for (size_t k = 0; k < 3; k++) rgb[3 * (first + i) + k] = colours[k * TILE + i];
    if (!C) continue;
    fill(a.x);
    float *hidden = through(f.semantics, a), *rows = hidden == a.x ? a.y : a.x;
    for (int i = 0; i < TILE; i++) hidden[(f.classes.in - 1) * TILE + i] = 1.0f;
    linear(f.classes, -3.4e38f, hidden, rows);
    for (size_t i = 0; i < n; i++)
      for (size_t k = 0; k < C; k++) logits[(first + i) * C + k] = rows[k * TILE + i];
  }
}

}  // namespace

#define NAME_OF(isa) #isa
#define NAME(isa) NAME_OF(isa)
extern const Stages stages = {NAME(SYNTH4D_ISA), march, peaks, densities, heads};

}  // namespace synth4d::nerf::SYNTH4D_ISA
