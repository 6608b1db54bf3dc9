// Memory that only grows and is not cleared: the first touch of a page costs more than a frame's work on it.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace synth4d {

struct Freer {
  void operator()(void *memory) const { std::free(memory); }
};

template <class T>
struct Buffer {
  std::unique_ptr<T[], Freer> data;
  size_t size = 0;

  // Room for `wanted`; the first `kept` stay.
  T *grow(size_t wanted, size_t kept = 0) {
    constexpr size_t HUGE_PAGE = 2 << 20;
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
  T &operator[](size_t i) { return data[i]; }
  const T &operator[](size_t i) const { return data[i]; }
};

// Sort keys by their upper half, stably, in as few passes as the range of values needs; `spare` is as long.
inline void radix_sort(Buffer<uint64_t> &keys, Buffer<uint64_t> &spare, size_t count) {
  constexpr int DIGIT = 10;  // bits of a pass at most: what is counted stays in the first-level cache
  spare.grow(count);
  uint64_t low = ~0ull, high = 0;
  for (size_t i = 0; i < count; i++) low = std::min(low, keys[i]), high = std::max(high, keys[i]);
  int bits = 0;
  low = low >> 32 << 32;
  while (count && (high - low) >> 32 >> bits) bits++;
  const int passes = (bits + DIGIT - 1) / DIGIT, digit = passes ? (bits + passes - 1) / passes : 0;
  for (int shift = 32; shift < 32 + bits; shift += digit) {
    const uint64_t *from = keys.data.get();
    uint64_t *to = spare.data.get();
    const uint32_t mask = (1u << digit) - 1;
    uint32_t place[1 << DIGIT], sum = 0;
    std::fill_n(place, mask + 1, 0u);
    for (size_t i = 0; i < count; i++) place[(from[i] - low) >> shift & mask]++;
    for (uint32_t d = 0; d <= mask; d++) {
      const uint32_t here = place[d];
      place[d] = sum, sum += here;
    }
    for (size_t i = 0; i < count; i++) to[place[(from[i] - low) >> shift & mask]++] = from[i];
    std::swap(keys.data, spare.data), std::swap(keys.size, spare.size);
  }
}

}  // namespace synth4d
