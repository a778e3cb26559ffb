// spatial_squeeze: frames are cut into splits, a block squeezes one of them for 16 maps and up to 128 channels; a
// second kernel merges the splits.
//
// Each warp has pixels and statistics of its own (squeeze_warp.cuh); the warps of a block meet only at the end. Per
// pixel C numbers are read, for every 16 maps and 128 channels, and one is written where the gate is asked for.
#include "squeeze_warp.cuh"

namespace vdeblur {
namespace {

// The weights of 16 maps from `map` on and those of the gate, in terms, as the left side of a product with 16 channels
// a step: rows of maps, and the gate in every row.
template <class T, int kSteps>
__device__ __forceinline__ void load_weights(const Squeeze& op, int map, char* weights, char* gate_weights) {
  const auto number = [&](int row, int channel) {
    return row < op.maps && channel < op.channels ? op.weight[int64_t(row) * op.channels + channel] : 0.0f;
  };
  const auto gate = [&](int channel) {
    return op.gate_weight && channel < op.channels ? op.gate_weight[channel] : 0.0f;
  };
  for (int i = int(threadIdx.x); i < kSteps * kLanes; i += kThreads) {
    const int step = i / kLanes, lane = i % kLanes, row = map + lane / 4, channel = 16 * step + 2 * (lane % 4);
    uint32_t terms[4][kTerms<T>], gates[2][2];
#pragma unroll
    for (int part = 0; part < 4; ++part) {
      const int down = row + 8 * (part % 2), across = channel + 8 * (part / 2);
      split<T>(number(down, across), number(down, across + 1), terms[part]);
    }
#pragma unroll
    for (int part = 0; part < 2; ++part) split<T>(gate(channel + 8 * part), gate(channel + 8 * part + 1), gates[part]);
#pragma unroll
    for (int term = 0; term < kTerms<T>; ++term) {
      reinterpret_cast<uint4*>(weights)[(kTerms<T> * step + term) * kLanes + lane] = {terms[0][term], terms[1][term],
                                                                                      terms[2][term], terms[3][term]};
    }
#pragma unroll
    for (int term = 0; term < 2; ++term) {
      reinterpret_cast<uint2*>(gate_weights)[(2 * step + term) * kLanes + lane] = {gates[0][term], gates[1][term]};
    }
  }
}

__device__ __forceinline__ float share(float peak, float most) { return exp2f((peak - most) * kLog2e); }

// What the block's warps have found, as one.
template <class T, int kSteps, bool kPlanar>
__device__ __forceinline__ void write_split(Warp<T, kSteps, kPlanar>& warp, int64_t part, int map, char* frames,
                                            const float* means) {
  using L = Layout<T, kSteps, kPlanar>;
  const Squeeze& op = warp.op;
  const int mine = int(threadIdx.x) / kLanes, maps = op.maps - map < kMaps ? op.maps - map : kMaps;
  const int own = warp.own, channels = op.channels - own < L::kOwnChannels ? op.channels - own : L::kOwnChannels;
  float (*const peaks)[kMaps] = reinterpret_cast<float (*)[kMaps]>(frames);
  float (*const totals)[kMaps] = peaks + kWarps;
  float (*const sums)[kMaps] = totals + kWarps;
  __syncthreads();  // nobody needs the frames any more
#pragma unroll
  for (int row = 0; row < 2; ++row) {
    warp.total[row] += __shfl_xor_sync(0xffffffffu, warp.total[row], 1);
    warp.total[row] += __shfl_xor_sync(0xffffffffu, warp.total[row], 2);
    if (warp.t == 0) {
      peaks[mine][warp.g + 8 * row] = warp.peak[row];
      totals[mine][warp.g + 8 * row] = warp.total[row];
    }
  }
  __syncthreads();
  const auto most = [&](int row) {
    return fmaxf(fmaxf(peaks[0][row], peaks[1][row]), fmaxf(peaks[2][row], peaks[3][row]));
  };
  const float shares[2] = {share(warp.peak[0], most(warp.g)) / kRaise<T>,
                           share(warp.peak[1], most(warp.g + 8)) / kRaise<T>};
  for (int turn = 0; turn < kWarps; ++turn) {
    if (turn == mine) {
#pragma unroll
      for (int tile = 0; tile < 2 * L::kOwn; ++tile) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          float& sum = sums[8 * tile + 2 * warp.t + i % 2][warp.g + 8 * (i / 2)];
          sum = warp.sums[tile][i] * shares[i / 2] + (turn ? sum : 0.0f);
        }
      }
    }
    __syncthreads();
  }
  for (int i = int(threadIdx.x); i < channels * maps; i += kThreads) {
    op.sums[(part * op.channels + own + i / maps) * op.maps + map + i % maps] = sums[i / maps][i % maps];
  }
  if (own == 0 && int(threadIdx.x) < maps) {
    const int row = int(threadIdx.x);
    float total = 0.0f;
    for (int i = 0; i < kWarps; ++i) total += totals[i][row] * share(peaks[i][row], most(row));
    op.peaks[part * op.maps + map + row] = most(row);
    op.totals[part * op.maps + map + row] = total;
  }
  for (int channel = int(threadIdx.x); map == 0 && channel < channels; channel += kThreads) {
    float sum = 0.0f;
    for (int i = 0; i < kWarps; ++i) sum += means[i * L::kOwnChannels + channel];
    op.means[part * op.channels + own + channel] = sum;
  }
}

