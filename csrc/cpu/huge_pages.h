// Memory that is about to be written from end to end.
#pragma once
#include "ops.h"

namespace vdeblur {

// Asks for pages of 2 MiB where `bytes` are so many that the allocator may have taken them fresh from the system: to be
// given them 4 KiB at a time can take longer than the op. Does nothing for less, nothing for more than 128 MiB, and
// nothing but on Linux. (More: where the host of a virtual machine takes back what was freed, large pages have to be
// fetched from it again, small ones mostly not: 236 MiB took 35 to 400 ms and 75 to 105.)
void prefer_huge_pages(void* start, int64_t bytes);

// The same for what an op writes, which is dense, in whichever order.
inline void prefer_huge_pages(const Frames& y) {
  prefer_huge_pages(y.data, y.batch * y.frames * y.channels * y.pixels() * size_of(y.type));
}

}  // namespace vdeblur
