// Eight tiles' worth of a row of pixels to its four columns, and back.

#if VDEBLUR_WIDTH >= 8
// (4, 8) pixels, or the other way round: exchanges what a tile's column and a register are.
VDEBLUR_INLINE void transpose_in_halves(__m256 (&r)[4]) {
  const __m256 a = _mm256_unpacklo_ps(r[0], r[1]), b = _mm256_unpackhi_ps(r[0], r[1]);
  const __m256 c = _mm256_unpacklo_ps(r[2], r[3]), d = _mm256_unpackhi_ps(r[2], r[3]);
  r[0] = _mm256_shuffle_ps(a, c, 0x44);
  r[1] = _mm256_shuffle_ps(a, c, 0xee);
  r[2] = _mm256_shuffle_ps(b, d, 0x44);
  r[3] = _mm256_shuffle_ps(b, d, 0xee);
}
#endif

template <class T>
VDEBLUR_INLINE void split_columns(const T* from, float* c0, float* c1, float* c2, float* c3) {
#if VDEBLUR_WIDTH >= 8
  const __m256 a = load8(from), b = load8(from + 8), c = load8(from + 16), d = load8(from + 24);
  __m256 r[4] = {_mm256_permute2f128_ps(a, c, 0x20), _mm256_permute2f128_ps(a, c, 0x31),
                 _mm256_permute2f128_ps(b, d, 0x20), _mm256_permute2f128_ps(b, d, 0x31)};
  transpose_in_halves(r);
  store8(c0, r[0]);
  store8(c1, r[1]);
  store8(c2, r[2]);
  store8(c3, r[3]);
#else
  for (int t = 0; t < 8; ++t, from += 4) {
    c0[t] = widen(from[0]);
    c1[t] = widen(from[1]);
    c2[t] = widen(from[2]);
    c3[t] = widen(from[3]);
  }
#endif
}

template <class T>
VDEBLUR_INLINE void join_columns(const float* c0, const float* c1, const float* c2, const float* c3, T* to) {
#if VDEBLUR_WIDTH >= 8
  __m256 r[4] = {load8(c0), load8(c1), load8(c2), load8(c3)};
  transpose_in_halves(r);
  store8(to, _mm256_permute2f128_ps(r[0], r[1], 0x20));
  store8(to + 8, _mm256_permute2f128_ps(r[2], r[3], 0x20));
  store8(to + 16, _mm256_permute2f128_ps(r[0], r[1], 0x31));
  store8(to + 24, _mm256_permute2f128_ps(r[2], r[3], 0x31));
#else
  for (int t = 0; t < 8; ++t, to += 4) {
    narrow(c0[t], to);
    narrow(c1[t], to + 1);
    narrow(c2[t], to + 2);
    narrow(c3[t], to + 3);
  }
#endif
}
