// Small kernels, most with one mistake, for test_emulation.py.
#include "device.cuh"

using namespace vdeblur;

namespace {

constexpr int kThreads = 64;

const char* run(void (*kernel)(const float*, float*), const float* from, float* to) {
  const auto error = launch(kernel, 1, kThreads, kThreads * sizeof(float), nullptr, from, to);
  return error ? cudaGetErrorString(error) : nullptr;
}

__device__ float* shared_floats() { return reinterpret_cast<float*>(shared_memory()); }

// Right: every thread's number goes to its mirror image.
__global__ void mirrored(const float* from, float* to) {
  shared_floats()[threadIdx.x] = from[threadIdx.x];
  __syncthreads();
  to[threadIdx.x] = shared_floats()[kThreads - 1 - threadIdx.x];
}

__global__ void without_barrier(const float* from, float* to) {
  shared_floats()[threadIdx.x] = from[threadIdx.x];
  to[threadIdx.x] = shared_floats()[kThreads - 1 - threadIdx.x];
}

__global__ void without_waiting(const float* from, float* to) {
  copy_async<4>(shared_floats() + threadIdx.x, from + threadIdx.x, true);
  commit_copies();
  __syncthreads();
  to[threadIdx.x] = shared_floats()[threadIdx.x];
}

__global__ void reading_too_far(const float* from, float* to) { to[threadIdx.x] = from[threadIdx.x + 1]; }

__global__ void writing_too_far(const float* from, float* to) { to[threadIdx.x + 1] = from[threadIdx.x]; }

__global__ void sharing_too_far(const float* from, float* to) {
  shared_floats()[threadIdx.x + 1] = from[threadIdx.x];
  to[threadIdx.x] = 0.0f;
}

__global__ void sharing_before(const float* from, float* to) {
  shared_floats()[int(threadIdx.x) - 1] = from[threadIdx.x];
  to[threadIdx.x] = 0.0f;
}

__global__ void copying_misaligned(const float* from, float* to) {
  if (threadIdx.x == 0) copy_async<16>(shared_floats(), from + 1, true);
  to[threadIdx.x] = 0.0f;
}

__global__ void hanging(const float* from, float* to) {
  if (threadIdx.x) __syncthreads();
  to[threadIdx.x] = from[threadIdx.x];
}

// Right: a product of what the lanes hold; `to` is a (16, 16) of from times b (16, 8) of from + 256, both row by row.
__global__ void product(const float* from, float* to) {
  const int lane = int(threadIdx.x) % kLanes, g = lane / 4, t = lane % 4;
  const auto a = [&](int row, int column) { return from[row * 16 + column]; };
  const auto b = [&](int row, int column) { return from[256 + row * 8 + column]; };
  const uint32_t left[4] = {pack<Half>(a(g, 2 * t), a(g, 2 * t + 1)), pack<Half>(a(g + 8, 2 * t), a(g + 8, 2 * t + 1)),
                            pack<Half>(a(g, 2 * t + 8), a(g, 2 * t + 9)),
                            pack<Half>(a(g + 8, 2 * t + 8), a(g + 8, 2 * t + 9))};
  const uint2 right = {pack<Half>(b(2 * t, g), b(2 * t + 1, g)), pack<Half>(b(2 * t + 8, g), b(2 * t + 9, g))};
  float d[4] = {};
  mma<Half>(d, left, right);
  for (int i = 0; i < 4; ++i) to[(g + 8 * (i / 2)) * 8 + 2 * t + i % 2] = d[i];
}

}  // namespace

#define KERNEL(name) \
  extern "C" const char* run_##name(const float* from, float* to) { return run(name, from, to); }
KERNEL(mirrored)
KERNEL(without_barrier)
KERNEL(without_waiting)
KERNEL(reading_too_far)
KERNEL(writing_too_far)
KERNEL(sharing_too_far)
KERNEL(sharing_before)
KERNEL(copying_misaligned)
KERNEL(hanging)
KERNEL(product)
