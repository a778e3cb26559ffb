// How the work of attention_mix is cut, shared by its driver and its kernels.
#pragma once
#include "ops.h"

namespace vdeblur {

constexpr int kMixRun = 32;      // pixels taken at once, a cache line of bfloat16
constexpr int kMixChunk = 4096;  // pixels of one image, computed by one thread

// Floats of a thread's scratch: mixtures, one run of conversions, outer shares, shares of a group.
constexpr int64_t mix_scratch(const AttentionMix& op) {
  return kMixRun * (op.mixed.channels + 1 + op.groups + op.estimates.frames);
}

}  // namespace vdeblur
