// spatial_squeeze: chunks of frames in parallel, then each frame's chunks merged in their order.
#include "spatial_squeeze.h"

#include <omp.h>

#include "parts.h"

#define VDEBLUR_KERNEL "spatial_squeeze.inl"
#include "each_isa.h"
#undef VDEBLUR_KERNEL
#define VDEBLUR_KERNEL "spatial_squeeze_amx.inl"
#include "on_amx.h"

namespace vdeblur {
namespace {

SqueezeChunks cut(const SpatialSqueeze& op) {
  const bool tiles = has_tiles() && op.x.type == Type::bfloat16;
  const int64_t kMostChunks = 32, kFewestTiles = tiles ? 8 : 4;
  const int64_t pixels = tiles ? amx::kSqueezePixels : kSqueezeTile;
  const int64_t count = divide_up(op.x.pixels(), pixels);
  const int64_t each = divide_up(count, std::clamp<int64_t>(count / kFewestTiles, 1, kMostChunks)) * pixels;
  const int64_t maps = round_up(op.maps, tiles ? amx::kColumns : kRowBlock);
  const int64_t channels = round_up(op.x.channels, tiles ? amx::kDepth : kChannelBlock);
  float* const bias = op.workspace + (tiles ? amx::operand_size(op.maps, op.x.channels) : maps * op.x.channels);
  float* const statistics = bias + (tiles ? amx::start_size(op.maps) : maps);
  return {op, current_isa(), tiles, maps, channels, divide_up(op.x.pixels(), each), each, op.workspace, bias, statistics};
}

void pack_weights(const SqueezeChunks& k) {
  const SpatialSqueeze& op = k.op;
  const int64_t block = rows_of(k.isa);
  pack(op.weight, op.maps, k.maps, op.x.channels, block, k.weight);
  pack(op.bias, op.maps, k.maps, 1, block, k.bias);
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
  return (k.of(frames * k.per_frame) - op.workspace) + op.threads * VDEBLUR_IF_TILES(k.tiles, squeeze_scratch_size, VDEBLUR_PICK(k.isa, squeeze_scratch_size))(k);
}

void spatial_squeeze(const SpatialSqueeze& op) {
  const SqueezeChunks k = cut(op);
  const int64_t frames = op.x.batch * op.x.frames, chunks = frames * k.per_frame;
  const auto kernel = VDEBLUR_IF_TILES(k.tiles, squeeze_chunk, VDEBLUR_PICK(k.isa, squeeze_chunk));
  const int64_t scratch_each = VDEBLUR_IF_TILES(k.tiles, squeeze_scratch_size, VDEBLUR_PICK(k.isa, squeeze_scratch_size))(k);
  VDEBLUR_IF_TILES(k.tiles, pack_squeeze, &pack_weights)(k);
#pragma omp parallel num_threads(op.threads)
  {
    const amx::Configured configured(k.tiles);
    float* scratch = k.of(chunks) + omp_get_thread_num() * scratch_each;
#pragma omp for schedule(dynamic)
    for (int64_t chunk = 0; chunk < chunks; ++chunk) kernel(k, chunk, scratch);
#pragma omp for schedule(dynamic)
    for (int64_t frame = 0; frame < frames; ++frame) merge(k, frame);
  }
}

}  // namespace vdeblur
