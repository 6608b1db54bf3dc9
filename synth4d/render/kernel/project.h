// Gaussians to splats: EWA splatting (Zwicker et al. 2001) with the constants of 3DGS and gsplat's classic mode.

inline float larger(float a, float b) { return a > b ? a : b; }
inline float smaller(float a, float b) { return a < b ? a : b; }
inline float clamp(float v, float low, float high) { return smaller(larger(v, low), high); }

// What `project` computes for a chunk in a loop that vectorises, and then walks one by one.
struct Chunk {
  alignas(64) float z[CHUNK], u[CHUNK], v[CHUNK];
  alignas(64) float a[CHUNK], b[CHUNK], c[CHUNK], zx[CHUNK], zy[CHUNK], z_span[CHUNK];
  // The outline (where alpha is 1/255) in row dy: slope·dy ± sqrt(width·(extent − dy²·narrow)); ±lean is
  // the row of its rightmost and leftmost point.
  alignas(64) float slope[CHUNK], width[CHUNK], narrow[CHUNK], extent[CHUNK], lean[CHUNK];
  alignas(64) int32_t x0[CHUNK], x1[CHUNK], y0[CHUNK], y1[CHUNK], seen[CHUNK];
};

void project_chunk(const Model &g, const View &view, size_t begin, int count, Chunk &out) {
  constexpr float LOG2_E = 1.44269504f, LN_2 = 0.693147181f;
  // The outline is drawn a little wide, so that rounding never cuts a pixel that the exact test would keep.
  constexpr float WIDE = 1.0002f;
  const float *m = view.m;
  const float fx = view.fx, fy = view.fy, cx = view.cx, cy = view.cy;
  const float W = (float)view.width, H = (float)view.height;
  // Directions beyond the frame by 30 % of its half-width are linearised at that limit, as 3DGS does.
  const float slack_x = 0.15f * W / fx, slack_y = 0.15f * H / fy;
  const float right = (W - cx) / fx + slack_x, left = -(cx / fx + slack_x);
  const float down = (H - cy) / fy + slack_y, up = -(cy / fy + slack_y);
  const float *gx = g.x + begin, *gy = g.y + begin, *gz = g.z + begin, *opacity = g.log2_opacity + begin;
  const float *xx = g.cov[0] + begin, *xy = g.cov[1] + begin, *xz = g.cov[2] + begin;
  const float *yy = g.cov[3] + begin, *yz = g.cov[4] + begin, *zz = g.cov[5] + begin;
#pragma GCC ivdep
  for (int i = 0; i < count; i++) {
    const float x = m[0] * gx[i] + m[1] * gy[i] + m[2] * gz[i] + m[3];
    const float y = m[4] * gx[i] + m[5] * gy[i] + m[6] * gz[i] + m[7];
    const float z = m[8] * gx[i] + m[9] * gy[i] + m[10] * gz[i] + m[11];
    const float iz = 1.0f / z, tx = x * iz, ty = y * iz;
    // Rows of J·R, with J the Jacobian of the pinhole projection.
    const float jx = fx * iz, jxz = -jx * clamp(tx, left, right);
    const float jy = fy * iz, jyz = -jy * clamp(ty, up, down);
    const float p0 = jx * m[0] + jxz * m[8], p1 = jx * m[1] + jxz * m[9], p2 = jx * m[2] + jxz * m[10];
    const float q0 = jy * m[4] + jyz * m[8], q1 = jy * m[5] + jyz * m[9], q2 = jy * m[6] + jyz * m[10];
    const float s0 = xx[i] * p0 + xy[i] * p1 + xz[i] * p2, t0 = xx[i] * q0 + xy[i] * q1 + xz[i] * q2;
    const float s1 = xy[i] * p0 + yy[i] * p1 + yz[i] * p2, t1 = xy[i] * q0 + yy[i] * q1 + yz[i] * q2;
    const float s2 = xz[i] * p0 + yz[i] * p1 + zz[i] * p2, t2 = xz[i] * q0 + yz[i] * q1 + zz[i] * q2;
    const float cuu = p0 * s0 + p1 * s1 + p2 * s2 + LOW_PASS;
    const float cuv = q0 * s0 + q1 * s1 + q2 * s2;
    const float cvv = q0 * t0 + q1 * t1 + q2 * t2 + LOW_PASS;
    const float det = cuu * cvv - cuv * cuv, idet = 1.0f / det, ivv = 1.0f / cvv;
    // Mean depth at a pixel given the Gaussian: z + cov(z,uv) cov(uv)⁻¹ (du,dv), before the low-pass.
    const float czu = s0 * m[8] + s1 * m[9] + s2 * m[10], czv = t0 * m[8] + t1 * m[9] + t2 * m[10];
    const float r0 = xx[i] * m[8] + xy[i] * m[9] + xz[i] * m[10], r1 = xy[i] * m[8] + yy[i] * m[9] + yz[i] * m[10];
    const float czz = r0 * m[8] + r1 * m[9] + (xz[i] * m[8] + yz[i] * m[9] + zz[i] * m[10]) * m[10];
    const float suu = cuu - (LOW_PASS - SLOPE_PASS), svv = cvv - (LOW_PASS - SLOPE_PASS);
    const float islope = 1.0f / (suu * svv - cuv * cuv);
    const float extent = WIDE * 2.0f * LN_2 * (opacity[i] - MIN_LOG2_ALPHA);
    const float u = fx * tx + cx, v = fy * ty + cy;
    const float ru = __builtin_sqrtf(larger(extent * cuu, 0.0f)), rv = __builtin_sqrtf(larger(extent * cvv, 0.0f));
    out.z[i] = z, out.u[i] = u, out.v[i] = v;
    out.a[i] = -0.5f * LOG2_E * cvv * idet, out.b[i] = LOG2_E * cuv * idet, out.c[i] = -0.5f * LOG2_E * cuu * idet;
    out.zx[i] = (czu * svv - czv * cuv) * islope, out.zy[i] = (czv * suu - czu * cuv) * islope;
    out.z_span[i] = DEPTH_SPAN * __builtin_sqrtf(larger(czz, 0.0f));
    out.slope[i] = cuv * ivv, out.width[i] = det * ivv, out.narrow[i] = ivv, out.extent[i] = extent;
    out.lean[i] = cuv * __builtin_sqrtf(larger(extent, 0.0f) / cuu);
    const int x0 = (int)clamp(__builtin_ceilf(u - ru - 0.5f), 0.0f, W);
    const int x1 = (int)clamp(__builtin_floorf(u + ru + 0.5f), 0.0f, W);
    const int y0 = (int)clamp(__builtin_ceilf(v - rv - 0.5f), 0.0f, H);
    const int y1 = (int)clamp(__builtin_floorf(v + rv + 0.5f), 0.0f, H);
    out.x0[i] = x0, out.x1[i] = x1, out.y0[i] = y0, out.y1[i] = y1;
    out.seen[i] = (z >= NEAR_PLANE) & (det > 0.0f) & (extent > 0.0f) & (x0 < x1) & (y0 < y1);
  }
}

