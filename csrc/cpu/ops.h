// What the kernels are given: addresses, sizes and strides (in elements). Nothing here knows torch.
#pragma once
#include <cstdint>

#include "isa.h"

namespace vdeblur {

enum class Type : int64_t { float32, bfloat16 };
constexpr int64_t size_of(Type type) { return type == Type::float32 ? 4 : 2; }  // bytes

// Frames of pixels of channels, in any order in memory.
struct Frames {
  void* data;
  Type type;
  int64_t batch, frames, channels, height, width;
  int64_t batch_stride, frame_stride, channel_stride, row_stride, pixel_stride;
  int64_t pixels() const { return height * width; }
  // Whether a row goes on where the one above it ends, so that a channel is one long row.
  bool rows_join() const { return height == 1 || row_stride == width * pixel_stride; }
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

// What follows the convolution: min(1, |tanh(similarity)| + beta) of current, the rest of previous.
struct TemporalBlend {
  Frames similarity, current, previous;  // frames = 1; any axis may stand in for any, if it does so in all four
  Frames blended;                        // may be similarity itself
  const float* beta;                     // (1)
  float* workspace;
  int threads;
};
int64_t temporal_blend_workspace(const TemporalBlend& op);
void temporal_blend(const TemporalBlend& op);

struct MotionBranch {
  const float* weight_0;  // (hidden), or null for no such branch
  const float* bias_0;    // (hidden)
  const float* weight_1;  // (channels, hidden)
  const float* bias_1;    // (channels)
};
struct MotionAttention {
  Frames x, y;       // frames = 1, the same type
  Frames magnitude;  // frames = channels = 1
  int64_t hidden;
  MotionBranch scale, shift;
  float* workspace;
  int threads;
};
int64_t motion_attention_workspace(const MotionAttention& op);
void motion_attention(const MotionAttention& op);

struct AttentionMix {
  Frames estimates;      // frames = branches of the first group
  int64_t groups;        // internal modules
  int64_t group_stride;  // of estimates
  Frames logits;         // frames = groups, channels = branches
  Frames outer;          // frames = 1, channels = groups; or no data
  Frames mixed;          // frames = 1
  bool softmax;          // whether logits and outer are logits, not shares
  float* workspace;
  int threads;
};
int64_t attention_mix_workspace(const AttentionMix& op);
void attention_mix(const AttentionMix& op);

enum class Activation : int64_t { gelu, relu, none };

// Sizes of a residual dense block: each of `layers` 3x3 convolutions adds `growth` channels.
struct DenseSizes {
  int64_t channels, growth, layers;
  int64_t inputs(int64_t layer) const { return channels + layer * growth; }
  int64_t all() const { return inputs(layers); }
};

struct ResidualDenseBlock {
  Frames x, y;  // frames = 1
  DenseSizes sizes;
  Activation activation;
  const float* packed;  // of residual_dense_block_pack
  float* workspace;
  int threads;
};
int64_t residual_dense_block_workspace(const ResidualDenseBlock& op);
void residual_dense_block(const ResidualDenseBlock& op);

// parameters: weight and bias of every layer, then of the fusion.
int64_t residual_dense_block_packed_size(const DenseSizes& sizes);
void residual_dense_block_pack(const DenseSizes& sizes, const float* const* parameters, float* packed);

// Sizes of a convolution: `inputs` are those of all its pictures together; `outputs` those of its result, which is
// `upscale` times as high and wide.
struct ConvolutionSizes {
  int64_t inputs, outputs, kernel, upscale;
  Type type;  // of the pictures
};

// Channels side by side everywhere: channel_stride = 1.
struct Convolution {
  const Frames* inputs;  // frames = 1, put side by side channel by channel
  int64_t count;
  Frames other, y;       // other: added before the activation, or no data
  ConvolutionSizes sizes;
  Activation activation;  // relu or none
  const float* packed;    // of convolution_pack
  float* workspace;
  int threads;
};
int64_t convolution_workspace(const Convolution& op);
void convolution(const Convolution& op);

// weight (outputs * upscale * upscale, inputs, kernel, kernel) and its biases, as before a pixel shuffle. What is packed
// is for the instruction set of then.
int64_t convolution_packed_size(const ConvolutionSizes& sizes);
void convolution_pack(const ConvolutionSizes& sizes, const float* weight, const float* bias, float* packed);

// Channels side by side everywhere: channel_stride = 1.
struct UpsampleConcat {
  Frames x;        // frames = 1
  Frames skip, y;  // twice as high and wide; y has the channels of x and then those of skip, or
  bool align_corners, skip_first;  // those of skip first
  float* workspace;
  int threads;
};
int64_t upsample_concat_workspace(const UpsampleConcat& op);
void upsample_concat(const UpsampleConcat& op);

constexpr int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t round_up(int64_t a, int64_t b) { return divide_up(a, b) * b; }

}  // namespace vdeblur
