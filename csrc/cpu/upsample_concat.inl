// One row of the result: between two rows of the small picture, and beside it the row of the other one.
//
// What lies between the two rows is kept in a line of floats, so that a number costs two operations and a half; the
// result is written from one end to the other.

// to[i] = what lies between a[i] and b[i], `share` of the way.
template <class From, class To>
VDEBLUR_INLINE void between(const From* __restrict a, const From* __restrict b, float share, int64_t n,
                            To* __restrict to) {
  for (int64_t i = 0; i < n; ++i) narrow((1.0f - share) * widen(a[i]) + share * widen(b[i]), to + i);
}

// A call of memcpy takes longer than the few numbers of a pixel.
template <class T>
VDEBLUR_INLINE void copy_pixel(const T* from, int64_t n, T* to) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) std::memcpy(to + i, from + i, 8 * sizeof(T));
  for (; i < n; ++i) to[i] = from[i];
}

template <class T>
void upsample_concat_row_of(const UpsampleConcat& op, const Between* columns, int64_t b, int64_t row, float* line) {
  const Frames &x = op.x, &skip = op.skip, &y = op.y;
  const int64_t n = x.channels;
  const Between rows = between_which(row, x.height, op.align_corners);
  const T* const frame = static_cast<const T*>(x.data) + b * x.batch_stride;
  const int64_t run = x.pixel_stride == n ? x.width * n : n;  // numbers that lie side by side
  for (int64_t i = 0; i < x.width * n / run; ++i) {
    const T* const from = frame + i * x.pixel_stride;
    between(from + rows.first * x.row_stride, from + rows.second * x.row_stride, rows.share, run, line + i * run);
  }
  const T* beside = static_cast<const T*>(skip.data) + b * skip.batch_stride + row * skip.row_stride;
  T* to = static_cast<T*>(y.data) + b * y.batch_stride + row * y.row_stride;
  const int64_t own = op.skip_first ? skip.channels : 0, others = op.skip_first ? 0 : n;
  for (int64_t i = 0; i < y.width; ++i, to += y.pixel_stride, beside += skip.pixel_stride) {
    between(line + columns[i].first * n, line + columns[i].second * n, columns[i].share, n, to + own);
    copy_pixel(beside, skip.channels, to + others);
  }
}

inline void upsample_concat_row(const UpsampleConcat& op, const Between* columns, int64_t b, int64_t row, float* line) {
  if (op.x.type == Type::float32)
    upsample_concat_row_of<float>(op, columns, b, row, line);
  else
    upsample_concat_row_of<uint16_t>(op, columns, b, row, line);
}
