// 16 lanes: a 4×4 pixel block in one register. Masks are bits.
#pragma once

constexpr int LANES = 16;
using F = __m512;
using I = __m512i;
using M = __mmask16;

static inline F set(float a) { return _mm512_set1_ps(a); }
static inline I set(uint32_t a) { return _mm512_set1_epi32((int)a); }
static inline M unpack(uint32_t bits) { return (M)bits; }
static inline uint32_t pack(M m) { return m; }
static inline F load(const float *p) { return _mm512_load_ps(p); }
static inline I load(const uint32_t *p) { return _mm512_load_si512(p); }
static inline void store(float *p, F a) { _mm512_store_ps(p, a); }
static inline void store(uint32_t *p, I a) { _mm512_store_si512(p, a); }
static inline F add(F a, F b) { return _mm512_add_ps(a, b); }
static inline F sub(F a, F b) { return _mm512_sub_ps(a, b); }
static inline F mul(F a, F b) { return _mm512_mul_ps(a, b); }
static inline F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
static inline F less(F a, F b, F c) { return _mm512_fnmadd_ps(b, c, a); }
static inline F min(F a, F b) { return _mm512_min_ps(a, b); }
static inline M ge(F a, F b) { return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ); }
static inline M gt(M m, F a, F b) { return _mm512_mask_cmp_ps_mask(m, a, b, _CMP_GT_OQ); }
static inline M gt(F a, F b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
static inline bool any(M m) { return m != 0; }
static inline F keep(M m, F a) { return _mm512_maskz_mov_ps(m, a); }
static inline F select(M m, F a, F b) { return _mm512_mask_mov_ps(b, m, a); }
static inline I select(M m, I a, I b) { return _mm512_mask_mov_epi32(b, m, a); }

// x rounded to the nearest integer (ties to even), and 2^that · p.
static inline F nearest(F x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
static inline F scale(F p, F, F rounded) { return _mm512_scalef_ps(p, rounded); }

// Bit e of the result is bit `k` of masks[e], for 64 masks.
static inline uint64_t column(const uint32_t *masks, int k) {
  const I bit = _mm512_set1_epi32(1 << k);
  uint64_t out = 0;
  for (int part = 0; part < 4; part++)
    out |= (uint64_t)_mm512_test_epi32_mask(load(masks + 16 * part), bit) << 16 * part;
  return out;
}
