// How the work of attention_mix is cut, shared by its driver and its kernels.
#pragma once
#include "ops.h"

namespace vdeblur {

constexpr int64_t kMixRun = 1024;  // pixels whose shares stay in the first two caches while the estimates pass
constexpr int64_t kMixTask = 8 * kMixRun;  // pixels of one task, at most: the longer a run, the better it is foreseen

// Floats of a thread's scratch: mixtures, outer shares, shares of a group, conversions of its estimates.
constexpr int64_t mix_scratch(const AttentionMix& op) {
  return kMixRun * (op.mixed.channels + op.groups + 2 * op.estimates.frames);
}

}  // namespace vdeblur
