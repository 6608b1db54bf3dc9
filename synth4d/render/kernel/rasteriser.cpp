#include "rasteriser.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <stdexcept>
#include <thread>

namespace synth4d {

namespace generic { extern const Stages stages; }
#ifdef SYNTH4D_X86
namespace avx2 { extern const Stages stages; }
namespace avx512 { extern const Stages stages; }
#endif

namespace {

std::vector<const Stages *> supported() {
  std::vector<const Stages *> out;
#ifdef SYNTH4D_X86
  __builtin_cpu_init();
  const bool fma = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (fma && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
    out.push_back(&avx512::stages);
  if (fma) out.push_back(&avx2::stages);
#endif
  out.push_back(&generic::stages);
  return out;
}

// log2 by the series of atanh, the same on every machine (libm's last bits are not); −inf at 0.
float exact_log2(float v) {
  if (!(v > 0.0f)) return -INFINITY;
  int exponent;
  double m = std::frexp((double)v, &exponent);
  if (m < 0.70710678118654752) m *= 2.0, exponent--;
  const double s = (m - 1.0) / (m + 1.0), s2 = s * s;
  double sum = 0.0;
  for (int k = 21; k >= 1; k -= 2) sum = sum * s2 + 1.0 / k;
  return (float)(exponent + 2.0 * 1.4426950408889634 * s * sum);
}

// Run work(0..threads-1), the first on this thread; an exception of any is thrown here.
template <class Work>
void parallel(int threads, Work work) {
  std::vector<std::exception_ptr> failed((size_t)threads);
  auto guarded = [&](int worker) {
    try {
      work(worker);
    } catch (...) {
      failed[(size_t)worker] = std::current_exception();
    }
  };
  std::vector<std::thread> others;
  for (int worker = 1; worker < threads; worker++) others.emplace_back(guarded, worker);
  guarded(0);
  for (auto &thread : others) thread.join();
  for (auto &failure : failed)
    if (failure) std::rethrow_exception(failure);
}

// The lower 10 bits of v, two zeros after each.
uint32_t spread(uint32_t v) {
  v = (v | v << 16) & 0x030000ff, v = (v | v << 8) & 0x0300f00f;
  v = (v | v << 4) & 0x030c30c3, v = (v | v << 2) & 0x09249249;
  return v;
}

}  // namespace

std::vector<std::string> builds() {
  std::vector<std::string> out;
  for (const Stages *stages : supported()) out.emplace_back(stages->name);
  return out;
}

Rasteriser::Rasteriser(int threads, const std::string &isa) : stages_(nullptr), threads_(threads) {
  for (const Stages *stages : supported())
    if (!stages_ && (isa == "auto" || isa == stages->name)) stages_ = stages;
  if (!stages_) throw std::invalid_argument("no such build on this processor: " + isa);
}

// Slots along a Z-order curve through the middle nine tenths of the means and as much again on each side, so that a
// few strays do not put all others into one cell. Any order gives the same picture; this one is the fastest.
void Rasteriser::settle(const Rows &rows) {
  constexpr size_t SAMPLES = 1000;
  const size_t step = rows.count / SAMPLES + 1;
  float low[3], scale[3];
  for (int axis = 0; axis < 3; axis++) {
    std::vector<float> sample;
    for (size_t i = 0; i < rows.count; i += step) sample.push_back(rows.means[3 * i + (size_t)axis]);
    std::sort(sample.begin(), sample.end());
    const float from = sample[sample.size() / 20], to = sample[sample.size() - 1 - sample.size() / 20];
    const float size = std::max(to - from, 1e-6f);
    low[axis] = from - size, scale[axis] = 1023.0f / (3.0f * size);
  }
  Buffer<uint64_t> keys, spare;
  keys.grow(rows.count);
  for (size_t i = 0; i < rows.count; i++) {
    uint32_t code = 0;
    for (int axis = 0; axis < 3; axis++) {
      const float cell = (rows.means[3 * i + (size_t)axis] - low[axis]) * scale[axis];
      code |= spread((uint32_t)std::min(std::max(cell, 0.0f), 1023.0f)) << axis;
    }
    keys[i] = (uint64_t)code << 32 | i;
  }
  radix_sort(keys, spare, rows.count);
  row_of_.resize(rows.count), slot_of_.resize(rows.count);
  for (size_t slot = 0; slot < rows.count; slot++) {
    row_of_[slot] = (uint32_t)keys[slot];
    slot_of_[row_of_[slot]] = (uint32_t)slot;
  }
}

void Rasteriser::load(const Rows &rows) {
  count_ = rows.count, sh_count_ = rows.sh_count;
  settle(rows);
  std::fill_n(gaussians_.grow(blocks()), blocks(), Gaussians{});
  for (auto &v : scale_) v.resize(count_);
  for (auto &v : centre_) v.resize(blocks());
  for (auto &v : half_) v.resize(blocks());
  sigma_.resize(blocks()), stale_.assign(blocks(), 1);
  sh_.assign(blocks() * BLOCK * 3 * (size_t)sh_count_, 0.0f);
  filtered_ = std::find(rows.filtered, rows.filtered + count_, 1) != rows.filtered + count_;
  float opacity = 1.0f, log2 = 0.0f;  // neighbours are often alike, and the logarithm takes as long as all else here
  for (size_t slot = 0; slot < count_; slot++) {
    const size_t row = row_of_[slot];
    if (rows.opacities[row] != opacity) opacity = rows.opacities[row], log2 = exact_log2(opacity);
    Gaussians &g = gaussians_[slot / BLOCK];
    const size_t i = slot % BLOCK;
    g.log2_opacity[i] = log2, g.id[i] = rows.ids[row], g.filtered[i] = rows.filtered[row], g.row[i] = (uint32_t)row;
    for (size_t axis = 0; axis < 3; axis++) scale_[axis][slot] = rows.scales[3 * row + axis];
    place(slot, rows.means + 3 * row, rows.quats_wxyz + 4 * row);
    if (sh_count_) place_sh(slot, rows.sh + row * 3 * (size_t)sh_count_);
  }
  recolour(0, nullptr, rows.rgb);
}

void Rasteriser::recolour(size_t rows, const int64_t *which, const float *rgb) {
  auto paint = [&](size_t slot, const float *own) {
    for (size_t c = 0; c < 3; c++) gaussians_[slot / BLOCK].rgb[c][slot % BLOCK] = own[c];
  };
  for (size_t r = 0; r < rows; r++) paint(slot_of_[(size_t)which[r]], rgb + 3 * r);
  if (rows) return;
  for (size_t slot = 0; slot < count_; slot++) paint(slot, rgb + 3 * (size_t)row_of_[slot]);
}

void Rasteriser::update(size_t rows, const int64_t *which, const float *means, const float *quats_wxyz,
                        const float *sh) {
  for (size_t r = 0; r < rows; r++) {
    const size_t slot = slot_of_[(size_t)which[r]];
    stale_[slot / BLOCK] = 1;
    place(slot, means + 3 * r, quats_wxyz + 4 * r);
    if (sh) place_sh(slot, sh + r * 3 * (size_t)sh_count_);
  }
}

// Covariance R S Sᵀ Rᵀ of a Gaussian from its scales and a quaternion of any length.
void Rasteriser::place(size_t slot, const float *mean, const float *q) {
  const float w = q[0], x = q[1], y = q[2], z = q[3], s = 2.0f / (w * w + x * x + y * y + z * z);
  const float scale[3] = {scale_[0][slot], scale_[1][slot], scale_[2][slot]};
  float m[3][3] = {{1 - s * (y * y + z * z), s * (x * y - w * z), s * (x * z + w * y)},
                   {s * (x * y + w * z), 1 - s * (x * x + z * z), s * (y * z - w * x)},
                   {s * (x * z - w * y), s * (y * z + w * x), 1 - s * (x * x + y * y)}};
  Gaussians &g = gaussians_[slot / BLOCK];
  const size_t i = slot % BLOCK;
  for (int a = 0; a < 3; a++) {
    g.mean[a][i] = mean[a];
    for (int b = 0; b < 3; b++) m[a][b] *= scale[b];
  }
  for (int a = 0, k = 0; a < 3; a++)
    for (int b = a; b < 3; b++, k++) g.cov[k][i] = m[a][0] * m[b][0] + m[a][1] * m[b][1] + m[a][2] * m[b][2];
}

void Rasteriser::place_sh(size_t slot, const float *sh) {
  const size_t each = 3 * (size_t)sh_count_;
  float *block = &sh_[slot / BLOCK * BLOCK * each];
  for (size_t k = 0; k < each; k++) block[k * BLOCK + slot % BLOCK] = sh[k];
}

void Rasteriser::bound(size_t block) {
  const size_t begin = block * BLOCK, end = std::min(begin + BLOCK, count_);
  for (int axis = 0; axis < 3; axis++) {
    const float *mean = gaussians_[block].mean[axis];
    const auto [low, high] = std::minmax_element(mean, mean + (end - begin));
    centre_[axis][block] = 0.5f * (*low + *high);
    half_[axis][block] = 0.5f * (*high - *low) * 1.000001f + 1e-7f * std::max(std::fabs(*low), std::fabs(*high));
  }
  float sigma = 0.0f;
  for (size_t slot = begin; slot < end; slot++)
    for (const auto &scale : scale_) sigma = std::max(sigma, scale[slot]);
  sigma_[block] = 1.001f * sigma;
}

void Rasteriser::render(const View &view, float done, const Image &image) {
  for (size_t block = 0; block < blocks(); block++)
    if (stale_[block]) bound(block), stale_[block] = 0;
  const Rule rule{image.expected != nullptr, done};
  const Model model{count_, gaussians_.data.get(), filtered_, sh_count_, sh_.data()};
  const Bounds bounds{{centre_[0].data(), centre_[1].data(), centre_[2].data()},
                      {half_[0].data(), half_[1].data(), half_[2].data()}, sigma_.data()};
  int side = REGION;  // smaller where threads would be left without a region
  auto parts = [&](int pixels) { return (pixels + side - 1) / side; };
  while (threads_ > 1 && side > 2 * TILE && parts(view.width) * parts(view.height) < 4 * threads_) side /= 2;
  const int columns = parts(view.width), rows = parts(view.height), count = columns * rows;
  auto edge = [](int k, int parts, int pixels) {  // tiles are spread evenly
    return std::min((pixels + TILE - 1) / TILE * k / parts * TILE, pixels);
  };
  painters_.resize((size_t)threads_);
  std::atomic<int> next{0};
  parallel(std::min(threads_, count), [&](int worker) {
    for (int k = next++; k < count; k = next++) {
      const int x = k % columns, y = k / columns;
      const Region region{edge(x, columns, view.width), edge(y, rows, view.height),
                          edge(x + 1, columns, view.width), edge(y + 1, rows, view.height), {}, false};
      painters_[(size_t)worker].paint(*stages_, model, bounds, blocks(), view, rule, region, image);
    }
  });
}

}  // namespace synth4d
