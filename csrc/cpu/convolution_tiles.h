// convolution of bfloat16 where there are AMX's tiles: as it is defined, added up in float32.
#pragma once
#include "ops.h"

namespace vdeblur::amx {

int64_t packed_size(const ConvolutionSizes& sizes);
void pack(const ConvolutionSizes& sizes, const float* weight, const float* bias, float* packed);
int64_t workspace(const Convolution& op);
void run(const Convolution& op);

}  // namespace vdeblur::amx
