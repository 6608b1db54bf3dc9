// A block of rays through the rounds of a field: where to sample, which samples to ask, what they add up to.
#pragma once

// A ray's own sums.
struct Sums {
  float alpha, rgb[3], moment, median;
};

// The samples of one wave, in the order of rays and then of depth.
struct alignas(64) Wave {
  float x[BATCH + TILE], y[BATCH + TILE], z[BATCH + TILE];
  float kept[BATCH + TILE];  // length of the sample, then the transmittance through it
  float weight[BATCH];
  float geometry[(MAX_WIDTH + 1) * TILE * ((BATCH + TILE - 1) / TILE)];  // [tile][1 + geometry][TILE]
  uint16_t ray[BATCH], sample[BATCH];
  int count;
};

// Distances of nerfstudio's piecewise spacing: even up to 1, then in disparity.
static inline float spacing(const Field &f, float t) {
  return !f.piecewise ? t : t < 1.0f ? t / 2.0f : 1.0f - 1.0f / (2.0f * t);
}
static inline F distance(const Field &f, F s) {
  return !f.piecewise ? s : s < 0.5f ? 2.0f * s : 1.0f / (2.0f - 2.0f * s);
}

// Bins of a round as the histogram of the last round's weights asks: `count` of equal mass, each old bin having
// at least 0.01 (nerfstudio's PDFSampler, not jittered).
static inline void resample(const float *old, const float *weights, int old_count, int count, float *bins) {
  float total = 0.0f;
  for (int i = 0; i < old_count; i++) total += weights[i] + 0.01f;
  const float per = 1.0f / total, step = 1.0f / (float)(count + 1);
  int i = 0;
  float below = 0.0f, above = smaller_of(1.0f, (weights[0] + 0.01f) * per);
  for (int k = 0; k <= count; k++) {
    const float u = ((float)k + 0.5f) * step;
    while (i + 1 < old_count && above <= u) i++, below = above, above = smaller_of(1.0f, above + (weights[i] + 0.01f) * per);
    const float t = (u - below) / (above - below);
    bins[k] = old[i] + smaller_of(larger_of(t, 0.0f), 1.0f) * (old[i + 1] - old[i]);
  }
}

// Edges of the bins along a ray, positions of their middles in [0,1]³, and which of these are to be asked.
// Returns how many.
static int place(const Field &f, const Network &net, const float *o, const float *d, const float *bins, float *edges,
                 float *px, float *py, float *pz, uint16_t *live) {
  const float s_near = spacing(f, f.near), s_far = spacing(f, f.far);
  for (int i = 0; i <= net.samples; i += LANES) {
    const F s = load(bins + i);
    store(edges + i, distance(f, s * s_far + (1.0f - s) * s_near));
  }
  int count = 0;
  for (int i = 0; i < net.samples; i += LANES) {
    const F middle = (load(edges + i) + load(edges + i + 1)) * 0.5f;
    F p[3];
    for (int k = 0; k < 3; k++) p[k] = fma(set(d[k]), middle, set(o[k]));
    if (f.contracted) {
      const F m = larger(larger(magnitude(p[0]), magnitude(p[1])), magnitude(p[2]));
      const F inverse = 1.0f / m, drawn = m < 1.0f ? set(1.0f) : (2.0f - inverse) * inverse;
      for (int k = 0; k < 3; k++) p[k] = fma(p[k] * drawn, set(0.25f), set(0.5f));
    } else {
      for (int k = 0; k < 3; k++) p[k] = (p[k] - f.low[k]) * f.inverse_size[k];
    }
    I asked = load_below(i, net.samples);
    for (int k = 0; k < 3; k++) asked &= (p[k] > 0.0f) & (p[k] < 1.0f);
    if (net.cells) {
      const F cells = set((float)net.cells);
      U cell[3];
      for (int k = 0; k < 3; k++) cell[k] = whole(smaller(larger(p[k], set(0.0f)), set(0.99999994f)) * cells);
      const U at = (cell[0] * (uint32_t)net.cells + cell[1]) * (uint32_t)net.cells + cell[2];
      asked &= 0 - (I)(gather(net.occupied, at >> 5) >> (at & 31u) & 1u);
    }
    store(px + i, p[0]), store(py + i, p[1]), store(pz + i, p[2]);
    for (uint32_t bits = bits_of(asked); bits; bits &= bits - 1) live[count++] = (uint16_t)(i + __builtin_ctz(bits));
  }
  return count;
}

// Where a ray's first number lies among those of all rays, [tile][number][TILE].
static inline int place_of(int ray, int numbers) { return ray / TILE * numbers * TILE + ray % TILE; }

