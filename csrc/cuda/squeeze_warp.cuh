// What one warp of spatial_squeeze does with its pixels. Included by spatial_squeeze.cu alone.
//
// It goes through them kPixels at a time, which come into shared memory while it works on those before. Logits are W x,
// and the weighted sums E x^T of their exponentials E: both on the tensor cores, both from one copy of x, read as it
// lies or transposed. x is exact there; what it is multiplied with is a sum of numbers of its type: W of as many as
// float32 takes, for its error is that of every pixel, E and the gate's weights of two. The sums of each kPixels are
// added in float32.
#pragma once
#include "device.cuh"

namespace vdeblur {
namespace {

constexpr int kWarps = 4, kThreads = kWarps * kLanes;
constexpr int kMaps = 16, kStages = 2;
constexpr float kLowest = -3.0e38f, kLog2e = 1.44269504f;

// float16 has few small numbers, so exponentials (0..1) are moved up.
template <class T>
constexpr float kRaise = std::is_same_v<T, Half> ? 32768.0f : 1.0f;

// How many numbers of T add up to one of float32.
template <class T>
constexpr int kTerms = std::is_same_v<T, Half> ? 2 : 3;

struct Squeeze {
  const uint16_t* x;
  const float *weight, *bias, *gate_weight, *gate_bias, *mask;
  uint16_t* gate;
  float *sums, *peaks, *totals, *means;  // of every split: (channels, maps), (maps), (maps), (channels)
  int64_t frames, pixels, batch_stride, frame_stride, row_stride;  // row: a channel's pixels, or a pixel's channels
  int channels, maps;
  int splits, roles;  // blocks for a frame, each of which is there for every 16 maps and kOwn steps of channels
  int turns;          // of each warp of a block, kPixels each
  int bytes;          // that can be copied at once
};

// How a block lies in shared memory, for frames of up to 16 * kSteps channels.
template <class T, int kSteps, bool kPlanar>
struct Layout {
  static constexpr int kChannels = 16 * kSteps;
  static constexpr int kPixels = kSteps <= 8 ? 32 : 16;  // more would leave registers for fewer warps
  static constexpr int kRows = kPlanar ? kChannels : kPixels, kRowNumbers = kPlanar ? kPixels : kChannels;
  static constexpr int kPitch = 2 * kRowNumbers + 16;  // bytes: an odd number of 16, no bank conflicts
  static constexpr int kStage = kRows * kPitch;
  static constexpr int kTiles = kPixels / 8, kPairs = kPixels / 16;
  static constexpr int kOwn = kSteps < 8 ? kSteps : 8,
                       kOwnChannels = 16 * kOwn;  // whose sums a block has: registers are few
  // The weights, then the gate's, as fragments: (steps, terms, lanes).
  static constexpr int kWeights = kSteps * kTerms<T> * kLanes * int(sizeof(uint4));
  static constexpr int kGate = kSteps * 2 * kLanes * int(sizeof(uint2));
  static constexpr int kMeans = kWarps * kOwnChannels * int(sizeof(float));
  static constexpr int kFrames = kWarps * kStages * kStage;
  static constexpr int kBytes = kWeights + kGate + kMeans + kFrames;
  // At the end sums, peaks and totals of the warps take the place of the frames.
  static_assert((kOwnChannels + 2 * kWarps) * kMaps * int(sizeof(float)) <= kFrames);
};

// Two numbers as sums of kCount of T each, the largest first.
template <class T, int kCount>
__device__ __forceinline__ void split(float first, float second, uint32_t (&terms)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    terms[i] = pack<T>(first, second);
    const float2 taken = unpack<T>(terms[i]);
    first -= taken.x;
    second -= taken.y;
  }
}

template <class T, int kSteps, bool kPlanar>
struct Warp {
  using L = Layout<T, kSteps, kPlanar>;
  const Squeeze& op;
  int64_t index;          // of the frame
  const uint16_t* frame;  // its first number
  int64_t first;          // the warp's first group of pixels; the next is kWarps further
  int own;                // the first of the block's own channels
  bool writes_gate;
  const char *weights, *gate_weights;
  float* means;
  char* stages;
  float bias[2], gate_bias;         // of maps g and g + 8
  float sums[2 * L::kOwn][4] = {};  // maps g, g + 8 of channels 2t, 2t + 1 of every eight
  float peak[2] = {kLowest, kLowest}, total[2] = {0.0f, 0.0f};
  int lane = int(threadIdx.x) % kLanes, g = lane / 4, t = lane % 4;

