// 3x3 convolutions of bfloat16 by dot products, by Winograd's F(2x2, 3x3): a tile of 2x2 results depends on 4x4 pixels, and
// needs 16 products of frequencies where the definition has 36. What pixels become are sums and differences of four of
// them, rounded to bfloat16 again. Included by residual_dense_block_bf16.inl.

// 32 channels, the even ones in one register and the odd ones in another; `store_slab` leaves them in that order.
struct Channels {
  V even, odd;
};
VDEBLUR_INLINE Channels operator+(const Channels& a, const Channels& b) { return {a.even + b.even, a.odd + b.odd}; }
VDEBLUR_INLINE Channels operator-(const Channels& a, const Channels& b) { return {a.even - b.even, a.odd - b.odd}; }
VDEBLUR_INLINE Channels load_slab(const Half* p) {
#if defined(VDEBLUR_ON_HOST)
  float even[kWidth], odd[kWidth];
  for (int i = 0; i < kWidth; ++i) even[i] = widen(p[2 * i]), odd[i] = widen(p[2 * i + 1]);
  return {load(even), load(odd)};
#else
  const __m512i both = _mm512_loadu_si512(p);
  return {_mm512_castsi512_ps(_mm512_slli_epi32(both, 16)),
          _mm512_castsi512_ps(_mm512_and_si512(both, _mm512_set1_epi32(int32_t(0xffff0000))))};
#endif
}
VDEBLUR_INLINE void store_slab(Half* p, const Channels& v) {
#if defined(VDEBLUR_ON_HOST)
  store(p, v.even);
  store(p + kWidth, v.odd);
#else
  const __m512bh both = _mm512_cvtne2ps_pbh(v.odd, v.even);
  std::memcpy(p, &both, sizeof both);
#endif
}

// Frequency i of four numbers in a line.
template <int i, class T>
VDEBLUR_INLINE T frequency(const T& a, const T& b, const T& c, const T& d) {
  return i == 0 ? a - c : i == 1 ? b + c : i == 2 ? c - b : b - d;
}

// Row i of the frequencies of tiles side by side, for one slab. rows: of pixels, from the one left of the first tile on.
template <int i>
VDEBLUR_INLINE void transform_line(const Half* const (&rows)[kPatchRows], Half* to, int64_t step) {
  const Half* const a = rows[i == 0 ? 0 : i == 2 ? 2 : 1];
  const Half* const b = rows[i == 3 ? 3 : i == 2 ? 1 : 2];
  const auto column = [&](int64_t j) {
    const Channels x = load_slab(a + j * kDepth), y = load_slab(b + j * kDepth);
    return i == 1 ? x + y : x - y;
  };
  Channels first = column(0), second = column(1);
  for (int64_t t = 0; t < kGroup; ++t, to += kDepth) {
    const Channels third = column(2 * t + 2), fourth = column(2 * t + 3);
    store_slab(to, frequency<0>(first, second, third, fourth));
    store_slab(to + step, frequency<1>(first, second, third, fourth));
    store_slab(to + 2 * step, frequency<2>(first, second, third, fourth));
    store_slab(to + 3 * step, frequency<3>(first, second, third, fourth));
    first = third;
    second = fourth;
  }
}

// The frequencies of a group of tiles: (frequency, slab, tile, channels of the slab).
inline void transform_group(const Half* const (&rows)[kPatchRows], int64_t slab, int64_t slabs, Half* to) {
  const int64_t step = spectrum_size(slabs);
  for (int64_t s = 0; s < slabs; ++s, to += kGroup * kDepth) {
    const Half* const here[] = {rows[0] + s * slab, rows[1] + s * slab, rows[2] + s * slab, rows[3] + s * slab};
    transform_line<0>(here, to, step);
    transform_line<1>(here, to + 4 * step, step);
    transform_line<2>(here, to + 8 * step, step);
    transform_line<3>(here, to + 12 * step, step);
  }
}

// Frequencies times weights -> products (frequency, tile, kColumns), of the first N outputs.
template <int N>
void multiply_group(const Half* spectra, int64_t inputs, const float* packed, float* products) {
  static constexpr float kZeros[kColumns] = {};
  const int64_t step = spectrum_size(divide_up(inputs, kDepth));
  const Half* weights = reinterpret_cast<const Half*>(packed + kColumns);
  for (int f = 0; f < kDotFrequencies; ++f, spectra += step) {
    Dots<N> dots[kGroup];
#pragma GCC unroll 16
    for (Dots<N>& d : dots) d.begin(f == kBiasFrequency ? packed : kZeros);
    const Half* pixels = spectra;
    for (int64_t c = 0; c < inputs; c += kDepth, pixels += kGroup * kDepth, weights += kTileSize) {
      const int64_t half = std::min(kDepth, inputs - c) / 2;  // as many are even as odd
      for (int64_t begin = 0; begin < kDepth; begin += kDepth / 2)
        for (int64_t pair = begin; pair < begin + half; pair += 2) {
          const auto w = Dots<N>::weights(weights + pair * kColumns);
#pragma GCC unroll 16
          for (int t = 0; t < kGroup; ++t) dots[t].add(w, pixels + t * kDepth + pair);
        }
    }
#pragma GCC unroll 16
    for (int t = 0; t < kGroup; ++t, products += kColumns) dots[t].finish(products);
  }
}

// Products -> results (2 rows, pixels, kColumns).
inline void inverse_group(const float* products, float* results) {
  constexpr int64_t frequency = kGroup * kColumns, row = 2 * kGroup * kColumns;
  for (int64_t t = 0; t < kGroup; ++t, products += kColumns, results += 2 * kColumns) {
    V upper[kPatchRows], lower[kPatchRows];
#pragma GCC unroll 4
    for (int j = 0; j < kPatchRows; ++j) {
      const V second = load(products + (4 + j) * frequency), third = load(products + (8 + j) * frequency);
      upper[j] = load(products + j * frequency) + second + third;
      lower[j] = second - third - load(products + (12 + j) * frequency);
    }
    store(results, upper[0] + upper[1] + upper[2]);
    store(results + kColumns, upper[1] - upper[2] - upper[3]);
    store(results + row, lower[0] + lower[1] + lower[2]);
    store(results + row + kColumns, lower[1] - lower[2] - lower[3]);
  }
}