// Colours and, where there is `hidden`, classes of those samples of a wave that weigh something, added to their rays.
static void shade(const Field &f, const Wave &wave, const float (*basis)[DIRECTIONS], Sums *sums, float *hidden,
                  Activations &a) {
  const int rows = 1 + f.geometry, width = f.classes.in - 1;
  uint16_t chosen[BATCH];
  int count = 0;
  for (int i = 0; i < wave.count; i++)
    if (wave.weight[i] > f.least_weight) chosen[count++] = (uint16_t)i;
  for (int first = 0; first < count; first += TILE) {
    const int n = count - first < TILE ? count - first : TILE;
    auto geometry = [&](float *to) {
      for (int i = 0; i < TILE; i++) {
        const int s = chosen[first + (i < n ? i : 0)];
        const float *from = wave.geometry + ((size_t)(s / TILE) * (size_t)rows + 1) * TILE + s % TILE;
        for (int k = 0; k < f.geometry; k++) to[k * TILE + i] = from[k * TILE];
      }
    };
    for (int i = 0; i < TILE; i++)
      for (int k = 0; k < DIRECTIONS; k++) a.x[k * TILE + i] = basis[wave.ray[chosen[first + (i < n ? i : 0)]]][k];
    geometry(a.x + DIRECTIONS * TILE);
    float *rgb = through(f.colour, a);
    squash(rgb);
    for (int i = 0; i < n; i++) {
      const int s = chosen[first + i];
      for (int k = 0; k < 3; k++) sums[wave.ray[s]].rgb[k] += wave.weight[s] * rgb[k * TILE + i];
    }
    if (!hidden) continue;
    geometry(a.x);
    const float *h = through(f.semantics, a);
    for (int i = 0; i < n; i++) {
      const int s = chosen[first + i];
      float *to = hidden + place_of(wave.ray[s], f.classes.in);
      for (int k = 0; k < width; k++) to[k * TILE] += wave.weight[s] * h[k * TILE + i];
    }
  }
}

// Densities of a wave; `kept` becomes e^(−density · length).
static void ask_wave(const Network &net, int rows, Wave &wave, Activations &a) {
  for (int i = wave.count; i < (wave.count + TILE - 1) / TILE * TILE; i++)
    wave.x[i] = wave.y[i] = wave.z[i] = 0.5f, wave.kept[i] = 0.0f;
  for (int first = 0; first < wave.count; first += TILE) {
    const float *out = ask(net, wave.x + first, wave.y + first, wave.z + first, a);
    for (int half = 0; half < TILE; half += LANES)
      store(wave.kept + first + half, exponential(0.0f - load(out + half) * load(wave.kept + first + half)));
    __builtin_memcpy(wave.geometry + (size_t)(first * rows), out, sizeof(float) * (size_t)(rows * TILE));
  }
}

// One round for a block: ask the live samples front to back, a few of each ray at a time, until it has ended.
template <class Weigh>
static void ask_rays(const Field &f, int round, int count, const int *asked, const Scratch &s, Wave &wave, Activations &a,
                     Weigh weigh) {
  const Network &net = f.round[round];
  float transmittance[RAYS];
  int cursor[RAYS] = {};
  for (int r = 0; r < count; r++) transmittance[r] = 1.0f;
  for (;;) {
    wave.count = 0;
    for (int r = 0; r < count; r++) {
      const float *edges = s.edges + (size_t)r * s.stride;
      for (int k = 0; k < WAVE && cursor[r] < asked[r] && transmittance[r] > f.stop; k++, wave.count++) {
        const size_t at = (size_t)r * s.stride, i = s.live[at + (size_t)cursor[r]++];
        wave.x[wave.count] = s.x[at + i], wave.y[wave.count] = s.y[at + i], wave.z[wave.count] = s.z[at + i];
        wave.kept[wave.count] = edges[i + 1] - edges[i];
        wave.ray[wave.count] = (uint16_t)r, wave.sample[wave.count] = (uint16_t)i;
      }
    }
    if (!wave.count) return;
    ask_wave(net, round + 1 < f.rounds ? 1 : 1 + f.geometry, wave, a);
    for (int i = 0; i < wave.count; i++) {
      float &t = transmittance[wave.ray[i]];
      const float left = t * wave.kept[i];
      wave.weight[i] = t - left, t = left;
    }
    weigh(transmittance);
  }
}

static void finish(const Field &f, const Sums &sum, size_t ray, const Picture &out) {
  for (int k = 0; k < 3; k++) {
    const float c = f.last_sample_behind ? sum.rgb[k] : sum.rgb[k] + f.background[k] * (1.0f - sum.alpha);
    out.rgb[3 * ray + (size_t)k] = smaller_of(larger_of(c, 0.0f), 1.0f);
  }
  out.alpha[ray] = sum.alpha;
  out.median[ray] = sum.median;
  out.expected[ray] = sum.moment / (sum.alpha + 1e-10f);
}

