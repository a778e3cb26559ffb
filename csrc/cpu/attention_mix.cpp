// attention_mix: runs of pixels in parallel.
#include "attention_mix.h"

#include <omp.h>

#include "huge_pages.h"

#define VDEBLUR_KERNEL "attention_mix.inl"
#include "each_isa.h"

namespace vdeblur {

int64_t attention_mix_workspace(const AttentionMix& op) { return op.threads * mix_scratch(op); }

void attention_mix(const AttentionMix& op) {
  const auto kernel = VDEBLUR_PICK(current_isa(), mix_chunk);
  const int64_t pixels = op.mixed.pixels(), share = round_up(divide_up(pixels, 4 * op.threads), kMixRun);
  const int64_t task = std::min(share, kMixTask), per_batch = divide_up(pixels, std::max(task, kMixRun));
  prefer_huge_pages(op.mixed);
#pragma omp parallel for num_threads(op.threads) schedule(dynamic)
  for (int64_t i = 0; i < op.mixed.batch * per_batch; ++i) {
    const int64_t first = i % per_batch * task, end = std::min(first + task, pixels);
    kernel(op, i / per_batch, first, end, op.workspace + omp_get_thread_num() * mix_scratch(op));
  }
}

}  // namespace vdeblur
