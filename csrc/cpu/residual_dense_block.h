// How the work of residual_dense_block is laid out, shared by its driver and its kernels.
//
// The 3x3 convolutions are Winograd's F(4x4, 3x3), channels along the register. A frame is worked through in rows of
// tiles, all layers one shortly after the other, so that what one layer writes is still in the cache when the next reads
// it; a ring of a few rows is all that is kept.
#pragma once
#include "ops.h"
#include "winograd.h"

namespace vdeblur {

constexpr int64_t kTile = 4;           // rows and columns of results in a tile
constexpr int64_t kEdge = 16;          // floats of a cache line; output channels are filled up to a multiple
constexpr int64_t kLag = 2;            // rows that a layer stays behind the one before it
constexpr int64_t kChunkTiles = 40;    // tiles of one task, at most

// Where things stand in the packed parameters: a copy of them as they came; for each layer its biases, filled up, and
// its transformed weights as (frequency, input, output); for the fusion biases and weights (input, output).
struct PackedPlaces {
  DenseSizes sizes;
  int64_t weight_size(int64_t i) const {  // of the i-th layer, of the fusion where i == layers
    return i < sizes.layers ? sizes.growth * sizes.inputs(i) * 9 : sizes.channels * sizes.all();
  }
  int64_t bias_size(int64_t i) const { return i < sizes.layers ? sizes.growth : sizes.channels; }
  int64_t bias(int64_t i) const {
    int64_t at = weight_size(0);
    for (int64_t j = 0; j < i; ++j) at += bias_size(j) + weight_size(j + 1);
    return at;
  }
  int64_t filled(int64_t i) const { return round_up(bias_size(i), kEdge); }
  int64_t filled_bias(int64_t i) const {
    int64_t at = round_up(bias(sizes.layers) + bias_size(sizes.layers), kEdge);
    for (int64_t j = 0; j < i; ++j) at += filled(j) * (1 + kFrequencies * sizes.inputs(j));
    return at;
  }
  int64_t ready(int64_t i) const { return filled_bias(i) + filled(i); }
  int64_t size() const { return ready(sizes.layers) + filled(sizes.layers) * sizes.all(); }
};

// Pixels are kept as (row of tiles, 4 rows, pixel, channel), x first and then what each layer adds, filled up to a
// multiple of kEdge; with a pixel of zeros before each row and as many behind it as its tiles reach to.
struct DensePlan {
  const ResidualDenseBlock& op;
  int64_t rows;     // of tiles in a frame
  int64_t columns;  // of tiles in a frame
  int64_t chunks;   // tasks in a row of a stage
  int64_t slots;    // rows of tiles that the ring of pixels holds
  float *pixels, *zeros, *scratch;

  int64_t pixel() const { return round_up(op.sizes.all(), kEdge); }  // floats from one to the next
  int64_t line() const { return (columns * kTile + 2) * pixel(); }    // floats of a row of pixels
  // Row i of a row of tiles, which is counted through the batch: its zero pixel.
  float* line_of(int64_t q, int64_t i) const { return pixels + (q % slots * kTile + i) * line(); }
  int64_t first(int64_t chunk) const { return chunk * columns / chunks; }
  int64_t most() const { return divide_up(columns, chunks); }
  // Floats between two frequencies: a line is left out, or those of some sizes would all share one place of the cache.
  int64_t spectrum() const { return most() * round_up(op.sizes.inputs(op.sizes.layers - 1), kEdge) + kEdge; }
  int64_t product() const { return most() * round_up(op.sizes.growth, kEdge) + kEdge; }
};

}  // namespace vdeblur
