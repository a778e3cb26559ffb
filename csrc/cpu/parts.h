// How the operands of products by parts (parts.inl) are laid out, shared by drivers and kernels.
#pragma once
#include "amx.h"
#include "ops.h"

namespace vdeblur::amx {

constexpr int kParts = 3;  // bfloat16 whose sum a float32 is
// Pixels taken at once: four tiles side by side; and four times two of them.
constexpr int64_t kSqueezePixels = 4 * kColumns;
constexpr int64_t kDistributePixels = 8 * kColumns;

// Floats of a matrix (rows, columns) as left operands: (rows / 16, columns / 32, kParts, 16, 32) bfloat16, an even number
// of tiles below each other.
constexpr int64_t operand_size(int64_t rows, int64_t columns) {
  return round_up(rows, 2 * kRows) / kRows * divide_up(columns, kDepth) * kParts * kTileSize / 2;
}
// Floats of a number for each row, all over a row of a tile: what results begin with.
constexpr int64_t start_size(int64_t rows) { return round_up(rows, 2 * kRows) * kColumns; }

}  // namespace vdeblur::amx
