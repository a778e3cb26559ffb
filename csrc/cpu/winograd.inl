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

// products (R tiles, NV registers of outputs) (+)= spectra (tiles, `row` apart; inputs) x weights (inputs, outputs). Where
// there is one register of outputs, its sums are two each, of every other input, so that none waits for the one before.
template <int R, int NV>
void multiply_rows(const float* spectra, int64_t row, int64_t inputs, const float* weights, int64_t step, bool add,
                   float* products) {
  V acc[R][NV];
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) acc[i][v] = broadcast(0.0f);
  if constexpr (NV == 1) {
    V odd[R][NV];
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) odd[i][v] = broadcast(0.0f);
    for (; inputs > 1; inputs -= 2, spectra += 2, weights += 2 * step) {
      outer<R, NV>(acc, spectra, row, 1, weights, step, 1);
      outer<R, NV>(odd, spectra + 1, row, 1, weights + step, step, 1);
    }
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) acc[i][v] = acc[i][v] + odd[i][v];
  }
  outer<R, NV>(acc, spectra, row, 1, weights, step, inputs);
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) {
      float* const to = products + i * step + v * kWidth;
      store(to, add ? load(to) + acc[i][v] : acc[i][v]);
    }
}

// All tiles of one frequency, R at a time, then fewer. Run by run of inputs: a sum that adds up short runs rounds less
// than one long chain, and their weights stay in the first cache.
template <int R, int NV>
void multiply_all(const float* spectra, int64_t row, int64_t tiles, int64_t inputs, const float* weights, int64_t step,
                  float* products) {
  constexpr int64_t kLongest = NV == 1 ? 2 * kRun : kRun;
  const int64_t runs = divide_up(inputs, kLongest);
  for (int64_t n = 0; n < runs; ++n) {
    const int64_t c = n * inputs / runs, run = (n + 1) * inputs / runs - c;
    int64_t t = 0;
    const auto rows = [&](auto number) {
      for (; t + number <= tiles; t += number)
        multiply_rows<number, NV>(spectra + t * row + c, row, run, weights + c * step, step, n, products + t * step);
    };
    rows(std::integral_constant<int, R>());
    rows(std::integral_constant<int, 4>());
    rows(std::integral_constant<int, 2>());
    rows(std::integral_constant<int, 1>());
  }
}

// As many rows as registers can hold: those of the results in three quarters of them.
inline void multiply(const float* spectra, int64_t row, int64_t tiles, int64_t inputs, const float* weights,
                     int64_t step, float* products) {
  constexpr int kMost = kRegisters / 8;  // registers of outputs
  for (int64_t o = 0; o < step;) {
    const int64_t left = (step - o) / kWidth;
    const int64_t now = left >= kMost ? kMost : left;
    const float* const w = weights + o;
    float* const p = products + o;
    if (now >= 4) multiply_all<6, kMost>(spectra, row, tiles, inputs, w, step, p);
    else if (now == 3) multiply_all<6, 3>(spectra, row, tiles, inputs, w, step, p);
    else if (now == 2) multiply_all<6, 2>(spectra, row, tiles, inputs, w, step, p);
    else multiply_all<8, 1>(spectra, row, tiles, inputs, w, step, p);
    o += now * kWidth;
  }
}
