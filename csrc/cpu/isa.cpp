#include "isa.h"

#include <atomic>
#include <stdexcept>

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace vdeblur {
namespace {

// AMX's tiles for bfloat16, with AVX-512's conversions to it. A process must ask the system for the tiles.
[[maybe_unused]] bool has_amx() {
#if defined(__x86_64__) && defined(__linux__)
  constexpr unsigned bf16_tiles = 1 << 22, tiles = 1 << 24, avx512_bf16 = 1 << 5;
  constexpr long request = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  unsigned a, b, c, d, a1, unused;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && __get_cpuid_count(7, 1, &a1, &unused, &unused, &unused) &&
         d & bf16_tiles && d & tiles && a1 & avx512_bf16 && !syscall(SYS_arch_prctl, request, tile_data);
#else
  return false;
#endif
}

Isa detect() {
#if defined(VDEBLUR_ON_HOST)
  return Isa::amx;
#elif defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx2 && avx512) return has_amx() ? Isa::amx : Isa::avx512;
  return avx2 ? Isa::avx2 : Isa::portable;
#else
  return Isa::portable;
#endif
}

const Isa best = detect();
std::atomic<Isa> current{best};

}  // namespace

Isa current_isa() { return current.load(std::memory_order_relaxed); }

Isa best_isa() { return best; }

const char* name_of(Isa isa) {
  switch (isa) {
    case Isa::amx:
      return "amx";
    case Isa::avx512:
      return "avx512";
    case Isa::avx2:
      return "avx2";
    default:
      return "portable";
  }
}

void force_isa(const std::string& name) {
  if (name == "best") {
    current = best;
    return;
  }
  for (Isa isa : {Isa::portable, Isa::avx2, Isa::avx512, Isa::amx}) {
    if (name != name_of(isa)) continue;
    if (isa > best) throw std::invalid_argument("this processor has no " + name + "; its best is " + name_of(best));
    current = isa;
    return;
  }
  throw std::invalid_argument("unknown instruction set '" + name + "'; use portable, avx2, avx512, amx or best");
}

}  // namespace vdeblur