  template <int kBytes>
  __device__ __forceinline__ void copy_rows(char* stage, int64_t first) {
    constexpr int kNumbers = kBytes / 2, kPieces = L::kRowNumbers / kNumbers;
    const int64_t left = op.pixels - first;
    const int rows = kPlanar ? op.channels : int(left < L::kRows ? left : L::kRows);
    const int numbers = kPlanar ? int(left < L::kRowNumbers ? left : L::kRowNumbers) : op.channels;
    const uint16_t* const from = frame + (kPlanar ? first : first * op.row_stride);
#pragma unroll 4
    for (int i = lane; i < L::kRows * kPieces; i += kLanes) {
      const int row = i / kPieces, number = i % kPieces * kNumbers;
      const bool valid = row < rows && number < numbers;
      const uint16_t* const source = valid ? from + row * op.row_stride + number : frame;
      char* const to = stage + row * L::kPitch + number * 2;
      if constexpr (kBytes == 2) {
        *reinterpret_cast<uint16_t*>(to) = valid ? *source : 0;
      } else {
        copy_async<kBytes>(to, source, valid);
      }
    }
  }

  __device__ __forceinline__ int64_t first_pixel(int turn) const {
    return (first + int64_t(turn) * kWarps) * L::kPixels;
  }
  __device__ __forceinline__ char* stage(int turn) const { return stages + turn % kStages * L::kStage; }

  // Starts to copy the pixels of a turn; beyond the last one there is nothing to copy.
  __device__ __forceinline__ void fetch(int turn) {
    if (turn < op.turns && first_pixel(turn) < op.pixels) {
      switch (op.bytes) {
        case 16:
          copy_rows<16>(stage(turn), first_pixel(turn));
          break;
        case 8:
          copy_rows<8>(stage(turn), first_pixel(turn));
          break;
        case 4:
          copy_rows<4>(stage(turn), first_pixel(turn));
          break;
        default:
          copy_rows<2>(stage(turn), first_pixel(turn));
      }
    }
    commit_copies();
  }

  // 16 channels x 16 pixels, b[i] for the product with eight pixels' columns (`columns_are_pixels`) or eight channels'.
  template <bool kColumnsArePixels>
  __device__ __forceinline__ void load_x(uint2 (&b)[2], const char* stage, int channel, int pixel) {
    const int inner = 8 * (lane / 8 % 2), outer = 8 * (lane / 16);
    channel += kColumnsArePixels ? inner : outer;
    pixel += kColumnsArePixels ? outer : inner;
    uint32_t m[4];
    const char* const row =
        stage + (kPlanar ? (channel + lane % 8) * L::kPitch + pixel * 2 : (pixel + lane % 8) * L::kPitch + channel * 2);
    if constexpr (kPlanar == kColumnsArePixels) {
      load_matrices_transposed(m, row);
    } else {
      load_matrices(m, row);
    }
    b[0] = {m[0], m[1]};
    b[1] = {m[2], m[3]};
  }

  // Of kPixels pixels the exponentials of their logits, in two terms, as the left side of a product, and what the sums
  // have to be multiplied with for the new peak.
  __device__ __forceinline__ void weigh(const char* stage, int64_t first, uint32_t (&e)[2][L::kPairs][4],
                                        float (&scale)[2]) {
    float logit[L::kTiles][4] = {}, z[L::kTiles][4] = {};  // z: of pixels 2t, 2t + 1, the same in every row
#pragma unroll 2
    for (int step = 0; step < kSteps; ++step) {
      uint4 w[kTerms<T>];
      uint2 q[2];
#pragma unroll
      for (int i = 0; i < kTerms<T>; ++i)
        w[i] = reinterpret_cast<const uint4*>(weights)[(kTerms<T> * step + i) * kLanes + lane];
#pragma unroll
      for (int i = 0; i < 2; ++i) q[i] = reinterpret_cast<const uint2*>(gate_weights)[(2 * step + i) * kLanes + lane];
#pragma unroll
      for (int pair = 0; pair < L::kPairs; ++pair) {
        uint2 b[2];
        load_x<true>(b, stage, 16 * step, 16 * pair);
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const int tile = 2 * pair + half;
#pragma unroll
          for (int i = 0; i < kTerms<T>; ++i) mma<T>(logit[tile], {w[i].x, w[i].y, w[i].z, w[i].w}, b[half]);
          if (!op.gate_weight) continue;
#pragma unroll
          for (int i = 0; i < 2; ++i) mma<T>(z[tile], {q[i].x, q[i].x, q[i].y, q[i].y}, b[half]);
        }
      }
    }
    float most[2] = {peak[0], peak[1]};
#pragma unroll
    for (int tile = 0; tile < L::kTiles; ++tile) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const bool valid = first + 8 * tile + 2 * t + i % 2 < op.pixels;
        logit[tile][i] = valid ? logit[tile][i] + bias[i / 2] : -INFINITY;
        most[i / 2] = fmaxf(most[i / 2], logit[tile][i]);
      }
    }
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      most[row] = fmaxf(most[row], __shfl_xor_sync(0xffffffffu, most[row], 1));
      most[row] = fmaxf(most[row], __shfl_xor_sync(0xffffffffu, most[row], 2));
      scale[row] = exp2f((peak[row] - most[row]) * kLog2e);
      total[row] *= scale[row];
      peak[row] = most[row];
    }
