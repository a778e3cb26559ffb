// residual_dense_block: rows of tiles, the layers of each shortly one after the other, chunks of them in parallel.
#include "residual_dense_block.h"

#include <omp.h>

#include <atomic>
#include <thread>
#include <vector>

#include "residual_dense_block_amx.h"

#define VDEBLUR_KERNEL "residual_dense_block.inl"
#include "each_isa.h"

namespace vdeblur {
namespace {

DensePlan lay_out(const ResidualDenseBlock& op) {
  const Isa isa = current_isa();
  DensePlan k{op, isa, 2 * width(isa), divide_up(op.x.height, kTile), divide_up(op.x.width, kTile), 0, 0,
              kLag * op.sizes.layers + 3, op.workspace, nullptr, nullptr};
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

// Tasks in an order in which each depends on earlier ones only, and on those of earlier steps: in step s stage k works
// on row s - kLag * k. Threads take the next task, and wait until what it needs is done, which it mostly is.
class Schedule {
 public:
  explicit Schedule(const DensePlan& k)
      : k_(k), rows_(k.op.x.batch * k.rows), stages_(k.op.sizes.layers + 1), done_(stages_ * rows_) {}

  template <class Kernel>
  void work(Kernel kernel, float* scratch) {
    const int64_t each = stages_ * k_.chunks, tasks = (rows_ + kLag * (stages_ - 1)) * each;
    for (int64_t task; (task = next_.fetch_add(1, std::memory_order_relaxed)) < tasks;) {
      const int64_t stage = task % each / k_.chunks, q = task / each - kLag * stage;
      if (q < 0 || q >= rows_) continue;
      wait_for_inputs(stage, q);
      wait_for_room(stage, q);
      kernel(k_, stage, q, task % k_.chunks, scratch);
      done_[stage * rows_ + q].fetch_add(1, std::memory_order_release);
    }
  }

 private:
  // The rows of the layer before, and those beside them.
  void wait_for_inputs(int64_t stage, int64_t q) {
    if (!stage) return;
    const int64_t top = q / k_.rows * k_.rows;
    for (int64_t r = std::max(q - 1, top); r <= std::min(q + 1, top + k_.rows - 1); ++r) wait(stage - 1, r);
  }

  // What x is written over must have been read; the layers write over what is older still.
  void wait_for_room(int64_t stage, int64_t q) {
    const int64_t last = stages_ - 1;
    for (int64_t r = q - 1; !stage && r <= q + 1; ++r) wait(last, r - k_.slots);
  }

  void wait(int64_t stage, int64_t q) {
    if (q < 0) return;
    const std::atomic<int64_t>& done = done_[stage * rows_ + q];
    for (uint32_t looks = 1; done.load(std::memory_order_acquire) < k_.chunks; ++looks)
      if (looks % 64 == 0) std::this_thread::yield();
  }

  const DensePlan& k_;
  const int64_t rows_, stages_;
  std::atomic<int64_t> next_{0};
  std::vector<std::atomic<int64_t>> done_;
};

void pack_layer(const float* weight, int64_t growth, int64_t channels, float* to) {
  const Parts inputs = input_parts(channels), outputs = output_parts(growth);
  for (int64_t p = 0; p < inputs.count; ++p)
    for (int64_t q = 0; q < outputs.count; ++q)
      for (int64_t c = 0; c < inputs.length(p); ++c)
        for (int64_t o = 0; o < outputs.length(q); ++o) {
          double u[kFrequencies];
          transform_weights(weight + 9 * ((outputs.first(q) + o) * channels + inputs.first(p) + c), 3, u);
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

bool by_tiles(const ResidualDenseBlock& op) { return has_tiles() && op.x.type == Type::bfloat16; }

}  // namespace

// What AMX's body wants comes after everything else, where the processor has it.
int64_t residual_dense_block_packed_size(const DenseSizes& sizes) {
  return PackedPlaces{sizes}.size() + (best_has_tiles() ? amx::packed_size(sizes) : 0);
}

void residual_dense_block_pack(const DenseSizes& sizes, const float* const* parameters, float* packed) {
  const PackedPlaces at{sizes};
  for (int64_t i = 0; i <= sizes.layers; ++i) {
    std::copy_n(parameters[2 * i], at.weight_size(i), packed + at.bias(i) - at.weight_size(i));
    std::copy_n(parameters[2 * i + 1], at.bias_size(i), packed + at.bias(i));
  }
  for (int64_t i = 0; i < sizes.layers; ++i)
    pack_layer(parameters[2 * i], sizes.growth, sizes.inputs(i), packed + at.ready(i));
  pack_fusion(parameters[2 * sizes.layers], sizes.channels, sizes.all(), packed + at.ready(sizes.layers));
  if (best_has_tiles()) amx::pack(sizes, parameters, packed + at.size());
}

bool residual_dense_block_is_packed(const DenseSizes& sizes, const float* const* parameters, const float* packed) {
  const PackedPlaces at{sizes};
  for (int64_t i = 0; i <= sizes.layers; ++i) {
    const float* const weight = packed + at.bias(i) - at.weight_size(i);
    if (std::memcmp(parameters[2 * i], weight, sizeof(float) * at.weight_size(i))) return false;
    if (std::memcmp(parameters[2 * i + 1], packed + at.bias(i), sizeof(float) * at.bias_size(i))) return false;
  }
  return true;
}

int64_t residual_dense_block_workspace(const ResidualDenseBlock& op) {
  if (by_tiles(op)) return amx::workspace(op);
  const DensePlan k = lay_out(op);
  return (k.scratch - op.workspace) + op.threads * scratch_size(k);
}

void residual_dense_block(const ResidualDenseBlock& op) {
  if (by_tiles(op)) return amx::run(op, op.packed + PackedPlaces{op.sizes}.size());
  const DensePlan k = lay_out(op);
  const auto kernel = VDEBLUR_PICK(k.isa, dense_stage);
  std::fill_n(k.zeros, k.record(), 0.0f);
  Schedule schedule(k);
#pragma omp parallel num_threads(op.threads)
  schedule.work(kernel, k.scratch + omp_get_thread_num() * scratch_size(k));
}

}  // namespace vdeblur
