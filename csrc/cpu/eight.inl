// Eight floats, and blocks of eight pixels by eight channels with a register for each pixel, whatever the layout.
// Included by the .inl files that use it.

#if VDEBLUR_WIDTH >= 8
typedef __m256 Eight;
VDEBLUR_INLINE Eight broadcast8(float x) { return _mm256_set1_ps(x); }
VDEBLUR_INLINE Eight fma8(Eight a, Eight b, Eight c) { return _mm256_fmadd_ps(a, b, c); }
#else
struct Eight {
  float lane[8];
};
template <class T>
VDEBLUR_INLINE Eight load8(const T* p) {
  Eight e;
  for (int i = 0; i < 8; ++i) e.lane[i] = widen(p[i]);
  return e;
}
template <class T>
VDEBLUR_INLINE void store8(T* p, const Eight& e) {
  for (int i = 0; i < 8; ++i) narrow(e.lane[i], p + i);
}
VDEBLUR_INLINE Eight broadcast8(float x) { return {{x, x, x, x, x, x, x, x}}; }
VDEBLUR_INLINE Eight fma8(const Eight& a, const Eight& b, Eight c) {
  for (int i = 0; i < 8; ++i) c.lane[i] += a.lane[i] * b.lane[i];
  return c;
}
VDEBLUR_INLINE void transpose8(Eight (&e)[8]) {
  for (int i = 0; i < 8; ++i)
    for (int j = 0; j < i; ++j) std::swap(e[i].lane[j], e[j].lane[i]);
}
#endif

template <class T>
VDEBLUR_INLINE void load_block(const T* from, int64_t channel_stride, int64_t pixel_stride, int channels, int pixels,
                               Eight (&block)[8]) {
  if (channels < 8 || pixels < 8 || (channel_stride != 1 && pixel_stride != 1)) {
    float room[8][8] = {};
    for (int i = 0; i < pixels; ++i)
      for (int c = 0; c < channels; ++c) room[i][c] = widen(from[i * pixel_stride + c * channel_stride]);
    for (int i = 0; i < 8; ++i) block[i] = load8(room[i]);
  } else if (pixel_stride == 1) {
    for (int c = 0; c < 8; ++c) block[c] = load8(from + c * channel_stride);
    transpose8(block);
  } else {
    for (int i = 0; i < 8; ++i) block[i] = load8(from + i * pixel_stride);
  }
}

template <class T>
VDEBLUR_INLINE void store_block(Eight (&block)[8], T* to, int64_t channel_stride, int64_t pixel_stride, int channels,
                                int pixels) {
  if (channels < 8 || pixels < 8 || (channel_stride != 1 && pixel_stride != 1)) {
    float room[8][8];
    for (int i = 0; i < 8; ++i) store8(room[i], block[i]);
    for (int i = 0; i < pixels; ++i)
      for (int c = 0; c < channels; ++c) narrow(room[i][c], to + i * pixel_stride + c * channel_stride);
  } else if (pixel_stride == 1) {
    transpose8(block);
    for (int c = 0; c < 8; ++c) store8(to + c * channel_stride, block[c]);
  } else {
    for (int i = 0; i < 8; ++i) store8(to + i * pixel_stride, block[i]);
  }
}
