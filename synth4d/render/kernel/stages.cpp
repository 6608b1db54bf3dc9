// The float stages of the rasteriser: cull blocks, project Gaussians to splats, blend a tile. Compiled once for each
// instruction set; the sequence of IEEE operations per Gaussian and per pixel is the same in all of them, so
// all give the same bits (tests/test_splat.py::test_builds_agree).
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "kernel.h"

namespace synth4d::SYNTH4D_ISA {
namespace {

#if defined(__AVX512F__)
#include "simd_avx512.h"
#elif defined(__AVX2__)
#include "simd_avx2.h"
#else
#include "simd_generic.h"
#endif

inline float larger(float a, float b) { return a > b ? a : b; }
inline float smaller(float a, float b) { return a < b ? a : b; }
inline float clamp(float v, float low, float high) { return smaller(larger(v, low), high); }
inline float magnitude(float a) { return __builtin_fabsf(a); }

#include "cull.h"
#include "project.h"
#include "blend.h"

}  // namespace

#define NAME_OF(isa) #isa
#define NAME(isa) NAME_OF(isa)
extern const Stages stages = {NAME(SYNTH4D_ISA), cull, project, start, blend, finish};

}  // namespace synth4d::SYNTH4D_ISA
