// convolution of 1x1: every pixel by itself, a product of matrices that takes each picture's channels where they lie.
//
// Some pixels at a time, whose sums over all pictures stay in registers. Shared by the driver and its kernels.
#pragma once
#include "ops.h"

namespace vdeblur {

constexpr int64_t kPointwiseFill = 16;   // outputs are filled up to a multiple: registers, and lines of the cache
constexpr int64_t kPointwisePixels = 48;  // at once: all numbers of rows divide it

// Where things stand in the packed parameters: the biases, filled up; the weights as (input, output), and once more as
// bfloat16 (pair of inputs, output, 2).
struct PointwisePlaces {
  ConvolutionSizes n;
  int64_t columns() const { return round_up(n.outputs, kPointwiseFill); }
  int64_t ready() const { return columns(); }
  int64_t halves() const { return ready() + n.inputs * columns(); }
  int64_t size() const { return halves() + divide_up(n.inputs, 2) * columns(); }
};

struct PointwisePlan {
  const Convolution& op;
  int64_t columns;        // of the weights
  int64_t rows, length;   // of pixels: those of the pictures, or one for each frame where in all of them rows join
  int64_t pieces;         // of a row
  const float *bias = nullptr, *weights = nullptr;
  const uint16_t* halves = nullptr;  // the weights in bfloat16
  int64_t room() const { return kPointwisePixels * op.sizes.inputs; }  // floats: the pixels of a piece
};

int64_t pointwise_packed_size(const ConvolutionSizes& sizes);
void pointwise_pack(const ConvolutionSizes& sizes, const float* weight, const float* bias, float* packed);
int64_t pointwise_workspace(const Convolution& op);
void pointwise(const Convolution& op);

}  // namespace vdeblur
