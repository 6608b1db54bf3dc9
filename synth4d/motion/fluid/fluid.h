// Position-based fluid (Macklin and Müller, "Position Based Fluids", 2013) of equal particles among moving vessels.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "vessel.h"

namespace fluid {

constexpr int kFree = -1;
constexpr int kMaxVessels = 30;

// Heights of what stands still, on a square grid; outside the grid the height is `beyond`.
struct Ground {
  float x0 = 0, y0 = 0, cell = 1, beyond = -1e6f;
  int nx = 0, ny = 0;
  std::vector<float> height;

  float at(float x, float y) const {
    const int i = static_cast<int>(std::floor((x - x0) / cell)), j = static_cast<int>(std::floor((y - y0) / cell));
    return i < 0 || j < 0 || i >= nx || j >= ny ? beyond : height[static_cast<size_t>(i) * ny + j];
  }
};

class Fluid {
 public:
  Fluid(float spacing, float viscosity);

  std::vector<Vessel> vessels;
  std::vector<Pose> poses;
  Ground ground;
  std::vector<Vec> x, v;
  std::vector<int> owner;  // index of the vessel a particle is in, or kFree

  // One step of dt seconds in which the vessels go to `next`. `calm` 0..1 is the share of velocity that is taken away.
  void step(const std::vector<Pose>& next, float dt, float calm);

 private:
  struct Plane {
    Vec n;             // towards the liquid
    float gap = 1e9f;  // distance of the particle, where it was predicted

    float at(Vec moved) const { return gap + dot(moved, n); }
  };
  struct Seen {  // what the search for pairs looks at, by cell
    Vec at;
    int index, owner;
    uint32_t inside, open;  // the vessel it is in, and those at whose openings it is, as bits
  };
  float d, h, clear, viscosity;
  std::vector<float> beyond, slope;  // kernel volume beyond a plane by distance in 64ths of h, and its derivative

  std::vector<Vec> p, predicted, dx, grad;  // grad: by pair
  std::vector<Seen> sorted;
  std::vector<int> cell, order, first, to;  // first: by cell; to: the second of each pair
  std::vector<int> row;                     // where the pairs of a particle begin in `to`
  std::vector<float> density, square, lambda, change, lift, climb;
  std::vector<Vec> slant;
  std::vector<std::array<Plane, 2>> plane;
  std::vector<uint32_t> open;

  void pair_up();
  void find_planes(const std::vector<Pose>& next);
  void find_openings(const std::vector<Pose>& next);
  void buoy(const std::vector<Pose>& next, float dt);
  void solve();
  void spread(const std::vector<float>& pressure);
  void smooth();
  void collide(const std::vector<Pose>& next);
  float peak, steep;  // a particle's volume × the kernel at its centre, and × the gradient there
};

}  // namespace fluid
