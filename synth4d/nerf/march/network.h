// A hash grid and its MLP, for TILE samples at a time. Activations lie [feature][TILE].
#pragma once

// Outputs [first, first + N) of a layer; y = W x + b, then the larger of that and `floor`.
template <int N>
static inline void outputs(const Layer &layer, int first, F floor, const float *x, float *y) {
  F sum[N][2];
  for (int j = 0; j < N; j++) sum[j][0] = sum[j][1] = set(layer.b[first + j]);
  const float *w = layer.w + (size_t)(first / BLOCK * BLOCK) * (size_t)layer.in + first % BLOCK;
  for (int i = 0; i < layer.in; i++, w += BLOCK, x += TILE) {
    const F x0 = load(x), x1 = load(x + LANES);
    for (int j = 0; j < N; j++) {
      const F wj = set(w[j]);
      sum[j][0] = fma(wj, x0, sum[j][0]), sum[j][1] = fma(wj, x1, sum[j][1]);
    }
  }
  for (int j = 0; j < N; j++)
    store(y + (first + j) * TILE, larger(sum[j][0], floor)), store(y + (first + j) * TILE + LANES, larger(sum[j][1], floor));
}

static inline void linear(const Layer &layer, float floor, const float *x, float *y) {
  const F least = set(floor);
  int j = 0;
  for (; j + TOGETHER <= layer.out; j += TOGETHER) outputs<TOGETHER>(layer, j, least, x, y);
  if (TOGETHER > 4 && j + 4 <= layer.out) outputs<4>(layer, j, least, x, y), j += 4;
  if (j + 2 <= layer.out) outputs<2>(layer, j, least, x, y), j += 2;
  if (j < layer.out) outputs<1>(layer, j, least, x, y);
}

// Room for the activations of one tile; `x` holds the input, and what comes back is the output.
struct alignas(64) Activations {
  float x[MAX_WIDTH * TILE], y[MAX_WIDTH * TILE];
};

static inline float *through(const Mlp &mlp, Activations &a) {
  float *from = a.x, *to = a.y;
  for (int k = 0; k < mlp.depth; k++) {
    linear(mlp.layer[k], k + 1 < mlp.depth || mlp.ends_in_relu ? 0.0f : -3.4e38f, from, to);
    float *other = from;
    from = to, to = other;
  }
  return from;
}

// Features of LANES positions: at each level the eight corners of the cell, hashed as in Müller et al. 2022
// (every level hashed, none dense, as nerfstudio's torch encoding does) and interpolated.
template <int N>
static inline void encode(const Network &net, F x, F y, F z, float *out) {
  const U mask = set(net.mask);
  const float *table = net.table;
  for (int level = 0; level < net.levels; level++, table += ((size_t)net.mask + 1) * N) {
    const F scale = set(net.scalings[level]);
    const F sx = x * scale, sy = y * scale, sz = z * scale;
    const U ix = whole(sx), iy = whole(sy), iz = whole(sz);
    const F fx = sx - real(ix), fy = sy - real(iy), fz = sz - real(iz);
    const F gx = 1.0f - fx, gy = 1.0f - fy, gz = 1.0f - fz;
    const U hy0 = iy * 2654435761u, hy1 = hy0 + 2654435761u, hz0 = iz * 805459861u, hz1 = hz0 + 805459861u;
    const U yz[4] = {hy0 ^ hz0, hy1 ^ hz0, hy0 ^ hz1, hy1 ^ hz1};
    const F wyz[4] = {gy * gz, fy * gz, gy * fz, fy * fz};
    Rows<N> sum;
    for (int k = 0; k < N; k++) sum.part[k] = set(0.0f);
    for (int corner = 0; corner < 8; corner++) {
      const U hash = (ix + (uint32_t)(corner & 1)) ^ yz[corner >> 1];
      const Rows<N> row = look_up<N>(table, hash & mask), weight = repeated<N>((corner & 1 ? fx : gx) * wyz[corner >> 1]);
      for (int k = 0; k < N; k++) sum.part[k] = fma(weight.part[k], row.part[k], sum.part[k]);
    }
    F features[N];
    apart<N>(sum.part, features);
    for (int k = 0; k < N; k++, out += TILE) store(out, features[k]);
  }
}

static inline void encode(const Network &net, F x, F y, F z, float *out) {
  switch (net.features) {
    case 1: return encode<1>(net, x, y, z, out);
    case 2: return encode<2>(net, x, y, z, out);
    case 4: return encode<4>(net, x, y, z, out);
    default: return encode<8>(net, x, y, z, out);
  }
}

// Outputs [out][TILE] of a network at TILE positions; row 0 becomes density.
static inline float *ask(const Network &net, const float *x, const float *y, const float *z, Activations &a) {
  for (int half = 0; half < TILE; half += LANES) encode(net, load(x + half), load(y + half), load(z + half), a.x + half);
  float *out = through(net.mlp, a);
  for (int half = 0; half < TILE; half += LANES)
    store(out + half, exponential(smaller(load(out + half), set(80.0f))) * net.density_scale);
  return out;
}

// Sigmoid of three rows.
static inline void squash(float *rows) {
  for (int k = 0; k < 3 * TILE; k += LANES) store(rows + k, 1.0f / (1.0f + exponential(0.0f - load(rows + k))));
}

// The basis that nerfstudio's torch encoding gives a direction: real spherical harmonics of degree 0–3 at
// (direction + 1) / 2, which is what its colour network was trained on.
static inline void harmonics(const float *direction, float *out) {
  const float x = (direction[0] + 1.0f) * 0.5f, y = (direction[1] + 1.0f) * 0.5f, z = (direction[2] + 1.0f) * 0.5f;
  const float xx = x * x, yy = y * y, zz = z * z;
  const float basis[DIRECTIONS] = {
      0.28209479177387814f, 0.4886025119029199f * y, 0.4886025119029199f * z, 0.4886025119029199f * x,
      1.0925484305920792f * x * y, 1.0925484305920792f * y * z, 0.9461746957575601f * zz - 0.31539156525251999f,
      1.0925484305920792f * x * z, 0.5462742152960396f * (xx - yy), 0.5900435899266435f * y * (3.0f * xx - yy),
      2.890611442640554f * x * y * z, 0.4570457994644658f * y * (5.0f * zz - 1.0f),
      0.3731763325901154f * z * (5.0f * zz - 3.0f), 0.4570457994644658f * x * (5.0f * zz - 1.0f),
      1.445305721320277f * z * (xx - yy), 0.5900435899266435f * x * (xx - 3.0f * yy)};
  for (int k = 0; k < DIRECTIONS; k++) out[k] = basis[k];
}
