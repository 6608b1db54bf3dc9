// Lanes of samples. Arithmetic is the compiler's on vector types; only what it can't say itself is spelled out.
// Every operation is rounded as IEEE asks, so all builds give the same bits.
#pragma once

#if defined(__AVX512F__)
constexpr int LANES = 16;
constexpr int TOGETHER = 8;   // outputs of a layer held in registers, for two vectors of samples each
#else
constexpr int LANES = 8;
constexpr int TOGETHER = 4;
#endif
constexpr int TILE = 2 * LANES;  // samples that go through a network together

typedef float F __attribute__((vector_size(4 * LANES)));
typedef int32_t I __attribute__((vector_size(4 * LANES)));
typedef uint32_t U __attribute__((vector_size(4 * LANES)));

static inline F set(float a) { return F{} + a; }
static inline U set(uint32_t a) { return U{} + a; }
static inline F load(const float *p) {
  F a;
  __builtin_memcpy(&a, p, sizeof a);
  return a;
}
static inline void store(float *p, F a) { __builtin_memcpy(p, &a, sizeof a); }
static inline F larger(F a, F b) { return a > b ? a : b; }
static inline F smaller(F a, F b) { return a < b ? a : b; }
static inline F magnitude(F a) { return (F)((U)a & 0x7fffffffu); }
static inline U whole(F a) { return (U)__builtin_convertvector(a, I); }  // towards 0
static inline F real(U a) { return __builtin_convertvector((I)a, F); }

#if defined(__AVX512F__)
static inline F fma(F a, F b, F c) { return (F)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
static inline U gather(const uint32_t *p, U i) { return (U)_mm512_i32gather_epi32((__m512i)i, p, 4); }
#elif defined(__AVX2__)
static inline F fma(F a, F b, F c) { return (F)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
static inline U gather(const uint32_t *p, U i) { return (U)_mm256_i32gather_epi32((const int *)p, (__m256i)i, 4); }
#else
static inline F fma(F a, F b, F c) {
  F out;
  for (int k = 0; k < LANES; k++) out[k] = __builtin_fmaf(a[k], b[k], c[k]);
  return out;
}
static inline U gather(const uint32_t *p, U i) {
  U out;
  for (int k = 0; k < LANES; k++) out[k] = p[i[k]];
  return out;
}
#endif

// A pair of features for every lane, kept interleaved (f0 f1 f0 f1 …) in two vectors while corners are summed.
struct Pairs {
  F low, high;
};

#if defined(__AVX512F__)
static inline Pairs gather_pairs(const float *table, U i) {
  const __m256i low = _mm512_castsi512_si256((__m512i)i), high = _mm512_extracti64x4_epi64((__m512i)i, 1);
  return {(F)_mm512_castpd_ps(_mm512_i32gather_pd(low, table, 8)), (F)_mm512_castpd_ps(_mm512_i32gather_pd(high, table, 8))};
}
static inline Pairs twice(F a) {
  const __m512i low = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
  return {(F)_mm512_permutexvar_ps(low, (__m512)a), (F)_mm512_permutexvar_ps(_mm512_add_epi32(low, _mm512_set1_epi32(8)), (__m512)a)};
}
static inline Pairs apart(Pairs p) {
  const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
  const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
  return {(F)_mm512_permutex2var_ps((__m512)p.low, even, (__m512)p.high), (F)_mm512_permutex2var_ps((__m512)p.low, odd, (__m512)p.high)};
}
#else
static inline Pairs gather_pairs(const float *table, U i) {
  Pairs out;
  for (int k = 0; k < LANES / 2; k++) {
    const float *a = table + 2 * (size_t)i[k], *b = table + 2 * (size_t)i[k + LANES / 2];
    out.low[2 * k] = a[0], out.low[2 * k + 1] = a[1], out.high[2 * k] = b[0], out.high[2 * k + 1] = b[1];
  }
  return out;
}
static inline Pairs twice(F a) {
  return {__builtin_shuffle(a, I{0, 0, 1, 1, 2, 2, 3, 3}), __builtin_shuffle(a, I{4, 4, 5, 5, 6, 6, 7, 7})};
}
static inline Pairs apart(Pairs p) {
  return {__builtin_shuffle(p.low, p.high, I{0, 2, 4, 6, 8, 10, 12, 14}),
          __builtin_shuffle(p.low, p.high, I{1, 3, 5, 7, 9, 11, 13, 15})};
}
#endif

// e^x within 2 ulp, from e^-87 to e^88: 2^n · e^r with |r| ≤ ln 2 / 2, and the minimax polynomial of Cephes' expf.
static inline F exponential(F x) {
  x = smaller(larger(x, set(-87.0f)), set(88.0f));
  const F shift = set(12582912.0f);  // 1.5 · 2²³ leaves the nearest integer in the low bits
  const F shifted = fma(x, set(1.44269504f), shift), n = shifted - shift;
  F r = fma(n, set(-0.693359375f), x);
  r = fma(n, set(2.12194440e-4f), r);
  F p = set(1.9875691500e-4f);
  p = fma(p, r, set(1.3981999507e-3f));
  p = fma(p, r, set(8.3334519073e-3f));
  p = fma(p, r, set(4.1665795894e-2f));
  p = fma(p, r, set(1.6666665459e-1f));
  p = fma(p, r, set(5.0000001201e-1f));
  p = fma(p * r, r, r + 1.0f);
  return (F)((U)p + ((U)shifted << 23));
}

static inline float smaller_of(float a, float b) { return a < b ? a : b; }
static inline float larger_of(float a, float b) { return a > b ? a : b; }

// Lanes k for which first + k < end.
static inline I load_below(int first, int end) {
  I k;
  for (int lane = 0; lane < LANES; lane++) k[lane] = lane;
  return (I)(k < I{} + (end - first));
}

// A bit a lane.
static inline uint32_t bits_of(I mask) {
#if defined(__AVX512F__)
  return _mm512_movepi32_mask((__m512i)mask);
#elif defined(__AVX2__)
  return (uint32_t)_mm256_movemask_ps((__m256)mask);
#else
  uint32_t out = 0;
  for (int k = 0; k < LANES; k++) out |= (uint32_t)(mask[k] & 1) << k;
  return out;
#endif
}
