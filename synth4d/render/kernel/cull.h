// Blocks to candidates: which blocks a region may see, where, and from which depth on. Everything here is on the
// safe side of what `project` computes, so leaving blocks out changes no bit of the picture.

constexpr float OUTLINE = 3.34f;       // standard deviations at which an opaque splat falls to 1/255, rounded up
constexpr float ROOT_LOW_PASS = 0.548f;
constexpr float ROUNDING = 4e-6f;      // of the size of what was added up: ten operations, each 2⁻²⁴

// Value of n·p + offset where it is largest over a block, with `reach` for each unit of standard deviation.
struct Plane {
  float n[3], offset, reach;
};

inline Plane plane(const View &view, int axis, float focal, float per_z, float reach) {
  const float *u = view.m + 4 * axis, *w = view.m + 8;
  return Plane{{focal * u[0] + per_z * w[0], focal * u[1] + per_z * w[1], focal * u[2] + per_z * w[2]},
               focal * u[3] + per_z * w[3], reach};
}

// The tangent of the widest direction at which a projection is linearised, see project.h.
inline float widest(float size, float focal, float centre) {
  return larger(size - centre, centre) / focal + 0.15f * size / focal;
}

// Pixels by which a splat reaches beyond its centre, per standard deviation in metres and at one metre.
inline float stretch(float focal, float tangent) {
  return OUTLINE * larger(focal, -focal) * __builtin_sqrtf(1.0f + tangent * tangent);
}

// Tiles of [low,high] pixels, counted from the region's first pixel.
inline uint8_t tile_of(float pixel, int first, int end) {
  return (uint8_t)((int)clamp(pixel - (float)first, 0.0f, (float)(end - first - 1)) / TILE);
}

size_t cull(const Bounds &bounds, size_t count, const View &view, const Region &region, Candidate *out) {
  const float reach_x = stretch(view.fx, widest((float)view.width, view.fx, view.cx));
  const float reach_y = stretch(view.fy, widest((float)view.height, view.fy, view.cy));
  constexpr float EDGE = 1.0f + OUTLINE * ROOT_LOW_PASS;  // pixels
  const Plane planes[5] = {
      plane(view, 0, view.fx, view.cx - (float)region.x0 + EDGE, reach_x),
      plane(view, 0, -view.fx, (float)region.x1 - view.cx + EDGE, reach_x),
      plane(view, 1, view.fy, view.cy - (float)region.y0 + EDGE, reach_y),
      plane(view, 1, -view.fy, (float)region.y1 - view.cy + EDGE, reach_y),
      plane(view, 2, 0.0f, 1.0f, 0.0f),
  };
  constexpr int CHUNK = 256;
  int32_t seen[CHUNK];
  float middle[CHUNK], depth[CHUNK];
  size_t found = 0;
  for (size_t begin = 0; begin < count; begin += CHUNK) {
    const int n = count - begin < CHUNK ? (int)(count - begin) : CHUNK;
    const float *cx = bounds.centre[0] + begin, *cy = bounds.centre[1] + begin, *cz = bounds.centre[2] + begin;
    const float *hx = bounds.half[0] + begin, *hy = bounds.half[1] + begin, *hz = bounds.half[2] + begin;
    const float *sigma = bounds.sigma + begin;
    for (int i = 0; i < n; i++) seen[i] = 1;
    for (const Plane &p : planes) {
      const float ax = magnitude(p.n[0]), ay = magnitude(p.n[1]), az = magnitude(p.n[2]), least = magnitude(p.offset);
      for (int i = 0; i < n; i++) {
        const float size = ax * hx[i] + ay * hy[i] + az * hz[i];
        const float sum = ax * magnitude(cx[i]) + ay * magnitude(cy[i]) + az * magnitude(cz[i]) + least + size;
        const float at = p.n[0] * cx[i] + p.n[1] * cy[i] + p.n[2] * cz[i] + p.offset;
        middle[i] = at, depth[i] = size + ROUNDING * sum;  // the last plane leaves its own: depth
        seen[i] &= at + size + p.reach * sigma[i] + ROUNDING * sum >= 0.0f;
      }
    }
    for (int i = 0; i < n; i++) {
      const float far = middle[i] + depth[i];
      if (!seen[i] || far < NEAR_PLANE) continue;
      const float near = larger(middle[i] - depth[i], NEAR_PLANE);
      float low[2], high[2];
      for (int axis = 0; axis < 2; axis++) {
        const float *m = view.m + 4 * axis, focal = axis ? view.fy : view.fx, centre = axis ? view.cy : view.cx;
        const float at = m[0] * cx[i] + m[1] * cy[i] + m[2] * cz[i] + m[3];
        const float sum = magnitude(m[0] * cx[i]) + magnitude(m[1] * cy[i]) + magnitude(m[2] * cz[i]) + magnitude(m[3]);
        const float size =
            magnitude(m[0]) * hx[i] + magnitude(m[1]) * hy[i] + magnitude(m[2]) * hz[i] + ROUNDING * sum;
        const float beyond = (axis ? reach_y : reach_x) * sigma[i] / near + EDGE, a = at - size, b = at + size;
        low[axis] = focal * (a / (a > 0.0f ? far : near)) + centre - beyond;
        high[axis] = focal * (b / (b > 0.0f ? near : far)) + centre + beyond;
      }
      out[found++] = Candidate{near, (uint32_t)(begin + (size_t)i),
                               tile_of(low[0], region.x0, region.x1), tile_of(high[0], region.x0, region.x1),
                               tile_of(low[1], region.y0, region.y1), tile_of(high[1], region.y0, region.y1)};
    }
  }
  return found;
}
