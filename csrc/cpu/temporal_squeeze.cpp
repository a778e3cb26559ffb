// temporal_squeeze: clips in parallel.
#include <omp.h>

#define VDEBLUR_KERNEL "temporal_squeeze.inl"
#include "each_isa.h"

namespace vdeblur {
namespace {

int64_t scratch_size(const TemporalSqueeze& op) { return round_up(op.frames * round_up(op.temporal_maps, 8), 16); }

}  // namespace

int64_t temporal_squeeze_workspace(const TemporalSqueeze& op) { return op.threads * scratch_size(op); }

void temporal_squeeze(const TemporalSqueeze& op) {
  const auto kernel = VDEBLUR_PICK(current_isa(), temporal_squeeze_clip);
#pragma omp parallel for num_threads(op.threads) if (op.batch > 1)
  for (int64_t b = 0; b < op.batch; ++b) kernel(op, b, op.workspace + omp_get_thread_num() * scratch_size(op));
}

}  // namespace vdeblur
