// One register of floats, V, as wide as the instruction set has them, and the few things kernels do with it.
// Included by each_isa.h, once for each.

#if VDEBLUR_WIDTH == 4
constexpr int kRegisters = 16;
typedef float V __attribute__((vector_size(16)));
typedef int32_t VInt __attribute__((vector_size(16)));

VDEBLUR_INLINE V load(const float* p) { V v; std::memcpy(&v, p, sizeof v); return v; }
VDEBLUR_INLINE void store(float* p, V v) { std::memcpy(p, &v, sizeof v); }
VDEBLUR_INLINE V broadcast(float x) { return V{x, x, x, x}; }
VDEBLUR_INLINE V fma(V a, V b, V c) { return a * b + c; }
// Of a NaN and a number both return the second, as the x86 instructions do.
VDEBLUR_INLINE V max(V a, V b) { return a > b ? a : b; }
VDEBLUR_INLINE V min(V a, V b) { return a < b ? a : b; }
VDEBLUR_INLINE bool any_greater(V a, V b) {
  const VInt g = a > b;
  return (g[0] | g[1] | g[2] | g[3]) != 0;
}
// Adding and taking away 1.5 * 2^23 rounds to the nearest integer.
VDEBLUR_INLINE V round(V x) { const V magic = broadcast(12582912.0f); return (x + magic) - magic; }
VDEBLUR_INLINE V power_of_two(V n) {
  const VInt bits = (__builtin_convertvector(n, VInt) + 127) << 23;
  V v;
  std::memcpy(&v, &bits, sizeof v);
  return v;
}
#elif VDEBLUR_WIDTH == 8
constexpr int kRegisters = 16;
typedef __m256 V;

VDEBLUR_INLINE V load(const float* p) { return _mm256_loadu_ps(p); }
VDEBLUR_INLINE void store(float* p, V v) { _mm256_storeu_ps(p, v); }
VDEBLUR_INLINE V broadcast(float x) { return _mm256_set1_ps(x); }
VDEBLUR_INLINE V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
VDEBLUR_INLINE V max(V a, V b) { return _mm256_max_ps(a, b); }
VDEBLUR_INLINE V min(V a, V b) { return _mm256_min_ps(a, b); }
VDEBLUR_INLINE bool any_greater(V a, V b) { return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GT_OQ)) != 0; }
VDEBLUR_INLINE V round(V x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
VDEBLUR_INLINE V power_of_two(V n) {
  const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
  return _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
}
#else
constexpr int kRegisters = 32;
typedef __m512 V;

VDEBLUR_INLINE V load(const float* p) { return _mm512_loadu_ps(p); }
VDEBLUR_INLINE void store(float* p, V v) { _mm512_storeu_ps(p, v); }
VDEBLUR_INLINE V broadcast(float x) { return _mm512_set1_ps(x); }
VDEBLUR_INLINE V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
VDEBLUR_INLINE V max(V a, V b) { return _mm512_max_ps(a, b); }
VDEBLUR_INLINE V min(V a, V b) { return _mm512_min_ps(a, b); }
VDEBLUR_INLINE bool any_greater(V a, V b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ) != 0; }
VDEBLUR_INLINE V round(V x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
VDEBLUR_INLINE V power_of_two(V n) {
  const __m512i exponent = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
  return _mm512_castsi512_ps(_mm512_slli_epi32(exponent, 23));
}
#endif

constexpr int kWidth = VDEBLUR_WIDTH;

// The first `count` floats of a register; the others are 0.
VDEBLUR_INLINE V load_some(const float* p, int64_t count) {
#if VDEBLUR_WIDTH == 16 && !defined(VDEBLUR_ON_HOST)
  return _mm512_maskz_loadu_ps(__mmask16((1u << count) - 1), p);
#elif VDEBLUR_WIDTH == 8
  static constexpr int32_t kLanes[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
  return _mm256_maskload_ps(p, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kLanes + 8 - count)));
#else
  float all[kWidth] = {};
  std::memcpy(all, p, sizeof(float) * count);
  return load(all);
#endif
}
VDEBLUR_INLINE void store_some(float* p, V v, int64_t count) {
#if VDEBLUR_WIDTH == 16 && !defined(VDEBLUR_ON_HOST)
  _mm512_mask_storeu_ps(p, __mmask16((1u << count) - 1), v);
#elif VDEBLUR_WIDTH == 8  // in parts, for by a mask it takes some processors forty instructions
  if (count == kWidth) return store(p, v);
  __m128 part = _mm256_castps256_ps128(v);
  if (count & 4) {
    _mm_storeu_ps(p, part);
    part = _mm256_extractf128_ps(v, 1);
    p += 4;
  }
  if (count & 2) {
    _mm_storel_pi(reinterpret_cast<__m64*>(p), part);
    part = _mm_movehl_ps(part, part);
    p += 2;
  }
  if (count & 1) _mm_store_ss(p, part);
#else
  float all[kWidth];
  store(all, v);
  std::memcpy(p, all, sizeof(float) * count);
#endif
}

// e^x to 2 ulp; 0 below -88 (2^-127), e^88 above 88, NaN for NaN (the order of the operands of max and min keeps it).
VDEBLUR_INLINE V exp(V x) {
  x = max(broadcast(-88.0f), min(broadcast(88.0f), x));
  const V n = round(x * broadcast(1.44269504f));
  V r = fma(n, broadcast(-0.693359375f), x);
  r = fma(n, broadcast(2.12194440e-4f), r);
  V p = broadcast(1.9875691500e-4f);
  p = fma(p, r, broadcast(1.3981999507e-3f));
  p = fma(p, r, broadcast(8.3334519073e-3f));
  p = fma(p, r, broadcast(4.1665795894e-2f));
  p = fma(p, r, broadcast(1.6666665459e-1f));
  p = fma(p, r, broadcast(5.0000001201e-1f));
  p = fma(p, r * r, r) + broadcast(1.0f);
  return p * power_of_two(n);
}

// acc[i][j] += sum over k of rows[i * row_stride + k * row_step] * vectors[k * vector_step + j * kWidth ...]
// R x NV accumulators stay in registers: per step NV loads, R broadcasts and R * NV multiply-adds.
template <int R, int NV>
VDEBLUR_INLINE void outer(V (&acc)[R][NV], const float* rows, int64_t row_stride, int64_t row_step,
                          const float* vectors, int64_t vector_step, int64_t steps) {
  for (int64_t k = 0; k < steps; ++k) {
    V b[NV];
#pragma GCC unroll 8
    for (int j = 0; j < NV; ++j) b[j] = load(vectors + j * kWidth);
#pragma GCC unroll 32
    for (int i = 0; i < R; ++i) {
      const V a = broadcast(rows[i * row_stride]);
#pragma GCC unroll 8
      for (int j = 0; j < NV; ++j) acc[i][j] = fma(a, b[j], acc[i][j]);
    }
    rows += row_step;
    vectors += vector_step;
  }
}