// The class of the largest logit of each ray, the first of equals.
static void classify(const Field &f, int count, const Sums *sums, float *hidden, Activations &a, uint16_t *classes) {
  for (int first = 0; first < count; first += TILE) {
    float *h = hidden + place_of(first, f.classes.in);
    for (int i = 0; i < TILE && first + i < count; i++) h[(f.classes.in - 1) * TILE + i] = sums[first + i].alpha;
    linear(f.classes, -3.4e38f, h, a.y);
    for (int half = 0; half < TILE; half += LANES) {
      F best = load(a.y + half);
      U chosen = set(0u);
      for (int c = 1; c < f.classes.out; c++) {
        const F logit = load(a.y + c * TILE + half);
        chosen = logit > best ? set((uint32_t)c) : chosen, best = larger(logit, best);
      }
      for (int i = 0; i < LANES && first + half + i < count; i++) classes[first + half + i] = (uint16_t)chosen[i];
    }
  }
}

// What nerfstudio takes for lying behind a ray: the colour of its last sample, for the light that is left.
static void look_behind(const Field &f, int count, const Scratch &s, const float (*basis)[DIRECTIONS], Sums *sums,
                        Wave &wave, Activations &a) {
  const Network &net = f.round[f.rounds - 1];
  wave.count = 0;
  for (int r = 0; r < count; r++) {
    if (1.0f - sums[r].alpha <= f.least_weight) continue;
    const size_t at = (size_t)r * s.stride + (size_t)net.samples - 1, i = (size_t)wave.count++;
    const float x = s.x[at], y = s.y[at], z = s.z[at];
    const bool inside = x > 0 && x < 1 && y > 0 && y < 1 && z > 0 && z < 1;
    wave.x[i] = inside ? x : 0.0f, wave.y[i] = inside ? y : 0.0f, wave.z[i] = inside ? z : 0.0f;
    wave.kept[i] = 0.0f, wave.weight[i] = 1.0f - sums[r].alpha, wave.ray[i] = (uint16_t)r;
  }
  ask_wave(net, 1 + f.geometry, wave, a);
  shade(f, wave, basis, sums, nullptr, a);
}

static void march(const Field &f, const Rays &rays, size_t begin, int count, const Scratch &s, const Picture &out) {
  static thread_local Activations own_activations;
  static thread_local Wave own_wave;
  Activations &a = own_activations;
  Wave &wave = own_wave;
  int asked[RAYS];
  for (int round = 0; round < f.rounds; round++) {
    const Network &net = f.round[round];
    for (int r = 0; r < count; r++) {
      const size_t at = (size_t)r * s.stride, ray = begin + (size_t)r;
      float fresh[MAX_SAMPLES + 1];
      if (round) resample(s.bins + at, s.weights + at, f.round[round - 1].samples, net.samples, fresh);
      for (int i = 0; i <= net.samples; i++) s.bins[at + (size_t)i] = round ? fresh[i] : (float)i / (float)net.samples;
      asked[r] = place(f, net, rays.origins + 3 * ray, rays.directions + 3 * ray, s.bins + at, s.edges + at, s.x + at,
                       s.y + at, s.z + at, s.live + at);
      for (int i = 0; i < net.samples; i++) s.weights[at + (size_t)i] = 0.0f;
    }
    if (round + 1 < f.rounds)
      ask_rays(f, round, count, asked, s, wave, a, [&](const float *) {
        for (int i = 0; i < wave.count; i++) s.weights[wave.ray[i] * s.stride + wave.sample[i]] = wave.weight[i];
      });
  }
  float basis[RAYS][DIRECTIONS];
  Sums sums[RAYS] = {};
  for (int r = 0; r < count; r++) harmonics(rays.directions + 3 * (begin + (size_t)r), basis[r]);
  __builtin_memset(s.hidden, 0, (size_t)(RAYS * f.classes.in) * sizeof(float));
  ask_rays(f, f.rounds - 1, count, asked, s, wave, a, [&](const float *) {
    for (int i = 0; i < wave.count; i++) {
      Sums &sum = sums[wave.ray[i]];
      const float *edge = s.edges + wave.ray[i] * s.stride + wave.sample[i], weight = wave.weight[i];
      if (sum.alpha < 0.5f && sum.alpha + weight >= 0.5f)
        sum.median = edge[0] + (0.5f - sum.alpha) / weight * (edge[1] - edge[0]);
      sum.alpha += weight, sum.moment += weight * (edge[0] + edge[1]) * 0.5f;
    }
    shade(f, wave, basis, sums, f.classes.out ? s.hidden : nullptr, a);
  });
  if (f.last_sample_behind) look_behind(f, count, s, basis, sums, wave, a);
  if (f.classes.out) classify(f, count, sums, s.hidden, a, out.classes + begin);
  for (int r = 0; r < count; r++) finish(f, sums[r], begin + (size_t)r, out);
}
