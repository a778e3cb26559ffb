#include "huge_pages.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace vdeblur {

#if defined(__linux__)
void prefer_huge_pages(const Frames& y) {
  constexpr int64_t kLarge = int64_t(8) << 20, kHuge = int64_t(128) << 20;
  constexpr uintptr_t kPage = uintptr_t(2) << 20;
  const int64_t bytes = y.batch * y.frames * y.channels * y.pixels() * size_of(y.type);
  if (bytes < kLarge || bytes > kHuge) return;
  const uintptr_t start = reinterpret_cast<uintptr_t>(y.data);
  const uintptr_t first = (start + kPage - 1) / kPage * kPage, end = (start + bytes) / kPage * kPage;
  madvise(reinterpret_cast<void*>(first), end - first, MADV_HUGEPAGE);  // a wish: refusal changes nothing
}
#else
void prefer_huge_pages(const Frames&) {}
#endif

}  // namespace vdeblur
