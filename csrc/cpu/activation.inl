// Activations in registers.

// a / b to an ulp or two, for b that is neither 0 nor infinite. The division itself takes longer than all of GELU's other
// steps where registers are widest.
VDEBLUR_INLINE V divide(V a, V b) {
#if VDEBLUR_WIDTH == 16
  const V guess = _mm512_rcp14_ps(b);
  return a * fma(guess, broadcast(1.0f) - b * guess, guess);
#else
  return a / b;
#endif
}
// The same to 6e-5.
VDEBLUR_INLINE V divide_roughly(V a, V b) {
#if VDEBLUR_WIDTH == 16
  return a * _mm512_rcp14_ps(b);
#else
  return a / b;
#endif
}

// x * Phi(x), exact GELU: Phi(x) = 1/2 + x * P(x^2) / Q(x^2) for |x| < 5.5, beyond which Phi is 0 or 1 in float32; the
// clamp makes it so. P and Q are fitted to 2.2e-8 of the result; float32 adds 1e-7 of x. NaN for NaN.
VDEBLUR_INLINE V gelu(V x) {
  const V z = max(broadcast(-5.5f), min(broadcast(5.5f), x)), u = z * z;
  V p = broadcast(2.2221655e-8f);
  p = fma(p, u, broadcast(6.5140953e-6f));
  p = fma(p, u, broadcast(1.8193983e-4f));
  p = fma(p, u, broadcast(4.7563161e-3f));
  p = fma(p, u, broadcast(3.5062326e-2f));
  p = fma(p, u, broadcast(3.9894205e-1f));
  V q = broadcast(1.1942811e-6f);
  q = fma(q, u, broadcast(7.8254664e-5f));
  q = fma(q, u, broadcast(1.9575161e-3f));
  q = fma(q, u, broadcast(2.9351639e-2f));
  q = fma(q, u, broadcast(2.5455222e-1f));
  q = fma(q, u, broadcast(1.0f));
  const V phi = fma(z, divide(p, q), broadcast(0.5f));
  return x * max(broadcast(0.0f), min(broadcast(1.0f), phi));
}

VDEBLUR_INLINE V relu(V x) { return max(broadcast(0.0f), x); }
