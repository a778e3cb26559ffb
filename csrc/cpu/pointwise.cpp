// convolution of 1x1: pieces of rows, in parallel.
#include "pointwise.h"

#include <omp.h>

#include "amx.h"
#include "bfloat16.h"
#include "huge_pages.h"

#define VDEBLUR_KERNEL "pointwise.inl"
#include "each_isa.h"
#undef VDEBLUR_KERNEL
#define VDEBLUR_KERNEL "pointwise_halves.inl"
#include "on_amx.h"

namespace vdeblur {
namespace {

constexpr int64_t kTogether = 8;  // pieces of a task

PointwisePlan lay_out(const Convolution& op) {
  const PointwisePlaces at{op.sizes};
  bool joined = op.y.rows_join() && (!op.other.data || op.other.rows_join());
  for (int64_t i = 0; i < op.count; ++i) joined = joined && op.inputs[i].rows_join();
  const int64_t length = joined ? op.y.pixels() : op.y.width;
  PointwisePlan k{op, at.columns(), joined ? 1 : op.y.height, length, divide_up(length, kPointwisePixels)};
  k.bias = op.packed;
  k.weights = op.packed + at.ready();
  k.halves = reinterpret_cast<const uint16_t*>(op.packed + at.halves());
  return k;
}

// Whether pairs of channels may be multiplied as they lie: each picture has whole ones.
bool in_pairs(const Convolution& op) {
  bool even = op.y.type == Type::bfloat16 && multiplies_bf16();
  for (int64_t i = 0; i < op.count; ++i) even = even && op.inputs[i].channels % 2 == 0;
  return even;
}

// Channels beyond whole tiles that pictures have, where none has others, for tiles have one more shape; else -1.
int64_t rest_of(const Convolution& op) {
  int64_t rest = 0;
  for (int64_t i = 0; i < op.count; ++i) {
    const int64_t own = op.inputs[i].channels % amx::kDepth;
    if (own && rest && own != rest) return -1;
    rest = std::max(rest, own);
  }
  return rest;
}

}  // namespace

int64_t pointwise_packed_size(const ConvolutionSizes& sizes) { return PointwisePlaces{sizes}.size(); }

void pointwise_pack(const ConvolutionSizes& n, const float* weight, const float* bias, float* packed) {
  const PointwisePlaces at{n};
  std::fill_n(packed, at.size(), 0.0f);
  std::copy_n(bias, n.outputs, packed);
  uint16_t* const halves = reinterpret_cast<uint16_t*>(packed + at.halves());
  for (int64_t o = 0; o < n.outputs; ++o)
    for (int64_t c = 0; c < n.inputs; ++c) {
      const float w = weight[o * n.inputs + c];
      packed[at.ready() + c * at.columns() + o] = w;
      halves[(c / 2 * at.columns() + o) * 2 + c % 2] = narrowed(w);
    }
}

int64_t pointwise_workspace(const Convolution& op) { return op.threads * lay_out(op).room(); }

void pointwise(const Convolution& op) {
  const PointwisePlan k = lay_out(op);
  const int64_t rest = rest_of(op);
  const bool halves = in_pairs(op), tiles = halves && has_tiles() && rest >= 0;
  const auto apart = VDEBLUR_IF_TILES(halves, convolve_pixels, VDEBLUR_PICK(current_isa(), convolve_pixels));
  const auto kernel = VDEBLUR_IF_TILES(tiles, convolve_pixels_in_tiles, apart);
  prefer_huge_pages(op.y);
#pragma omp parallel num_threads(op.threads)
  {
    const amx::Configured configured(tiles, rest);
#pragma omp for schedule(dynamic, kTogether)
    for (int64_t task = 0; task < op.y.batch * k.rows * k.pieces; ++task)
      kernel(k, task, op.workspace + omp_get_thread_num() * k.room());
  }
}

}  // namespace vdeblur
