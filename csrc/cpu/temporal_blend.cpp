// temporal_blend after its convolution: chunks of channels in parallel.
#include "temporal_blend.h"

#include <omp.h>

#define VDEBLUR_KERNEL "temporal_blend.inl"
#include "each_isa.h"

namespace vdeblur {

int64_t temporal_blend_workspace(const TemporalBlend& op) { return op.threads * 3 * kBlendRun; }

void temporal_blend(const TemporalBlend& op) {
  const auto kernel = VDEBLUR_PICK(current_isa(), blend_chunk);
  const Frames& z = op.similarity;
  const int64_t per_plane = divide_up(z.pixels(), kBlendChunk);
#pragma omp parallel for num_threads(op.threads) schedule(dynamic, 4)
  for (int64_t i = 0; i < z.batch * z.channels * per_plane; ++i)
    kernel(op, i / per_plane, i % per_plane * kBlendChunk, op.workspace + omp_get_thread_num() * 3 * kBlendRun);
}

}  // namespace vdeblur
