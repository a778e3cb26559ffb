// How the work of spatial_squeeze is cut, shared by its driver and its kernels.
#pragma once
#include "packed.h"

namespace vdeblur {

// Pixels taken at once, a multiple of three registers of any width: their channels stay in the second cache from the
// logits to the weighted sums, and are so many that adding up a tile's sums costs little.
constexpr int kSqueezeTile = 384;
// Channels are padded to this, so that blocks of them are whole.
constexpr int kChannelBlock = 4;

// A frame is cut into chunks of whole tiles, the same for any number of threads; each has statistics of its own.
struct SqueezeChunks {
  const SpatialSqueeze& op;
  Isa isa;
  bool tiles;        // whether by AMX
  int64_t maps;      // padded to kRowBlock, or to a tile's columns
  int64_t channels;  // padded to kChannelBlock, or to a tile's depth
  int64_t per_frame, pixels_each;
  float* weight;  // (maps / block, op channels, block); or as AMX wants it
  float* bias;    // (maps)
  float* statistics;

  float* of(int64_t chunk) const { return statistics + chunk * size(); }
  // A chunk's statistics: sums (channels, maps), total (maps), peak (maps), sums of x (channels).
  int64_t total_at() const { return channels * maps; }
  int64_t peak_at() const { return total_at() + maps; }
  int64_t mean_at() const { return peak_at() + maps; }
  int64_t size() const { return mean_at() + channels; }
};

}  // namespace vdeblur
