// From light to colours, from pictures to bytes.
#pragma once

#include "../../tracer/common.h"

namespace light {

using namespace geo;

inline nb::object mean(Array<float, 2> values, float over) {
  std::vector<float> out(values.shape(0));
  for (size_t i = 0; i < out.size(); ++i) {
    float sum = 0;
    for (size_t k = 0; k < values.shape(1); ++k) sum += values.data()[i * values.shape(1) + k];
    out[i] = sum / over;
  }
  return owned(std::move(out), 1);
}

// ---- Colours ----------------------------------------------------------------------------------------

struct Curve {
  const float *table;
  float top, size;
  float operator()(float light) const {
    const float step = std::sqrt(std::min(std::max(light, 0.0f), top) / top) * size;
    return table[int32_t(step + 0.5f)];
  }
};

// Entries of a table over 0..1 that are nearest to values (N,3).
inline nb::object look_up(Array<float, 2> values, Array<float, 1> table) {
  const float size = float(table.shape(0) - 1);
  std::vector<float> out(values.size());
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = table.data()[int32_t(std::min(std::max(values.data()[i], 0.0f), 1.0f) * size + 0.5f)];
  return owned(std::move(out), values.shape(1));
}

// A periodic square tile (S,S), S a power of two, at places u, v (N,) of surfaces that are each projected along an axis.
inline nb::object noise(Array<float, 1> u, Array<float, 1> v, Array<int64_t, 1> axis, float across, float along,
                        float shift, Array<float, 2> tile) {
  const size_t count = u.shape(0), side = tile.shape(0);
  require(v.shape(0) == count && axis.shape(0) == count, "u, v and axis are (N,)");
  require(tile.shape(1) == side && !(side & (side - 1)), "a tile is square, its side a power of two");
  std::vector<float> out(count);
  for (size_t i = 0; i < count; ++i) {
    const int32_t row = int32_t((u.data()[i] * across + shift) * float(side)) + 97 * int32_t(axis.data()[i]);
    const int32_t column = int32_t((v.data()[i] * along + shift) * float(side));
    out[i] = tile.data()[(size_t(row) & (side - 1)) * side + (size_t(column) & (side - 1))];
  }
  return owned(std::move(out), 1);
}

inline nb::object expose(Array<float, 1> ambient, Array<float, 2> lamps, Array<float, 2> sheen, Array<float, 1> around,
                  Array<float, 2> power, float full, float most, float least, Out<float, 2> light) {
  const size_t count = ambient.shape(0), kinds = power.shape(0);
  require(lamps.shape(0) == count && lamps.shape(1) == kinds && sheen.shape(0) == count && sheen.shape(1) == kinds,
          "lamps and sheen are (V,L)");
  require(light.shape(0) == count && light.shape(1) == 6 && around.shape(0) == 3, "light is (V,6), around (3,)");
  std::vector<uint8_t> stirred(count);
  const float room = most - full;
  for (size_t i = 0; i < count; ++i) {
    float now[6];
    for (int c = 0; c < 3; ++c) now[c] = ambient.data()[i] * around.data()[c], now[c + 3] = 0;
    for (size_t k = 0; k < kinds; ++k)
      for (int c = 0; c < 3; ++c) {
        now[c] += lamps.data()[i * kinds + k] * power.data()[3 * k + size_t(c)];
        now[c + 3] += sheen.data()[i * kinds + k] * power.data()[3 * k + size_t(c)];
      }
    const float peak = std::max(now[0], std::max(now[1], now[2]));
    if (peak > full) {
      const float over = (peak - full) / room, shown = (full + room * over / (1 + over)) / peak;
      for (int c = 0; c < 3; ++c) now[c] *= shown;
    }
    float *kept = light.data() + 6 * i;
    bool differs = false;
    for (int c = 0; c < 6; ++c) differs |= !(std::fabs(now[c] - kept[c]) < least);
    stirred[i] = differs;
    if (differs) std::copy(now, now + 6, kept);
  }
  return owned(std::move(stirred), 1);
}

inline void shade(Array<uint8_t, 1> stirred, Array<bool, 1> rekindled, Array<int32_t, 1> triangle, Array<float, 2> bary,
           Array<int64_t, 2> faces, Array<float, 2> light, Array<int32_t, 1> skin, Array<float, 2> albedo,
           Array<float, 1> gloss, Array<float, 2> glow, Array<float, 1> table, float top, Out<float, 2> colours) {
  const size_t count = triangle.shape(0), corners = faces.shape(0);
  require(bary.shape(0) == count && skin.shape(0) == count && albedo.shape(0) == count && colours.shape(0) == count,
          "triangle, bary, skin, albedo and colours have N rows");
  require(light.shape(0) == stirred.shape(0) && light.shape(1) == 6, "light is (V,6)");
  require(glow.shape(0) == gloss.shape(0) && rekindled.shape(0) == gloss.shape(0), "glow and gloss have S rows");
  std::vector<uint8_t> touched(corners);
  for (size_t f = 0; f < corners; ++f) {
    const int64_t *c = faces.data() + 3 * f;
    touched[f] = stirred.data()[c[0]] | stirred.data()[c[1]] | stirred.data()[c[2]];
  }
  const Curve curve{table.data(), top, float(table.shape(0) - 1)};
  for (size_t i = 0; i < count; ++i) {
    const int32_t f = triangle.data()[i], s = skin.data()[i];
    if (!touched[size_t(f)] && !rekindled.data()[s]) continue;
    const int64_t *c = faces.data() + 3 * int64_t(f);
    const float *a = light.data() + 6 * c[0], *b = light.data() + 6 * c[1], *d = light.data() + 6 * c[2];
    const float *w = bary.data() + 3 * i, *paint = albedo.data() + 3 * i, *own = glow.data() + 3 * s;
    float *out = colours.data() + 3 * i;
    for (int k = 0; k < 3; ++k) {
      const float diffuse = w[0] * a[k] + w[1] * b[k] + w[2] * d[k];
      const float sheen = w[0] * a[k + 3] + w[1] * b[k + 3] + w[2] * d[k + 3];
      out[k] = curve(paint[k] * diffuse + gloss.data()[s] * sheen + own[k]);
    }
  }
}

// Pixels over a background (3,) as bytes. A loop makes floats and one makes bytes of them: of both in one, compilers
// choose among bytes by comparing floats, which takes 1.4 times as long.
SYNTH4D_BUILDS static void put_over(const float *background, const float *light, const float *alpha, float covered,
                                    size_t count, uint8_t *bytes) {
  constexpr size_t RUN = 64;  // pixels that are made side by side
  float behind[3 * RUN], through[3 * RUN], gain[3 * RUN], shown[3 * RUN];
  for (size_t k = 0; k < 3 * RUN; ++k) behind[k] = background[k % 3];
  for (size_t begin = 0; begin < count; begin += RUN, light += 3 * RUN, bytes += 3 * RUN) {
    const size_t pixels = std::min(RUN, count - begin);
    for (size_t i = 0; i < pixels; ++i) {
      const float a = alpha[begin + i], made_up = 1 / std::max(a, covered);
      gain[3 * i] = gain[3 * i + 1] = gain[3 * i + 2] = made_up;
      through[3 * i] = through[3 * i + 1] = through[3 * i + 2] = 1 - a * made_up;
    }
    for (size_t k = 0; k < 3 * pixels; ++k) {
      const float v = light[k] * gain[k] + through[k] * behind[k];
      shown[k] = std::min(std::max(v, 0.0f), 1.0f) * 255 + 0.5f;
    }
    for (size_t k = 0; k < 3 * pixels; ++k) bytes[k] = uint8_t(int32_t(shown[k]));
  }
}

// What is at least half opaque.
template <class T>
void keep_solid(const T *in, const float *alpha, size_t count, T *out) {
  for (size_t i = 0; i < count; ++i) {
    const T own = in[i];  // read in any case, so that the loop vectorises
    out[i] = alpha[i] >= 0.5f ? own : T(0);
  }
}

inline void quantise(Array<float, 3> rgb, Array<float, 2> alpha, Array<float, 2> depth, Array<uint16_t, 2> ids,
                     Array<float, 1> background, float covered, Out<uint8_t, 3> rgb8, Out<float, 2> solid_depth,
                     Out<uint16_t, 2> solid_ids) {
  const size_t count = alpha.size();
  require(rgb.size() == 3 * count && depth.size() == count && ids.size() == count, "pictures differ in size");
  require(rgb8.size() == 3 * count && solid_depth.size() == count && solid_ids.size() == count,
          "the frame differs in size from the picture");
  put_over(background.data(), rgb.data(), alpha.data(), covered, count, rgb8.data());
  keep_solid(depth.data(), alpha.data(), count, solid_depth.data());
  keep_solid(ids.data(), alpha.data(), count, solid_ids.data());
}

}  // namespace light
