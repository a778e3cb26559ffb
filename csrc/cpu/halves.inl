// bfloat16 as they are stored, on processors that convert to them. After runs.inl; included by the .inl files that use it.

using Half = uint16_t;

// A register as the 16 bfloat16 nearest to it.
VDEBLUR_INLINE void store_half(Half* to, V v) {
#if defined(VDEBLUR_ON_HOST)
  store(to, v);
#else
  const __m256bh half = _mm512_cvtneps_pbh(v);
  std::memcpy(to, &half, sizeof half);
#endif
}
