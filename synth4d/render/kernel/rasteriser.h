// Holds the Gaussians, in blocks of neighbours, and paints pictures of them region by region.
#pragma once
#include <string>
#include <vector>

#include "buffer.h"
#include "kernel.h"
#include "painter.h"

namespace synth4d {

// Gaussians as the caller has them, row after row.
struct Rows {
  size_t count;
  const float *means, *quats_wxyz, *scales, *opacities, *rgb;
  const uint16_t *ids;
  const uint8_t *filtered;
  int sh_count;
  const float *sh;  // (count, sh_count, 3)
};

class Rasteriser {
 public:
  Rasteriser(int threads, const std::string &isa);
  Rasteriser(const Rasteriser &) = delete;
  const char *isa() const { return stages_->name; }

  void load(const Rows &rows);
  // sh may be null: it stays.
  void update(size_t rows, const int64_t *which, const float *means, const float *quats_wxyz, const float *sh);
  // No rows: all.
  void recolour(size_t rows, const int64_t *which, const float *rgb);
  void render(const View &view, float done, const Image &image);  // done as in Rule

 private:
  void settle(const Rows &rows);
  void place(size_t slot, const float *mean, const float *quat_wxyz);
  void place_sh(size_t slot, const float *sh);
  void bound(size_t block);
  size_t blocks() const { return (count_ + BLOCK - 1) / BLOCK; }

  const Stages *stages_;
  int threads_;
  size_t count_ = 0;
  int sh_count_ = 0;
  bool filtered_ = false;
  Buffer<Gaussians> gaussians_;                                         // by block
  std::vector<float> scale_[3], sh_;                                    // by slot
  std::vector<uint32_t> row_of_, slot_of_;
  std::vector<float> centre_[3], half_[3], sigma_;                      // by block
  std::vector<uint8_t> stale_;                                          // by block
  std::vector<Painter> painters_;                                       // one a thread
};

// Names of the builds that this processor can run, best first.
std::vector<std::string> builds();

}  // namespace synth4d
