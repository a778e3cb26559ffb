// What the numerators of a softmax are made with. Included by the .inl files that use it.

// e^x to 2 ulp for x of at most 0: 0 below -88, NaN for NaN (the order of max's operands keeps it). Two thirds of the
// work of exp.
VDEBLUR_INLINE V exp_of_negative(V x) {
  const V magic = broadcast(12582912.0f);  // 1.5 * 2^23: what is added to it is rounded to an integer
  x = max(broadcast(-88.0f), x);
  const V n = fma(x, broadcast(1.44269504f), magic) - magic;
  const V r = fma(n, broadcast(-0.693147181f), x);
  V p = broadcast(8.312501429e-3f);
  p = fma(p, r, broadcast(4.189033179e-2f));
  p = fma(p, r, broadcast(1.666711539e-1f));
  p = fma(p, r, broadcast(4.999923031e-1f));
  p = fma(p, r, broadcast(1.0f));
  p = fma(p, r, broadcast(1.0f));
  return p * power_of_two(n);
}

inline float largest(V v) {
  float lanes[kWidth];
  store(lanes, v);
  return *std::max_element(lanes, lanes + kWidth);
}
