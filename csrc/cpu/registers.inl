// Numbers in registers. After runs.inl; included by the .inl files that use it.

// Numbers of T that lie side by side, in N registers, in whatever order makes them fewest instructions: 16 or 8
// float32 in one; of bfloat16 twice as many, the even ones and the odd ones.
template <class T>
struct Registers;
template <>
struct Registers<float> {
  static constexpr int N = 1;
  V v[N];
  VDEBLUR_INLINE void load_from(const float* p) { v[0] = load(p); }
  VDEBLUR_INLINE void store_to(float* p) const { store(p, v[0]); }
};
template <>
struct Registers<uint16_t> {
  static constexpr int N = 2;
  V v[N];
#if VDEBLUR_WIDTH == 16
  VDEBLUR_INLINE void load_from(const uint16_t* p) {
    const __m512i both = _mm512_castps_si512(load(reinterpret_cast<const float*>(p)));
    v[0] = _mm512_castsi512_ps(_mm512_slli_epi32(both, 16));
    v[1] = _mm512_castsi512_ps(_mm512_and_epi32(both, _mm512_set1_epi32(~0xffff)));
  }
  VDEBLUR_INLINE void store_to(uint16_t* p) const {
    const __m512i even = _mm512_srli_epi32(nearest_even(v[0]), 16), odd = nearest_even(v[1]);
    store(reinterpret_cast<float*>(p), _mm512_castsi512_ps(_mm512_mask_blend_epi16(0xaaaaaaaa, even, odd)));
  }
  // The upper half is the bfloat16 that is nearest.
  VDEBLUR_INLINE static __m512i nearest_even(V v) {
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_epi32(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    return _mm512_mask_blend_epi32(_mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), rounded, _mm512_set1_epi32(0x7fc00000));
  }
#else
  VDEBLUR_INLINE void load_from(const uint16_t* p) {
    for (int i = 0; i < N; ++i) v[i] = load(p + i * kWidth);
  }
  VDEBLUR_INLINE void store_to(uint16_t* p) const {
    for (int i = 0; i < N; ++i) store(p + i * kWidth, v[i]);
  }
#endif
};
