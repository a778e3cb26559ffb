// attention_mix: runs of pixels in parallel.
#include "attention_mix.h"

#include <omp.h>

#define VDEBLUR_KERNEL "attention_mix.inl"
#include "each_isa.h"

namespace vdeblur {

int64_t attention_mix_workspace(const AttentionMix& op) { return op.threads * mix_scratch(op); }

void attention_mix(const AttentionMix& op) {
  const auto kernel = VDEBLUR_PICK(current_isa(), mix_chunk);
  const int64_t per_batch = divide_up(op.mixed.pixels(), kMixRun);
#pragma omp parallel for num_threads(op.threads) schedule(dynamic, 4)
  for (int64_t i = 0; i < op.mixed.batch * per_batch; ++i)
    kernel(op, i / per_batch, i % per_batch * kMixRun, op.workspace + omp_get_thread_num() * mix_scratch(op));
}

}  // namespace vdeblur
