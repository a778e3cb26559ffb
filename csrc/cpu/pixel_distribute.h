// How the work of pixel_distribute is laid out, shared by its driver and its kernels.
#pragma once
#include "ops.h"

namespace vdeblur {

// Pixels copied at once, a multiple of three registers of any width.
constexpr int kDistributeTile = 96;
// Rows of the packed matrices are padded to this: blocks of 4 and of 8 are whole.
constexpr int kRowBlock = 8;

struct DistributeTiles {
  const PixelDistribute& op;
  Isa isa;
  bool tiles;              // whether by AMX, which has the matrices as it wants them
  int64_t maps, channels;  // padded to kRowBlock, or to a tile's depth
  int64_t per_frame;
  float* weight;     // (maps / block, op channels, block): what one step broadcasts lies together
  float* bias;       // (maps)
  float* aggregate;  // batch times (channels / block, op maps, block)
  float* scratch;
};

// Rows that one block of accumulators holds, by instruction set: with three registers across, all but a few of them.
constexpr int rows_of(Isa isa) { return isa == Isa::avx512 ? 8 : 4; }

}  // namespace vdeblur
