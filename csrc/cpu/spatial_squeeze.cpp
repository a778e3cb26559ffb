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
  constexpr int64_t kMostChunks = 32, kFewestTiles = 8;
  const bool tiles = has_tiles() && op.x.type == Type::bfloat16;
  const Isa isa = current_isa();
  const int64_t fold = !tiles && 2 * op.maps <= width(isa) ? 2 : 1;
  const int64_t pixels = tiles ? amx::kSqueezePixels : kSqueezeTile;
  const int64_t count = divide_up(op.x.pixels(), pixels);
  const int64_t each = divide_up(count, std::clamp<int64_t>(count / kFewestTiles, 1, kMostChunks)) * pixels;
  const int64_t maps = round_up(fold * op.maps, tiles ? amx::kColumns : width(isa));
  const int64_t channels = round_up(op.x.channels, tiles ? amx::kDepth : kChannelBlock);
  float* const bias = op.workspace + (tiles ? amx::operand_size(op.maps, op.x.channels) : channels * maps);
  float* const statistics = bias + (tiles ? amx::start_size(op.maps) : maps);
  return {op, isa, tiles, fold, maps, channels, divide_up(op.x.pixels(), each), each, op.workspace, bias, statistics};
}

int64_t scratch_size(const SqueezeChunks& k) {
  return round_up((k.channels + k.maps + 2) * kSqueezeTile + k.channels * width(k.isa) + (k.channels + 1) * k.maps, 16);
}

void pack_weights(const SqueezeChunks& k) {
  const SpatialSqueeze& op = k.op;
  std::fill(k.weight, k.statistics, 0.0f);
  for (int64_t lane = 0; lane < k.fold * op.maps; ++lane) {
    const int64_t m = lane / k.fold;
    for (int64_t c = 0; c < op.x.channels; ++c) k.weight[c * k.maps + lane] = op.weight[m * op.x.channels + c];
    k.bias[lane] = op.bias[m];
  }
}

// share[m] of chunk i = exp(peak_i - peak) / total, so the frame's aggregate is the sum of share * sums. A map's lanes
// are parts of the frame like its chunks.
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
    const auto parts = [&](auto visit) {
      for (int64_t i = 0; i < k.per_frame; ++i)
        for (int64_t f = 0; f < k.fold; ++f) visit(first + i * k.size() + m * k.fold + f);
    };
    parts([&](const float* part) { peak = std::max(peak, part[peak_at]); });
    parts([&](float* part) {
      part[peak_at] = std::exp(part[peak_at] - peak);
      total += part[peak_at] * part[total_at];
    });
    parts([&](float* part) { part[peak_at] /= total; });
    if (op.peak) op.peak[frame * maps + m] = total == total ? peak : total;
    if (op.total) op.total[frame * maps + m] = total;
  }
  for (int64_t i = 0; i < k.per_frame; ++i) {
    const float* chunk = first + i * k.size();
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t lane = 0; lane < maps * k.fold; ++lane)
        aggregate[c * maps + lane / k.fold] += chunk[peak_at + lane] * chunk[c * k.maps + lane];
      mean[c] += chunk[mean_at + c] / float(op.x.pixels());
    }
  }
}

}  // namespace

int64_t spatial_squeeze_workspace(const SpatialSqueeze& op) {
  const SqueezeChunks k = cut(op);
  const int64_t frames = op.x.batch * op.x.frames;
  return (k.of(frames * k.per_frame) - op.workspace) + op.threads * VDEBLUR_IF_TILES(k.tiles, squeeze_scratch_size, &scratch_size)(k);
}

void spatial_squeeze(const SpatialSqueeze& op) {
  const SqueezeChunks k = cut(op);
  const int64_t frames = op.x.batch * op.x.frames, chunks = frames * k.per_frame;
  const auto kernel = VDEBLUR_IF_TILES(k.tiles, squeeze_chunk, VDEBLUR_PICK(k.isa, squeeze_chunk));
  const int64_t scratch_each = VDEBLUR_IF_TILES(k.tiles, squeeze_scratch_size, &scratch_size)(k);
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
