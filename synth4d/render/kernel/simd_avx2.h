// 8 lanes: a 4×2 pixel block in one register. Masks are all-ones lanes.
#pragma once

constexpr int LANES = 8;
using F = __m256;
using I = __m256i;
using M = __m256;

static inline F set(float a) { return _mm256_set1_ps(a); }
static inline I set(uint32_t a) { return _mm256_set1_epi32((int)a); }
static inline M unpack(uint32_t bits) {
  const I lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  return _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int)bits), lane), lane));
}
static inline uint32_t pack(M m) { return (uint32_t)_mm256_movemask_ps(m); }
static inline F load(const float *p) { return _mm256_load_ps(p); }
static inline I load(const uint32_t *p) { return _mm256_load_si256((const I *)p); }
static inline void store(float *p, F a) { _mm256_store_ps(p, a); }
static inline void store(uint32_t *p, I a) { _mm256_store_si256((I *)p, a); }
static inline F add(F a, F b) { return _mm256_add_ps(a, b); }
static inline F sub(F a, F b) { return _mm256_sub_ps(a, b); }
static inline F mul(F a, F b) { return _mm256_mul_ps(a, b); }
static inline F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
static inline F less(F a, F b, F c) { return _mm256_fnmadd_ps(b, c, a); }
static inline F min(F a, F b) { return _mm256_min_ps(a, b); }
static inline M ge(F a, F b) { return _mm256_cmp_ps(a, b, _CMP_GE_OQ); }
static inline M gt(M m, F a, F b) { return _mm256_and_ps(m, _mm256_cmp_ps(a, b, _CMP_GT_OQ)); }
static inline M gt(F a, F b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
static inline bool any(M m) { return _mm256_movemask_ps(m) != 0; }
static inline F keep(M m, F a) { return _mm256_and_ps(m, a); }
static inline F select(M m, F a, F b) { return _mm256_blendv_ps(b, a, m); }
static inline I select(M m, I a, I b) {
  return _mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps(b), _mm256_castsi256_ps(a), m));
}

// Adding 1.5·2²³ leaves the nearest integer (ties to even) in the low bits, where `scale` finds the exponent.
static inline F shifter() { return set(12582912.0f); }
static inline F nearest(F x) { return sub(add(x, shifter()), shifter()); }
static inline F scale(F p, F x, F) {
  const I exponent = _mm256_slli_epi32(_mm256_castps_si256(add(x, shifter())), 23);
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), exponent));
}

// Bit e of the result is bit `k` of masks[e], for 64 masks.
static inline uint64_t column(const uint32_t *masks, int k) {
  const __m128i up = _mm_cvtsi32_si128(31 - k);
  uint64_t out = 0;
  for (int part = 0; part < 8; part++) {
    const I sign = _mm256_sll_epi32(load(masks + 8 * part), up);
    out |= (uint64_t)(unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(sign)) << 8 * part;
  }
  return out;
}
