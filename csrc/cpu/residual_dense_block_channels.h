// residual_dense_block with channels along the register, for float32 and, where there is no AMX, bfloat16.
#pragma once
#include "ops.h"

namespace vdeblur::channels {

// Floats that `pack` writes.
int64_t packed_size(const DenseSizes& sizes);
// parameters: weight and bias of every layer, then of the fusion.
void pack(const DenseSizes& sizes, const float* const* parameters, float* packed);

int64_t workspace(const ResidualDenseBlock& op);
void run(const ResidualDenseBlock& op, const float* packed);

}  // namespace vdeblur::channels
