// CUDA C++ on a CPU: the threads of a block are fibers that take turns, so the kernels' own source runs anywhere and
// shows its mistakes. csrc/cuda/device.cuh includes it in place of the GPU's instructions for VDEBLUR_ON_HOST.
//
// It is strict: copy_async writes NaN at once and its bytes only when they are waited for; shared memory starts as NaN
// and ends at a page that traps; 16-byte accesses must be aligned; threads that wait for others that never come are an
// error. With `host::backwards` the threads take turns in the other order: a result that changes is a race.
#pragma once
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

struct uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct float2 {
  float x, y;
};
inline uint2 threadIdx, blockIdx, blockDim, gridDim;
using cudaError_t = int;

namespace host {

constexpr size_t kStack = 64 << 10, kPage = 4096, kPoison = 0xff, kCanary = 0xa5;
inline bool backwards = false;
inline char error[256];  // what the last kernel did wrong

struct Barrier {
  unsigned arrived = 0, generation = 0;
};
struct Copy {
  char *to, bytes[16];
  int size, group;
};
struct Warp {
  Barrier barrier;
  alignas(16) char slots[2][vdeblur::kLanes][64];
};
struct Fiber {
  ucontext_t start;
  jmp_buf at;
  std::unique_ptr<char[]> stack{new char[kStack]};
  bool started, done;
  unsigned exchanges;
  int groups;  // of copies, committed
  std::vector<Copy> copies;
};

inline std::vector<Fiber> fibers;
inline std::vector<Warp> warps;
inline Barrier block;
inline unsigned progress;  // barriers passed: if a whole round passes none, the block hangs
inline jmp_buf scheduler;
inline sigjmp_buf failed;
inline const std::function<void()>* kernel;
inline char* shared;

inline Fiber& self() { return fibers[threadIdx.x]; }
inline unsigned lane() { return threadIdx.x % vdeblur::kLanes; }
inline Warp& warp() { return warps[threadIdx.x / vdeblur::kLanes]; }

[[noreturn]] inline void fail(const char* what, const void* address = nullptr) {
  snprintf(error, sizeof error, "%s (%p) by thread %u of block %u", what, address, threadIdx.x, blockIdx.x);
  siglongjmp(failed, 1);
}

inline void on_signal(int signal, siginfo_t* info, void*) {
  fail(signal == SIGILL ? "misaligned access or index out of an array" : "access outside of a buffer", info->si_addr);
}

inline void yield() {
  if (!_setjmp(self().at)) _longjmp(scheduler, 1);
}

inline void wait(Barrier& barrier, unsigned members) {
  const unsigned generation = barrier.generation;
  if (++barrier.arrived == members) {
    barrier.arrived = 0;
    ++barrier.generation;
    ++progress;
  }
  while (barrier.generation == generation) yield();
}

// Gives `mine` to the warp; -> a function: what lane i gave. Two sets of slots take turns, so that one barrier is
// enough: who comes back to a set has met everybody in the other.
template <class Value>
auto exchange(const Value& mine) {
  static_assert(sizeof(Value) <= 64);
  auto& slots = warp().slots[self().exchanges++ % 2];
  memcpy(slots[lane()], &mine, sizeof mine);
  wait(warp().barrier, vdeblur::kLanes);
  return [&slots](unsigned i) -> const Value& { return *reinterpret_cast<const Value*>(slots[i]); };
}

inline void enter() {
  (*kernel)();
  self().done = true;
  ++progress;
  _longjmp(scheduler, 1);
}

inline void resume(Fiber& fiber) {
  if (_setjmp(scheduler)) return;
  if (fiber.started) _longjmp(fiber.at, 1);
  fiber.started = true;
  setcontext(&fiber.start);
}

inline void run_block(unsigned threads) {
  block = {};
  warps.assign(threads / vdeblur::kLanes, {});
  for (Fiber& fiber : fibers) {
    fiber.started = fiber.done = false;
    fiber.exchanges = fiber.groups = 0;
    fiber.copies.clear();
    getcontext(&fiber.start);
    fiber.start.uc_stack.ss_sp = fiber.stack.get();
    fiber.start.uc_stack.ss_size = kStack;
    makecontext(&fiber.start, enter, 0);
  }
  for (unsigned remaining = threads; remaining;) {
    const unsigned before = progress;
    remaining = 0;
    for (unsigned i = 0; i < threads; ++i) {
      threadIdx.x = backwards ? threads - 1 - i : i;
      if (!self().done) resume(self());
      remaining += !self().done;
    }
    if (remaining && progress == before) fail("threads wait for others that never come");
  }
}

// Runs every block, one after the other; shared memory lies between a canary and a page that traps.
inline cudaError_t run(const std::function<void()>& body, int64_t blocks, unsigned threads, size_t bytes) {
  bytes = (bytes + 15) / 16 * 16;
  const size_t whole = (bytes + 2 * kPage - 1) / kPage * kPage;
  char* const memory =
      static_cast<char*>(mmap(nullptr, whole + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  mprotect(memory + whole, kPage, PROT_NONE);
  shared = memory + whole - bytes;
  kernel = &body;
  fibers = std::vector<Fiber>(threads);
  blockDim.x = threads;
  gridDim.x = unsigned(blocks);
  error[0] = 0;
  struct sigaction trap = {}, old[2];
  trap.sa_sigaction = on_signal;
  trap.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGSEGV, &trap, &old[0]);
  sigaction(SIGILL, &trap, &old[1]);
  if (!sigsetjmp(failed, 1)) {
    for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x) {
      memset(memory, kCanary, whole - bytes);
      memset(shared, kPoison, bytes);
      run_block(threads);
      for (char* at = memory; at < shared; ++at)
        if (*at != char(kCanary)) fail("write before shared memory", at);
    }
  }
  sigaction(SIGSEGV, &old[0], nullptr);
  sigaction(SIGILL, &old[1], nullptr);
  munmap(memory, whole + kPage);
  return error[0] != 0;
}

template <class To, class From>
To same_bits(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  memcpy(&to, &from, sizeof to);
  return to;
}

inline float number(uint16_t bits, vdeblur::BFloat16) { return same_bits<float>(uint32_t(bits) << 16); }
inline float number(uint16_t bits, vdeblur::Half) { return same_bits<_Float16>(bits); }
inline uint16_t rounded(float value, vdeblur::Half) { return same_bits<uint16_t>(_Float16(value)); }
inline uint16_t rounded(float value, vdeblur::BFloat16) {
  const uint32_t wide = same_bits<uint32_t>(value);
  return value != value ? 0x7fff : uint16_t((wide + 0x7fff + (wide >> 16 & 1)) >> 16);
}

template <bool kTransposed>
void load_matrices(uint32_t (&m)[4], const void* row) {
  if (uintptr_t(row) % 16) fail("misaligned matrix row", row);
  const auto rows = exchange(static_cast<const uint16_t*>(row));
  const unsigned g = lane() / 4, t = lane() % 4;
  const auto number = [&](unsigned matrix, unsigned i) -> uint32_t {
    return kTransposed ? rows(8 * matrix + 2 * t + i)[g] : rows(8 * matrix + g)[2 * t + i];
  };
  for (unsigned i = 0; i < 4; ++i) m[i] = number(i, 0) | number(i, 1) << 16;
}

}  // namespace host

