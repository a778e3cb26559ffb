#include "isa.h"

#include <atomic>
#include <stdexcept>

namespace vdeblur {
namespace {

Isa detect() {
#if defined(VDEBLUR_ON_HOST)
  return Isa::avx512;
#elif defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return avx2 && avx512 ? Isa::avx512 : avx2 ? Isa::avx2 : Isa::portable;
#else
  return Isa::portable;
#endif
}

const Isa best = detect();
std::atomic<Isa> current{best};

}  // namespace

Isa current_isa() { return current.load(std::memory_order_relaxed); }

const char* name_of(Isa isa) {
  return isa == Isa::avx512 ? "avx512" : isa == Isa::avx2 ? "avx2" : "portable";
}

void force_isa(const std::string& name) {
  if (name == "best") {
    current = best;
    return;
  }
  for (Isa isa : {Isa::portable, Isa::avx2, Isa::avx512}) {
    if (name != name_of(isa)) continue;
    if (isa > best) throw std::invalid_argument("this processor has no " + name + "; its best is " + name_of(best));
    current = isa;
    return;
  }
  throw std::invalid_argument("unknown instruction set '" + name + "'; use portable, avx2, avx512 or best");
}

}  // namespace vdeblur
