// convolution: tiles of results, some at a time, in parallel. Of 1x1: see pointwise.h; of bfloat16 where there is AMX: see
// convolution_tiles.h.
#include "convolution.h"

#include <omp.h>

#include "convolution_tiles.h"
#include "huge_pages.h"
#include "pointwise.h"

#define VDEBLUR_KERNEL "convolution.inl"
#include "each_isa.h"

namespace vdeblur {
namespace {

ConvolutionPlan lay_out(const Convolution& op) {
  const ConvolutionPlaces at{op.sizes};
  const Frames& x = op.inputs[0];
  const int64_t tile = at.patch() + 1 - op.sizes.kernel;
  ConvolutionPlan k{op, tile, x.height, x.width, divide_up(x.height, tile), divide_up(x.width, tile), at.columns()};
  k.bias = op.packed;
  k.weights = op.packed + at.ready();
  const int64_t each = at.frequencies() * (op.sizes.inputs + kBlock);
  const int64_t some = at.patch() == kPatch ? kSomeTiles : kSomeTiles / 2;
  const int64_t most = std::clamp(kScratch / each / some * some, some, kMostTiles);
  k.tasks = std::min(round_up(divide_up(k.tiles(), most), op.threads), k.tiles());
  k.most = divide_up(k.tiles(), k.tasks);
  return k;
}

template <int P>
void transform_to(const float* g, int taps, float* to, int64_t frequency) {
  double u[P * P];
  transform_weights<P>(g, taps, u);
  for (double each : u) {
    *to = float(each);
    to += frequency;
  }
}

bool takes_tiles(const ConvolutionSizes& sizes) {
  return sizes.kernel > 1 && sizes.type == Type::bfloat16 && has_tiles();
}

}  // namespace

int64_t convolution_packed_size(const ConvolutionSizes& sizes) {
  if (takes_tiles(sizes)) return amx::packed_size(sizes);
  return sizes.kernel == 1 ? pointwise_packed_size(sizes) : ConvolutionPlaces{sizes}.size();
}

void convolution_pack(const ConvolutionSizes& n, const float* weight, const float* bias, float* packed) {
  if (takes_tiles(n)) return amx::pack(n, weight, bias, packed);
  if (n.kernel == 1) return pointwise_pack(n, weight, bias, packed);
  const ConvolutionPlaces at{n};
  const int64_t taps = n.kernel * n.kernel, outputs = n.outputs * at.phases();
  std::fill_n(packed, at.size(), 0.0f);
  for (int64_t o = 0; o < outputs; ++o) {
    const int64_t column = o % at.phases() * at.filled() + o / at.phases(), block = column / kBlock * kBlock;
    const int64_t step = std::min(kBlock, at.columns() - block);
    packed[column] = bias[o];
    for (int64_t c = 0; c < n.inputs; ++c) {
      const float* const g = weight + taps * (o * n.inputs + c);
      float* const to = packed + at.ready() + at.frequencies() * n.inputs * block + c * step + column - block;
      if (n.type == Type::float32)
        transform_to<kPatch>(g, int(n.kernel), to, n.inputs * step);
      else
        transform_to<kWidePatch>(g, int(n.kernel), to, n.inputs * step);
    }
  }
}

int64_t convolution_workspace(const Convolution& op) {
  if (takes_tiles(op.sizes)) return amx::workspace(op);
  return op.sizes.kernel == 1 ? pointwise_workspace(op) : op.threads * lay_out(op).scratch();
}

void convolution(const Convolution& op) {
  if (takes_tiles(op.sizes)) return amx::run(op);
  if (op.sizes.kernel == 1) return pointwise(op);
  const ConvolutionPlan k = lay_out(op);
  const auto kernel = VDEBLUR_PICK(current_isa(), convolve);
  prefer_huge_pages(op.y);
#pragma omp parallel for schedule(dynamic) num_threads(op.threads)
  for (int64_t task = 0; task < k.tasks; ++task)
    kernel(k, k.first(task), k.first(task + 1), op.workspace + omp_get_thread_num() * k.scratch());
}

}  // namespace vdeblur
