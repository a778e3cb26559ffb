// Memory that is about to be written from end to end.
#pragma once
#include "ops.h"

namespace vdeblur {

// Asks for pages of 2 MiB for what an op writes, which is dense, in whichever order, where it is so large that the
// allocator may have taken it fresh from the system: to be given it 4 KiB at a time can take longer than the op. Does
// nothing for less, nothing for more than 128 MiB, and nothing but on Linux. (More: on a virtual machine 236 MiB took 35
// to 400 ms in large pages, 75 to 105 in small ones.)
void prefer_huge_pages(const Frames& y);

}  // namespace vdeblur
