// Includes VDEBLUR_KERNEL, an .inl file, for processors with AMX and AVX-512, in namespace vdeblur::amx, where amx.h is.
// No include guard, as in each_isa.h.
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "parts.h"

#if defined(__x86_64__)
#include <immintrin.h>

#undef VDEBLUR_INLINE
#define VDEBLUR_INLINE inline __attribute__((always_inline))
#if defined(VDEBLUR_ON_HOST)
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#elif defined(__clang__)
#pragma clang attribute push( \
    __attribute__((target("avx2,fma,prfchw,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,amx-tile,amx-bf16"))), \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,prfchw,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,amx-tile,amx-bf16")
#endif
#define VDEBLUR_WIDTH 16
namespace vdeblur::amx {
namespace {
#include "simd.inl"
#include "tile.inl"
#include VDEBLUR_KERNEL
}  // namespace
}  // namespace vdeblur::amx
#undef VDEBLUR_WIDTH
#if defined(__clang__) && !defined(VDEBLUR_ON_HOST)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#define VDEBLUR_IF_TILES(tiles, function, otherwise) ((tiles) ? &vdeblur::amx::function : (otherwise))
#else
#define VDEBLUR_IF_TILES(tiles, function, otherwise) (otherwise)
#endif
