// How the work of motion_attention is laid out, shared by its driver and its kernels.
#pragma once
#include "ops.h"

namespace vdeblur {

constexpr int kMotionRun = 1024;  // pixels whose pieces are found at once

// A channel's scale and shift depend on one number, the magnitude, through units that bend once: they are broken lines.
// Their pieces are made once for each call, so that a pixel costs two multiply-adds a channel, not two a unit.
//
// table: for each group of eight channels and each piece, scale + 1 = a * magnitude + b and shift = c * magnitude + d
// as the rows a, b, c, d of eight. The last group ends with the last channel and may overlap the one before.
struct MotionPieces {
  const MotionAttention& op;
  int64_t bends;       // units of both branches; pieces are one more
  const float* bend;   // (bends): at which magnitude each unit bends, in any order
  const float* table;  // (groups, pieces, 4, 8)
  float* scratch;      // each thread's: magnitudes and rows of the table, kMotionRun of either

  static constexpr int64_t kRow = 32;
  int64_t groups() const { return divide_up(op.x.channels, 8); }
  int64_t first_channel(int64_t group) const {
    const int64_t last = op.x.channels - 8;
    return group * 8 <= last ? group * 8 : last > 0 ? last : 0;
  }
  const float* of(int64_t group) const { return table + group * (bends + 1) * kRow; }
};

}  // namespace vdeblur
