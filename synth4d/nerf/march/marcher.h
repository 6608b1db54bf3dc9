// Holds a field and the threads' memory, and runs the stages.
#pragma once
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "field.h"

namespace synth4d::nerf {

// Layers as arrays: weights (out,in) and biases (out,), borrowed while they are packed.
struct Weights {
  int out, in;
  const float *w, *b;
};

class Marcher {
 public:
  explicit Marcher(const std::string &isa);
  const char *isa() const { return stages_->name; }
  Field &field() { return field_; }

  void add_network(int levels, int features, size_t entries, const float *scalings, const float *table,
                   const std::vector<Weights> &layers, float density_scale, int samples);
  void set_heads(const std::vector<Weights> &colour, const std::vector<Weights> &semantics);
  void set_occupied(int round, int cells, const uint32_t *words);
  void march(const Rays &rays, size_t count, int threads, const Picture &out) const;
  void peaks(int round, int cells, int threads, float *out) const;
  void densities(int round, const float *positions, size_t count, int threads, float *out) const;
  void heads(const float *geometry, const float *directions, size_t count, float *rgb, float *logits) const;
  int width(int round) const;  // outputs of a network

 private:
  template <class T>
  const T *keep(const T *from, size_t count, size_t padded);
  Layer pack(const Weights &layer);
  Mlp pack(const std::vector<Weights> &layers, size_t count);

  const Stages *stages_;
  Field field_{};
  std::deque<std::shared_ptr<void>> kept_;
};

// Names of the builds that this processor can run, best first.
std::vector<std::string> builds();

}  // namespace synth4d::nerf
