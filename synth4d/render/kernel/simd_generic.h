// 8 lanes in plain C++, for processors without AVX2 and for the tests. fmaf rounds once, as the hardware does.
#pragma once

constexpr int LANES = 8;
typedef float F __attribute__((vector_size(32)));
typedef uint32_t I __attribute__((vector_size(32)));
typedef int32_t M __attribute__((vector_size(32)));

static inline F set(float a) { return F{a, a, a, a, a, a, a, a}; }
static inline I set(uint32_t a) { return I{a, a, a, a, a, a, a, a}; }
static inline M unpack(uint32_t bits) {
  M out;
  for (int k = 0; k < LANES; k++) out[k] = -(int32_t)(bits >> k & 1);
  return out;
}
static inline uint32_t pack(M m) {
  uint32_t out = 0;
  for (int k = 0; k < LANES; k++) out |= (uint32_t)(m[k] & 1) << k;
  return out;
}
static inline F load(const float *p) { return *(const F *)p; }
static inline I load(const uint32_t *p) { return *(const I *)p; }
static inline void store(float *p, F a) { *(F *)p = a; }
static inline void store(uint32_t *p, I a) { *(I *)p = a; }
static inline F add(F a, F b) { return a + b; }
static inline F sub(F a, F b) { return a - b; }
static inline F mul(F a, F b) { return a * b; }
static inline F fma(F a, F b, F c) {
  F out;
  for (int k = 0; k < LANES; k++) out[k] = __builtin_fmaf(a[k], b[k], c[k]);
  return out;
}
static inline F less(F a, F b, F c) { return fma(-b, c, a); }
static inline F min(F a, F b) { return a < b ? a : b; }
static inline M ge(F a, F b) { return (M)(a >= b); }
static inline M gt(M m, F a, F b) { return m & (M)(a > b); }
static inline M gt(F a, F b) { return (M)(a > b); }
static inline bool any(M m) {
  int32_t out = 0;
  for (int k = 0; k < LANES; k++) out |= m[k];
  return out != 0;
}
static inline F keep(M m, F a) { return (F)(m & (M)a); }
static inline F select(M m, F a, F b) { return (F)((m & (M)a) | (~m & (M)b)); }
static inline I select(M m, I a, I b) { return (I)((m & (M)a) | (~m & (M)b)); }

// Adding 1.5·2²³ leaves the nearest integer (ties to even) in the low bits, where `scale` finds the exponent.
static inline F shifter() { return set(12582912.0f); }
static inline F nearest(F x) { return (x + shifter()) - shifter(); }
static inline F scale(F p, F x, F) { return (F)((I)p + ((I)(x + shifter()) << 23)); }

// Bit e of the result is bit `k` of masks[e], for 64 masks.
static inline uint64_t column(const uint32_t *masks, int k) {
  uint64_t out = 0;
  for (int e = 0; e < 64; e++) out |= (uint64_t)(masks[e] >> k & 1) << e;
  return out;
}
