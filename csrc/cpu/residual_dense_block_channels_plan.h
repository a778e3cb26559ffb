// How the work of residual_dense_block is laid out where channels lie along the register, shared by driver and kernels.
//
// The 3x3 convolutions are Winograd's F(4x4, 3x3), rows of tiles in the order of DenseSchedule.
#pragma once
#include "ops.h"
#include "winograd.h"

namespace vdeblur::channels {

constexpr int64_t kTile = 4;         // rows and columns of results in a tile
constexpr int64_t kFill = 16;        // outputs are filled up to a multiple: registers, and lines of the cache
constexpr int64_t kChunkTiles = 40;  // tiles of one task, at most

// Where things stand in the packed parameters: for each layer its biases, filled up, and its transformed weights as
// (frequency, input, output); for the fusion biases and weights (input, output).
struct Packed {
  DenseSizes sizes;
  int64_t outputs(int64_t i) const { return i < sizes.layers ? sizes.growth : sizes.channels; }
  int64_t filled(int64_t i) const { return round_up(outputs(i), kFill); }
  int64_t bias(int64_t i) const {
    int64_t at = 0;
    for (int64_t j = 0; j < i; ++j) at += filled(j) * (1 + kFrequencies * sizes.inputs(j));
    return at;
  }
  int64_t ready(int64_t i) const { return bias(i) + filled(i); }
  int64_t size() const { return ready(sizes.layers) + filled(sizes.layers) * sizes.all(); }
};

// Pixels are kept as (row of tiles, 4 rows, pixel, channel), x first and then what each layer adds, filled up to a
// multiple of kFill; with a pixel of zeros before each row and as many behind it as its tiles reach to.
struct Plan {
  const ResidualDenseBlock& op;
  const float* packed;
  int64_t rows;     // of tiles in a frame
  int64_t columns;  // of tiles in a frame
  int64_t chunks;   // tasks in a row of a stage
  int64_t slots;    // rows of tiles that the ring of pixels holds
  float *pixels, *zeros, *scratch;

  int64_t pixel() const { return round_up(op.sizes.all(), kFill); }  // floats from one to the next
  int64_t line() const { return (columns * kTile + 2) * pixel(); }    // floats of a row of pixels
  // Row i of a row of tiles, which is counted through the batch: its zero pixel.
  float* line_of(int64_t q, int64_t i) const { return pixels + (q % slots * kTile + i) * line(); }
  int64_t first(int64_t chunk) const { return chunk * columns / chunks; }
  int64_t most() const { return divide_up(columns, chunks); }
  // Floats between two frequencies: a line is left out, or those of some sizes would all share one place of the cache.
  int64_t spectrum() const { return most() * round_up(op.sizes.inputs(op.sizes.layers - 1), kFill) + kFill; }
  int64_t product() const { return most() * round_up(op.sizes.growth, kFill) + kFill; }
};

}  // namespace vdeblur::channels
