// The two float stages of the rasteriser: project Gaussians to splats, blend a tile. Compiled once for each
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

#include "project.h"
#include "blend.h"

}  // namespace

#define NAME_OF(isa) #isa
#define NAME(isa) NAME_OF(isa)
extern const Stages stages = {NAME(SYNTH4D_ISA), project, blend};

}  // namespace synth4d::SYNTH4D_ISA