// Columns of tiles that the outline touches in rows [y0,y1) of pixels, as first | end << 16.
inline uint32_t span(const Chunk &k, int i, int y0, int y1) {
  const float top = (float)y0 + 0.5f - k.v[i], bottom = (float)y1 - 0.5f - k.v[i];
  const float dr = clamp(k.lean[i], top, bottom), dl = clamp(-k.lean[i], top, bottom);
  const float r = __builtin_sqrtf(larger(k.width[i] * (k.extent[i] - dr * dr * k.narrow[i]), 0.0f));
  const float l = __builtin_sqrtf(larger(k.width[i] * (k.extent[i] - dl * dl * k.narrow[i]), 0.0f));
  const float first = __builtin_ceilf(k.u[i] + k.slope[i] * dl - l - 0.5f);
  const float end = __builtin_floorf(k.u[i] + k.slope[i] * dr + r + 0.5f);
  const int x0 = (int)clamp(first, (float)k.x0[i], (float)k.x1[i]), x1 = (int)clamp(end, (float)x0, (float)k.x1[i]);
  return (uint32_t)(x0 / TILE) | (uint32_t)(x0 < x1 ? (x1 + TILE - 1) / TILE : x0 / TILE) << 16;
}

void project(const Model &g, const View &view, size_t begin, size_t end, Bins &bins) {
  Chunk k;
  const int count = (int)(end - begin), columns = (view.width + TILE - 1) / TILE;
  project_chunk(g, view, begin, count, k);
  int seen[CHUNK], visible = 0;
  for (int i = 0; i < count; i++) seen[visible] = i, visible += k.seen[i];
  for (int s = 0; s < visible; s++) {
    const int i = seen[s];
    const size_t j = begin + (size_t)i;
    bins.splats[bins.splat_count] = Splat{
        k.u[i], k.v[i], k.a[i], k.b[i], k.c[i], g.log2_opacity[j], k.z[i], k.zx[i], k.zy[i], k.z_span[i],
        {g.rgb[3 * j], g.rgb[3 * j + 1], g.rgb[3 * j + 2]}, g.id[j],
        (int16_t)k.x0[i], (int16_t)k.x1[i], (int16_t)k.y0[i], (int16_t)k.y1[i]};
    const int row = k.y0[i] / TILE, rows = (k.y1[i] + TILE - 1) / TILE - row;
    bins.depths[bins.splat_count] = k.z[i];
    bins.reaches[bins.splat_count++] = Reach{(uint32_t)bins.span_count, (uint16_t)row, (uint16_t)rows};
    const uint32_t from = (uint32_t)(k.x0[i] / TILE), to = (uint32_t)((k.x1[i] + TILE - 1) / TILE);
    for (int r = row; r < row + rows; r++) {
      uint32_t across = from | to << 16;
      if (rows > 1 && to - from > 1)
        across = span(k, i, k.y0[i] > r * TILE ? k.y0[i] : r * TILE, k.y1[i] < (r + 1) * TILE ? k.y1[i] : (r + 1) * TILE);
      bins.spans[bins.span_count++] = across;
      for (uint32_t c = across & 0xffff; c < across >> 16; c++) bins.tile_counts[r * columns + (int)c]++;
    }
  }
}
