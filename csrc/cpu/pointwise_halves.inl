// Some pixels of a 1x1 convolution of bfloat16, by dot products of pairs of channels.

#include "runs.inl"
#include "halves.inl"

VDEBLUR_INLINE void put(Half* to, V v, int64_t count) { store_halves(to, v, count); }
#include "pointwise_piece.inl"

// R pixels, NV registers of outputs from `begin` on, with kHalf half a one more: the sums over all pictures stay in
// registers, and the weights stream from the second cache.
template <int R, int NV, bool kHalf>
void convolve_some(const Piece& piece, int64_t first, int64_t begin, int64_t end) {
  const PointwisePlan& k = piece.k;
  Dots<16> whole[R][NV + 1];
  Dots<8> half[R];
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) whole[i][v].begin(k.bias + begin + v * kWidth);
    if (kHalf) half[i].begin(k.bias + begin + NV * kWidth);
  }
  const Half* weights = k.halves + 2 * begin;
  for (const Frames* x = k.op.inputs; x < k.op.inputs + k.op.count; ++x) {
    const Half* pixels = piece.in<const Half>(*x, first);
    if (R > 1 && begin == 0) ask_for_next<Half>(*x, pixels, R);
    for (int64_t c = 0; c < x->channels; c += 2, pixels += 2, weights += 2 * k.columns) {
      Dots<16>::Weights w[NV + 1];
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) w[v] = Dots<16>::weights(weights + 2 * v * kWidth);
      const auto last = Dots<8>::weights(weights + 2 * NV * kWidth * kHalf);
#pragma GCC unroll 8
      for (int i = 0; i < R; ++i) {
        const Half* const pair = pixels + i * x->pixel_stride;
#pragma GCC unroll 4
        for (int v = 0; v < NV; ++v) whole[i][v].add(w[v], pair);
        if (kHalf) half[i].add(last, pair);
      }
    }
  }
  float sums[(NV + kHalf) * kWidth];
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) whole[i][v].finish(sums + v * kWidth);
    if (kHalf) half[i].finish(sums + NV * kWidth);
    piece.store_outputs<Half>(first + i, begin, end, sums);
  }
}

template <int R, int NV, bool kHalf>
void convolve_columns(const Piece& piece, int64_t begin, int64_t end) {
  int64_t p = 0;
  for (; p + R <= piece.count; p += R) convolve_some<R, NV, kHalf>(piece, p, begin, end);
  for (; p < piece.count; ++p) convolve_some<1, NV, kHalf>(piece, p, begin, end);
}

// As many pixels and registers of outputs as there are registers for, outputs in equal shares.
void convolve_pixels(const PointwisePlan& k, int64_t task, float*) {
  typedef void (*Columns)(const Piece&, int64_t, int64_t);
  static constexpr Columns kWhole[] = {nullptr, convolve_columns<8, 1, false>, convolve_columns<8, 2, false>,
                                       convolve_columns<8, 3, false>, convolve_columns<6, 4, false>};
  static constexpr Columns kAndHalf[] = {convolve_columns<8, 0, true>, convolve_columns<8, 1, true>,
                                         convolve_columns<8, 2, true>, convolve_columns<6, 3, true>};
  const Piece piece(k, task);
  for (int64_t begin = 0, end; begin < k.op.y.channels; begin = end) {
    const int64_t left = k.op.y.channels - begin, over = left % kWidth;
    const bool half = 0 < over && over <= kWidth / 2;
    const int64_t whole = left / kWidth + (over > kWidth / 2), now = divide_up(whole, divide_up(whole + half, 4));
    const bool ends = now == whole;
    end = ends ? k.op.y.channels : begin + now * kWidth;
    (half && ends ? kAndHalf : kWhole)[now](piece, begin, end);
  }
}

#include "pointwise_tiles.inl"
