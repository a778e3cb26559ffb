// residual_dense_block with channels along the register: rows of tiles, chunks of them in parallel.
#include "residual_dense_block_channels.h"

#include <omp.h>

#include "residual_dense_block_channels_plan.h"
#include "residual_dense_block_schedule.h"

#define VDEBLUR_KERNEL "residual_dense_block_channels.inl"
#include "each_isa.h"

namespace vdeblur::channels {
namespace {

Plan lay_out(const ResidualDenseBlock& op, const float* packed) {
  Plan k{op, packed, divide_up(op.x.height, kTile), divide_up(op.x.width, kTile), 0, dense_slots(op.sizes.layers),
         op.workspace, nullptr, nullptr};
  k.chunks = divide_up(k.columns, kChunkTiles);
  k.zeros = k.pixels + k.slots * kTile * k.line();
  k.scratch = k.zeros + k.line();
  return k;
}

// The spectra and the products of a layer; or a row of the result.
int64_t scratch_size(const Plan& k) {
  return std::max(kFrequencies * (k.spectrum() + k.product()), k.most() * kTile * round_up(k.op.x.channels, kFill));
}

void pack_layer(const float* weight, int64_t growth, int64_t channels, int64_t filled, float* to) {
  for (int64_t o = 0; o < growth; ++o)
    for (int64_t c = 0; c < channels; ++c) {
      double u[kFrequencies];
      transform_weights<kPatch>(weight + 9 * (o * channels + c), 3, u);
      for (int64_t f = 0; f < kFrequencies; ++f) to[(f * channels + c) * filled + o] = float(u[f]);
    }
}

void pack_fusion(const float* weight, int64_t channels, int64_t inputs, int64_t filled, float* to) {
  for (int64_t o = 0; o < channels; ++o)
    for (int64_t c = 0; c < inputs; ++c) to[c * filled + o] = weight[o * inputs + c];
}

}  // namespace

int64_t packed_size(const DenseSizes& sizes) { return Packed{sizes}.size(); }

void pack(const DenseSizes& sizes, const float* const* parameters, float* packed) {
  const Packed at{sizes};
  std::fill_n(packed, at.size(), 0.0f);
  for (int64_t i = 0; i <= sizes.layers; ++i) {
    std::copy_n(parameters[2 * i + 1], at.outputs(i), packed + at.bias(i));
    if (i < sizes.layers)
      pack_layer(parameters[2 * i], sizes.growth, sizes.inputs(i), at.filled(i), packed + at.ready(i));
    else
      pack_fusion(parameters[2 * i], sizes.channels, sizes.all(), at.filled(i), packed + at.ready(i));
  }
}

int64_t workspace(const ResidualDenseBlock& op) {
  const Plan k = lay_out(op, nullptr);
  return (k.scratch - op.workspace) + op.threads * scratch_size(k);
}

void run(const ResidualDenseBlock& op, const float* packed) {
  const Plan k = lay_out(op, packed);
  const auto kernel = VDEBLUR_PICK(current_isa(), channels::dense_stage);
  std::fill_n(k.zeros, k.line(), 0.0f);
  for (int64_t i = 0; i < k.slots * kTile; ++i) {  // what nothing is written to
    const int64_t behind = (1 + op.x.width) * k.pixel();
    std::fill_n(k.line_of(0, i), k.pixel(), 0.0f);
    std::fill_n(k.line_of(0, i) + behind, k.line() - behind, 0.0f);
  }
  DenseSchedule schedule(op.x.batch, k.rows, op.sizes.layers, k.chunks);
#pragma omp parallel num_threads(op.threads)
  {
    float* const scratch = k.scratch + omp_get_thread_num() * scratch_size(k);
    schedule.work([&](int64_t stage, int64_t q, int64_t chunk) { kernel(k, stage, q, chunk, scratch); });
  }
}

}  // namespace vdeblur::channels
