// Winograd's minimal filtering on patches of 6x6 pixels: 4x4 results of a 3x3 kernel, or 2x2 of a 5x5 one, for 36
// multiplications where 144 or 100 are usual (Lavin and Gray, CVPR 2016). Shared by drivers and kernels.
#pragma once
#include <cstdint>

namespace vdeblur {

constexpr int kPatch = 6;  // rows and columns of pixels that a tile of results depends on
constexpr int kFrequencies = kPatch * kPatch;

constexpr int64_t kRun = 32;  // products added up in one go

// Points at which the polynomials are evaluated: 0, +-a, +-b and infinity. With these the error of float32 is less than
// twice that of the direct sum; with 1 and 2, which are usual, it is eight times as large.
constexpr double kA = 0.625, kB = 1.5;

// G g G^T of a kernel of `taps` x `taps`, G of those points.
inline void transform_weights(const float* g, int taps, double (&out)[kFrequencies]) {
  const double points[] = {0, kA, -kA, kB, -kB};
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
