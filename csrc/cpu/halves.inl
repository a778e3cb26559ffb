// bfloat16 as they are stored, on processors that convert to them. After runs.inl; included by the .inl files that use it.

using Half = uint16_t;

// N sums, 16 or 8, of products of bfloat16: one pair of inputs times a pair of weights for each.
#if defined(VDEBLUR_ON_HOST)
template <int N>
struct Dots {
  typedef const Half* Weights;
  float sums[N];
  static Weights weights(const Half* from) { return from; }
  void begin(const float* from) { std::memcpy(sums, from, sizeof sums); }
  void add(Weights w, const Half* pair) {
    for (int i = 0; i < 2 * N; ++i) sums[i / 2] += widen(w[i]) * widen(pair[i % 2]);
  }
  void finish(float* to) const { std::memcpy(to, sums, sizeof sums); }
};
#else
VDEBLUR_INLINE int32_t bits_of(const Half* pair) {
  int32_t bits;
  std::memcpy(&bits, pair, sizeof bits);
  return bits;
}
template <int N>
struct Dots;
template <>
struct Dots<16> {
  typedef __m512bh Weights;
  __m512 sums;
  VDEBLUR_INLINE static Weights weights(const Half* from) { return (Weights)_mm512_loadu_si512(from); }
  VDEBLUR_INLINE void begin(const float* from) { sums = _mm512_loadu_ps(from); }
  VDEBLUR_INLINE void add(Weights w, const Half* pair) {
    sums = _mm512_dpbf16_ps(sums, w, (Weights)_mm512_set1_epi32(bits_of(pair)));
  }
  VDEBLUR_INLINE void finish(float* to) const { _mm512_storeu_ps(to, sums); }
};
template <>
struct Dots<8> {  // half the time where a processor halves its widest registers
  typedef __m256bh Weights;
  __m256 sums;
  VDEBLUR_INLINE static Weights weights(const Half* from) {
    return (Weights)_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  VDEBLUR_INLINE void begin(const float* from) { sums = _mm256_loadu_ps(from); }
  VDEBLUR_INLINE void add(Weights w, const Half* pair) {
    sums = _mm256_dpbf16_ps(sums, w, (Weights)_mm256_set1_epi32(bits_of(pair)));
  }
  VDEBLUR_INLINE void finish(float* to) const { _mm256_storeu_ps(to, sums); }
};
#endif

// A register as the 16 bfloat16 nearest to it.
VDEBLUR_INLINE void store_half(Half* to, V v) {
#if defined(VDEBLUR_ON_HOST)
  store(to, v);
#else
  const __m256bh half = _mm512_cvtneps_pbh(v);
  std::memcpy(to, &half, sizeof half);
#endif
}
// Two registers side by side.
VDEBLUR_INLINE void store_two(Half* to, V a, V b) {
#if defined(VDEBLUR_ON_HOST)
  store(to, a);
  store(to + kWidth, b);
#else
  const __m512bh halves = _mm512_cvtne2ps_pbh(b, a);
  std::memcpy(to, &halves, sizeof halves);
#endif
}
// The first `count` of them.
VDEBLUR_INLINE void store_halves(Half* to, V v, int64_t count) {
  if (count == kWidth) return store_half(to, v);
#if defined(VDEBLUR_ON_HOST)
  Half all[kWidth];
  store(all, v);
  std::memcpy(to, all, sizeof(Half) * count);
#else
  const __m256bh half = _mm512_cvtneps_pbh(v);
  __m256i bits;
  std::memcpy(&bits, &half, sizeof bits);
  _mm256_mask_storeu_epi16(to, __mmask16((1u << count) - 1), bits);
#endif
}

// The first `count` of 16 numbers; the others are 0.
VDEBLUR_INLINE V load_halves(const Half* from, int64_t count) {
#if defined(VDEBLUR_ON_HOST)
  return load_some(from, count);
#else
  const __m256i half = _mm256_maskz_loadu_epi16(__mmask16((1u << count) - 1), from);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
#endif
}
// The same of each of two places in one register, up to 8.
VDEBLUR_INLINE V load_halves(const Half* a, const Half* b, int64_t count) {
#if defined(VDEBLUR_ON_HOST)
  Half all[kWidth] = {};
  std::memcpy(all, a, sizeof(Half) * count);
  std::memcpy(all + 8, b, sizeof(Half) * count);
  return load(all);
#else
  const __mmask8 some = __mmask8((1u << count) - 1);
  const __m256i half = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_maskz_loadu_epi16(some, a)),
                                               _mm_maskz_loadu_epi16(some, b), 1);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
#endif
}

// Eight floats of each of two places in one register, and the first `count` of each half to two places.
VDEBLUR_INLINE V load_eights(const float* a, const float* b) {
#if defined(VDEBLUR_ON_HOST)
  V v;
  std::memcpy(&v, a, 32);
  std::memcpy(reinterpret_cast<char*>(&v) + 32, b, 32);
  return v;
#else
  return _mm512_insertf32x8(_mm512_castps256_ps512(load8(a)), load8(b), 1);
#endif
}
VDEBLUR_INLINE void store_eights(Half* a, Half* b, V v, int64_t count) {
#if defined(VDEBLUR_ON_HOST)
  Half all[kWidth];
  store(all, v);
  std::memcpy(a, all, sizeof(Half) * count);
  std::memcpy(b, all + 8, sizeof(Half) * count);
#else
  const __m256bh half = _mm512_cvtneps_pbh(v);
  __m256i bits;
  std::memcpy(&bits, &half, sizeof bits);
  const __mmask8 some = __mmask8((1u << count) - 1);
  _mm_mask_storeu_epi16(a, some, _mm256_castsi256_si128(bits));
  _mm_mask_storeu_epi16(b, some, _mm256_extracti128_si256(bits, 1));
#endif
}

// Numbers 0 ... split - 1 to one place, split ... count - 1 to another.
VDEBLUR_INLINE void store_in_two(Half* to, Half* next, V v, int64_t split, int64_t count) {
  store_halves(to, v, split);
#if defined(VDEBLUR_ON_HOST)
  Half all[kWidth];
  store(all, v);
  std::memcpy(next, all + split, sizeof(Half) * (count - split));
#else
  const __m256bh half = _mm512_cvtneps_pbh(v);
  __m256i bits;
  std::memcpy(&bits, &half, sizeof bits);
  _mm256_mask_storeu_epi16(next - split, __mmask16((1u << count) - (1u << split)), bits);
#endif
}

// A call of memcpy takes longer than the few numbers of a pixel.
VDEBLUR_INLINE void copy_halves(const Half* from, int64_t count, Half* to) {
#if defined(VDEBLUR_ON_HOST)
  std::memcpy(to, from, sizeof(Half) * count);
#else
  int64_t i = 0;
  for (; i + 32 <= count; i += 32) _mm512_storeu_si512(to + i, _mm512_loadu_si512(from + i));
  const __mmask32 rest = __mmask32((uint64_t(1) << (count - i)) - 1);
  if (rest) _mm512_mask_storeu_epi16(to + i, rest, _mm512_maskz_loadu_epi16(rest, from + i));
#endif
}
