// spatial_squeeze: chunks of frames in parallel, then each frame's chunks merged in their order.
#include "spatial_squeeze.h"

#include <omp.h>

#define VDEBLUR_KERNEL "spatial_squeeze.inl"
#include "each_isa.h"

namespace vdeblur {
namespace {

// Where eight maps or fewer would leave most of the widest register empty, the narrower one does more per step.
Isa isa_for(int64_t maps) {
  const Isa isa = current_isa();
  return isa == Isa::avx512 && maps <= width(Isa::avx2) ? Isa::avx2 : isa;
}

SqueezeChunks cut(const SpatialSqueeze& op) {
  constexpr int64_t kMostChunks = 32, kFewestTiles = 8;
  const Isa isa = isa_for(op.maps);
  const int64_t tiles = divide_up(op.x.pixels(), kSqueezeTile);
  const int64_t wanted = std::clamp<int64_t>(tiles / kFewestTiles, 1, kMostChunks);
  const int64_t each = divide_up(tiles, wanted) * kSqueezeTile;
  const int64_t maps = round_up(op.maps, width(isa)), channels = round_up(op.x.channels, kChannelBlock);
  float* const weight = op.workspace;
  float* const bias = weight + channels * maps;
  return {op,   isa,    maps, channels,   divide_up(op.x.pixels(), each), each,
          weight, bias, bias + maps};
}

int64_t scratch_size(const SqueezeChunks& k) {
  return round_up((k.channels + k.maps + 2) * kSqueezeTile + k.channels * width(k.isa) + (k.channels + 1) * k.maps, 16);
}

void pack_weights(const SqueezeChunks& k) {
  const SpatialSqueeze& op = k.op;
  float* weight = const_cast<float*>(k.weight);
  std::fill(weight, k.statistics, 0.0f);
  for (int64_t m = 0; m < op.maps; ++m) {
    for (int64_t c = 0; c < op.x.channels; ++c) weight[c * k.maps + m] = op.weight[m * op.x.channels + c];
    weight[k.channels * k.maps + m] = op.bias[m];
  }
}

// share[m] of chunk i = exp(peak_i - peak) / total, so the frame's aggregate is the sum of share * sums.
void merge(const SqueezeChunks& k, int64_t frame) {
  const SpatialSqueeze& op = k.op;
  const int64_t channels = op.x.channels, maps = op.maps;
  const int64_t peak_at = k.peak_at(), total_at = k.total_at(), mean_at = k.mean_at();
  float* const first = k.of(frame * k.per_frame);
  float* const aggregate = op.aggregate + frame * channels * maps;
  float* const mean = op.mean + frame * channels;
  std::fill(aggregate, aggregate + channels * maps, 0.0f);
  std::fill(mean, mean + channels, 0.0f);
  for (int64_t m = 0; m < maps; ++m) {
    float peak = -FLT_MAX, total = 0.0f;
    for (int64_t i = 0; i < k.per_frame; ++i) peak = std::max(peak, first[i * k.size() + peak_at + m]);
    for (int64_t i = 0; i < k.per_frame; ++i) {
      float* chunk = first + i * k.size();
      chunk[peak_at + m] = std::exp(chunk[peak_at + m] - peak);
      total += chunk[peak_at + m] * chunk[total_at + m];
    }
    for (int64_t i = 0; i < k.per_frame; ++i) first[i * k.size() + peak_at + m] /= total;
    if (op.peak) op.peak[frame * maps + m] = total == total ? peak : total;
    if (op.total) op.total[frame * maps + m] = total;
  }
  for (int64_t i = 0; i < k.per_frame; ++i) {
    const float* chunk = first + i * k.size();
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t m = 0; m < maps; ++m) aggregate[c * maps + m] += chunk[peak_at + m] * chunk[c * k.maps + m];
      mean[c] += chunk[mean_at + c] / float(op.x.pixels());
    }
  }
}

}  // namespace

int64_t spatial_squeeze_workspace(const SpatialSqueeze& op) {
  const SqueezeChunks k = cut(op);
  const int64_t frames = op.x.batch * op.x.frames;
  return (k.channels + 1) * k.maps + frames * k.per_frame * k.size() + op.threads * scratch_size(k);
}

void spatial_squeeze(const SpatialSqueeze& op) {
  const SqueezeChunks k = cut(op);
  const int64_t frames = op.x.batch * op.x.frames, chunks = frames * k.per_frame;
  const auto kernel = VDEBLUR_PICK(k.isa, squeeze_chunk);
  pack_weights(k);
#pragma omp parallel num_threads(op.threads)
  {
    float* scratch = k.of(chunks) + omp_get_thread_num() * scratch_size(k);
#pragma omp for schedule(dynamic)
    for (int64_t chunk = 0; chunk < chunks; ++chunk) kernel(k, chunk, scratch);
#pragma omp for schedule(dynamic)
    for (int64_t frame = 0; frame < frames; ++frame) merge(k, frame);
  }
}

}  // namespace vdeblur
