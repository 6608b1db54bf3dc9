#include "rasteriser.h"

#include <atomic>
#include <cmath>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <thread>

#if defined(__linux__)
#include <sys/mman.h>
#endif

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

size_t share(size_t total, int worker, int threads) { return total * (size_t)worker / (size_t)threads; }

}  // namespace

std::vector<std::string> builds() {
  std::vector<std::string> out;
  for (const Stages *stages : supported()) out.emplace_back(stages->name);
  return out;
}

constexpr size_t HUGE_PAGE = 2 << 20;

template <class T>
T *Buffer<T>::grow(size_t wanted, size_t kept) {
  if (wanted > size) {
    const size_t bytes = (wanted + wanted / 4) * sizeof(T) / HUGE_PAGE * HUGE_PAGE + HUGE_PAGE;
    std::unique_ptr<T[], Freer> more(static_cast<T *>(std::aligned_alloc(HUGE_PAGE, bytes)));
    if (!more) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
    madvise(more.get(), bytes, MADV_HUGEPAGE);
#endif
    if (kept) std::memcpy(static_cast<void *>(more.get()), data.get(), kept * sizeof(T));
    data = std::move(more), size = bytes / sizeof(T);
  }
  return data.get();
}

Rasteriser::Rasteriser(int threads, const std::string &isa)
    : stages_(nullptr), threads_(threads), workers_((size_t)threads) {
  for (const Stages *stages : supported())
    if (!stages_ && (isa == "auto" || isa == stages->name)) stages_ = stages;
  if (!stages_) throw std::invalid_argument("no such build on this processor: " + isa);
}

void Rasteriser::load(size_t count, const float *means, const float *quats_wxyz, const float *scales,
                      const float *opacities, const float *rgb, const uint16_t *ids) {
  count_ = count;
  for (auto &v : mean_) v.resize(count);
  for (auto &v : cov_) v.resize(count);
  log2_opacity_.resize(count);
  scales_.assign(scales, scales + 3 * count), rgb_.assign(rgb, rgb + 3 * count), id_.assign(ids, ids + count);
  for (size_t i = 0; i < count; i++) {
    log2_opacity_[i] = exact_log2(opacities[i]);
    place(i, means + 3 * i, quats_wxyz + 4 * i);
  }
}

void Rasteriser::update(size_t rows, const int64_t *which, const float *means, const float *quats_wxyz) {
  for (size_t r = 0; r < rows; r++) place((size_t)which[r], means + 3 * r, quats_wxyz + 4 * r);
}

void Rasteriser::recolour(const float *rgb) { std::memcpy(rgb_.data(), rgb, rgb_.size() * sizeof(float)); }

// Covariance R S Sᵀ Rᵀ of Gaussian i from its scales and a quaternion of any length.
void Rasteriser::place(size_t i, const float *mean, const float *q) {
  const float w = q[0], x = q[1], y = q[2], z = q[3], s = 2.0f / (w * w + x * x + y * y + z * z);
  float m[3][3] = {{1 - s * (y * y + z * z), s * (x * y - w * z), s * (x * z + w * y)},
                   {s * (x * y + w * z), 1 - s * (x * x + z * z), s * (y * z - w * x)},
                   {s * (x * z - w * y), s * (y * z + w * x), 1 - s * (x * x + y * y)}};
  for (int a = 0; a < 3; a++) {
    mean_[a][i] = mean[a];
    for (int b = 0; b < 3; b++) m[a][b] *= scales_[3 * i + (size_t)b];
  }
  for (int a = 0, k = 0; a < 3; a++)
    for (int b = a; b < 3; b++, k++) cov_[k][i] = m[a][0] * m[b][0] + m[a][1] * m[b][1] + m[a][2] * m[b][2];
}

// Stage 1: a worker's share of the Gaussians becomes splats, from splats_[first of its share] on.
void Rasteriser::project(const View &view, int worker, size_t tiles) {
  const Model model{count_,          mean_[0].data(), mean_[1].data(), mean_[2].data(),
                    {cov_[0].data(), cov_[1].data(), cov_[2].data(), cov_[3].data(), cov_[4].data(), cov_[5].data()},
                    rgb_.data(),     log2_opacity_.data(), id_.data()};
  Worker &own = workers_[(size_t)worker];
  const size_t begin = share(count_, worker, threads_), end = share(count_, worker + 1, threads_);
  const size_t rows = (size_t)(view.height + TILE - 1) / TILE;
  own.bins = Bins{splats_.data.get() + begin, reaches_.data.get() + begin, depths_.data.get() + begin, nullptr, 0, 0,
                  own.tile_counts.grow(tiles)};
  std::memset(own.bins.tile_counts, 0, tiles * sizeof(uint32_t));
  for (size_t i = begin; i < end; i += CHUNK) {
    own.bins.spans = own.spans.grow(own.bins.span_count + CHUNK * rows, own.bins.span_count);
    stages_->project(model, view, i, i + CHUNK < end ? i + CHUNK : end, own.bins);
  }
}

