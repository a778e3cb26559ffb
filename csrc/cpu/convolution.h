// How the work of convolution is laid out, shared by its driver and its kernels.
//
// Tiles of results are computed some at a time: their patches are transformed to frequencies, channels along the
// register, each frequency is a product of matrices (tiles, inputs) x (inputs, outputs), and the products are
// transformed back; all of it in a scratch that stays in the second cache.
#pragma once
#include "ops.h"
#include "winograd.h"

namespace vdeblur {

constexpr int64_t kGroup = 16;             // output channels that are packed together: what a phase is filled up to
constexpr int64_t kBlock = 4 * kGroup;     // output channels that one frequency's product has
constexpr int64_t kSomeTiles = 24;         // that all numbers of rows divide; of wide patches half as many
constexpr int64_t kScratch = 192 << 10;    // floats that the tiles of one task may take
constexpr int64_t kMostTiles = 4 * kSomeTiles;

// Where things stand in the packed parameters: the biases, filled up; the transformed weights as (block of outputs,
// frequency, input, output).
struct ConvolutionPlaces {
  ConvolutionSizes n;
  int64_t phases() const { return n.upscale * n.upscale; }
  int64_t patch() const { return n.type == Type::float32 ? kPatch : kWidePatch; }
  int64_t frequencies() const { return patch() * patch(); }
  int64_t filled() const { return round_up(n.outputs, kGroup); }  // channels of a phase
  int64_t columns() const { return filled() * phases(); }         // of the products
  int64_t ready() const { return columns(); }
  int64_t size() const { return ready() + frequencies() * n.inputs * columns(); }
};

struct ConvolutionPlan {
  const Convolution& op;
  int64_t tile;                  // rows and columns of results in a tile, before they are scaled up
  int64_t height, width;         // of the pictures
  int64_t tile_rows, tile_columns;
  int64_t columns;               // of the products
  int64_t tasks, most;           // most: tiles of a task
  const float *bias, *weights;

  int64_t tiles() const { return op.y.batch * tile_rows * tile_columns; }
  int64_t first(int64_t task) const { return task * tiles() / tasks; }
  // Floats between two frequencies: a line is left out, or those of some sizes would all share one place of the cache.
  int64_t row() const { return round_up(op.sizes.inputs, kGroup); }  // from tile to tile
  int64_t spectrum() const { return most * row() + kGroup; }
  int64_t product() const { return most * kBlock + kGroup; }
  // A patch that is not whole.
  int64_t frequencies() const { return ConvolutionPlaces{op.sizes}.frequencies(); }
  int64_t room() const { return frequencies() * row(); }
  int64_t scratch() const { return frequencies() * (spectrum() + product()) + room(); }
};

}  // namespace vdeblur
