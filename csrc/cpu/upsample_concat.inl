// One row of the result: between two rows of the small picture, and beside it the row of the other one.
//
// A place in the large picture lies a quarter of a pixel from the nearest in the small one. What lies between the two
// rows is kept in a line of floats, so that a number costs two operations and a half; the result is written from one
// end to the other.

// to[i] = what lies a quarter of the way from near[i] to far[i].
template <class From, class To>
VDEBLUR_INLINE void between(const From* __restrict near, const From* __restrict far, int64_t n, To* __restrict to) {
  for (int64_t i = 0; i < n; ++i) narrow(0.75f * widen(near[i]) + 0.25f * widen(far[i]), to + i);
}

// A call of memcpy takes longer than the few numbers of a pixel.
template <class T>
VDEBLUR_INLINE void copy_pixel(const T* from, int64_t n, T* to) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) std::memcpy(to + i, from + i, 8 * sizeof(T));
  for (; i < n; ++i) to[i] = from[i];
}

template <class T>
void upsample_concat_row_of(const UpsampleConcat& op, int64_t b, int64_t row, float* line) {
  const Frames &x = op.x, &skip = op.skip, &y = op.y;
  const int64_t n = x.channels, near = row / 2;
  const int64_t far = std::min(std::max<int64_t>(row % 2 ? near + 1 : near - 1, 0), x.height - 1);
  const T* const frame = static_cast<const T*>(x.data) + b * x.batch_stride;
  const int64_t run = x.pixel_stride == n ? x.width * n : n;  // numbers that lie side by side
  for (int64_t i = 0; i < x.width * n / run; ++i) {
    const T* const from = frame + i * x.pixel_stride;
    between(from + near * x.row_stride, from + far * x.row_stride, run, line + i * run);
  }
  const T* beside = static_cast<const T*>(skip.data) + b * skip.batch_stride + row * skip.row_stride;
  T* to = static_cast<T*>(y.data) + b * y.batch_stride + row * y.row_stride;
  for (int64_t i = 0; i < y.width; ++i, to += y.pixel_stride, beside += skip.pixel_stride) {
    const int64_t here = i / 2, next = std::min(std::max<int64_t>(i % 2 ? here + 1 : here - 1, 0), x.width - 1);
    between(line + here * n, line + next * n, n, to);
    copy_pixel(beside, skip.channels, to + n);
  }
}

inline void upsample_concat_row(const UpsampleConcat& op, int64_t b, int64_t row, float* line) {
  if (op.x.type == Type::float32)
    upsample_concat_row_of<float>(op, b, row, line);
  else
    upsample_concat_row_of<uint16_t>(op, b, row, line);
}
