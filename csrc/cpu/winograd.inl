// Winograd's method (winograd.h) on registers of tiles or of channels: the transforms before and after the products of
// the frequencies.

// d[0], d[2], ..., kTerms of them, each times its coefficient; the last one's is 1.
template <int kTerms>
VDEBLUR_INLINE V every_other(const V* d, const double* coefficients) {
  V sum = d[2 * kTerms - 2];
#pragma GCC unroll 4
  for (int k = kTerms - 2; k >= 0; --k) sum = fma(broadcast(float(coefficients[k])), d[2 * k], sum);
  return sum;
}

// Pixels in a line to frequencies.
template <int P>
VDEBLUR_INLINE void forward_line(const V (&d)[P], V (&out)[P]) {
  constexpr int kPairs = P / 2 - 1;
  static constexpr auto c = coefficients<P>();
  out[0] = every_other<kPairs + 1>(d, c.of[kPairs]);
#pragma GCC unroll 4
  for (int i = 0; i < kPairs; ++i) {
    const V even = every_other<kPairs>(d + 2, c.of[i]), odd = every_other<kPairs>(d + 1, c.of[i]);
    const float point = float(Points<P>::at[i]);
    out[2 * i + 1] = fma(broadcast(point), odd, even);
    out[2 * i + 2] = fma(broadcast(-point), odd, even);
  }
  out[P - 1] = every_other<kPairs + 1>(d + 1, c.of[kPairs]);
}

constexpr float power(double x, int n) {
  double y = 1;
  for (; n > 0; --n) y *= x;
  return float(y);
}

// Frequencies to the results in a line, fewer of a longer kernel.
template <int P, int kResults>
VDEBLUR_INLINE void inverse_line(const V (&d)[P], V (&out)[kResults]) {
  constexpr int kPairs = P / 2 - 1;
  constexpr auto& at = Points<P>::at;
  V sums[kPairs], differences[kPairs];
#pragma GCC unroll 4
  for (int i = 0; i < kPairs; ++i) {
    sums[i] = d[2 * i + 1] + d[2 * i + 2];
    differences[i] = d[2 * i + 1] - d[2 * i + 2];
  }
  V first = sums[kPairs - 1];
#pragma GCC unroll 4
  for (int i = kPairs - 2; i >= 0; --i) first = sums[i] + first;
  out[0] = d[0] + first;
#pragma GCC unroll 8
  for (int k = 1; k < kResults; ++k) {
    const V(&parts)[kPairs] = k % 2 ? differences : sums;
    const V factor = broadcast(power(at[kPairs - 1], k)), part = parts[kPairs - 1];
    V sum = k == kResults - 1 ? fma(factor, part, d[P - 1]) : factor * part;
#pragma GCC unroll 4
    for (int i = kPairs - 2; i >= 0; --i) sum = fma(broadcast(power(at[i], k)), parts[i], sum);
    out[k] = sum;
  }
}

// rows[i]: row i of a patch; columns: where in it each pixel is; to: frequency after frequency. With kSome only `count`
// numbers of each are read. The loops stay loops: unrolled, their addresses would fill the registers.
template <bool kSome = false, int P, class T>
VDEBLUR_INLINE void forward_tiles(const T* const (&rows)[P], const int64_t (&columns)[P], float* to, int64_t frequency,
                                  int64_t count = kWidth) {
  V half[P][P];
#pragma GCC unroll 1
  for (int j = 0; j < P; ++j) {
    V d[P];
#pragma GCC unroll 8
    for (int i = 0; i < P; ++i) d[i] = kSome ? load_some(rows[i] + columns[j], count) : load(rows[i] + columns[j]);
    forward_line(d, half[j]);
  }
#pragma GCC unroll 1
  for (int i = 0; i < P; ++i) {
    V d[P], out[P];
#pragma GCC unroll 8
    for (int j = 0; j < P; ++j) d[j] = half[j][i];
    forward_line(d, out);
#pragma GCC unroll 8
    for (int j = 0; j < P; ++j, to += frequency) store(to, out[j]);
  }
}

// from: frequency after frequency; results row by row.
template <int P = kPatch, int kResults>
VDEBLUR_INLINE void inverse_tiles(const float* from, int64_t frequency, V (&out)[kResults][kResults]) {
  V half[P][kResults];
#pragma GCC unroll 1
  for (int i = 0; i < P; ++i) {
    V d[P];
#pragma GCC unroll 8
    for (int j = 0; j < P; ++j, from += frequency) d[j] = load(from);
    inverse_line(d, half[i]);
  }
#pragma GCC unroll 1
  for (int j = 0; j < kResults; ++j) {
    V d[P], line[kResults];
#pragma GCC unroll 8
    for (int i = 0; i < P; ++i) d[i] = half[i][j];
    inverse_line(d, line);
#pragma GCC unroll 8
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

// As many rows as registers can hold: those of the results in three quarters of them. Of the `step` outputs that lie side
// by side the first `outputs` are wanted.
inline void multiply(const float* spectra, int64_t row, int64_t tiles, int64_t inputs, const float* weights,
                     int64_t step, int64_t outputs, float* products) {
  constexpr int kMost = kRegisters / 8;  // registers of outputs
  for (int64_t o = 0; o < outputs;) {
    const int64_t left = divide_up(outputs - o, kWidth);
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
