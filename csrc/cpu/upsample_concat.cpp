// upsample_concat: rows of the result in parallel.
#include "upsample_concat.h"

#include <omp.h>

#include <vector>

#include "huge_pages.h"

#define VDEBLUR_KERNEL "upsample_concat.inl"
#include "each_isa.h"

namespace vdeblur {

int64_t upsample_concat_workspace(const UpsampleConcat& op) { return op.threads * op.x.width * op.x.channels; }

void upsample_concat(const UpsampleConcat& op) {
  const auto kernel = VDEBLUR_PICK(current_isa(), upsample_concat_row);
  const int64_t rows = op.y.height, line = op.x.width * op.x.channels;
  std::vector<Between> columns;
  for (int64_t i = 0; i < op.y.width; ++i) columns.push_back(between_which(i, op.x.width, op.align_corners));
  prefer_huge_pages(op.y);
#pragma omp parallel for num_threads(op.threads) schedule(static)
  for (int64_t i = 0; i < op.y.batch * rows; ++i)
    kernel(op, columns.data(), i / rows, i % rows, op.workspace + omp_get_thread_num() * line);
}

}  // namespace vdeblur
