// How the work of residual_dense_block is laid out, shared by its driver and its kernels.
//
// The 3x3 convolutions are Winograd's F(4x4, 3x3). A frame is worked through in rows of tiles (DenseSchedule); tiles lie
// along the register, so that no number of channels leaves it half empty.
#pragma once
#include "ops.h"
#include "winograd.h"

namespace vdeblur {

constexpr int64_t kTile = 4;         // rows and columns of results in a tile
constexpr int64_t kEdge = 16;        // floats of a cache line
constexpr int64_t kChunkBlocks = 2;  // blocks of tiles in one task
constexpr int64_t kMostOutputs = 6;  // output channels in registers at once
constexpr int64_t kMostInputs = 56;  // input channels transformed at once
constexpr int64_t kShortRun = 24;    // products added up in one go

// `size` channels in parts of nearly the same size, up to `most`.
struct Parts {
  int64_t size, count;
  Parts(int64_t n, int64_t most) : size(n), count(divide_up(n, most)) {}
  int64_t first(int64_t part) const { return part * size / count; }
  int64_t length(int64_t part) const { return first(part + 1) - first(part); }
};
inline Parts output_parts(int64_t channels) { return {channels, kMostOutputs}; }
inline Parts input_parts(int64_t channels) { return {channels, kMostInputs}; }

// Where things stand in the packed parameters: the biases; the transformed weights of each layer as (part of the inputs,
// frequency, part of the outputs, input, output); the weights of the fusion as (part of the outputs, input, output). So
// each kernel reads them from front to back.
struct PackedPlaces {
  DenseSizes sizes;
  // Of the i-th layer, of the fusion where i == layers.
  int64_t bias_size(int64_t i) const { return i < sizes.layers ? sizes.growth : sizes.channels; }
  int64_t bias(int64_t i) const { return i * sizes.growth; }
  int64_t ready(int64_t i) const {
    int64_t at = round_up(bias(sizes.layers) + sizes.channels, kEdge);
    for (int64_t j = 0; j < i; ++j) at += kFrequencies * sizes.growth * sizes.inputs(j);
    return at;
  }
  int64_t size() const { return ready(sizes.layers) + sizes.channels * sizes.all(); }
};

// Pixels are kept in blocks of tiles, (block, channel, 4 rows, record). A record is one row of pixels of the block,
// column by column of its tiles, so that a register of tiles is loaded and stored as it lies:
//   first column | first of the block behind ... last of the block before | last column | second | third
// The edge between holds copies of the neighbours' pixels: a patch reaches one pixel beyond its tile, and so the column
// to the left or right of it is a load from one float earlier or later.
struct DensePlan {
  const ResidualDenseBlock& op;
  Isa isa;
  int64_t lanes;    // tiles in a block: two registers
  int64_t rows;     // of tiles in a frame
  int64_t columns;  // of tiles in a frame
  int64_t blocks;   // of tiles in a row
  int64_t chunks;   // tasks in a row of a stage
  int64_t slots;    // rows of tiles that the ring of pixels holds
  float *pixels, *zeros, *scratch;

  int64_t record() const { return kTile * lanes + kEdge; }
  int64_t channel() const { return kTile * record(); }
  int64_t block_pixels() const { return op.sizes.all() * channel(); }
  int64_t column(int64_t j) const { return j == 0 ? 0 : kEdge + (j == 3 ? 1 : j + 1) * lanes; }
  // The first block of a row of tiles, which is counted through the batch.
  float* pixels_of(int64_t q) const { return pixels + q % slots * blocks * block_pixels(); }
};

// Spectra and products of a chunk, in a thread's scratch: (block, frequency, channel, lanes). After each frequency a
// line is left out, or those of some sizes would all share one place of the cache.
struct Spectra {
  float* data;
  int64_t lanes, frequency;
  Spectra(float* at, int64_t channels, int64_t tiles) : data(at), lanes(tiles), frequency(channels * tiles + kEdge) {}
  int64_t block() const { return kFrequencies * frequency; }
  float* of(int64_t b, int64_t f, int64_t c) const { return data + b * block() + f * frequency + c * lanes; }
};

}  // namespace vdeblur
