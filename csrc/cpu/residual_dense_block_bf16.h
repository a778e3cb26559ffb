// residual_dense_block for bfloat16 on processors that multiply it: by AMX's tiles the convolutions as they are defined, by
// AVX-512's dot products Winograd's F(2x2, 3x3).
#pragma once
#include "ops.h"

namespace vdeblur::amx {

// Floats that `pack` writes: for each way the weights one after the other as they are needed, and the biases.
int64_t packed_size(const DenseSizes& sizes);
// parameters: weight and bias of every layer, then of the fusion.
void pack(const DenseSizes& sizes, const float* const* parameters, float* packed);

// Whether dot products are faster than Winograd's method in float32.
bool fills_dots(const DenseSizes& sizes);

int64_t workspace(const ResidualDenseBlock& op);
void run(const ResidualDenseBlock& op, const float* packed);

}  // namespace vdeblur::amx
