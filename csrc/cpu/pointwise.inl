// Some pixels of a 1x1 convolution in float32, picture by picture: outputs along the register.

#include "runs.inl"
#include "products.inl"

template <class T>
VDEBLUR_INLINE void put(T* to, V v, int64_t count) {
  count == kWidth ? store(to, v) : store_some(to, v, count);
}
#include "pointwise_piece.inl"

inline const float* widened(const Frames&, const float* from, int64_t, float*) { return from; }
inline const float* widened(const Frames& x, const uint16_t* from, int64_t count, float* room) {
  for (int64_t p = 0; p < count; ++p, from += x.pixel_stride)
    for (int64_t c = 0; c < x.channels; ++c) room[p * x.channels + c] = widen(from[c]);
  return room;
}

template <class T>
void convolve_piece(const Piece& piece, float* products) {
  const PointwisePlan& k = piece.k;
  float* const room = products + k.products();
  for (int64_t p = 0; p < piece.count; ++p) std::copy_n(k.bias, k.columns, products + p * k.columns);
  const float* weights = k.weights;
  for (const Frames* x = k.op.inputs; x < k.op.inputs + k.op.count; weights += x->channels * k.columns, ++x) {
    const float* const pixels = widened(*x, piece.in<const T>(*x, 0), piece.count, room);
    const int64_t step = std::is_same_v<T, float> ? x->pixel_stride : x->channels;
    multiply(pixels, step, piece.count, x->channels, weights, k.columns, products, true);
  }
  for (int64_t p = 0; p < piece.count; ++p)
    piece.store_outputs<T>(p, 0, k.op.y.channels, products + p * k.columns);
}

void convolve_pixels(const PointwisePlan& k, int64_t task, float* scratch) {
  const Piece piece(k, task);
  k.op.y.type == Type::float32 ? convolve_piece<float>(piece, scratch) : convolve_piece<uint16_t>(piece, scratch);
}
