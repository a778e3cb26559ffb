// pixel_distribute: tiles of pixels in parallel, each on its own.
#include "pixel_distribute.h"

#include <omp.h>

#include "huge_pages.h"

#define VDEBLUR_KERNEL "pixel_distribute.inl"
#include "each_isa.h"

namespace vdeblur {
namespace {

DistributeTiles cut(const PixelDistribute& op) {
  const int64_t maps = round_up(op.maps, kRowBlock), channels = round_up(op.x.channels, kRowBlock);
  float* const weight = op.workspace;
  float* const bias = weight + maps * op.x.channels;
  float* const aggregate = bias + maps;
  return {op,     current_isa(), maps,      channels, divide_up(op.x.pixels(), kDistributeTile),
          weight, bias,          aggregate, aggregate + op.x.batch * channels * op.maps};
}

int64_t scratch_size(const DistributeTiles& k) {
  return round_up((k.op.x.channels + k.channels) * kDistributeTile + k.maps * 3 * width(k.isa), 16);
}

// (rows, columns) -> (padded rows / block, columns, block), zero where padded.
void pack(const float* from, int64_t rows, int64_t padded, int64_t columns, int64_t block, float* to) {
  for (int64_t r = 0; r < padded; ++r)
    for (int64_t c = 0; c < columns; ++c)
      to[r / block * block * columns + c * block + r % block] = r < rows ? from[r * columns + c] : 0.0f;
}

void pack_matrices(const DistributeTiles& k) {
  const PixelDistribute& op = k.op;
  const int64_t block = rows_of(k.isa);
  pack(op.weight, op.maps, k.maps, op.x.channels, block, const_cast<float*>(k.weight));
  pack(op.bias, op.maps, k.maps, 1, block, const_cast<float*>(k.bias));
  for (int64_t b = 0; b < op.x.batch; ++b)
    pack(op.aggregate + b * op.x.channels * op.maps, op.x.channels, k.channels, op.maps, block,
         const_cast<float*>(k.aggregate) + b * k.channels * op.maps);
}

}  // namespace

int64_t pixel_distribute_workspace(const PixelDistribute& op) {
  const DistributeTiles k = cut(op);
  return (k.scratch - op.workspace) + op.threads * scratch_size(k);
}

void pixel_distribute(const PixelDistribute& op) {
  const DistributeTiles k = cut(op);
  const auto kernel = VDEBLUR_PICK(k.isa, distribute_tile);
  pack_matrices(k);

  const int64_t elements = op.y.batch * op.y.channels * op.y.pixels();  // dense, whichever their order
  prefer_huge_pages(op.y.data, elements * (op.y.type == Type::float32 ? 4 : 2));
#pragma omp parallel num_threads(op.threads)
  {
    float* scratch = k.scratch + omp_get_thread_num() * scratch_size(k);
#pragma omp for schedule(dynamic, 4)
    for (int64_t tile = 0; tile < op.x.batch * k.per_frame; ++tile) kernel(k, tile, scratch);
  }
}

}  // namespace vdeblur
