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
  struct Seen {  // what the search for pairs asks of those that are near
    int owner;
    uint32_t inside, open;  // the vessel it is in, and those at whose openings it is, as bits
  };
  float d, h, clear, viscosity;
  std::vector<float> beyond, slope;  // kernel volume beyond a plane by distance in 64ths of h, and its derivative

  std::vector<Vec> p;
  std::vector<float> lift, climb;
  std::vector<uint32_t> open;
  std::vector<int> cell, order, first;  // order: particles by cell; first: by cell

  // By place in `order`, so that neighbours lie together.
  std::vector<Seen> seen;
  std::vector<float> px, py, pz;
  std::vector<Four> at, predicted, speed, dx, pull;  // pull: sum of the pairs' gradients, and density
  std::vector<float> square, lambda, change;
  std::vector<std::array<Plane, 2>> plane;
  std::vector<int> row;  // where the pairs of a particle begin

  // By particle that a cell's may reach: which, where, and whether one does.
  std::vector<int> about, near;
  std::vector<float> ax, ay, az;

  // By pair.
  std::vector<int> to;       // the second
  std::vector<Four> grad;    // and the kernel
  std::vector<float> steps;  // the gradients' squares
  std::vector<float> rate, kernel;

  void pair_up();
  size_t reached(Four place, int from, int end, float h2, size_t count);
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
