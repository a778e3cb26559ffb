// residual_dense_block: rows of tiles, the layers of each shortly one after the other, chunks of them in parallel.
#include "residual_dense_block.h"

#include <omp.h>

#include "huge_pages.h"
#include "residual_dense_block_bf16.h"
#include "residual_dense_block_channels.h"
#include "residual_dense_block_schedule.h"

#define VDEBLUR_KERNEL "residual_dense_block.inl"
#include "each_isa.h"

namespace vdeblur {
namespace {

DensePlan lay_out(const ResidualDenseBlock& op) {
  const Isa isa = current_isa();
  DensePlan k{op, isa, 2 * width(isa), divide_up(op.x.height, kTile), divide_up(op.x.width, kTile), 0, 0,
              dense_slots(op.sizes.layers), op.workspace, nullptr, nullptr};
  k.blocks = divide_up(k.columns, k.lanes);
  k.chunks = divide_up(k.blocks, kChunkBlocks);
  k.zeros = k.pixels + k.slots * k.blocks * k.block_pixels();
  k.scratch = k.zeros + k.record();
  return k;
}

int64_t scratch_size(const DensePlan& k) {
  const DenseSizes& n = k.op.sizes;
  const int64_t inputs = std::min(n.inputs(n.layers - 1), kMostInputs);
  const int64_t spectra = Spectra(nullptr, inputs, k.lanes).block() + Spectra(nullptr, n.growth, k.lanes).block();
  return std::max(kChunkBlocks * spectra, (n.all() + n.channels * kTile) * k.lanes);
}

void pack_layer(const float* weight, int64_t growth, int64_t channels, float* to) {
  const Parts inputs = input_parts(channels), outputs = output_parts(growth);
  for (int64_t p = 0; p < inputs.count; ++p)
    for (int64_t q = 0; q < outputs.count; ++q)
      for (int64_t c = 0; c < inputs.length(p); ++c)
        for (int64_t o = 0; o < outputs.length(q); ++o) {
          double u[kFrequencies];
          transform_weights<kPatch>(weight + 9 * ((outputs.first(q) + o) * channels + inputs.first(p) + c), 3, u);
          float* at = to + kFrequencies * growth * inputs.first(p) + outputs.first(q) * inputs.length(p);
          for (int64_t f = 0; f < kFrequencies; ++f, at += growth * inputs.length(p))
            at[c * outputs.length(q) + o] = float(u[f]);
        }
}

void pack_fusion(const float* weight, int64_t channels, int64_t inputs, float* to) {
  const Parts outputs = output_parts(channels);
  for (int64_t q = 0; q < outputs.count; ++q)
    for (int64_t c = 0; c < inputs; ++c)
      for (int64_t o = 0; o < outputs.length(q); ++o)
        to[outputs.first(q) * inputs + c * outputs.length(q) + o] = weight[(outputs.first(q) + o) * inputs + c];
}

bool in_bf16(const ResidualDenseBlock& op) {
  return op.x.type == Type::bfloat16 && (has_tiles() || (multiplies_bf16() && amx::fills_dots(op.sizes)));
}

// Where what the layers add fills registers, channels along the register are faster, else tiles.
bool by_channels(const DenseSizes& sizes) { return sizes.growth % kEdge == 0; }

// What is packed for products of bfloat16 comes last.
int64_t before_bf16(const DenseSizes& sizes) {
  return by_channels(sizes) ? channels::packed_size(sizes) : PackedPlaces{sizes}.size();
}

void work_by_tiles(const ResidualDenseBlock& op) {
  const DensePlan k = lay_out(op);
  const auto kernel = VDEBLUR_PICK(k.isa, dense_stage);
  std::fill_n(k.zeros, k.record(), 0.0f);
  DenseSchedule schedule(op.x.batch, k.rows, op.sizes.layers, k.chunks);
#pragma omp parallel num_threads(op.threads)
  {
    float* const scratch = k.scratch + omp_get_thread_num() * scratch_size(k);
    schedule.work([&](int64_t stage, int64_t q, int64_t chunk) { kernel(k, stage, q, chunk, scratch); });
  }
}

}  // namespace

int64_t residual_dense_block_packed_size(const DenseSizes& sizes) {
  return before_bf16(sizes) + (best_multiplies_bf16() ? amx::packed_size(sizes) : 0);
}

void residual_dense_block_pack(const DenseSizes& sizes, const float* const* parameters, float* packed) {
  if (by_channels(sizes)) {
    channels::pack(sizes, parameters, packed);
  } else {
    const PackedPlaces at{sizes};
    for (int64_t i = 0; i <= sizes.layers; ++i)
      std::copy_n(parameters[2 * i + 1], at.bias_size(i), packed + at.bias(i));
    for (int64_t i = 0; i < sizes.layers; ++i)
      pack_layer(parameters[2 * i], sizes.growth, sizes.inputs(i), packed + at.ready(i));
    pack_fusion(parameters[2 * sizes.layers], sizes.channels, sizes.all(), packed + at.ready(sizes.layers));
  }
  if (best_multiplies_bf16()) amx::pack(sizes, parameters, packed + before_bf16(sizes));
}

int64_t residual_dense_block_workspace(const ResidualDenseBlock& op) {
  if (in_bf16(op)) return amx::workspace(op);
  if (by_channels(op.sizes)) return channels::workspace(op);
  const DensePlan k = lay_out(op);
  return (k.scratch - op.workspace) + op.threads * scratch_size(k);
}

void residual_dense_block(const ResidualDenseBlock& op) {
  prefer_huge_pages(op.y);
  if (in_bf16(op)) return amx::run(op, op.packed + before_bf16(op.sizes));
  if (by_channels(op.sizes)) return channels::run(op, op.packed);
  work_by_tiles(op);
}

}  // namespace vdeblur
