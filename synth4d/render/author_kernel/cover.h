// Points on triangles from lattices that neighbours share, so that coverage is even across edges.
//
// A triangle takes the lattice of its dominant axis: a square grid in the other two body axes, projected onto it.
// Space is divided into chunks; a chunk's grid has a whole number of cells, so grids of different fineness meet
// half a cell from the border they share.
#pragma once

#include <vector>

#include "refine.h"
#include "surface.h"

namespace synth4d {

struct Sheet {  // light triangles, in the order of bodies
  const double *corners;   // (M,3,3)
  const double *flat;      // (M,3)
  const int32_t *body;     // (M,)
  const int32_t *source;   // (M,) row in the outlines
  const uint8_t *joined;   // (M,LINES) another surface goes on beyond that line
  const double *room;      // (M,) how deep its points may be sunk
  int64_t count;
};

struct Outlines {  // about each source triangle
  const int64_t *begin;    // (S+1,) the hard lines of each
  const double *lines;     // (H,4) distance of p inward is n·p − d
  const double *widths;    // (H,) of the strip from the line to the one opposite
  const double *beyond;    // (H,) width of the strip on its other side
  const double *across;    // (H,3) normal of the face on its other side; NaN = an open border
  const double *strip;     // (S,) least of the widths
  const double *bend;      // (S,) least radius of curvature
};

struct Grain {
  double chunk;
  std::vector<int64_t> levels;  // cells a chunk side, ascending
  double low, high;             // metres between points
  double slant;                 // cosine below which spacing grows no further
  double joint;                 // inset in cells at creases whose both sides are in sight
};

struct Points {
  std::vector<int32_t> triangle;  // (N,) row in the sheet
  std::vector<float> share;       // (N,3) barycentric
  std::vector<float> means;       // (N,3)
  std::vector<float> grain;       // (N,) metres between neighbours
  std::vector<float> pixel;       // (N,) metres a pixel where it is seen, on average
};

Points cover(const Sheet &sheet, const Outlines &outlines, const std::vector<BodyView> &bodies, const Horizon &horizon,
             const std::vector<double> &spacing_px, double focal, const Grain &grain);

}  // namespace synth4d
