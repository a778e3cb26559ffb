// Winograd's method (winograd.h) on registers of tiles or of channels: the transforms before and after the products of
// the frequencies.

constexpr float kA1 = float(kA), kB1 = float(kB), kA2 = kA1 * kA1, kB2 = kB1 * kB1, kA3 = kA1 * kA2, kB3 = kB1 * kB2;

// Six pixels in a line to six frequencies.
VDEBLUR_INLINE void forward_line(V d0, V d1, V d2, V d3, V d4, V d5, V* out) {
  const V even_a = fma(broadcast(-kB2), d2, d4), odd_a = fma(broadcast(-kB2), d1, d3);
  const V even_b = fma(broadcast(-kA2), d2, d4), odd_b = fma(broadcast(-kA2), d1, d3);
  out[0] = fma(broadcast(kA2 * kB2), d0, fma(broadcast(-kA2 - kB2), d2, d4));
  out[1] = fma(broadcast(kA1), odd_a, even_a);
  out[2] = fma(broadcast(-kA1), odd_a, even_a);
  out[3] = fma(broadcast(kB1), odd_b, even_b);
  out[4] = fma(broadcast(-kB1), odd_b, even_b);
  out[5] = fma(broadcast(kA2 * kB2), d1, fma(broadcast(-kA2 - kB2), d3, d5));
}

// Six frequencies to the results in a line: four, or two of a longer kernel.
template <int kResults>
VDEBLUR_INLINE void inverse_line(V d0, V d1, V d2, V d3, V d4, V d5, V* out) {
  const V sum_a = d1 + d2, difference_a = d1 - d2, sum_b = d3 + d4, difference_b = d3 - d4;
  out[0] = d0 + (sum_a + sum_b);
  const V odd = kResults == 2 ? fma(broadcast(kB1), difference_b, d5) : broadcast(kB1) * difference_b;
  out[1] = fma(broadcast(kA1), difference_a, odd);
  if constexpr (kResults == 4) {
    out[2] = fma(broadcast(kA2), sum_a, broadcast(kB2) * sum_b);
    out[3] = fma(broadcast(kA3), difference_a, fma(broadcast(kB3), difference_b, d5));
  }
}

// rows[i]: row i of a patch; columns: where in it each pixel is; to: frequency after frequency. With kSome only `count`
// numbers of each are read. The loops stay loops: unrolled, their addresses would fill the registers.
template <bool kSome = false, class T>
VDEBLUR_INLINE void forward_tiles(const T* const (&rows)[kPatch], const int64_t (&columns)[kPatch], float* to,
                                  int64_t frequency, int64_t count = kWidth) {
  const auto pixel = [&](int i, int64_t at) { return kSome ? load_some(rows[i] + at, count) : load(rows[i] + at); };
  V half[kPatch][kPatch];
#pragma GCC unroll 1
  for (int j = 0; j < kPatch; ++j) {
    const int64_t at = columns[j];
    forward_line(pixel(0, at), pixel(1, at), pixel(2, at), pixel(3, at), pixel(4, at), pixel(5, at), half[j]);
  }
#pragma GCC unroll 1
  for (int i = 0; i < kPatch; ++i) {
    V out[kPatch];
    forward_line(half[0][i], half[1][i], half[2][i], half[3][i], half[4][i], half[5][i], out);
#pragma GCC unroll 6
    for (int j = 0; j < kPatch; ++j, to += frequency) store(to, out[j]);
  }
}

// from: frequency after frequency; results row by row.
template <int kResults>
VDEBLUR_INLINE void inverse_tiles(const float* from, int64_t frequency, V (&out)[kResults][kResults]) {
  V half[kPatch][kResults];
#pragma GCC unroll 1
  for (int i = 0; i < kPatch; ++i) {
    V d[kPatch];
#pragma GCC unroll 6
    for (int j = 0; j < kPatch; ++j, from += frequency) d[j] = load(from);
    inverse_line<kResults>(d[0], d[1], d[2], d[3], d[4], d[5], half[i]);
  }
#pragma GCC unroll 1
  for (int j = 0; j < kResults; ++j) {
    V line[kResults];
    inverse_line<kResults>(half[0][j], half[1][j], half[2][j], half[3][j], half[4][j], half[5][j], line);
#pragma GCC unroll 4
    for (int i = 0; i < kResults; ++i) out[i][j] = line[i];
  }
}
