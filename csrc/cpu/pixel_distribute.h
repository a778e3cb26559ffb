// How the work of pixel_distribute is laid out, shared by its driver and its kernels.
#pragma once
#include "packed.h"

namespace vdeblur {

// Pixels copied at once, a multiple of three registers of any width.
constexpr int kDistributeTile = 96;

struct DistributeTiles {
  const PixelDistribute& op;
  Isa isa;
  bool tiles;              // whether by AMX, which has the matrices as it wants them
  int64_t maps, channels;  // padded to kRowBlock, or to a tile's depth
  int64_t per_frame;
  float* weight;     // (maps / block, op channels, block)
  float* bias;       // (maps)
  float* aggregate;  // batch times (channels / block, op maps, block)
  float* scratch;
};

}  // namespace vdeblur
