// Pieces of rows of pixels. Included by the kernels of 1x1 convolutions, which say how the first `count` numbers of a
// register are stored: put(to, v, count).

// Asks for the pixels after the next `count`, as many, where they lie close: of too many pictures for the processor to
// foresee.
template <class T>
VDEBLUR_INLINE void ask_for_next(const Frames& x, const void* pixels, int64_t count) {
  const int64_t bytes = x.pixel_stride == x.channels ? count * x.channels * int64_t(sizeof(T)) : 0;
  for (int64_t at = 0; at < bytes; at += 64) __builtin_prefetch(static_cast<const char*>(pixels) + bytes + at);
}

struct Piece {
  const PointwisePlan& k;
  int64_t batch, row, first, count;
  Piece(const PointwisePlan& plan, int64_t task)
      : k(plan),
        batch(task / (k.rows * k.pieces)),
        row(task / k.pieces % k.rows),
        first(task % k.pieces * kPointwisePixels),
        count(std::min(kPointwisePixels, k.length - first)) {}

  // Pixel p of the piece.
  template <class T>
  VDEBLUR_INLINE T* in(const Frames& f, int64_t p) const {
    return frame_of<T>(f, batch, 0) + row * f.row_stride + (first + p) * f.pixel_stride;
  }

  // Stores outputs `begin` ... `end` of pixel p.
  template <class T>
  VDEBLUR_INLINE void store_outputs(int64_t p, int64_t begin, int64_t end, const float* sums) const {
    const V least = broadcast(k.op.activation == Activation::relu ? 0.0f : -INFINITY);
    T* const to = in<T>(k.op.y, p);
    const T* const other = k.op.other.data ? in<const T>(k.op.other, p) : nullptr;
    for (int64_t o = begin; o < end; o += kWidth, sums += kWidth) {
      const int64_t some = std::min<int64_t>(kWidth, end - o);
      V sum = load(sums);
      if (other) sum = sum + (some == kWidth ? load(other + o) : load_some(other + o, some));
      put(to + o, max(least, sum), some);
    }
  }
};