// Stage 2: keys_ becomes (bits of z, index of the splat), by depth and then by index. Returns how many.
size_t Rasteriser::sort() {
  uint64_t *from = keys_.grow(count_), *to = spare_.grow(count_);
  constexpr int DIGIT = 11, PASSES = 3, SIZE = 1 << DIGIT;
  static_assert(DIGIT * PASSES >= 32, "all bits of a float");
  std::vector<uint32_t> places((size_t)PASSES * SIZE, 0);
  size_t n = 0;
  for (int worker = 0; worker < threads_; worker++) {
    const size_t begin = share(count_, worker, threads_), end = begin + workers_[(size_t)worker].bins.splat_count;
    for (size_t i = begin; i < end; i++) {
      uint32_t bits;  // z is positive, so its bits order as it does
      std::memcpy(&bits, &depths_.data[i], sizeof bits);
      from[n++] = (uint64_t)bits << 32 | i;
      for (int pass = 0; pass < PASSES; pass++) places[(size_t)(pass * SIZE) + (bits >> pass * DIGIT & (SIZE - 1))]++;
    }
  }
  for (int pass = 0; pass < PASSES; pass++) {
    uint32_t *place = &places[(size_t)(pass * SIZE)], sum = 0;
    for (int digit = 0; digit < SIZE; digit++) {
      const uint32_t here = place[digit];
      place[digit] = sum, sum += here;
    }
    for (size_t i = 0; i < n; i++) to[place[from[i] >> (32 + pass * DIGIT) & (SIZE - 1)]++] = from[i];
    std::swap(from, to);
  }
  if (from != keys_.data.get()) std::swap(keys_.data, spare_.data), std::swap(keys_.size, spare_.size);
  return n;
}

// Stage 3: the entries of a worker's tile rows, each tile's in depth order.
void Rasteriser::fill(int worker, int rows, int columns) {
  const int low = (int)share((size_t)rows, worker, threads_), high = (int)share((size_t)rows, worker + 1, threads_);
  constexpr size_t AHEAD = 16;  // both look-ups are cache misses: ask for them early, one after the other
  const uint64_t *keys = keys_.data.get();
  const Reach *reaches = reaches_.data.get();
  uint32_t *cursor = cursor_.data.get(), *entries = entries_.data.get();
  size_t sorted = 0;
  for (const Worker &w : workers_) sorted += w.bins.splat_count;
  std::vector<size_t> ends;
  for (int w = 1; w <= threads_; w++) ends.push_back(share(count_, w, threads_));
  auto spans_of = [&](uint32_t splat) {
    size_t owner = 0;
    while (splat >= ends[owner]) owner++;
    return workers_[owner].spans.data.get() + reaches[splat].first;
  };
  for (size_t k = 0; k < sorted; k++) {
    if (k + 2 * AHEAD < sorted) __builtin_prefetch(&reaches[(uint32_t)keys[k + 2 * AHEAD]]);
    if (k + AHEAD < sorted) __builtin_prefetch(spans_of((uint32_t)keys[k + AHEAD]));
    const uint32_t splat = (uint32_t)keys[k];
    const Reach reach = reaches[splat];
    const uint32_t *span = spans_of(splat);
    for (int row = reach.row; row < reach.row + reach.rows; row++, span++) {
      if (row < low || row >= high) continue;
      for (uint32_t c = *span & 0xffff; c < *span >> 16; c++) entries[cursor[row * columns + (int)c]++] = splat;
    }
  }
}

void Rasteriser::render(const View &view, const Image &image) {
  const int columns = (view.width + TILE - 1) / TILE, rows = (view.height + TILE - 1) / TILE;
  const size_t tiles = (size_t)columns * (size_t)rows;
  splats_.grow(count_), reaches_.grow(count_), depths_.grow(count_);
  parallel(threads_, [&](int worker) { project(view, worker, tiles); });
  sort();
  uint32_t *start = tile_start_.grow(tiles + 1), *cursor = cursor_.grow(tiles);
  size_t total = 0;
  for (size_t t = 0; t < tiles; t++) {
    start[t] = cursor[t] = (uint32_t)total;
    for (const Worker &w : workers_) total += w.bins.tile_counts[t];
    if (total > 0xffffffffu) throw std::length_error("more than 2^32 Gaussian-tile pairs in one frame");
  }
  start[tiles] = (uint32_t)total;
  entries_.grow(total);
  parallel(threads_, [&](int worker) { fill(worker, rows, columns); });
  std::atomic<size_t> next{0};
  parallel(threads_, [&](int) {
    for (size_t t = next++; t < tiles; t = next++)
      stages_->blend(splats_.data.get(), entries_.data.get() + start[t], start[t + 1] - start[t],
                     (int)(t % (size_t)columns) * TILE, (int)(t / (size_t)columns) * TILE, image);
  });
}

}  // namespace synth4d
