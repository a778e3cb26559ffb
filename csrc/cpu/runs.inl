// Runs: neighbouring pixels of one channel. For kernels that look at one pixel at a time. Included by the .inl files
// that use it.

VDEBLUR_INLINE int64_t channel_at(const Frames& f, int64_t b, int64_t t, int64_t c) {
  return b * f.batch_stride + t * f.frame_stride + c * f.channel_stride;
}
template <class T>
VDEBLUR_INLINE T* element(const Frames& f, int64_t offset) {
  return static_cast<T*>(f.data) + offset;
}

// Calls run(first pixel, how many) for pieces of first ... end of at most `most` pixels, none with a row's end within
// unless the rows join.
template <class Run>
VDEBLUR_INLINE void for_each_piece(bool joined, int64_t width, int64_t first, int64_t end, int64_t most, Run run) {
  while (first < end) {
    int64_t n = std::min(most, end - first);
    if (!joined) n = std::min(n, width - first % width);
    run(first, n);
    first += n;
  }
}

// A register of bfloat16.
#if VDEBLUR_WIDTH == 16
VDEBLUR_INLINE V load(const uint16_t* p) {
  const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}
VDEBLUR_INLINE void store(uint16_t* p, V v) {
#if defined(VDEBLUR_ON_HOST)
  store8(p, _mm512_castps512_ps256(v));
  store8(p + 8, _mm512_extractf32x8_ps(v, 1));
#else
  const __m512i bits = _mm512_castps_si512(v), odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i nearest_even = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
  const __m512i whole = _mm512_mask_mov_epi32(nearest_even, nan, _mm512_set1_epi32(0x7fc00000));
  const __m256i half = _mm512_cvtepi32_epi16(_mm512_srli_epi32(whole, 16));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), half);
#endif
}
#elif VDEBLUR_WIDTH == 8
VDEBLUR_INLINE V load(const uint16_t* p) { return load8(p); }
VDEBLUR_INLINE void store(uint16_t* p, V v) { store8(p, v); }
#else
VDEBLUR_INLINE V load(const uint16_t* p) { return V{widen(p[0]), widen(p[1]), widen(p[2]), widen(p[3])}; }
VDEBLUR_INLINE void store(uint16_t* p, V v) {
  for (int i = 0; i < 4; ++i) narrow(v[i], p + i);
}
#endif

// The first n < kWidth lanes of a register; the others are 0, and are not written.
template <class T>
VDEBLUR_INLINE V load_some(const T* p, int64_t n) {
  T lanes[kWidth] = {};
  std::memcpy(lanes, p, n * sizeof(T));
  return load(lanes);
}
template <class T>
VDEBLUR_INLINE void store_some(T* p, V v, int64_t n) {
  T lanes[kWidth];
  store(lanes, v);
  std::memcpy(p, lanes, n * sizeof(T));
}

// n numbers, `stride` apart, to and from float32 side by side. The n after them are asked for meanwhile.
template <class T>
void widen_run(const T* from, int64_t stride, int64_t n, float* to) {
  int64_t i = 0;
  for (; stride == 1 && i + kWidth <= n; i += kWidth) {
    __builtin_prefetch(from + n + i);
    store(to + i, load(from + i));
  }
  for (; i < n; ++i) to[i] = widen(from[i * stride]);
}
template <class T>
void narrow_run(const float* from, int64_t n, T* to, int64_t stride) {
  int64_t i = 0;
  for (; stride == 1 && i + kWidth <= n; i += kWidth) store(to + i, load(from + i));
  for (; i < n; ++i) narrow(from[i], to + i * stride);
}
inline void read_run(const Frames& f, int64_t offset, int64_t n, float* to) {
  if (f.type == Type::float32)
    widen_run(element<float>(f, offset), f.pixel_stride, n, to);
  else
    widen_run(element<uint16_t>(f, offset), f.pixel_stride, n, to);
}
inline void write_run(const Frames& f, int64_t offset, int64_t n, const float* from) {
  if (f.type == Type::float32)
    narrow_run(from, n, element<float>(f, offset), f.pixel_stride);
  else
    narrow_run(from, n, element<uint16_t>(f, offset), f.pixel_stride);
}
