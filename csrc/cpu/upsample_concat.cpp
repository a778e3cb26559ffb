// upsample_concat: rows of the result in parallel.
#include <omp.h>

#include "huge_pages.h"

#define VDEBLUR_KERNEL "upsample_concat.inl"
#include "each_isa.h"

namespace vdeblur {

int64_t upsample_concat_workspace(const UpsampleConcat& op) { return op.threads * op.x.width * op.x.channels; }

void upsample_concat(const UpsampleConcat& op) {
  const auto kernel = VDEBLUR_PICK(current_isa(), upsample_concat_row);
  prefer_huge_pages(op.y);
  const int64_t rows = op.y.height, line = op.x.width * op.x.channels;
#pragma omp parallel for num_threads(op.threads) schedule(static)
  for (int64_t i = 0; i < op.y.batch * rows; ++i) 
    kernel(op, i / rows, i % rows, op.workspace + omp_get_thread_num() * line);
}

}  // namespace vdeblur
