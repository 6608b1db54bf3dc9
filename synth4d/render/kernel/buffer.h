// Memory that only grows and is not cleared: the first touch of a page costs more than a frame's work on it.
#pragma once
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

// Sort keys by the bits of their upper half that differ, stably, 8 at a time; `spare` is as long.
inline void radix_sort(Buffer<uint64_t> &keys, Buffer<uint64_t> &spare, size_t count) {
  constexpr int DIGIT = 8, SIZE = 1 << DIGIT;
  spare.grow(count);
  uint64_t any = 0, all = ~0ull;
  for (size_t i = 0; i < count; i++) any |= keys[i], all &= keys[i];
  const uint64_t differ = (any ^ all) >> 32;
  for (int shift = 0; differ >> shift; shift += DIGIT) {
    uint32_t place[SIZE] = {}, sum = 0;
    for (size_t i = 0; i < count; i++) place[keys[i] >> (32 + shift) & (SIZE - 1)]++;
    for (uint32_t &p : place) {
      const uint32_t here = p;
      p = sum, sum += here;
    }
    for (size_t i = 0; i < count; i++) spare[place[keys[i] >> (32 + shift) & (SIZE - 1)]++] = keys[i];
    std::swap(keys.data, spare.data), std::swap(keys.size, spare.size);
  }
}

}  // namespace synth4d
