// What the kernels use of the GPU beyond plain C++: numbers of 16 bits, tensor cores, asynchronous copies, launches.
// Needs sm_80. With VDEBLUR_ON_HOST the same names come from a header that runs them on a CPU, for the tests.
#pragma once
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace vdeblur {

struct BFloat16 {
  uint16_t bits;
};
struct Half {
  uint16_t bits;
};

// What the launchers are told of the numbers in memory.
enum Type : int64_t { kFloat32, kBFloat16, kHalf };

constexpr int kLanes = 32;

}  // namespace vdeblur

#ifdef VDEBLUR_ON_HOST
#include "cuda_on_host.h"
#else
#include <cuda_runtime.h>

namespace vdeblur {

__device__ __forceinline__ char* shared_memory() {
  extern __shared__ uint4 memory[];
  return reinterpret_cast<char*>(memory);
}

__device__ __forceinline__ uint32_t shared_address(const void* shared) {
  return uint32_t(__cvta_generic_to_shared(shared));
}

__device__ __forceinline__ float reciprocal(float x) { return __fdividef(1.0f, x); }

// Two numbers in 32 bits, the first in the lower half.
template <class T>
__device__ __forceinline__ uint32_t pack(float first, float second) {
  uint32_t both;
  if constexpr (std::is_same_v<T, BFloat16>) {
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(second), "f"(first));
  } else {
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(second), "f"(first));
  }
  return both;
}

template <class T>
__device__ __forceinline__ float2 unpack(uint32_t both) {
  float2 numbers;
  if constexpr (std::is_same_v<T, BFloat16>) {
    numbers = {__uint_as_float(both << 16), __uint_as_float(both & 0xffff0000u)};
  } else {
    asm("{ .reg .b16 first, second; mov.b32 {first, second}, %2; cvt.f32.f16 %0, first; cvt.f32.f16 %1, second; }"
        : "=f"(numbers.x), "=f"(numbers.y)
        : "r"(both));
  }
  return numbers;
}

// d (16, 8) += a (16, 16) * b (16, 8), in float32. A lane holds, with g = lane / 4 and t = lane % 4: of d the rows g, g
// + 8 and columns 2t, 2t + 1; of a the rows g, g + 8 and columns 2t, 2t + 1, then those of columns + 8; of b the rows
// 2t, 2t + 1 and those + 8 of column g (PTX ISA, fragments of mma.m16n8k16).
template <class T>
__device__ __forceinline__ void mma(float (&d)[4], const uint32_t (&a)[4], uint2 b) {
  if constexpr (std::is_same_v<T, BFloat16>) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b.x), "r"(b.y));
  } else {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b.x), "r"(b.y));
  }
}

// Four matrices of 8 rows of 16 bytes; lane 8 i + r gives the address of row r of matrix i. A lane receives, of each
// matrix, the 16-bit columns 2t, 2t + 1 of row g; transposed, the rows 2t, 2t + 1 of column g.
__device__ __forceinline__ void load_matrices(uint32_t (&m)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
               : "r"(shared_address(row))
               : "memory");
}

__device__ __forceinline__ void load_matrices_transposed(uint32_t (&m)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
               : "r"(shared_address(row))
               : "memory");
}

// Copies `kBytes` (4, 8 or 16, both addresses a multiple of it) to shared memory in the background, or zeros if not
// `valid`; then nothing is read. Copies between two commits are one group; wait_copies<N> waits for all but the last N
// groups.
template <int kBytes>
__device__ __forceinline__ void copy_async(void* shared, const void* global, bool valid) {
  const int bytes = valid ? kBytes : 0;
  if constexpr (kBytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(global), "r"(bytes)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %3, %2;" ::"r"(shared_address(shared)), "l"(global), "r"(bytes),
                 "n"(kBytes)
                 : "memory");
  }
}

__device__ __forceinline__ void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

template <int kGroups>
__device__ __forceinline__ void wait_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kGroups) : "memory");
}

// Of the current device.
struct Chip {
  int processors = 0, shared = 0;  // shared: bytes that one block may have
};

inline cudaError_t current_chip(Chip& chip) {
  int device = 0;
  cudaError_t error = cudaGetDevice(&device);
  if (!error) error = cudaDeviceGetAttribute(&chip.processors, cudaDevAttrMultiProcessorCount, device);
  if (!error) error = cudaDeviceGetAttribute(&chip.shared, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  return error;
}

template <class... Parameters>
cudaError_t launch(void (*kernel)(Parameters...), int64_t blocks, int threads, size_t shared, void* stream,
                   Parameters... arguments) {
  const auto attribute = cudaFuncAttributeMaxDynamicSharedMemorySize;
  if (const cudaError_t error = cudaFuncSetAttribute(kernel, attribute, int(shared))) return error;
  void* const addresses[] = {&arguments...};
  return cudaLaunchKernel(kernel, dim3(unsigned(blocks)), dim3(unsigned(threads)), const_cast<void**>(addresses),
                          shared, static_cast<cudaStream_t>(stream));
}

}  // namespace vdeblur
#endif