template <class T, int kSteps, bool kPlanar>
__global__ void __launch_bounds__(kThreads, 1) squeeze_kernel(Squeeze op) {
  using L = Layout<T, kSteps, kPlanar>;
  constexpr int kShares = kSteps / L::kOwn;
  const int role = int(blockIdx.x) % op.roles, map = role / kShares * kMaps, own = role % kShares * L::kOwnChannels;
  const int mine = int(threadIdx.x) / kLanes, lane = int(threadIdx.x) % kLanes;
  const int64_t part = int(blockIdx.x) / op.roles, index = part / op.splits, split = part % op.splits;
  char* const weights = shared_memory();
  char* const gate_weights = weights + L::kWeights;
  float* const means = reinterpret_cast<float*>(gate_weights + L::kGate);
  char* const frames = reinterpret_cast<char*>(means) + L::kMeans;
  load_weights<T, kSteps>(op, map, weights, gate_weights);
  for (int i = int(threadIdx.x); i < kWarps * L::kOwnChannels; i += kThreads) means[i] = 0.0f;
  __syncthreads();
  const auto bias = [&](int row) { return row < op.maps ? op.bias[row] : 0.0f; };
  Warp<T, kSteps, kPlanar> warp{op,
                                index,
                                op.x + index / op.frames * op.batch_stride + index % op.frames * op.frame_stride,
                                split * op.turns * kWarps + mine,
                                own,
                                op.gate && role == 0,
                                weights,
                                gate_weights,
                                means + mine * L::kOwnChannels,
                                frames + mine * kStages * L::kStage,
                                {bias(map + lane / 4), bias(map + lane / 4 + 8)},
                                op.gate_weight ? *op.gate_bias : 0.0f};
  warp.run();
  write_split(warp, part, map, frames, means);
}

struct Merge {
  float *aggregate, *mean, *peak, *total;  // the last two may be null
};

// A thread for each channel and map of a frame.
__global__ void merge_kernel(Squeeze op, Merge out, int64_t size) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x, each = int64_t(op.channels) * op.maps;
  if (i >= size) return;
  const int64_t frame = i / each, part = frame * op.splits;
  const int channel = int(i % each / op.maps), map = int(i % op.maps);
  float most = kLowest, total = 0.0f, sum = 0.0f, mean = 0.0f;
  for (int64_t j = part; j < part + op.splits; ++j) most = fmaxf(most, op.peaks[j * op.maps + map]);
  for (int64_t j = part; j < part + op.splits; ++j) {
    const float of = share(op.peaks[j * op.maps + map], most);
    total += op.totals[j * op.maps + map] * of;
    sum += op.sums[(j * op.channels + channel) * op.maps + map] * of;
    mean += op.means[j * op.channels + channel];
  }
  out.aggregate[i] = sum / total;
  if (map == 0) out.mean[frame * op.channels + channel] = mean / float(op.pixels);
  if (channel == 0 && out.peak) {
    // A NaN total means a NaN logit, which the maximum does not show.
    out.peak[frame * op.maps + map] = total == total ? most : total;
    out.total[frame * op.maps + map] = total;
  }
}

int steps_for(int64_t channels) { return channels <= 32 ? 2 : channels <= 64 ? 4 : channels <= 128 ? 8 : 16; }
int pixels_for(int steps) { return steps <= 8 ? 32 : 16; }

// As many blocks for each processor as the registers allow, but each with something to do.
void cut(Squeeze& op, int64_t frames, const Chip& chip) {
  const int64_t group = pixels_for(steps_for(op.channels)) * kWarps, groups = (op.pixels + group - 1) / group;
  op.roles = (op.maps + kMaps - 1) / kMaps * (op.channels <= 128 ? 1 : 2);
  const int64_t each = op.channels <= 64 ? 3 : 2, wanted = each * chip.processors / (frames * op.roles);
  const int64_t splits = wanted < 1 ? 1 : wanted > groups ? groups : wanted;
  op.turns = int((groups + splits - 1) / splits);
  op.splits = int((groups + op.turns - 1) / op.turns);
}

