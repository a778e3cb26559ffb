#include "isa.h"

#include <algorithm>
#include <atomic>
#include <stdexcept>

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace vdeblur {
namespace {

// AVX-512's products and conversions for bfloat16.
[[maybe_unused]] bool has_bf16() {
#if defined(__x86_64__)
  constexpr unsigned avx512_bf16 = 1 << 5;
  unsigned a, unused;
  return __get_cpuid_count(7, 1, &a, &unused, &unused, &unused) && a & avx512_bf16;
#else
  return false;
#endif
}

// AMX's tiles for bfloat16. A process must ask the system for them.
[[maybe_unused]] bool has_amx() {
#if defined(__x86_64__) && defined(__linux__)
  constexpr unsigned bf16_tiles = 1 << 22, tiles = 1 << 24;
  constexpr long request = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  unsigned a, b, c, d;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && d & bf16_tiles && d & tiles &&
         !syscall(SYS_arch_prctl, request, tile_data);
#else
  return false;
#endif
}

// Each has what those before it have; the first three are those of Isa.
const std::string kLevels[] = {"portable", "avx2", "avx512", "avx512_bf16", "amx"};
constexpr int kPortable = 0, kAvx2 = 1, kAvx512 = 2, kBf16 = 3, kAmx = 4;

int detect() {
#if defined(VDEBLUR_ON_HOST)
  return kAmx;
#elif defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx2 && avx512) return !has_bf16() ? kAvx512 : has_amx() ? kAmx : kBf16;
  return avx2 ? kAvx2 : kPortable;
#else
  return kPortable;
#endif
}

const int best = detect();
std::atomic<int> current{best};

}  // namespace

Isa current_isa() { return Isa(std::min(current.load(std::memory_order_relaxed), kAvx512)); }

bool has_tiles() { return current.load(std::memory_order_relaxed) == kAmx; }
bool best_has_tiles() { return best == kAmx; }
bool multiplies_bf16() { return current.load(std::memory_order_relaxed) >= kBf16; }
bool best_multiplies_bf16() { return best >= kBf16; }

std::string isa_name() { return kLevels[current]; }

void force_isa(const std::string& name) {
  if (name == "best") {
    current = best;
    return;
  }
  for (int level = kPortable; level <= kAmx; ++level) {
    if (name != kLevels[level]) continue;
    if (level > best) throw std::invalid_argument("this processor has no " + name + "; its best is " + kLevels[best]);
    current = level;
    return;
  }
  throw std::invalid_argument("unknown instruction set '" + name + "'; use portable, avx2, avx512, avx512_bf16, amx or best");
}

}  // namespace vdeblur
