// Deflate (RFC 1951) of uint16 pixels: matches begin and end at pixels, the latest like place is the one tried, and the
// first match is taken. zlib's quickest level, which looks at bytes, takes 1.8 times as long for 2 % more of depth.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

namespace packing {

// Some bits, the lowest first.
struct Word {
  uint64_t bits;
  int count;
  Word then(Word next) const { return {bits | next.bits << count, count + next.count}; }
};

// Bits into bytes, the lowest first.
class Bits {
 public:
  explicit Bits(uint8_t *out) : out_(out) {}
  void put(Word word) { put(word.bits, word.count); }
  void put(uint64_t bits, int count) {  // at most 56 at once
    held_ |= bits << have_, have_ += count;
    std::memcpy(out_, &held_, sizeof held_);
    out_ += have_ >> 3, held_ >>= have_ & 56, have_ &= 7;
  }
  uint8_t *end() {
    for (; have_ > 0; have_ -= 8, held_ >>= 8) *out_++ = uint8_t(held_);
    return out_;
  }

 private:
  uint8_t *out_;
  uint64_t held_ = 0;
  int have_ = 0;
};

// A Huffman code of N symbols with at most `Most` bits each.
template <size_t N, int Most>
struct Code {
  std::array<uint8_t, N> length{};
  std::array<uint16_t, N> bits{};

  explicit Code(const std::array<uint32_t, N> &times) {
    std::vector<uint16_t> used;
    for (size_t s = 0; s < N; ++s)
      if (times[s]) used.push_back(uint16_t(s));
    while (used.size() < 2) used.push_back(used.empty() || used[0] ? 0 : 1);  // readers want two
    std::stable_sort(used.begin(), used.end(), [&](auto a, auto b) { return times[a] < times[b]; });
    std::array<uint32_t, Most + 1> of_length = lengths(used, times);
    size_t next = used.size();
    for (int bits = 1; bits <= Most; ++bits)
      for (uint32_t k = 0; k < of_length[size_t(bits)]; ++k) length[used[--next]] = uint8_t(bits);
    uint32_t code = 0;
    for (int count = 1; count <= Most; ++count, code <<= 1)
      for (size_t s = 0; s < N; ++s)
        if (length[s] == count) bits[s] = turned(code++, count);
  }

  Word operator[](size_t symbol) const { return {bits[symbol], length[symbol]}; }

 private:
  // How many codes there are of each length, of symbols from the rarest to the most frequent.
  static std::array<uint32_t, Most + 1> lengths(const std::vector<uint16_t> &used, const std::array<uint32_t, N> &times) {
    const size_t n = used.size();
    std::vector<uint64_t> weight(2 * n - 1);
    std::vector<size_t> parent(2 * n - 1);
    for (size_t i = 0; i < n; ++i) weight[i] = std::max<uint32_t>(times[used[i]], 1);
    size_t leaf = 0, inner = n;  // the two lightest are next in one of two sorted queues
    for (size_t made = n; made < 2 * n - 1; ++made)
      for (int k = 0; k < 2; ++k) {
        const bool is_leaf = leaf < n && (inner == made || weight[leaf] <= weight[inner]);
        const size_t i = is_leaf ? leaf++ : inner++;
        weight[made] += weight[i], parent[i] = made;
      }
    std::vector<int> depth(2 * n - 1);
    std::array<uint32_t, Most + 1> found{};
    for (size_t i = 2 * n - 2; i-- > 0;) {
      depth[i] = depth[parent[i]] + 1;
      if (i < n) ++found[size_t(std::min(depth[i], Most))];
    }
    // Too long ones were cut: until the codes fit, one of the longest is put beside a shorter one.
    uint64_t taken = 0;
    for (int k = 1; k <= Most; ++k) taken += uint64_t(found[size_t(k)]) << (Most - k);
    for (; taken > uint64_t(1) << Most; --taken) {
      int k = Most - 1;
      while (!found[size_t(k)]) --k;
      --found[size_t(k)], found[size_t(k) + 1] += 2, --found[Most];
    }
    return found;
  }

  static uint16_t turned(uint32_t code, int count) {
    uint32_t out = 0;
    for (int k = 0; k < count; ++k) out |= (code >> k & 1) << (count - 1 - k);
    return uint16_t(out);
  }
};

// Some symbols, and numbers that follow a symbol in so many bits: how lengths and distances are written.
struct Steps {
  std::vector<uint16_t> base;
  std::vector<uint8_t> extra;
  Steps(int count, int first, int each) {  // `each` symbols with no bits more, then `each` with one, …
    int value = first;
    for (int s = 0; s < count; ++s) {
      const int bits = std::max(0, s / each - 1);
      base.push_back(uint16_t(value)), extra.push_back(uint8_t(bits)), value += 1 << bits;
    }
  }
  // The symbol of each value up to `most`.
  std::vector<uint8_t> symbols(int most) const {
    std::vector<uint8_t> out(size_t(most) + 1);
    for (size_t s = 0; s < base.size(); ++s)
      for (int v = base[s]; v <= most; ++v) out[size_t(v)] = uint8_t(s);
    return out;
  }
};

class Deflater {
 public:
  // The stream of `size` bytes, an even number.
  static std::vector<uint8_t> pack(const uint8_t *data, size_t size) {
    std::unique_ptr<uint8_t[]> out(new uint8_t[2 * size + 1024]);
    Deflater all(data, out.get());
    return {out.get(), all.run(size)};
  }

