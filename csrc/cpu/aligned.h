// Where the first line of the cache begins in memory that may begin elsewhere.
#pragma once
#include "ops.h"

namespace vdeblur::amx {

constexpr int64_t kLine = 16;  // floats: as many more as are needed must be there

template <class T>
T* aligned(T* p) {
  return reinterpret_cast<T*>(round_up(int64_t(reinterpret_cast<uintptr_t>(p)), 4 * kLine));
}

}  // namespace vdeblur::amx
