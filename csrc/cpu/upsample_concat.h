// Where the places of a picture lie in one half as large, shared by the driver of upsample_concat and its kernels.
#pragma once
#include <algorithm>

#include "ops.h"

namespace vdeblur {

// `share` of the way from one place to the next.
struct Between {
  int64_t first, second;
  float share;
};

// Place i of 2 * size in `size`: their corners are aligned, the middles of the outermost pixels, or their edges are.
inline Between between_which(int64_t i, int64_t size, bool align_corners) {
  const int64_t whole = align_corners ? 2 * size - 1 : 4;
  const int64_t at = align_corners ? i * (size - 1) : std::max<int64_t>(2 * i - 1, 0);
  return {at / whole, std::min(at / whole + 1, size - 1), float(at % whole) / float(whole)};
}

}  // namespace vdeblur
