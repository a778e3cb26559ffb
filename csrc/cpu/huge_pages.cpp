#include "huge_pages.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace vdeblur {

#if defined(__linux__)
void prefer_huge_pages(void* start, int64_t bytes) {
  constexpr int64_t kLarge = int64_t(8) << 20, kHuge = int64_t(128) << 20;
  constexpr uintptr_t kPage = uintptr_t(2) << 20;
  if (bytes < kLarge || bytes > kHuge) return;
  const uintptr_t first = (reinterpret_cast<uintptr_t>(start) + kPage - 1) / kPage * kPage;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(start) + bytes) / kPage * kPage;
  madvise(reinterpret_cast<void*>(first), end - first, MADV_HUGEPAGE);  // a wish: refusal changes nothing
}
#else
void prefer_huge_pages(void*, int64_t) {}
#endif

}  // namespace vdeblur
