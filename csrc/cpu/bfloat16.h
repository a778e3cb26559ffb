// bfloat16 as they are stored, for what is packed once; kernels convert registers of them.
#pragma once
#include <cstdint>
#include <cstring>

namespace vdeblur {

// The nearest, or the even one of two.
inline uint16_t narrowed(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return x == x ? uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16) : uint16_t(0x7fc0);
}

}  // namespace vdeblur