template <class T, int kSteps, bool kPlanar>
cudaError_t run(const Squeeze& op, int64_t frames, void* stream) {
  return launch(squeeze_kernel<T, kSteps, kPlanar>, frames * op.splits * op.roles, kThreads,
                Layout<T, kSteps, kPlanar>::kBytes, stream, op);
}

// Of a block, in the type and the order of frames that take most.
int shared_bytes(int64_t channels) {
  switch (steps_for(channels)) {
    case 2:
      return Layout<BFloat16, 2, true>::kBytes;
    case 4:
      return Layout<BFloat16, 4, true>::kBytes;
    case 8:
      return Layout<BFloat16, 8, true>::kBytes;
    default:
      return Layout<BFloat16, 16, true>::kBytes;
  }
}

template <class T, bool kPlanar>
cudaError_t run(const Squeeze& op, int64_t frames, void* stream) {
  switch (steps_for(op.channels)) {
    case 2:
      return run<T, 2, kPlanar>(op, frames, stream);
    case 4:
      return run<T, 4, kPlanar>(op, frames, stream);
    case 8:
      return run<T, 8, kPlanar>(op, frames, stream);
    default:
      return run<T, 16, kPlanar>(op, frames, stream);
  }
}

template <class T>
cudaError_t run(const Squeeze& op, bool planar, int64_t frames, void* stream) {
  return planar ? run<T, true>(op, frames, stream) : run<T, false>(op, frames, stream);
}

// The widest copies that addresses, strides and a row's length allow.
int copy_bytes(const Squeeze& op, bool planar) {
  const int64_t strides = op.batch_stride | op.frame_stride | op.row_stride | (planar ? op.pixels : op.channels);
  const int64_t bits = 2 * strides | int64_t(reinterpret_cast<uintptr_t>(op.x)) | 16;
  return int(bits & -bits);
}

}  // namespace
}  // namespace vdeblur

using namespace vdeblur;

// Bytes of the workspace on the current device, or -1 where a block would not fit.
extern "C" int64_t vdeblur_spatial_squeeze_workspace(int64_t frames, int64_t channels, int64_t pixels, int64_t maps) {
  Chip chip;
  if (current_chip(chip) || shared_bytes(channels) > chip.shared) return -1;
  Squeeze op{};
  op.channels = int(channels);
  op.maps = int(maps);
  op.pixels = pixels;
  cut(op, frames, chip);
  return frames * op.splits * (channels * maps + 2 * maps + channels) * int64_t(sizeof(float));
}

// x of `type`, bfloat16 or half, up to 256 channels, with channel_stride or pixel_stride 1; weight (maps, channels),
// bias, gate_weight, gate_bias and mask float32, the last three null where there is none; aggregate, mean, peak and
// total float32, the last two null where they are not asked for; gate of `type` or null. -> null, or what went wrong.
extern "C" const char* vdeblur_spatial_squeeze(int64_t type, const void* x, int64_t batch, int64_t frames,
                                               int64_t channels, int64_t pixels, int64_t batch_stride,
                                               int64_t frame_stride, int64_t channel_stride, int64_t pixel_stride,
                                               int64_t maps, const float* weight, const float* bias,
                                               const float* gate_weight, const float* gate_bias, const float* mask,
                                               float* aggregate, float* mean, float* peak, float* total, void* gate,
                                               float* workspace, void* stream) {
  Squeeze op{};
  const bool planar = pixel_stride == 1;
  op.x = static_cast<const uint16_t*>(x);
  op.weight = weight;
  op.bias = bias;
  op.gate_weight = gate_weight;
  op.gate_bias = gate_bias;
  op.mask = mask;
  op.gate = static_cast<uint16_t*>(gate);
  op.frames = frames;
  op.pixels = pixels;
  op.batch_stride = batch_stride;
  op.frame_stride = frame_stride;
  op.row_stride = planar ? channel_stride : pixel_stride;
  op.channels = int(channels);
  op.maps = int(maps);
  op.bytes = copy_bytes(op, planar);
  Chip chip;
  if (const auto error = current_chip(chip)) return cudaGetErrorString(error);
  cut(op, batch * frames, chip);
  const int64_t parts = batch * frames * op.splits;
  op.sums = workspace;
  op.peaks = op.sums + parts * channels * maps;
  op.totals = op.peaks + parts * maps;
  op.means = op.totals + parts * maps;
  auto error = type == kBFloat16 ? run<BFloat16>(op, planar, batch * frames, stream)
                                 : run<Half>(op, planar, batch * frames, stream);
  if (!error) {
    const int64_t size = batch * frames * channels * maps;
    error = launch(merge_kernel, (size + 255) / 256, 256, 0, stream, op, Merge{aggregate, mean, peak, total}, size);
  }
  return error ? cudaGetErrorString(error) : nullptr;
}
