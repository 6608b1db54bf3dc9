// Gaussians to splats: EWA splatting (Zwicker et al. 2001) with the constants of 3DGS and gsplat.

// What `project` computes for a block in a loop that vectorises, and then walks one by one.
struct Block {
  alignas(64) float z[BLOCK], x[BLOCK], y[BLOCK], a[BLOCK], b[BLOCK], c[BLOCK], zx[BLOCK], zy[BLOCK], z_span[BLOCK];
  alignas(64) float log2_opacity[BLOCK], rgb[3][BLOCK];
  alignas(64) uint32_t tiles[BLOCK];
  alignas(64) int32_t x0[BLOCK], x1[BLOCK], y0[BLOCK], y1[BLOCK], seen[BLOCK];
};

// log2 of a positive, normal number: its exponent, and the series of atanh over [√½, √2]; absolute error 1e-7.
inline float log2_of(float v) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, v), up = bits - 0x3f3504f3u;  // √½
  const float whole = (float)((int32_t)up >> 23);
  const float m = __builtin_bit_cast(float, bits - (up & 0xff800000u));
  const float s = (m - 1.0f) / (m + 1.0f), s2 = s * s;
  return whole + s * (2.88539008f + s2 * (0.961796694f + s2 * (0.577078016f + s2 * (0.412198583f + s2 * 0.32059890f))));
}

template <bool FILTERED>
void project_block(const Gaussians &g, const View &view, const Region &region, int count, Block &out) {
  constexpr float LOG2_E = 1.44269504f, LN_2 = 0.693147181f;
  const float *m = view.m;
  const float fx = view.fx, fy = view.fy, cx = view.cx, cy = view.cy;
  const float W = (float)view.width, H = (float)view.height;
  const float X0 = (float)region.x0, X1 = (float)region.x1, Y0 = (float)region.y0, Y1 = (float)region.y1;
  // Directions beyond the frame by 30 % of its half-width are linearised at that limit, as 3DGS does.
  const float slack_x = 0.15f * W / fx, slack_y = 0.15f * H / fy;
  const float right = (W - cx) / fx + slack_x, left = -(cx / fx + slack_x);
  const float down = (H - cy) / fy + slack_y, up = -(cy / fy + slack_y);
  const float *gx = g.mean[0], *gy = g.mean[1], *gz = g.mean[2];
  const float *xx = g.cov[0], *xy = g.cov[1], *xz = g.cov[2], *yy = g.cov[3], *yz = g.cov[4], *zz = g.cov[5];
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
    const float det = cuu * cvv - cuv * cuv, idet = 1.0f / det;
    // Mean depth at a pixel given the Gaussian: z + cov(z,uv) cov(uv)⁻¹ (du,dv), before the low-pass.
    const float czu = m[8] * s0 + m[9] * s1 + m[10] * s2, czv = m[8] * t0 + m[9] * t1 + m[10] * t2;
    const float suu = cuu - LOW_PASS + SLOPE_PASS, svv = cvv - LOW_PASS + SLOPE_PASS;
    const float islope = 1.0f / (suu * svv - cuv * cuv);
    const float czz = m[8] * (xx[i] * m[8] + xy[i] * m[9] + xz[i] * m[10]) +
                      m[9] * (xy[i] * m[8] + yy[i] * m[9] + yz[i] * m[10]) +
                      m[10] * (xz[i] * m[8] + yz[i] * m[9] + zz[i] * m[10]);
    float strength = g.log2_opacity[i];
    if (FILTERED) {  // by the share of its area that a splat had before the low-pass (Yu et al. 2024, Mip-Splatting)
      const float bare = larger((cuu - LOW_PASS) * (cvv - LOW_PASS) - cuv * cuv, 0.0f);
      strength += g.filtered[i] * 0.5f * log2_of(larger(bare * idet, 1e-30f));
    }
    const float extent = WIDE * 2.0f * LN_2 * (strength - MIN_LOG2_ALPHA);
    const float u = fx * tx + cx, v = fy * ty + cy;
    const float ru = __builtin_sqrtf(larger(extent * cuu, 0.0f)), rv = __builtin_sqrtf(larger(extent * cvv, 0.0f));
    out.z[i] = z, out.x[i] = u, out.y[i] = v, out.log2_opacity[i] = strength;
    out.a[i] = -0.5f * LOG2_E * cvv * idet, out.b[i] = LOG2_E * cuv * idet, out.c[i] = -0.5f * LOG2_E * cuu * idet;
    out.zx[i] = (czu * svv - czv * cuv) * islope, out.zy[i] = (czv * suu - czu * cuv) * islope;
    out.z_span[i] = DEPTH_SPAN * __builtin_sqrtf(larger(czz, 0.0f));
    const int x0 = (int)clamp(__builtin_ceilf(u - ru - 0.5f), X0, X1) - region.x0;
    const int x1 = (int)clamp(__builtin_floorf(u + ru + 0.5f), X0, X1) - region.x0;
    const int y0 = (int)clamp(__builtin_ceilf(v - rv - 0.5f), Y0, Y1) - region.y0;
    const int y1 = (int)clamp(__builtin_floorf(v + rv + 0.5f), Y0, Y1) - region.y0;
    out.x0[i] = x0 / TILE, out.x1[i] = (x1 - 1) / TILE, out.y0[i] = y0 / TILE, out.y1[i] = (y1 - 1) / TILE;
    out.seen[i] = (z >= NEAR_PLANE) & (det > 0.0f) & (cuu < MAX_VARIANCE) & (cvv < MAX_VARIANCE) & (extent > 0.0f) &
                  (x0 < x1) & (y0 < y1);
  }
}

