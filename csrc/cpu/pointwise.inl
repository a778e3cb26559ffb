// Some pixels of a 1x1 convolution in float32: outputs along the register.

#include "runs.inl"

template <class T>
VDEBLUR_INLINE void put(T* to, V v, int64_t count) {
  count == kWidth ? store(to, v) : store_some(to, v, count);
}
#include "pointwise_piece.inl"

// All pictures' pixels of a piece as float32 (picture, kPointwisePixels, channels), where they are not so already.
template <class T>
void widen_pixels(const Piece& piece, float* room) {
  const Convolution& op = piece.k.op;
  for (const Frames* x = op.inputs; x < op.inputs + op.count; room += kPointwisePixels * x->channels, ++x)
    for (int64_t p = 0; p < piece.count; ++p) {
      const T* const from = piece.in<const T>(*x, p);
      for (int64_t c = 0; c < x->channels; ++c) room[p * x->channels + c] = widen(from[c]);
    }
}

constexpr int64_t kLongest = 96;  // products in one chain of sums: what adds up shorter ones rounds less

// R pixels and NV registers of outputs from `begin` on: the sums over all pictures stay in registers, but for once a
// chain, and the weights stream from the second cache.
template <class T, int R, int NV>
void convolve_some(const Piece& piece, const float* room, int64_t first, int64_t begin, int64_t end) {
  const PointwisePlan& k = piece.k;
  constexpr bool kLies = std::is_same_v<T, float>;
  float sums[R][NV * kWidth];
  for (float(&row)[NV * kWidth] : sums) std::copy_n(k.bias + begin, NV * kWidth, row);
  V acc[R][NV] = {};
  const auto add_up = [&] {
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) {
        store(sums[i] + v * kWidth, load(sums[i] + v * kWidth) + acc[i][v]);
        acc[i][v] = broadcast(0.0f);
      }
  };
  const float* weights = k.weights + begin;
  int64_t chain = 0;
  for (const Frames* x = k.op.inputs; x < k.op.inputs + k.op.count; ++x) {
    const int64_t step = kLies ? x->pixel_stride : x->channels;
    const float* const pixels = kLies ? piece.in<const float>(*x, first) : room + first * step;
    if (kLies && R > 1 && begin == 0) ask_for_next<T>(*x, pixels, R);
    for (int64_t c = 0, now; c < x->channels; c += now, chain += now, weights += now * k.columns) {
      now = std::min(x->channels - c, kLongest);
      if (chain + now > kLongest) add_up(), chain = 0;
      outer<R, NV>(acc, pixels + c, step, 1, weights, k.columns, now);
    }
    room += kPointwisePixels * x->channels;
  }
  add_up();
  for (int i = 0; i < R; ++i) piece.store_outputs<T>(first + i, begin, end, sums[i]);
}

template <class T, int R, int NV>
void convolve_columns(const Piece& piece, const float* room, int64_t begin, int64_t end) {
  int64_t p = 0;
  for (; p + R <= piece.count; p += R) convolve_some<T, R, NV>(piece, room, p, begin, end);
  for (; p < piece.count; ++p) convolve_some<T, 1, NV>(piece, room, p, begin, end);
}

// As many pixels and registers of outputs as there are registers for, outputs in equal shares.
template <class T>
void convolve_piece(const Piece& piece, float* room) {
  constexpr int kMost = kRegisters / 8;
  if (!std::is_same_v<T, float>) widen_pixels<T>(piece, room);
  const int64_t outputs = piece.k.op.y.channels;
  for (int64_t begin = 0, end; begin < outputs; begin = end) {
    const int64_t left = divide_up(outputs - begin, kWidth), now = divide_up(left, divide_up(left, kMost));
    end = std::min(begin + now * kWidth, outputs);
    const auto convolve = now == kMost       ? convolve_columns<T, 6, kMost>
                          : now == kMost - 1 ? convolve_columns<T, 8, kMost - 1>
                          : now == 2         ? convolve_columns<T, 8, 2>
                                             : convolve_columns<T, 8, 1>;
    convolve(piece, room, begin, end);
  }
}

void convolve_pixels(const PointwisePlan& k, int64_t task, float* room) {
  const Piece piece(k, task);
  k.op.y.type == Type::float32 ? convolve_piece<float>(piece, room) : convolve_piece<uint16_t>(piece, room);
}
