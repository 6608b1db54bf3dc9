// A tile, front to back: entries in batches of 64, pixels in blocks of one register, so that a block's colour,
// transmittance and depth stay in registers over a batch. Prototyped 16×1 rows and entry-major blocks were
// 1.2× and more slower: half of their lanes and most of their loads and stores were wasted.

constexpr int BATCH = 64;
constexpr int BLOCK_WIDTH = 4, BLOCK_HEIGHT = LANES / BLOCK_WIDTH;
constexpr int ACROSS = TILE / BLOCK_WIDTH, BLOCKS = TILE * TILE / LANES;
constexpr uint32_t NONE = 0xffffffff;

// Front-to-back state of the pixels of a tile, block after block.
struct TileState {
  alignas(64) float t[TILE * TILE], r[TILE * TILE], g[TILE * TILE], b[TILE * TILE], wz[TILE * TILE];
  alignas(64) uint32_t median[TILE * TILE];  // the splat at which transmittance crosses one half
  M live[BLOCKS];
};

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

// Blend the splats of a batch whose bits are set, in order, into one block; px, py are its pixel centres.
inline void blend_block(const Splat *const *batch, const uint32_t *entries, uint64_t bits, F px, F py, int block,
                        TileState &tile) {
  const int o = block * LANES;
  F t = load(tile.t + o), r = load(tile.r + o), g = load(tile.g + o), b = load(tile.b + o), wz = load(tile.wz + o);
  I median = load(tile.median + o);
  M live = tile.live[block];
  do {
    const int e = __builtin_ctzll(bits);
    bits &= bits - 1;
    const Splat &s = *batch[e];
    const F dx = sub(px, set(s.x)), dy = sub(py, set(s.y));
    const F along = fma(set(s.b), dy, mul(set(s.a), dx));
    const F power = fma(dx, along, fma(mul(set(s.c), dy), dy, set(s.log2_opacity)));
    const F alpha = keep(ge(power, set(MIN_LOG2_ALPHA)), min(set(MAX_ALPHA), exp2(power)));
    const F after = mul(t, sub(set(1.0f), alpha));
    live = gt(live, after, set(MIN_TRANSMITTANCE));
    const F w = keep(live, mul(alpha, t));
    r = fma(w, set(s.rgb[0]), r), g = fma(w, set(s.rgb[1]), g), b = fma(w, set(s.rgb[2]), b);
    wz = fma(w, set(s.z), wz);
    median = select(le(gt(live, t, set(0.5f)), after, set(0.5f)), set(entries[e]), median);
    t = select(live, after, t);
  } while (bits && any(live));
  store(tile.t + o, t), store(tile.r + o, r), store(tile.g + o, g), store(tile.b + o, b), store(tile.wz + o, wz);
  store(tile.median + o, median);
  tile.live[block] = live;
}

// Bits of the blocks that pixels [x0,x1) × [y0,y1) of the tile touch.
inline uint32_t touched(int x0, int x1, int y0, int y1) {
  const uint32_t first = (uint32_t)x0 / BLOCK_WIDTH, end = ((uint32_t)x1 + BLOCK_WIDTH - 1) / BLOCK_WIDTH;
  const uint32_t top = (uint32_t)y0 / BLOCK_HEIGHT, bottom = ((uint32_t)y1 + BLOCK_HEIGHT - 1) / BLOCK_HEIGHT;
  constexpr uint32_t EACH_ROW = BLOCKS == 16 ? 0x1111u : 0x11111111u;
  const uint32_t columns = ((1u << end) - (1u << first)) * EACH_ROW;
  const uint32_t rows = (uint32_t)((1ull << ACROSS * bottom) - (1ull << ACROSS * top));
  return columns & rows;
}

// Depth at which the ray of a pixel meets the middle of a splat.
inline float ridge(const Splat &s, float px, float py) {
  const float dz = s.zx * (px - s.x) + s.zy * (py - s.y);
  const float z = s.z + (dz > s.z_span ? s.z_span : dz < -s.z_span ? -s.z_span : dz);
  return z > NEAR_PLANE ? z : NEAR_PLANE;
}

void write_tile(const TileState &tile, const Splat *splats, int left, int top, const Image &image) {
  const int width = image.width - left < TILE ? image.width - left : TILE;
  const int height = image.height - top < TILE ? image.height - top : TILE;
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++) {
      const int o = (y / BLOCK_HEIGHT * ACROSS + x / BLOCK_WIDTH) * LANES + y % BLOCK_HEIGHT * BLOCK_WIDTH + x % BLOCK_WIDTH;
      const size_t p = (size_t)(top + y) * image.width + left + x;
      const float alpha = 1.0f - tile.t[o];
      image.rgb[3 * p] = tile.r[o], image.rgb[3 * p + 1] = tile.g[o], image.rgb[3 * p + 2] = tile.b[o];
      image.alpha[p] = alpha;
      image.expected[p] = alpha > 0.0f ? tile.wz[o] / alpha : 0.0f;
      const uint32_t median = tile.median[o];
      image.depth[p] = median == NONE ? 0.0f : ridge(splats[median], (float)(left + x) + 0.5f, (float)(top + y) + 0.5f);
      image.ids[p] = median == NONE ? 0 : (uint16_t)splats[median].id;
    }
}

void blend(const Splat *splats, const uint32_t *entries, size_t count, int left, int top, const Image &image) {
  TileState tile;
  for (int k = 0; k < TILE * TILE; k++)
    tile.t[k] = 1.0f, tile.r[k] = tile.g[k] = tile.b[k] = tile.wz[k] = 0.0f, tile.median[k] = NONE;
  for (int k = 0; k < BLOCKS; k++) tile.live[k] = all();
  alignas(64) float lane_x[LANES], lane_y[LANES];
  for (int k = 0; k < LANES; k++) lane_x[k] = k % BLOCK_WIDTH + 0.5f, lane_y[k] = k / BLOCK_WIDTH + 0.5f;

  const int right = image.width - left < TILE ? image.width - left : TILE;
  const int bottom = image.height - top < TILE ? image.height - top : TILE;
  uint32_t alive = touched(0, right, 0, bottom);
  const Splat *batch[BATCH];
  alignas(64) uint32_t masks[BATCH];
  for (size_t start = 0; start < count && alive; start += BATCH) {
    const int n = count - start < BATCH ? (int)(count - start) : BATCH;
    const uint32_t *ids = entries + start;
    for (int e = 0; e < n; e++) {
      if (start + BATCH + e < count) __builtin_prefetch(&splats[ids[BATCH + e]]);
      const Splat &s = *(batch[e] = &splats[ids[e]]);
      const int x0 = s.x0 - left, x1 = s.x1 - left, y0 = s.y0 - top, y1 = s.y1 - top;
      masks[e] = touched(x0 > 0 ? x0 : 0, x1 < right ? x1 : right, y0 > 0 ? y0 : 0, y1 < bottom ? y1 : bottom);
    }
    for (int e = n; e < BATCH; e++) masks[e] = 0;
    for (uint32_t left_over = alive; left_over; left_over &= left_over - 1) {
      const int block = __builtin_ctz(left_over);
      const uint64_t bits = column(masks, block);
      if (!bits) continue;
      const F px = add(load(lane_x), set((float)(left + block % ACROSS * BLOCK_WIDTH)));
      const F py = add(load(lane_y), set((float)(top + block / ACROSS * BLOCK_HEIGHT)));
      blend_block(batch, ids, bits, px, py, block, tile);
      if (!any(tile.live[block])) alive &= ~(1u << block);
    }
  }
  write_tile(tile, splats, left, top, image);
}