#pragma unroll
    for (int tile = 0; tile < L::kTiles; ++tile) {
      const int64_t pixel = first + 8 * tile + 2 * t;
      float open[2] = {kRaise<T>, kRaise<T>};
      close(open, z[tile], pixel);
#pragma unroll
      for (int row = 0; row < 2; ++row) {
        const float left = exp2f((logit[tile][2 * row] - peak[row]) * kLog2e);
        const float right = exp2f((logit[tile][2 * row + 1] - peak[row]) * kLog2e);
        total[row] += left + right;
        uint32_t terms[2];
        split<T>(left * open[0], right * open[1], terms);
        e[0][tile / 2][2 * (tile % 2) + row] = terms[0];
        e[1][tile / 2][2 * (tile % 2) + row] = terms[1];
      }
    }
  }

  // What the gate or the mask leaves of two pixels; the gate is written where it is asked for.
  __device__ __forceinline__ void close(float (&open)[2], const float (&z)[4], int64_t pixel) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      if (pixel + i >= op.pixels) continue;
      const int64_t at = index * op.pixels + pixel + i;
      if (op.gate_weight) {
        const float logit = z[i] + gate_bias;
        open[i] *= 1.0f / (1.0f + exp2f(logit * kLog2e));
        if (writes_gate && g == 0) op.gate[at] = uint16_t(pack<T>(1.0f / (1.0f + exp2f(-logit * kLog2e)), 0.0f));
      } else if (op.mask) {
        open[i] *= 1.0f - op.mask[at];
      }
    }
  }

  // The weighted sums of kPixels pixels and their plain ones, added to those before.
  __device__ __forceinline__ void accumulate(const char* stage, const uint32_t (&e)[2][L::kPairs][4],
                                             const float (&scale)[2]) {
    const uint32_t one = pack<T>(1.0f, 1.0f);
#pragma unroll
    for (int step = 0; step < L::kOwn; ++step) {
      float part[2][4] = {}, plain[2][4] = {};
#pragma unroll
      for (int pair = 0; pair < L::kPairs; ++pair) {
        uint2 b[2];
        load_x<false>(b, stage, own + 16 * step, 16 * pair);
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          mma<T>(part[i], e[0][pair], b[i]);
          mma<T>(part[i], e[1][pair], b[i]);
          mma<T>(plain[i], {one, one, one, one}, b[i]);
        }
      }
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        float (&sum)[4] = sums[2 * step + i];
#pragma unroll
        for (int j = 0; j < 4; ++j) sum[j] = sum[j] * scale[j / 2] + part[i][j];
        if (g == 0) {
          float* const mean = means + (2 * step + i) * 8 + 2 * t;
          mean[0] += plain[i][0];
          mean[1] += plain[i][1];
        }
      }
    }
  }

  __device__ __forceinline__ void run() {
    fetch(0);
    for (int turn = 0; turn < op.turns && first_pixel(turn) < op.pixels; ++turn) {
      wait_copies<0>();
      __syncwarp();  // the pixels are there, and every lane has left those before
      fetch(turn + 1);
      uint32_t e[2][L::kPairs][4];
      float scale[2];
      weigh(stage(turn), first_pixel(turn), e, scale);
      accumulate(stage(turn), e, scale);
    }
    wait_copies<0>();
  }
};

}  // namespace
}  // namespace vdeblur
