// sRGB pictures as the planes of a video, all in integers.
#pragma once

#include "../tracer/common.h"

namespace packing {

using namespace geo;

// Planes Y, U, V of a picture: BT.601, limited range, chroma of each 2×2 block's mean.
SYNTH4D_BUILDS static void to_planes(const uint8_t *in, size_t height, size_t width, uint8_t *luma) {
  uint8_t *u = luma + height * width, *v = u + height * width / 4;
  std::vector<int16_t> red(2 * width), green(2 * width), blue(2 * width);
  int16_t *r = red.data(), *g = green.data(), *b = blue.data();
  for (size_t y = 0; y < height; y += 2, in += 6 * width, luma += 2 * width) {
    for (size_t i = 0; i < 2 * width; ++i) r[i] = in[3 * i], g[i] = in[3 * i + 1], b[i] = in[3 * i + 2];
    for (size_t i = 0; i < 2 * width; ++i)
      luma[i] = uint8_t((uint16_t(66 * r[i] + 129 * g[i] + 25 * b[i] + 128) >> 8) + 16);
    for (int16_t *p : {r, g, b})
      for (size_t i = 0; i < width; ++i) p[i] = int16_t(p[i] + p[i + width]);
    for (size_t x = 0; x < width / 2; ++x) {
      const auto mean = [x](const int16_t *p) { return (p[2 * x] + p[2 * x + 1] + 2) >> 2; };
      const int mr = mean(r), mg = mean(g), mb = mean(b);
      *u++ = uint8_t(((-38 * mr - 74 * mg + 112 * mb + 128) >> 8) + 128);
      *v++ = uint8_t(((112 * mr - 94 * mg - 18 * mb + 128) >> 8) + 128);
    }
  }
}

inline void yuv420(Array<uint8_t, 3> rgb, Out<uint8_t, 2> out) {
  require(rgb.shape(0) % 2 == 0 && rgb.shape(1) % 2 == 0 && rgb.shape(2) == 3 && out.shape(0) == rgb.shape(0) * 3 / 2 &&
              out.shape(1) == rgb.shape(1), "rgb is (H,W,3), even in height and width, out (H·3/2,W)");
  to_planes(rgb.data(), rgb.shape(0), rgb.shape(1), out.data());
}

}  // namespace packing
