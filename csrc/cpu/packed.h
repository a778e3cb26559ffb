// Matrices as the blocks of accumulators of pixel_distribute and spatial_squeeze take them.
#pragma once
#include "ops.h"

namespace vdeblur {

// Rows are padded to this: blocks of 4 and of 8 are whole.
constexpr int kRowBlock = 8;
// Rows that one block of accumulators holds, by instruction set: with three registers across, all but a few of them.
constexpr int rows_of(Isa isa) { return isa == Isa::avx512 ? 8 : 4; }

// (rows, columns) -> (padded rows / block, columns, block), zero where padded: what one step broadcasts lies together.
inline void pack(const float* from, int64_t rows, int64_t padded, int64_t columns, int64_t block, float* to) {
  for (int64_t r = 0; r < padded; ++r)
    for (int64_t c = 0; c < columns; ++c)
      to[r / block * block * columns + c * block + r % block] = r < rows ? from[r * columns + c] : 0.0f;
}

}  // namespace vdeblur
