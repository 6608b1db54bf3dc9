// From what rays met to light, from light to colours, from pictures to bytes.
#pragma once

#include "../../tracer/common.h"

namespace light {

using namespace geo;

// The cosine to the power 24: a broad highlight.
inline float gleam(float c) {
  const float c2 = c * c, c4 = c2 * c2, c8 = c4 * c4;
  return c8 * c8 * c8;
}

inline std::tuple<nb::object, nb::object, nb::object> aim(Array<float, 2> points, Array<float, 2> normals,
                                                   Array<float, 2> samples, Array<float, 2> facing, float least,
                                                   float reach) {
  require(points.shape(0) == normals.shape(0), "points and normals are (R,3)");
  const size_t count = points.shape(0), per = samples.shape(0);
  const bool lamp = facing.shape(0) == 0;
  require(lamp || (facing.shape(0) == per && per <= 16), "facing is (S,3), S up to 16, or (0,3)");
  std::vector<float> diffuse(count), sheen(count), weight(lamp ? 0 : count * per);
  const Vec middle = middle_of(samples);
  float side[6][16] = {}, half[16] = {};  // places and normals of samples by coordinate; ½ where both sides shine
  for (size_t s = 0; s < (lamp ? 0 : per); ++s) {
    for (size_t k = 0; k < 3; ++k) side[k][s] = samples.data()[3 * s + k], side[k + 3][s] = facing.data()[3 * s + k];
    half[s] = side[3][s] == 0 && side[4][s] == 0 && side[5][s] == 0 ? 0.5f : 0.0f;
  }
  for (size_t i = 0; i < count; ++i) {
    const Vec p = at(points.data(), int64_t(i)), n = at(normals.data(), int64_t(i));
    const Vec way{middle.x - p.x, middle.y - p.y, middle.z - p.z};
    const float square = std::max(dot(way, way), least);
    if (lamp) {
      const float c = std::max(dot(way, n) / std::sqrt(square), 0.0f);
      diffuse[i] = c / square;
      sheen[i] = gleam(c) / square;
      continue;
    }
    if (!(square < reach * reach)) continue;
    float given[16], cosine[16];  // side by side, then summed in order
    for (size_t s = 0; s < per; ++s) {
      const Vec w{side[0][s] - p.x, side[1][s] - p.y, side[2][s] - p.z}, f{side[3][s], side[4][s], side[5][s]};
      const float d2 = dot(w, w), length = std::sqrt(std::max(d2, 1e-12f));
      cosine[s] = std::max(dot(w, n) / length, 0.0f);
      const float sent = std::max(-dot(w, f) / length, 0.0f) + half[s];
      given[s] = sent / (std::max(d2, least) * float(per));
    }
    for (size_t s = 0; s < per; ++s) {
      weight[i * per + s] = given[s] * cosine[s];
      diffuse[i] += given[s] * cosine[s];
      sheen[i] += given[s] * gleam(cosine[s]);
    }
  }
  return {owned(std::move(diffuse), 1), owned(std::move(sheen), 1), owned(std::move(weight), lamp ? 1 : per)};
}

inline nb::object seen(Array<uint16_t, 1> blocked, Array<int64_t, 1> rows, Array<float, 2> weight,
                       Array<float, 1> diffuse) {
  const size_t count = blocked.shape(0), per = weight.shape(1);
  require(rows.shape(0) == count && weight.shape(0) == diffuse.shape(0) && per <= 16,
          "blocked and rows are (R,), weight (V,S), diffuse (V,)");
  const uint32_t all = (1u << per) - 1;
  std::vector<float> share(count);
  for (size_t i = 0; i < count; ++i) {
    const uint32_t bits = blocked.data()[i];
    const size_t row = size_t(row_of(rows, int64_t(i), weight));
    const float whole = diffuse.data()[row], *own = weight.data() + row * per;
    if (bits == all || !(whole > 0)) continue;
    float sum = 0;
    for (size_t s = 0; s < per; ++s)
      if (!(bits >> s & 1)) sum += own[s];
    share[i] = sum / whole;
  }
  return owned(std::move(share), 1);
}

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

inline void quantise(Array<float, 3> rgb, Array<float, 2> alpha, Array<float, 2> depth, Array<uint16_t, 2> ids,
              Array<float, 1> background, Out<uint8_t, 3> rgb8, Out<float, 2> solid_depth, Out<uint16_t, 2> solid_ids) {
  const size_t count = alpha.size();
  require(rgb.size() == 3 * count && depth.size() == count && ids.size() == count, "pictures differ in size");
  require(rgb8.size() == 3 * count && solid_depth.size() == count && solid_ids.size() == count,
          "the frame differs in size from the picture");
  constexpr size_t RUN = 16;  // pixels whose bytes are made side by side
  float behind[3 * RUN], through[3 * RUN];
  for (size_t k = 0; k < 3 * RUN; ++k) behind[k] = background.data()[k % 3];
  for (size_t begin = 0; begin < count; begin += RUN) {
    const size_t pixels = std::min(RUN, count - begin);
    const float *light = rgb.data() + 3 * begin;
    uint8_t *bytes = rgb8.data() + 3 * begin;
    for (size_t i = 0; i < pixels; ++i)
      through[3 * i] = through[3 * i + 1] = through[3 * i + 2] = 1 - alpha.data()[begin + i];
    for (size_t k = 0; k < 3 * pixels; ++k) {
      const float v = light[k] + through[k] * behind[k];
      bytes[k] = uint8_t(int32_t(std::min(std::max(v, 0.0f), 1.0f) * 255 + 0.5f));
    }
  }
  for (size_t i = 0; i < count; ++i) {
    const float a = alpha.data()[i];
    const bool solid = a >= 0.5f;
    solid_depth.data()[i] = solid ? depth.data()[i] : 0;
    solid_ids.data()[i] = solid ? ids.data()[i] : 0;
  }
}

}  // namespace light
