// Products of matrices, outputs along the register: those of the frequencies of Winograd's method, and 1x1 convolutions,
// whose pixels are the tiles and the spectra.

constexpr int64_t kRun = 32;  // products added up in one go

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
                  bool add, float* products) {
  constexpr int64_t kLongest = NV == 1 ? 2 * kRun : kRun;
  const int64_t runs = divide_up(inputs, kLongest);
  for (int64_t n = 0; n < runs; ++n) {
    const int64_t c = n * inputs / runs, run = (n + 1) * inputs / runs - c;
    int64_t t = 0;
    const auto rows = [&](auto number) {
      for (; t + number <= tiles; t += number)
        multiply_rows<number, NV>(spectra + t * row + c, row, run, weights + c * step, step, add || n,
                                  products + t * step);
    };
    rows(std::integral_constant<int, R>());
    rows(std::integral_constant<int, 4>());
    rows(std::integral_constant<int, 2>());
    rows(std::integral_constant<int, 1>());
  }
}

// As many rows as registers can hold: those of the results in three quarters of them. With `add` the products are added to
// what is there.
inline void multiply(const float* spectra, int64_t row, int64_t tiles, int64_t inputs, const float* weights,
                     int64_t step, float* products, bool add = false) {
  constexpr int kMost = kRegisters / 8;  // registers of outputs
  for (int64_t o = 0; o < step;) {
    const int64_t left = (step - o) / kWidth;
    const int64_t now = left >= kMost ? kMost : left;
    const float* const w = weights + o;
    float* const p = products + o;
    if (now >= 4) multiply_all<6, kMost>(spectra, row, tiles, inputs, w, step, add, p);
    else if (now == 3) multiply_all<6, 3>(spectra, row, tiles, inputs, w, step, add, p);
    else if (now == 2) multiply_all<6, 2>(spectra, row, tiles, inputs, w, step, add, p);
    else multiply_all<8, 1>(spectra, row, tiles, inputs, w, step, add, p);
    o += now * kWidth;
  }
}
