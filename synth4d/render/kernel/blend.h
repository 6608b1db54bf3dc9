// A tile, front to back: splats in batches of 64, pixels in 4×4 blocks, so that a block's colour, transmittance and
// depth stay in registers over a batch. Prototyped 16×1 rows and entry-major blocks were 1.2× and more slower: half
// of their lanes and most of their loads and stores were wasted.

constexpr int SIDE = 4;                          // pixels of a block
constexpr int BLOCKS = TILE * TILE / (SIDE * SIDE);
constexpr int HALVES = SIDE * SIDE / LANES;      // registers a block takes

// 2^x for x ≤ 0 down to −8; relative error 1e-7 (minimax of degree 5 on [−½, ½]).
inline F exp2(F x) {
  const F whole = nearest(x), f = sub(x, whole);
  F p = set(1.326472731e-3f);
  p = fma(p, f, set(9.671512991e-3f));
  p = fma(p, f, set(5.550733581e-2f));
  p = fma(p, f, set(2.402224243e-1f));
  p = fma(p, f, set(6.931470037e-1f));
  p = fma(p, f, set(1.0f));
  return scale(p, x, whole);
}

// Blend the splats of a batch whose bits are set, in order, into LANES pixels from o on; px, py are their centres.
// Returns the pixels that still take light. EXPECTED and LAST as in Rule: LAST, that it has a `done`.
template <bool EXPECTED, bool LAST>
inline M blend_pixels(const Splat *const *batch, const uint32_t *entries, uint64_t bits, F px, F py, M live, int o,
                      float done, Tile &tile) {
  F t = load(tile.t + o), r = load(tile.r + o), g = load(tile.g + o), b = load(tile.b + o), wz{};
  if (EXPECTED) wz = load(tile.wz + o);
  I median = load(tile.median + o);
  const auto next = [&] {
    const int e = __builtin_ctzll(bits);
    bits &= bits - 1;
    const Splat &s = *batch[e];
    const F dx = sub(px, set(s.x)), dy = sub(py, set(s.y));
    const F along = fma(set(s.b), dy, mul(set(s.a), dx));
    const F power = fma(dx, along, fma(mul(set(s.c), dy), dy, set(s.log2_opacity)));
    const F alpha = keep(ge(power, set(MIN_LOG2_ALPHA)), min(set(MAX_ALPHA), exp2(power)));
    const F after = less(t, alpha, t);
    median = select(gt(t, set(0.5f)), set(entries[e]), median);
    if (!LAST) live = gt(live, after, set(MIN_TRANSMITTANCE));
    const F w = keep(live, mul(alpha, t));
    r = fma(w, set(s.rgb[0]), r), g = fma(w, set(s.rgb[1]), g), b = fma(w, set(s.rgb[2]), b);
    if (EXPECTED) wz = fma(w, set(s.z), wz);
    t = select(live, after, t);
    if (LAST) live = gt(live, after, set(done));
  };
  do {
    next();
    if (bits) next();  // looking every other time whether the block is done takes 2 % off a frame
  } while (bits && any(live));
  store(tile.t + o, t), store(tile.r + o, r), store(tile.g + o, g), store(tile.b + o, b);
  if (EXPECTED) store(tile.wz + o, wz);
  store(tile.median + o, median);
  return live;
}

// Where in a tile the splats of a batch are seen: the outlines at which alpha is 1/255. In row dy from the centre an
// outline lies at slope·dy ± sqrt(wide − dy²·narrow), rightmost in row `lean`, leftmost in row −lean.
struct Outlines {
  alignas(64) float x[BATCH], y[BATCH], a[BATCH], b[BATCH], c[BATCH], log2_opacity[BATCH];
  alignas(64) float slope[BATCH], wide[BATCH], narrow[BATCH], lean[BATCH];
  alignas(64) uint32_t blocks[BATCH];  // the answer, a bit a block
};

inline void shape(Outlines &k) {
  for (int e = 0; e < BATCH; e++) {
    const float a = -k.a[e], b = k.b[e], c = -k.c[e], ia = 1.0f / a, full = 4.0f * a * c;
    const float level = larger(WIDE * (k.log2_opacity[e] - MIN_LOG2_ALPHA), 0.0f);
    // Where the outline is a needle, rounding eats the determinant: too small a one makes it longer, never shorter.
    const float det = larger(full - b * b - 4e-7f * full, 1e-7f * full);
    k.slope[e] = 0.5f * b * ia, k.wide[e] = level * ia, k.narrow[e] = 0.25f * det * ia * ia;
    k.lean[e] = b * (__builtin_sqrtf(level / c) / __builtin_sqrtf(det));
    k.blocks[e] = 0;
  }
}

