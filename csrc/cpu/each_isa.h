// Includes VDEBLUR_KERNEL, an .inl file, once for each instruction set, each time in a namespace of its own, so that one
// object file holds every body of an op. No include guard: each op includes it once. The standard headers that kernels
// use stand here, outside the target regions.
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "ops.h"

#define VDEBLUR_INLINE inline __attribute__((always_inline))

// A test runs the AVX-512 bodies on processors without it, with the instructions emulated (tests/avx512_on_host); then
// they are the only ones.
#if !defined(VDEBLUR_ON_HOST)
#define VDEBLUR_WIDTH 4
namespace vdeblur::portable {
#include "simd.inl"
#include "tile.inl"
#include VDEBLUR_KERNEL
}  // namespace vdeblur::portable
#undef VDEBLUR_WIDTH
#endif

#if defined(__x86_64__)
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,prfchw"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,prfchw")
#endif
#if !defined(VDEBLUR_ON_HOST)
#define VDEBLUR_WIDTH 8
namespace vdeblur::avx2 {
#include "simd.inl"
#include "tile.inl"
#include VDEBLUR_KERNEL
}  // namespace vdeblur::avx2
#undef VDEBLUR_WIDTH
#endif
#if defined(VDEBLUR_ON_HOST)
#elif defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx2,fma,prfchw,avx512f,avx512bw,avx512dq,avx512vl"))), \
                             apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx2,fma,prfchw,avx512f,avx512bw,avx512dq,avx512vl")
#endif
#define VDEBLUR_WIDTH 16
namespace vdeblur::avx512 {
#include "simd.inl"
#include "tile.inl"
#include VDEBLUR_KERNEL
}  // namespace vdeblur::avx512
#undef VDEBLUR_WIDTH
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#if defined(VDEBLUR_ON_HOST)
#define VDEBLUR_PICK(isa, function) ((void)(isa), &vdeblur::avx512::function)
#else
#define VDEBLUR_PICK(isa, function)                    \
  ((isa) == Isa::avx512 ? &vdeblur::avx512::function   \
   : (isa) == Isa::avx2 ? &vdeblur::avx2::function     \
                        : &vdeblur::portable::function)
#endif
#else
#define VDEBLUR_PICK(isa, function) (&vdeblur::portable::function)
#endif