 private:
  struct Match {  // after some literals
    uint32_t literals;
    uint16_t length, distance;
  };
  static constexpr size_t kWindow = 32768, kLongest = 258, kLeast = 6, kTokens = 1 << 16;
  static constexpr int kHash = 14;
  const uint8_t *data_;
  Bits bits_;
  std::vector<uint32_t> latest_ = std::vector<uint32_t>(size_t(1) << kHash, 0);
  std::vector<Match> matches_;
  Steps lengths_{28, 3, 4}, distances_{30, 1, 2};
  std::vector<uint8_t> length_symbol_, distance_symbol_;

  Deflater(const uint8_t *data, uint8_t *out) : data_(data), bits_(out) {
    lengths_.base.push_back(kLongest), lengths_.extra.push_back(0);
    matches_.reserve(kTokens);
    length_symbol_ = lengths_.symbols(kLongest), distance_symbol_ = distances_.symbols(kWindow);
  }

  uint8_t *run(size_t size) {
    size_t start = 0, literals = 0, at = 0, tokens = 0;
    while (at + 8 <= size) {
      const size_t before = std::exchange(latest(at), uint32_t(at));
      // In one condition, since each that is hard to foretell costs as much as all the rest of a step.
      if ((at - before - 1 >= kWindow) | ((load<uint64_t>(before) ^ load<uint64_t>(at)) << 16 != 0)) {
        at += 2, literals += 2, tokens += 2;
      } else {
        const size_t length = alike(before, at, size);
        matches_.push_back({uint32_t(literals), uint16_t(length), uint16_t(at - before)});
        const size_t end = at + length;
        for (at += 2; at < end && at + 8 <= size; at += 4) latest(at) = uint32_t(at);
        at = end, literals = 0, tokens += 1;
      }
      if (tokens >= kTokens) {
        block(start, literals, false);
        start = at, literals = tokens = 0;
      }
    }
    block(start, literals + size - at, true);
    return bits_.end();
  }

  template <class T>
  T load(size_t at) const {
    T value;
    std::memcpy(&value, data_ + at, sizeof value);
    return value;
  }

  // Where the six bytes from a place on were met before, or others of the same hash.
  uint32_t &latest(size_t at) { return latest_[(load<uint64_t>(at) << 16) * 0x9E3779B97F4A7C15u >> (64 - kHash)]; }

  size_t alike(size_t before, size_t at, size_t size) const {
    const size_t most = std::min(kLongest, size - at);
    size_t n = 0;
    for (; n + 8 <= most; n += 8) {
      const uint64_t differ = load<uint64_t>(before + n) ^ load<uint64_t>(at + n);
      if (differ) return n + size_t(__builtin_ctzll(differ)) / 16 * 2;
    }
    while (n < most && data_[before + n] == data_[at + n]) ++n;
    return n & ~size_t(1);
  }

  // The matches so far, which begin at `start`, and as many literals behind them.
  void block(size_t start, size_t rest, bool last) {
    std::array<uint32_t, 286> symbols{};
    std::array<uint32_t, 30> ways{};
    size_t at = start;
    std::array<uint32_t, 256> high{};  // apart, since one counter can't grow twice in two steps
    const auto count = [&](size_t literals) {
      for (const size_t end = at + literals; at < end; at += 2) ++symbols[data_[at]], ++high[data_[at + 1]];
    };
    for (const Match &m : matches_) {
      count(m.literals);
      ++symbols[257u + length_symbol_[m.length]], ++ways[distance_symbol_[m.distance]], at += m.length;
    }
    count(rest);
    for (size_t s = 0; s < 256; ++s) symbols[s] += high[s];
    ++symbols[256];
    const Code<286, 15> text(symbols);
    const Code<30, 15> way(ways);
    head(text.length, way.length, last);
    at = start;
    Bits out = bits_;  // apart from what bytes may alias, so that it stays in registers
    const auto put = [&](size_t literals) {
      for (const size_t end = at + literals; at < end; at += 2) out.put(text[data_[at]].then(text[data_[at + 1]]));
    };
    for (const Match &m : matches_) {
      put(m.literals);
      const size_t l = length_symbol_[m.length], d = distance_symbol_[m.distance];
      const Word length{uint64_t(m.length - lengths_.base[l]), lengths_.extra[l]};
      const Word distance{uint64_t(m.distance - distances_.base[d]), distances_.extra[d]};
      out.put(text[257 + l].then(length).then(way[d]).then(distance));
      at += m.length;
    }
    put(rest);
    out.put(text[256]);
    bits_ = out;
    matches_.clear();
  }

  // The codes of a block, in a code of their own, without its signs for repeats.
  void head(const std::array<uint8_t, 286> &text, const std::array<uint8_t, 30> &way, bool last) {
    static constexpr uint8_t kOrder[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    std::array<uint32_t, 19> times{};
    for (const auto n : text) ++times[n];
    for (const auto n : way) ++times[n];
    const Code<19, 7> code(times);
    bits_.put(last, 1), bits_.put(2, 2);
    bits_.put(286 - 257, 5), bits_.put(30 - 1, 5), bits_.put(19 - 4, 4);
    for (const auto s : kOrder) bits_.put(code.length[s], 3);
    for (const auto n : text) bits_.put(code[n]);
    for (const auto n : way) bits_.put(code[n]);
  }
};

}  // namespace packing