// Blocks that the outlines touch in a strip of four rows, which begin at `first`: all between their leftmost and their
// rightmost point there. Pixel k is seen if left ≤ k + ½ ≤ right, and block q if one of 4q … 4q+3 is.
inline void touch(Outlines &k, int strip, float x0, float first) {
  constexpr float SLACK = 0.01f;  // pixels, for rounding
  for (int e = 0; e < BATCH; e++) {
    const float x = k.x[e] - x0, top = first + 0.5f - k.y[e], bottom = top + (float)(SIDE - 1);
    const float down = clamp(k.lean[e], top, bottom), up = clamp(-k.lean[e], top, bottom);
    const float nearest = clamp(0.0f, top, bottom);
    const float left = x + k.slope[e] * up - __builtin_sqrtf(larger(k.wide[e] - up * up * k.narrow[e], 0.0f));
    const float right = x + k.slope[e] * down + __builtin_sqrtf(larger(k.wide[e] - down * down * k.narrow[e], 0.0f));
    const int end = (int)clamp(1.0f + (right - 0.5f + SLACK) * 0.25f, 0.0f, 4.0f);
    const int begin = 4 - (int)clamp(4.0f - (left - 3.5f - SLACK) * 0.25f, 0.0f, 4.0f);
    const uint32_t row = ((1u << end) - 1u) & (0xfu << begin);
    k.blocks[e] |= (nearest * nearest * k.narrow[e] <= k.wide[e] ? row : 0u) << (SIDE * strip);
  }
}

typedef float Four __attribute__((vector_size(16), may_alias));

// Four times four floats transposed. Splats become arrays by it in half the time of a load and a store for each field.
inline void transpose(Four (&v)[4]) {
  const Four ab = __builtin_shufflevector(v[0], v[1], 0, 4, 1, 5), cd = __builtin_shufflevector(v[2], v[3], 0, 4, 1, 5);
  const Four AB = __builtin_shufflevector(v[0], v[1], 2, 6, 3, 7), CD = __builtin_shufflevector(v[2], v[3], 2, 6, 3, 7);
  v[0] = __builtin_shufflevector(ab, cd, 0, 1, 4, 5), v[1] = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
  v[2] = __builtin_shufflevector(AB, CD, 0, 1, 4, 5), v[3] = __builtin_shufflevector(AB, CD, 2, 3, 6, 7);
}

// The batch as arrays; past its end its last splat again, whose answer nobody asks for.
inline void gather(const Splat *splats, const uint32_t *entries, int count, const Splat *(&batch)[BATCH], Outlines &k) {
  for (int e = 0; e < BATCH; e++) batch[e] = &splats[entries[e < count ? e : count - 1]];
  for (int e = 0; e < BATCH; e += 4) {
    Four xyab[4], rest[4];
    for (int j = 0; j < 4; j++) xyab[j] = *(const Four *)&batch[e + j]->x, rest[j] = *(const Four *)&batch[e + j]->c;
    transpose(xyab), transpose(rest);
    float *const to[6] = {k.x, k.y, k.a, k.b, k.c, k.log2_opacity};
    for (int f = 0; f < 6; f++) *(Four *)(to[f] + e) = f < 4 ? xyab[f] : rest[f - 4];
  }
}

template <bool EXPECTED, bool LAST>
bool blend(const Splat *splats, const uint32_t *entries, int count, int left, int top, float done, Tile &tile) {
  const Splat *batch[BATCH];
  Outlines k;
  gather(splats, entries, count, batch, k);
  shape(k);
  for (int strip = 0; strip < TILE / SIDE; strip++) {
    const uint16_t *live = tile.live + SIDE * strip;
    if (live[0] | live[1] | live[2] | live[3]) touch(k, strip, (float)left, (float)(top + SIDE * strip));
  }
  const uint64_t all = count < BATCH ? (1ull << count) - 1 : ~0ull;
  alignas(64) float lane_x[LANES], lane_y[LANES];
  for (int l = 0; l < LANES; l++)
    lane_x[l] = (float)(left + l % SIDE) + 0.5f, lane_y[l] = (float)(top + l / SIDE) + 0.5f;
  bool more = false;
  for (int block = 0; block < BLOCKS; block++) {
    if (!tile.live[block]) continue;
    if (const uint64_t bits = column(k.blocks, block) & all) {
      const F px = add(load(lane_x), set((float)(block % SIDE * SIDE)));
      uint32_t live = 0;
      for (int half = 0; half < HALVES; half++) {
        const int o = block * SIDE * SIDE + half * LANES;
        const uint32_t lanes = tile.live[block] >> half * LANES;
        const F py = add(load(lane_y), set((float)(block / SIDE * SIDE + half * (LANES / SIDE))));
        if (!(lanes & ((1u << LANES) - 1))) continue;
        live |= pack(blend_pixels<EXPECTED, LAST>(batch, entries, bits, px, py, unpack(lanes), o, done, tile))
                  << half * LANES;
      }
      tile.live[block] = (uint16_t)live;
    }
    more |= tile.live[block] != 0;
  }
  return more;
}