// Colour: max(rgb + Σ sh·Y(direction from the eye), 0) for a block. Order, signs and constants of 3DGS: real harmonics
// with the phase.
void shade_block(const Gaussians &g, int sh_count, const float *sh, const View &view, int count, Block &out) {
  const float *gx = g.mean[0], *gy = g.mean[1], *gz = g.mean[2];
  alignas(64) float Y[MAX_SH][BLOCK];
  for (int i = 0; i < count; i++) {
    const float dx = gx[i] - view.eye[0], dy = gy[i] - view.eye[1], dz = gz[i] - view.eye[2];
    const float length = __builtin_sqrtf(dx * dx + dy * dy + dz * dz), scale = 1.0f / larger(length, 1e-12f);
    const float x = dx * scale, y = dy * scale, z = dz * scale;
    const float xx = x * x, yy = y * y, zz = z * z;
    Y[0][i] = -0.488602512f * y, Y[1][i] = 0.488602512f * z, Y[2][i] = -0.488602512f * x;
    Y[3][i] = 1.09254843f * x * y, Y[4][i] = -1.09254843f * y * z, Y[5][i] = 0.315391565f * (2.0f * zz - xx - yy);
    Y[6][i] = -1.09254843f * x * z, Y[7][i] = 0.546274215f * (xx - yy);
    Y[8][i] = -0.590043589f * y * (3.0f * xx - yy), Y[9][i] = 2.89061144f * x * y * z;
    Y[10][i] = -0.457045799f * y * (4.0f * zz - xx - yy);
    Y[11][i] = 0.373176333f * z * (2.0f * zz - 3.0f * xx - 3.0f * yy);
    Y[12][i] = -0.457045799f * x * (4.0f * zz - xx - yy), Y[13][i] = 1.44530572f * z * (xx - yy);
    Y[14][i] = -0.590043589f * x * (xx - 3.0f * yy);
  }
  for (int c = 0; c < 3; c++) {
    for (int i = 0; i < count; i++) out.rgb[c][i] = 0.0f;
    for (int k = 0; k < sh_count; k++) {
      const float *weight = sh + (size_t)(3 * k + c) * BLOCK;
      for (int i = 0; i < count; i++) out.rgb[c][i] += weight[i] * Y[k][i];
    }
    for (int i = 0; i < count; i++) out.rgb[c][i] = larger(g.rgb[c][i] + out.rgb[c][i], 0.0f);
  }
}

int project(const Model &model, const View &view, const Region &region, size_t block, Splat *out) {
  Block k;
  const size_t begin = block * BLOCK;
  const int count = model.count - begin < BLOCK ? (int)(model.count - begin) : BLOCK;
  const Gaussians &g = model.blocks[block];
  (model.filtered ? project_block<true> : project_block<false>)(g, view, region, count, k);
  int visible = 0, written = 0;
  for (int i = 0; i < count; i++) visible += k.seen[i];
  if (!visible) return 0;
  if (region.closed)
    for (int i = 0; i < count; i++)
      if (k.seen[i]) k.seen[i] = is_open(region, k.x0[i], k.x1[i], k.y0[i], k.y1[i]);
  if (model.sh_count) shade_block(g, model.sh_count, model.sh + begin * (size_t)(3 * model.sh_count), view, count, k);
  const float (*rgb)[BLOCK] = model.sh_count ? k.rgb : g.rgb;
  for (int i = 0; i < count; i++) k.tiles[i] = pack_tiles(k.x0[i], k.x1[i], k.y0[i], k.y1[i]);
  for (int i = 0; i < count; i++) {  // no branch: one that is not seen is overwritten by the next
    out[written] = Splat{k.x[i], k.y[i], k.a[i], k.b[i], k.c[i], k.log2_opacity[i],
                         k.z[i], k.zx[i], k.zy[i], k.z_span[i],
                         {rgb[0][i], rgb[1][i], rgb[2][i]}, g.row[i], g.id[i], k.tiles[i]};
    written += k.seen[i];
  }
  return written;
}
