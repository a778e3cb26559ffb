// The weights of a tile's convolutions, on their way to the tensor cores.
//
// They do not fit into shared memory beside the tile. They lie in global memory in the order and form in which a block
// uses them, for all its convolutions in one stream, and come in through a ring of stages that is filled in the
// background.
#pragma once
#include "device.cuh"

namespace vdeblur {

constexpr int kWarps = 8, kThreads = kWarps * kLanes;
constexpr int kPlaneChannels = 8, kPlanePixel = 16;  // bytes
constexpr int kStages = 4, kStageSteps = 4;

constexpr __host__ __device__ int divide_up(int a, int b) { return (a + b - 1) / b; }
constexpr __host__ __device__ int round_up(int a, int b) { return divide_up(a, b) * b; }

// Steps of a convolution: two chunks each, and an even number of them.
constexpr __host__ __device__ int steps_of(int chunks) { return round_up(divide_up(chunks, 2), 2); }

// Bytes of the weights of one step for kColumns blocks of eight output channels.
constexpr __host__ __device__ int step_bytes(int columns) { return columns * kLanes * int(sizeof(uint2)); }

// One convolution over planes of `first` channels, then of parts of `rest` channels each, every part in planes of its
// own.
struct Convolution {
  const void* weight;  // (outputs, inputs, side, side)
  const void* bias;    // (outputs)
  void* packed;        // (groups, steps, columns, lanes) of uint2
  float* packed_bias;  // (groups, columns, 8)
  int inputs, outputs, side, first, rest, planes, groups;

  __host__ __device__ int chunks() const { return planes * side * side; }
  __host__ __device__ int steps() const { return steps_of(chunks()); }
  // The input channel that is channel `c` of a plane; -1 where the plane is wider than its part.
  __device__ int channel(int plane, int c) const {
    const int before = divide_up(first, kPlaneChannels);
    if (plane < before) return plane * kPlaneChannels + c < first ? plane * kPlaneChannels + c : -1;
    const int each = divide_up(rest, kPlaneChannels), part = (plane - before) / each;
    const int within = (plane - before) % each * kPlaneChannels + c;
    return within < rest ? first + part * rest + within : -1;
  }
};

// Blocks of eight output channels that a warp computes at once: what wastes least, then what needs fewest rounds.
struct Columns {
  int at_once, groups;
};
template <size_t kChoices>
Columns columns_for(int channels, const int (&choices)[kChoices]) {
  const int needed = divide_up(channels, kPlaneChannels);
  Columns best{0, 0};
  for (const int choice : choices) {
    const Columns columns{choice, divide_up(needed, choice)};
    const int total = columns.at_once * columns.groups, least = best.at_once * best.groups;
    if (!least || total < least || (total == least && columns.groups < best.groups)) best = columns;
  }
  return best;
}

template <int kMost>
struct Convolutions {
  Convolution of[kMost];
};

// Block (i % blocks_each) of convolution i / blocks_each puts weights in the order of the fragments of `mma`, and
// biases in float32; what is padded is zero.
template <class T, int kColumns, int kMost>
__global__ void pack_weights(Convolutions<kMost> convolutions, int blocks_each) {
  const Convolution& conv = convolutions.of[kMost > 1 ? blockIdx.x / blocks_each : 0];
  const uint16_t* const weight = static_cast<const uint16_t*>(conv.weight);
  const int side2 = conv.side * conv.side, stride = blocks_each * int(blockDim.x);
  const int start = int(blockIdx.x) % blocks_each * int(blockDim.x) + int(threadIdx.x);
  const int items = conv.groups * conv.steps() * kColumns * kLanes;
  for (int item = start; item < items; item += stride) {
    const int lane = item % kLanes, block = item / kLanes % kColumns, step = item / kLanes / kColumns % conv.steps();
    const int group = item / kLanes / kColumns / conv.steps();
    const int output = (group * kColumns + block) * 8 + lane / 4;
    uint32_t halves[2];
    for (int half = 0; half < 2; ++half) {
      const int chunk = 2 * step + half, tap = chunk / conv.planes;
      uint32_t numbers[2] = {0, 0};
      for (int i = 0; i < 2; ++i) {
        const int channel = conv.channel(chunk % conv.planes, 2 * (lane % 4) + i);
        if (output < conv.outputs && channel >= 0 && tap < side2) {
          numbers[i] = weight[(int64_t(output) * conv.inputs + channel) * side2 + tap];
        }
      }
      halves[half] = numbers[0] | numbers[1] << 16;
    }
    static_cast<uint2*>(conv.packed)[item] = {halves[0], halves[1]};
  }
  for (int item = start; item < conv.groups * kColumns * 8; item += stride) {
    const uint16_t* const bias = static_cast<const uint16_t*>(conv.bias);
    conv.packed_bias[item] = item < conv.outputs ? unpack<T>(bias[item]).x : 0.0f;
  }
}

// The weights' way into shared memory. All threads of the block take the same steps.
template <int kColumns>
struct WeightRing {
  static constexpr int kStep = step_bytes(kColumns), kStage = kStageSteps * kStep;
  static constexpr int kBytes = kStages * kStage;
  char* shared;
  const char* stream;
  unsigned stages, step = 0;

  __device__ __forceinline__ void fetch(unsigned stage) {
    if (stage < stages) {
      char* const to = shared + stage % kStages * kStage + 16 * threadIdx.x;
      const char* const from = stream + int64_t(stage) * kStage + 16 * threadIdx.x;
#pragma unroll
      for (int at = 0; at < kStage; at += 16 * kThreads) {
        if (at + 16 * int(threadIdx.x) < kStage) copy_async<16>(to + at, from + at, true);
      }
    }
    commit_copies();
  }

  // What was copied asynchronously before is part of the first stage: it is there, for all, after the first `next`.
  __device__ __forceinline__ void start() {
    for (unsigned stage = 0; stage < kStages - 1; ++stage) fetch(stage);
  }

  // This lane's weights of the next step, kLanes apart.
  __device__ __forceinline__ const uint2* next() {
    if (step % kStageSteps == 0) {
      wait_copies<kStages - 2>();
      __syncthreads();  // the stage is there, and everybody has left the one that is filled now
      fetch(step / kStageSteps + kStages - 1);
    }
    const char* const place = shared + step % (kStages * kStageSteps) * kStep;
    ++step;
    return reinterpret_cast<const uint2*>(place) + threadIdx.x % kLanes;
  }
};

}  // namespace vdeblur
