// The AVX-512 instructions that csrc/cpu uses, each as two AVX2 ones, so that the AVX-512 bodies run, much slower, on
// processors without them. Included before everything else; VDEBLUR_ON_HOST keeps the compiler from using real ones.
#pragma once
#include <immintrin.h>

#include <cstdint>
#include <cstring>

#pragma GCC push_options
#pragma GCC target("avx2,fma")
namespace on_host {

typedef float Floats __attribute__((vector_size(64)));
typedef int32_t Ints __attribute__((vector_size(64)));
#define ON_HOST inline __attribute__((always_inline))

template <class To, class From>
ON_HOST To cast(const From& from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}
ON_HOST __m256 half(const Floats& v, int i) {
  __m256 h;
  std::memcpy(&h, reinterpret_cast<const char*>(&v) + 32 * i, sizeof h);
  return h;
}
template <class Half>
ON_HOST Floats join(const Half& low, const Half& high) {
  static_assert(sizeof(Half) == 32);
  Floats v;
  std::memcpy(&v, &low, 32);
  std::memcpy(reinterpret_cast<char*>(&v) + 32, &high, 32);
  return v;
}

ON_HOST Floats loadu(const void* p) {
  Floats v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
ON_HOST void storeu(void* p, const Floats& v) { std::memcpy(p, &v, sizeof v); }
// The instruction stops a program that gives it an unaligned address, and so does this.
ON_HOST void stream(void* p, const Floats& v) {
  if (reinterpret_cast<uintptr_t>(p) % 64) __builtin_trap();
  storeu(p, v);
}
ON_HOST Floats set1(float x) { return join(_mm256_set1_ps(x), _mm256_set1_ps(x)); }
ON_HOST Ints set1_int(int x) { return cast<Ints>(join(_mm256_set1_epi32(x), _mm256_set1_epi32(x))); }
ON_HOST Floats fmadd(const Floats& a, const Floats& b, const Floats& c) {
  return join(_mm256_fmadd_ps(half(a, 0), half(b, 0), half(c, 0)), _mm256_fmadd_ps(half(a, 1), half(b, 1), half(c, 1)));
}
ON_HOST Floats max(const Floats& a, const Floats& b) {
  return join(_mm256_max_ps(half(a, 0), half(b, 0)), _mm256_max_ps(half(a, 1), half(b, 1)));
}
ON_HOST Floats min(const Floats& a, const Floats& b) {
  return join(_mm256_min_ps(half(a, 0), half(b, 0)), _mm256_min_ps(half(a, 1), half(b, 1)));
}
template <int how>
ON_HOST uint16_t compare(const Floats& a, const Floats& b) {
  const int low = _mm256_movemask_ps(_mm256_cmp_ps(half(a, 0), half(b, 0), how));
  return uint16_t(low | _mm256_movemask_ps(_mm256_cmp_ps(half(a, 1), half(b, 1), how)) << 8);
}
ON_HOST Ints blend(uint16_t second, Ints a, const Ints& b) {
  for (int i = 0; i < 16; ++i)
    if (second >> i & 1) a[i] = b[i];
  return a;
}
ON_HOST Floats round(const Floats& x) {
  constexpr int nearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  return join(_mm256_round_ps(half(x, 0), nearest), _mm256_round_ps(half(x, 1), nearest));
}
ON_HOST Ints to_int(const Floats& x) {
  return cast<Ints>(join(_mm256_cvtps_epi32(half(x, 0)), _mm256_cvtps_epi32(half(x, 1))));
}
ON_HOST Ints widen(__m256i x) {
  return cast<Ints>(
      join(_mm256_cvtepu16_epi32(_mm256_castsi256_si128(x)), _mm256_cvtepu16_epi32(_mm256_extracti128_si256(x, 1))));
}
// The odd 16 bits of a and then of b, which is all that csrc/cpu permutes; and bits of b in place of the odd ones of a.
ON_HOST Ints odd_words(const Ints& a, const Ints& b) {
  uint16_t from[64], to[32];
  storeu(from, cast<Floats>(a));
  storeu(from + 32, cast<Floats>(b));
  for (int i = 0; i < 32; ++i) to[i] = from[2 * i + 1];
  return cast<Ints>(loadu(to));
}
ON_HOST Ints blend_odd_words(const Ints& a, const Ints& b) { return (a & 0xffff) | (b & ~0xffff); }
ON_HOST Ints shift_right(const Ints& a, int n) {
  typedef uint32_t Unsigned __attribute__((vector_size(64)));
  return cast<Ints>(cast<Unsigned>(a) >> uint32_t(n));
}

}  // namespace on_host
#pragma GCC pop_options

#define __m512 on_host::Floats
#define __m512i on_host::Ints
#define _mm512_loadu_ps(p) on_host::loadu(p)
#define _mm512_storeu_ps(p, v) on_host::storeu(p, v)
#define _mm512_stream_ps(p, v) on_host::stream(p, v)
#define _mm512_set1_ps(x) on_host::set1(x)
#define _mm512_set1_epi32(x) on_host::set1_int(x)
#define _mm512_fmadd_ps(a, b, c) on_host::fmadd(a, b, c)
#define _mm512_max_ps(a, b) on_host::max(a, b)
#define _mm512_min_ps(a, b) on_host::min(a, b)
#undef _mm512_cmp_ps_mask
#define _mm512_cmp_ps_mask(a, b, how) on_host::compare<how>(a, b)
#define _mm512_mask_blend_epi32(second, a, b) on_host::blend(second, a, b)
#undef _mm512_roundscale_ps
#define _mm512_roundscale_ps(x, how) on_host::round(x)
#define _mm512_cvtps_epi32(x) on_host::to_int(x)
#define _mm512_cvtepu16_epi32(x) on_host::widen(x)
#define _mm512_add_epi32(a, b) ((a) + (b))
#undef _mm512_slli_epi32
#define _mm512_slli_epi32(a, n) ((a) << (n))
#define _mm512_castsi512_ps(x) on_host::cast<on_host::Floats>(x)
#define _mm512_castps_si512(x) on_host::cast<on_host::Ints>(x)
#define _mm512_castps512_ps256(x) on_host::half(x, 0)
#undef _mm512_extractf32x8_ps
#define _mm512_extractf32x8_ps(x, i) on_host::half(x, i)
#define _mm512_rcp14_ps(x) (on_host::set1(1.0f) / (x))
#define _mm512_and_epi32(a, b) ((a) & (b))
#undef _mm512_srli_epi32
#define _mm512_srli_epi32(a, n) on_host::shift_right(a, n)
#define _mm512_set_epi16(...) 0
#define _mm512_permutex2var_epi16(a, odd, b) on_host::odd_words(a, b)
#define _mm512_mask_blend_epi16(odd, a, b) on_host::blend_odd_words(a, b)