bool blend(const Splat *splats, const uint32_t *entries, int count, int left, int top, const Rule &rule, Tile &tile) {
  const bool last = rule.done > 0.0f;
  const auto as = rule.expected ? (last ? blend<true, true> : blend<true, false>)
                                : (last ? blend<false, true> : blend<false, false>);
  return as(splats, entries, count, left, top, rule.done, tile);
}

// Nothing blended yet; pixels beyond the picture take no light.
void start(Tile &tile, int width, int height) {
  for (int k = 0; k < TILE * TILE; k++) tile.t[k] = 1.0f, tile.r[k] = tile.g[k] = tile.b[k] = tile.wz[k] = 0.0f;
  for (int block = 0; block < BLOCKS; block++) {
    uint32_t live = 0;
    for (int k = 0; k < SIDE * SIDE; k++) {
      const int x = block % SIDE * SIDE + k % SIDE, y = block / SIDE * SIDE + k / SIDE;
      live |= (uint32_t)(x < width && y < height) << k;
    }
    tile.live[block] = (uint16_t)live;
  }
}

// Depth at which the ray of a pixel meets the middle of a splat.
inline float ridge(const Splat &s, float px, float py) {
  const float dz = s.zx * (px - s.x) + s.zy * (py - s.y);
  return larger(s.z + clamp(dz, -s.z_span, s.z_span), NEAR_PLANE);
}

// The first `count` of four pixels side by side, from o on in the tile, to `to` on in the picture.
inline void finish(const Tile &tile, const Splat *splats, int o, float px, float py, size_t to, int count,
                   const Image &image) {
  const Four alpha = 1.0f - *(const Four *)(tile.t + o);
  Four rgb[4] = {*(const Four *)(tile.r + o), *(const Four *)(tile.g + o), *(const Four *)(tile.b + o), alpha};
  transpose(rgb);
  for (int x = 0; x < count; x++) {
    const size_t pixel = to + (size_t)x;
    __builtin_memcpy(image.rgb + 3 * pixel, &rgb[x], 3 * sizeof(float));
    image.alpha[pixel] = alpha[x];
    if (image.expected) image.expected[pixel] = alpha[x] > 0.0f ? tile.wz[o + x] / alpha[x] : 0.0f;
    const bool solid = tile.t[o + x] <= 0.5f;
    const Splat &s = splats[solid ? tile.median[o + x] : 0];
    image.depth[pixel] = solid ? ridge(s, px + (float)x, py) : 0.0f;
    image.ids[pixel] = solid ? (uint16_t)s.id : 0;
  }
}

void finish(const Tile &tile, const Splat *splats, int left, int top, const Image &image) {
  const int width = image.width - left < TILE ? image.width - left : TILE;
  const int height = image.height - top < TILE ? image.height - top : TILE;
  for (int k = 0; k < TILE * TILE; k++)
    if (tile.t[k] <= 0.5f) __builtin_prefetch(&splats[tile.median[k]]);
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x += SIDE) {
      const size_t to = (size_t)(top + y) * (size_t)image.width + (size_t)(left + x);
      const int o = y / SIDE * SIDE * TILE + y % SIDE * SIDE + x * SIDE;  // in the tile's order
      const float px = (float)(left + x) + 0.5f, py = (float)(top + y) + 0.5f;
      if (width - x >= SIDE)  // nearly always, and with a count known beforehand
        finish(tile, splats, o, px, py, to, SIDE, image);
      else
        finish(tile, splats, o, px, py, to, width - x, image);
    }
}
