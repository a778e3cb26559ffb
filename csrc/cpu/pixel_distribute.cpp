// pixel_distribute: tiles of pixels in parallel, each on its own.
#include "pixel_distribute.h"

#include <omp.h>

#include <algorithm>

#include "huge_pages.h"
#include "parts.h"

#define VDEBLUR_KERNEL "pixel_distribute.inl"
#include "each_isa.h"
#undef VDEBLUR_KERNEL
#define VDEBLUR_KERNEL "pixel_distribute_amx.inl"
#include "on_amx.h"

namespace vdeblur {
namespace {

DistributeTiles cut(const PixelDistribute& op) {
  const bool tiles = has_tiles() && op.x.type == Type::bfloat16;
  const int64_t block = tiles ? amx::kDepth : kRowBlock, pixels = tiles ? amx::kDistributePixels : kDistributeTile;
  const int64_t maps = round_up(op.maps, block), channels = round_up(op.x.channels, block);
  float* const bias = op.workspace + (tiles ? amx::operand_size(op.maps, op.x.channels) : maps * op.x.channels);
  float* const aggregate = bias + (tiles ? amx::start_size(op.maps) : maps);
  const int64_t aggregate_size = tiles ? amx::operand_size(op.x.channels, op.maps) : channels * op.maps;
  return {op,           current_isa(), tiles, maps,      channels, divide_up(op.x.pixels(), pixels),
          op.workspace, bias,          aggregate, aggregate + op.x.batch * aggregate_size};
}

int64_t scratch_size(const DistributeTiles& k) {
  return round_up((k.op.x.channels + k.channels) * kDistributeTile + k.maps * 3 * width(k.isa), 16);
}

void pack_matrices(const DistributeTiles& k) {
  const PixelDistribute& op = k.op;
  const int64_t block = rows_of(k.isa);
  pack(op.weight, op.maps, k.maps, op.x.channels, block, k.weight);
  pack(op.bias, op.maps, k.maps, 1, block, k.bias);
  for (int64_t b = 0; b < op.x.batch; ++b)
    pack(op.aggregate + b * op.x.channels * op.maps, op.x.channels, k.channels, op.maps, block,
         k.aggregate + b * k.channels * op.maps);
}

}  // namespace

int64_t pixel_distribute_workspace(const PixelDistribute& op) {
  const DistributeTiles k = cut(op);
  return (k.scratch - op.workspace) + op.threads * VDEBLUR_IF_TILES(k.tiles, distribute_scratch_size, &scratch_size)(k);
}

void pixel_distribute(const PixelDistribute& op) {
  const DistributeTiles k = cut(op);
  const auto kernel = VDEBLUR_IF_TILES(k.tiles, distribute_tile, VDEBLUR_PICK(k.isa, distribute_tile));
  const int64_t scratch_each = VDEBLUR_IF_TILES(k.tiles, distribute_scratch_size, &scratch_size)(k);
  VDEBLUR_IF_TILES(k.tiles, pack_distribute, &pack_matrices)(k);

  prefer_huge_pages(op.y);
#pragma omp parallel num_threads(op.threads)
  {
    const amx::Configured configured(k.tiles);
    float* scratch = k.scratch + omp_get_thread_num() * scratch_each;
    if (k.tiles) std::fill_n(scratch, scratch_each, 0.0f);  // what pads channels and maps
#pragma omp for schedule(dynamic, 4)
    for (int64_t tile = 0; tile < op.x.batch * k.per_frame; ++tile) kernel(k, tile, scratch);
  }
}

}  // namespace vdeblur
