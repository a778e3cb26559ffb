// How the work of temporal_blend is cut, shared by its driver and its kernels.
#pragma once
#include "ops.h"

namespace vdeblur {

constexpr int kBlendRun = 512;     // pixels between conversions, where there are any
constexpr int kBlendChunk = 8192;  // pixels of one channel, computed by one thread

}  // namespace vdeblur
