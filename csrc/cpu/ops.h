// What the kernels are given: addresses, sizes and strides (in elements). Nothing here knows torch.
#pragma once
#include <cstdint>

#include "isa.h"

namespace vdeblur {

enum class Type : int64_t { float32, bfloat16 };

// Frames of pixels of channels, in any order in memory.
struct Frames {
  void* data;
  Type type;
  int64_t batch, frames, channels, height, width;
  int64_t batch_stride, frame_stride, channel_stride, row_stride, pixel_stride;
  int64_t pixels() const { return height * width; }
};

// `workspace` of each op is uninitialised memory of at least as many floats as its *_workspace says.

struct SpatialSqueeze {
  Frames x;
  int64_t maps;
  const float* weight;       // (maps, channels)
  const float* bias;         // (maps)
  const float* gate_weight;  // (channels), or null
  const float* gate_bias;    // (1), or null
  const float* mask;         // (batch, frames, height, width), or null; not both a gate and a mask
  float* aggregate;          // (batch, frames, channels, maps)
  float* mean;               // (batch, frames, channels)
  float* peak;               // (batch, frames, maps), or null
  float* total;              // (batch, frames, maps), or null
  void* gate;                // (batch, frames, height, width) of x's type, or null
  float* workspace;
  int threads;
};
int64_t spatial_squeeze_workspace(const SpatialSqueeze& op);
void spatial_squeeze(const SpatialSqueeze& op);

struct TemporalSqueeze {
  int64_t batch, frames, channels, spatial_maps, temporal_maps;
  const float* aggregate;  // (batch, frames, channels, spatial_maps)
  const float* mean;       // (batch, frames, channels)
  const float* weight;     // (temporal_maps, channels)
  const float* bias;       // (temporal_maps)
  float* mixed;            // (batch, channels, spatial_maps * temporal_maps)
  float* workspace;
  int threads;
};
int64_t temporal_squeeze_workspace(const TemporalSqueeze& op);
void temporal_squeeze(const TemporalSqueeze& op);

struct PixelDistribute {
  Frames x, y;             // frames = 1
  int64_t maps;
  const float* aggregate;  // (batch, channels, maps)
  const float* weight;     // (maps, channels)
  const float* bias;       // (maps)
  float* workspace;
  int threads;
};
int64_t pixel_distribute_workspace(const PixelDistribute& op);
void pixel_distribute(const PixelDistribute& op);

constexpr int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t round_up(int64_t a, int64_t b) { return divide_up(a, b) * b; }

}  // namespace vdeblur
