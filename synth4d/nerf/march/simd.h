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

// N features of every lane, kept interleaved as they lie in memory while the corners of a cell are summed.
template <int N>
struct Rows {
  F part[N];
};

// Lane numbers of N vectors when every lane is repeated N times.
template <int N>
struct Repeats {
  int32_t lane[N][LANES];
  constexpr Repeats() : lane() {
    for (int k = 0; k < N * LANES; k++) lane[k / LANES][k % LANES] = k / N;
  }
};

template <int N>
static inline Rows<N> repeated(F a) {
  static constexpr Repeats<N> at;
  Rows<N> out;
  for (int k = 0; k < N; k++) {
    I lanes;
    __builtin_memcpy(&lanes, at.lane[k], sizeof lanes);
    out.part[k] = __builtin_shuffle(a, lanes);
  }
  return out;
}

// N vectors that hold N features in turn → one vector a feature, by taking every second number again and again.
template <int N>
static inline void apart(const F *mixed, F *features, int step = 1) {
  if constexpr (N == 1) {
    features[0] = mixed[0];
  } else {
    I even, odd;
    for (int k = 0; k < LANES; k++) even[k] = 2 * k, odd[k] = 2 * k + 1;
    F halves[2][N / 2];
    for (int k = 0; k < N / 2; k++) {
      halves[0][k] = __builtin_shuffle(mixed[2 * k], mixed[2 * k + 1], even);
      halves[1][k] = __builtin_shuffle(mixed[2 * k], mixed[2 * k + 1], odd);
    }
    apart<N / 2>(halves[0], features, 2 * step), apart<N / 2>(halves[1], features + step, 2 * step);
  }
}

// Rows i[lane] of a table of N columns.
template <int N>
static inline Rows<N> look_up(const float *table, U i) {
  Rows<N> out;
#if defined(__AVX512F__)
  if constexpr (N == 2) {
    const __m256i low = _mm512_castsi512_si256((__m512i)i), high = _mm512_extracti64x4_epi64((__m512i)i, 1);
    out.part[0] = (F)_mm512_castpd_ps(_mm512_i32gather_pd(low, table, 8));
    out.part[1] = (F)_mm512_castpd_ps(_mm512_i32gather_pd(high, table, 8));
    return out;
  }
#endif
  alignas(64) uint32_t at[LANES];
  __builtin_memcpy(at, &i, sizeof at);
#if defined(__AVX512F__)
  if constexpr (N == 4) {
    for (int k = 0; k < 4; k++) {
      const uint32_t *four = at + 4 * k;
      __m512 row = _mm512_castps128_ps512(_mm_loadu_ps(table + 4 * (size_t)four[0]));
      row = _mm512_insertf32x4(row, _mm_loadu_ps(table + 4 * (size_t)four[1]), 1);
      row = _mm512_insertf32x4(row, _mm_loadu_ps(table + 4 * (size_t)four[2]), 2);
      out.part[k] = (F)_mm512_insertf32x4(row, _mm_loadu_ps(table + 4 * (size_t)four[3]), 3);
    }
    return out;
  }
#elif defined(__AVX2__)
  if constexpr (N == 4) {
    for (int k = 0; k < 4; k++)
      out.part[k] = (F)_mm256_loadu2_m128(table + 4 * (size_t)at[2 * k + 1], table + 4 * (size_t)at[2 * k]);
    return out;
  }
#endif
  for (int lane = 0; lane < LANES; lane++)
    __builtin_memcpy((float *)out.part + N * lane, table + N * (size_t)at[lane], N * sizeof(float));
  return out;
}

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
