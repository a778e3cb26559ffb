// Winograd's minimal filtering on patches of pixels (Lavin and Gray, CVPR 2016), shared by drivers and kernels. Of 6x6: 4x4
// results of a 3x3 kernel, or 2x2 of a 5x5 one, for 36 multiplications where 144 or 100 are usual. Of 8x8: 6x6 or 4x4
// results for 64 where 324 or 400 are usual.
#pragma once
#include <cstdint>

namespace vdeblur {

constexpr int kPatch = 6;  // rows and columns of pixels that a tile of results depends on
constexpr int kFrequencies = kPatch * kPatch;
constexpr int kWidePatch = 8;  // ... where results are rounded to bfloat16

constexpr int64_t kRun = 32;  // products added up in one go

// Points at which the polynomials are evaluated: 0, some numbers with both signs, and infinity. With these the error of
// float32 with patches of 6x6, of numbers of one size, is about twice that of the direct sum at most; with 1 and 2, which
// are usual, it is eight times as large. With patches of 8x8 it is seven times as large, a thousandth of what rounding to
// bfloat16 adds.
template <int kPatch>
struct Points;
template <>
struct Points<kPatch> {
  static constexpr double at[] = {0.625, 1.5};
};
template <>
struct Points<kWidePatch> {
  static constexpr double at[] = {0.5625, 1, 1.75};
};

template <int kPairs>
struct Coefficients {
  double of[kPairs + 1][kPairs + 1];
};

// of[i][k]: what x^(2k) is multiplied by in the product of all (x^2 - a^2) but that of point i; of[kPairs]: in that of all.
template <int kPatch>
constexpr Coefficients<kPatch / 2 - 1> coefficients() {
  constexpr int kPairs = kPatch / 2 - 1;
  Coefficients<kPairs> c{};
  for (int i = 0; i <= kPairs; ++i) {
    c.of[i][0] = 1;
    for (int j = 0; j < kPairs; ++j) {
      if (j == i) continue;
      const double square = Points<kPatch>::at[j] * Points<kPatch>::at[j];
      for (int k = kPairs; k >= 0; --k) c.of[i][k] = (k ? c.of[i][k - 1] : 0) - square * c.of[i][k];
    }
  }
  return c;
}

// G g G^T of a kernel of `taps` x `taps`, G of those points.
template <int kPatch>
void transform_weights(const float* g, int taps, double (&out)[kPatch * kPatch]) {
  double points[kPatch - 1] = {0};
  for (int i = 1; i < kPatch - 1; ++i) points[i] = (i % 2 ? 1 : -1) * Points<kPatch>::at[(i - 1) / 2];
  double G[kPatch][kPatch] = {};
  G[kPatch - 1][taps - 1] = 1;
  for (int i = 0; i < kPatch - 1; ++i) {
    double scale = 1;
    for (int j = 0; j < kPatch - 1; ++j) scale *= j == i ? 1 : points[i] - points[j];
    for (int n = 0; n < taps; ++n) G[i][n] = (n ? G[i][n - 1] * points[i] : 1 / scale);
  }
  double half[kPatch][kPatch] = {};
  for (int i = 0; i < kPatch; ++i)
    for (int n = 0; n < taps; ++n)
      for (int m = 0; m < taps; ++m) half[i][n] += G[i][m] * g[m * taps + n];
  for (int i = 0; i < kPatch; ++i)
    for (int j = 0; j < kPatch; ++j) {
      double sum = 0;
      for (int n = 0; n < taps; ++n) sum += half[i][n] * G[j][n];
      out[i * kPatch + j] = sum;
    }
}

}  // namespace vdeblur
