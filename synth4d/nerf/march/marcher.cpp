#include "marcher.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <thread>

namespace synth4d::nerf {

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

// Run work(from, to) over [0, count) in runs of `step`, taken by whichever thread is free; every run writes its
// own part of the result, so the number of threads changes nothing. An exception of any thread is thrown here.
template <class Work>
void share(size_t count, size_t step, int threads, Work work) {
  std::atomic<size_t> next{0};
  std::vector<std::exception_ptr> failed((size_t)threads);
  auto run = [&](int worker) {
    try {
      work(worker, [&](size_t &from, size_t &to) {
        from = next.fetch_add(step), to = std::min(from + step, count);
        return from < count;
      });
    } catch (...) {
      failed[(size_t)worker] = std::current_exception();
    }
  };
  std::vector<std::thread> others;
  for (int worker = 1; worker < threads; worker++) others.emplace_back(run, worker);
  run(0);
  for (auto &thread : others) thread.join();
  for (auto &failure : failed)
    if (failure) std::rethrow_exception(failure);
}

}  // namespace

std::vector<std::string> builds() {
  std::vector<std::string> out;
  for (const Stages *stages : supported()) out.emplace_back(stages->name);
  return out;
}

Marcher::Marcher(const std::string &isa) : stages_(nullptr) {
  for (const Stages *stages : supported())
    if (!stages_ && (isa == "auto" || isa == stages->name)) stages_ = stages;
  if (!stages_) throw std::invalid_argument("no such build on this processor: " + isa);
}

template <class T>
const T *Marcher::keep(const T *from, size_t count, size_t padded) {
  const size_t bytes = (std::max(padded, count) * sizeof(T) + 63) / 64 * 64;
  void *memory = std::aligned_alloc(64, std::max<size_t>(bytes, 64));
  if (!memory) throw std::bad_alloc();
  kept_.emplace_back(memory, std::free);
  std::memset(memory, 0, bytes);
  if (count) std::memcpy(memory, from, count * sizeof(T));
  return static_cast<const T *>(memory);
}

Layer Marcher::pack(const Weights &layer) {
  const size_t in = (size_t)layer.in, out = (size_t)layer.out, blocks = (out + BLOCK - 1) / BLOCK;
  std::vector<float> packed(blocks * BLOCK * in, 0.0f);
  for (size_t j = 0; j < out; j++)
    for (size_t i = 0; i < in; i++) packed[(j / BLOCK * in + i) * BLOCK + j % BLOCK] = layer.w[j * in + i];
  return {layer.in, layer.out, keep(packed.data(), packed.size(), packed.size()), keep(layer.b, out, blocks * BLOCK)};
}

Mlp Marcher::pack(const std::vector<Weights> &layers, size_t count) {
  if (count > (size_t)MAX_LAYERS) throw std::invalid_argument("a network has more layers than " + std::to_string(MAX_LAYERS));
  Mlp mlp{};
  for (size_t k = 0; k < count; k++) {
    if (layers[k].in > MAX_WIDTH || layers[k].out > MAX_WIDTH)
      throw std::invalid_argument("a layer is wider than " + std::to_string(MAX_WIDTH));
    mlp.layer[mlp.depth++] = pack(layers[k]);
  }
  mlp.ends_in_relu = count < layers.size();
  return mlp;
}

void Marcher::add_network(int levels, int features, size_t entries, const float *scalings, const float *table,
                          const std::vector<Weights> &layers, float density_scale, int samples) {
  if (field_.rounds == MAX_ROUNDS) throw std::invalid_argument("more than " + std::to_string(MAX_ROUNDS - 1) + " proposal networks");
  if (samples < 1 || samples > MAX_SAMPLES) throw std::invalid_argument("samples a ray must be 1 to " + std::to_string(MAX_SAMPLES));
  if (features != 1 && features != 2 && features != 4 && features != 8)
    throw std::invalid_argument("a level has " + std::to_string(features) + " features, not 1, 2, 4 or 8");
  if (levels * features > MAX_WIDTH) throw std::invalid_argument("an encoding is wider than " + std::to_string(MAX_WIDTH));
  Network &net = field_.round[field_.rounds++];
  net.levels = levels, net.features = features, net.mask = (uint32_t)entries - 1;
  const size_t rows = (size_t)levels * entries * (size_t)features;
  net.scalings = keep(scalings, (size_t)levels, (size_t)levels), net.table = keep(table, rows, rows);
  net.mlp = pack(layers, layers.size());
  net.density_scale = density_scale, net.samples = samples;
  field_.geometry = width(field_.rounds - 1) - 1;
}

void Marcher::set_heads(const std::vector<Weights> &colour, const std::vector<Weights> &semantics) {
  field_.colour = pack(colour, colour.size());
  if (semantics.empty()) return;
  field_.semantics = pack(semantics, semantics.size() - 1);
  const Weights &last = semantics.back();
  const size_t in = (size_t)last.in, out = (size_t)last.out;
  if (in >= (size_t)MAX_WIDTH || out > (size_t)MAX_WIDTH)
    throw std::invalid_argument("classes are wider than " + std::to_string(MAX_WIDTH));
  std::vector<float> w(out * (in + 1)), none(out, 0.0f);
  for (size_t j = 0; j < out; j++) {
    std::copy(last.w + j * in, last.w + (j + 1) * in, w.begin() + (std::ptrdiff_t)(j * (in + 1)));
    w[j * (in + 1) + in] = last.b[j];
  }
  field_.classes = pack({last.out, last.in + 1, w.data(), none.data()});
}

void Marcher::set_occupied(int round, int cells, const uint32_t *words) {
  const size_t count = ((size_t)cells * (size_t)cells * (size_t)cells + 31) / 32;
  field_.round[round].occupied = keep(words, count, count), field_.round[round].cells = cells;
}

int Marcher::width(int round) const {
  const Mlp &mlp = field_.round[round].mlp;
  return mlp.layer[mlp.depth - 1].out;
}

void Marcher::march(const Rays &rays, size_t count, int threads, const Picture &out) const {
  size_t most = 0;
  for (int k = 0; k < field_.rounds; k++) most = std::max(most, (size_t)field_.round[k].samples);
  const size_t stride = (most + 1 + 31) / 32 * 32 + 32, each = stride * RAYS;
  share(count, RAYS, threads, [&](int, auto take) {
    std::vector<float> floats(6 * each + (size_t)RAYS * (size_t)field_.classes.in, 0.0f);
    std::vector<uint16_t> live(each);
    float *at = floats.data();
    const Scratch s{at, at + each, at + 2 * each, at + 3 * each, at + 4 * each, at + 5 * each, live.data(), at + 6 * each, stride};
    for (size_t from, to; take(from, to);) stages_->march(field_, rays, from, (int)(to - from), s, out);
  });
}

void Marcher::peaks(int round, int cells, int threads, float *out) const {
  share((size_t)cells * (size_t)cells * (size_t)cells, 4096, threads, [&](int, auto take) {
    for (size_t from, to; take(from, to);) stages_->peaks(field_.round[round], cells, from, to - from, out + from);
  });
}

void Marcher::densities(int round, const float *positions, size_t count, int threads, float *out) const {
  const size_t width = (size_t)this->width(round);
  share(count, 4096, threads, [&](int, auto take) {
    for (size_t from, to; take(from, to);)
      stages_->densities(field_.round[round], positions + 3 * from, to - from, out + width * from);
  });
}

void Marcher::heads(const float *geometry, const float *directions, size_t count, float *rgb, float *logits) const {
  stages_->heads(field_, geometry, directions, count, rgb, logits);
}

}  // namespace synth4d::nerf
