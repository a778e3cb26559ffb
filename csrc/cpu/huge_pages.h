// Memory that is about to be written from end to end.
#pragma once
#include <cstdint>

namespace vdeblur {

// Asks for pages of 2 MiB where `bytes` are so many that the allocator may have taken them fresh from the system: to be
// given them 4 KiB at a time can take longer than the op. Does nothing for less, and nothing but on Linux.
void prefer_huge_pages(void* start, int64_t bytes);

}  // namespace vdeblur
