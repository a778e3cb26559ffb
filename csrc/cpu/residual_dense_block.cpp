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
  DensePlan k{op, divide_up(op.x.height, kTile), divide_up(op.x.width, kTile), 0, kLag * op.sizes.layers + 3,
              op.workspace, nullptr, nullptr};
  k.chunks = divide_up(k.columns, kChunkTiles);
  k.zeros = k.pixels + k.slots * kTile * k.line();
  k.scratch = k.zeros + k.line();
  return k;
}

// The spectra and the products of a layer; or a row of the result.
int64_t scratch_size(const DensePlan& k) {
  return std::max(kFrequencies * (k.spectrum() + k.product()), k.most() * kTile * round_up(k.op.x.channels, kEdge));
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

void pack_layer(const float* weight, int64_t growth, int64_t channels, int64_t filled, float* to) {
  for (int64_t o = 0; o < growth; ++o)
    for (int64_t c = 0; c < channels; ++c) {
      double u[kFrequencies];
      transform_weights(weight + 9 * (o * channels + c), 3, u);
      for (int64_t f = 0; f < kFrequencies; ++f) to[(f * channels + c) * filled + o] = float(u[f]);
    }
}

void pack_fusion(const float* weight, int64_t channels, int64_t inputs, int64_t filled, float* to) {
  for (int64_t o = 0; o < channels; ++o)
    for (int64_t c = 0; c < inputs; ++c) to[c * filled + o] = weight[o * inputs + c];
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
  std::fill_n(packed + at.filled_bias(0), at.size() - at.filled_bias(0), 0.0f);
  for (int64_t i = 0; i <= sizes.layers; ++i) {
    std::copy_n(parameters[2 * i + 1], at.bias_size(i), packed + at.filled_bias(i));
    if (i < sizes.layers)
      pack_layer(parameters[2 * i], sizes.growth, sizes.inputs(i), at.filled(i), packed + at.ready(i));
    else
      pack_fusion(parameters[2 * i], sizes.channels, sizes.all(), at.filled(i), packed + at.ready(i));
  }
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
  const auto kernel = VDEBLUR_PICK(current_isa(), dense_stage);
  std::fill_n(k.zeros, k.line(), 0.0f);
  for (int64_t i = 0; i < k.slots * kTile; ++i) {  // what nothing is written to
    const int64_t behind = (1 + op.x.width) * k.pixel();
    std::fill_n(k.line_of(0, i), k.pixel(), 0.0f);
    std::fill_n(k.line_of(0, i) + behind, k.line() - behind, 0.0f);
  }
  Schedule schedule(k);
#pragma omp parallel num_threads(op.threads)
  schedule.work(kernel, k.scratch + omp_get_thread_num() * scratch_size(k));
}

}  // namespace vdeblur
