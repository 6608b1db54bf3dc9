// Holds the Gaussians and every buffer of the rasteriser, and runs its stages.
#pragma once
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "kernel.h"

namespace synth4d {

// Memory that only grows and is not cleared: the first touch of a page costs more than a frame's work on it.
struct Freer {
  void operator()(void *memory) const { std::free(memory); }
};
template <class T>
struct Buffer {
  std::unique_ptr<T[], Freer> data;
  size_t size = 0;
  T *grow(size_t wanted, size_t kept = 0);
};

class Rasteriser {
 public:
  Rasteriser(int threads, const std::string &isa);
  const char *isa() const { return stages_->name; }
  size_t count() const { return count_; }

  void load(size_t count, const float *means, const float *quats_wxyz, const float *scales, const float *opacities,
            const float *rgb, const uint16_t *ids);
  void update(size_t rows, const int64_t *which, const float *means, const float *quats_wxyz);
  void recolour(const float *rgb);
  void render(const View &view, const Image &image);

 private:
  struct Worker {
    Bins bins;
    Buffer<uint32_t> spans, tile_counts;
  };
  void place(size_t i, const float *mean, const float *quat_wxyz);
  void project(const View &view, int worker, size_t tiles);
  size_t sort();
  void fill(int worker, int rows, int columns);

  const Stages *stages_;
  int threads_;
  size_t count_ = 0;
  std::vector<float> mean_[3], cov_[6], scales_, rgb_, log2_opacity_;
  std::vector<uint16_t> id_;
  std::vector<Worker> workers_;
  Buffer<Splat> splats_;
  Buffer<Reach> reaches_;
  Buffer<float> depths_;
  Buffer<uint64_t> keys_, spare_;
  Buffer<uint32_t> entries_, tile_start_, cursor_;
};

// Names of the builds that this processor can run, best first.
std::vector<std::string> builds();

}  // namespace synth4d