inline void __syncthreads() { host::wait(host::block, blockDim.x); }
inline void __syncwarp() { host::wait(host::warp().barrier, vdeblur::kLanes); }

template <class Value>
Value __shfl_xor_sync(unsigned, Value value, int mask) {
  return host::exchange(value)(host::lane() ^ mask);
}

inline const char* cudaGetErrorString(cudaError_t) { return host::error; }

namespace vdeblur {

inline char* shared_memory() { return host::shared; }
inline float reciprocal(float x) { return 1.0f / x; }

template <class T>
uint32_t pack(float first, float second) {
  return host::rounded(first, T{}) | uint32_t(host::rounded(second, T{})) << 16;
}

template <class T>
float2 unpack(uint32_t both) {
  return {host::number(uint16_t(both), T{}), host::number(uint16_t(both >> 16), T{})};
}

template <class T>
void mma(float (&d)[4], const uint32_t (&a)[4], uint2 b) {
  struct Fragments {
    uint32_t a[4], b[2];
  };
  const auto lanes = host::exchange(Fragments{{a[0], a[1], a[2], a[3]}, {b.x, b.y}});
  const auto half = [](uint32_t both, int k) { return host::number(uint16_t(both >> 16 * (k % 2)), T{}); };
  for (int i = 0; i < 4; ++i) {
    const int row = int(host::lane()) / 4 + 8 * (i / 2), column = 2 * (int(host::lane()) % 4) + i % 2;
    for (int k = 0; k < 16; ++k) {
      const uint32_t left = lanes(row % 8 * 4 + k % 8 / 2).a[row / 8 + 2 * (k / 8)];
      const uint32_t right = lanes(column * 4 + k % 8 / 2).b[k / 8];
      d[i] += half(left, k) * half(right, k);
    }
  }
}

inline void load_matrices(uint32_t (&m)[4], const void* row) { host::load_matrices<false>(m, row); }
inline void load_matrices_transposed(uint32_t (&m)[4], const void* row) { host::load_matrices<true>(m, row); }

template <int kBytes>
void copy_async(void* to, const void* from, bool valid) {
  if (uintptr_t(to) % kBytes || (valid && uintptr_t(from) % kBytes)) host::fail("misaligned copy", valid ? from : to);
  host::Copy copy{static_cast<char*>(to), {}, kBytes, host::self().groups};
  if (valid) memcpy(copy.bytes, from, kBytes);
  memset(to, host::kPoison, kBytes);
  host::self().copies.push_back(copy);
}

inline void commit_copies() { ++host::self().groups; }

template <int kGroups>
void wait_copies() {
  auto& copies = host::self().copies;
  const auto landed = [](const host::Copy& copy) {
    const bool now = copy.group < host::self().groups - kGroups;
    if (now) memcpy(copy.to, copy.bytes, copy.size);
    return now;
  };
  copies.erase(std::remove_if(copies.begin(), copies.end(), landed), copies.end());
}

struct Chip {
  int processors = 4, shared = 160 << 10;
};
inline Chip pretended;

// For the tests: what the launchers find, and the order in which threads take their turns.
extern "C" __attribute__((used)) inline void pretend(int processors, int shared, bool backwards) {
  pretended = {processors, shared};
  host::backwards = backwards;
}

inline cudaError_t current_chip(Chip& chip) { return chip = pretended, 0; }

template <class... Parameters>
cudaError_t launch(void (*kernel)(Parameters...), int64_t blocks, int threads, size_t shared, void*,
                   Parameters... arguments) {
  return host::run([=] { kernel(arguments...); }, blocks, threads, shared);
}

}  // namespace vdeblur
