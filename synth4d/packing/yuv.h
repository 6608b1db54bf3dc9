// sRGB pictures as the planes of a video, and back, all in integers.
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

// A picture of planes, as FFmpeg's scaler makes it (bilinear, bitexact): chroma weighs 3 to 1 with the row beyond, and
// comes to whole steps of luma. Its luma begins 1.8 levels below that of BT.601.
SYNTH4D_BUILDS static void from_planes(const uint8_t *luma, size_t height, size_t width, uint8_t *out) {
  constexpr int kLuma = 76309, kBlack = 326 * kLuma - (400 << 16) + (1 << 15);  // of 2¹⁶: 255/219, and where it begins
  constexpr int kRV = 89830, kGU = -22049, kGV = -45756, kBU = 113537;  // of 2¹⁶ steps of luma
  constexpr int kGrey = 128;
  const auto steps = [](int chroma, int gain) { return (chroma * gain >> 16) - (kGrey * gain >> 16); };
  const size_t half = width / 2;
  const uint8_t *u = luma + height * width, *v = u + height * width / 4;
  std::vector<int16_t> more(3 * width);
  int16_t *red = more.data(), *green = red + width, *blue = green + width;
  std::vector<uint8_t> bytes(3 * width);
  for (size_t y = 0; y < height; ++y, luma += width, out += 3 * width) {
    const size_t own = y / 2 * half, next = (y % 2 ? std::min(y + 1, height - 1) : std::max<size_t>(y, 1) - 1) / 2 * half;
    for (size_t x = 0; x < half; ++x) {
      const int cu = (3 * u[own + x] + u[next + x] + 2) >> 2, cv = (3 * v[own + x] + v[next + x] + 2) >> 2;
      red[2 * x] = red[2 * x + 1] = int16_t(steps(cv, kRV));
      green[2 * x] = green[2 * x + 1] = int16_t(steps(cu, kGU) + steps(cv, kGV));
      blue[2 * x] = blue[2 * x + 1] = int16_t(steps(cu, kBU));
    }
    for (size_t c = 0; c < 3; ++c)
      for (size_t x = 0; x < width; ++x) {
        const int level = (kLuma * int16_t(luma[x] + more[c * width + x]) + kBlack) >> 16;
        bytes[c * width + x] = uint8_t(std::min(std::max(level, 0), 255));
      }
    for (size_t x = 0; x < width; ++x)
      out[3 * x] = bytes[x], out[3 * x + 1] = bytes[width + x], out[3 * x + 2] = bytes[2 * width + x];
  }
}

// Whether a picture and planes are of one size.
template <class Picture, class Planes>
void fit(const Picture &rgb, const Planes &planes) {
  require(rgb.shape(0) % 2 == 0 && rgb.shape(1) % 2 == 0 && rgb.shape(2) == 3 &&
              planes.shape(0) == rgb.shape(0) * 3 / 2 && planes.shape(1) == rgb.shape(1),
          "a picture is (H,W,3), even in height and width, its planes (H·3/2,W)");
}

inline void yuv420(Array<uint8_t, 3> rgb, Out<uint8_t, 2> out) {
  fit(rgb, out);
  to_planes(rgb.data(), rgb.shape(0), rgb.shape(1), out.data());
}

inline void rgb(Array<uint8_t, 2> planes, Out<uint8_t, 3> out) {
  fit(out, planes);
  from_planes(planes.data(), out.shape(0), out.shape(1), out.data());
}

}  // namespace packing
