// One chunk of a channel: w = min(1, |tanh(similarity)| + beta), w * current + (1 - w) * previous.
//
// Per number three are read and one is written, in between twenty operations.
#include "runs.inl"
#include "registers.inl"
#include "activation.inl"

// |tanh z| as the ratio of two polynomials, of numbers that were and will be T: to 4e-7, or for bfloat16, whose neighbours
// are 4e-3 apart, 0 to 2e-4 too much, so that it reaches 1. A NaN stays one.
template <class T>
VDEBLUR_INLINE V abs_tanh(V z) {
  constexpr bool kShort = std::is_same_v<T, uint16_t>;
  const V x = min(broadcast(kShort ? 5.5f : 7.90531110763549805f), max(z, broadcast(0.0f) - z)), square = x * x;
  if constexpr (kShort) {
    V p = broadcast(-2.8456873e-6f), q = broadcast(1.5633298e-2f);
    for (const float c : {1.0549400e-3f, 1.1028168e-1f, 1.0000954f}) p = fma(p, square, broadcast(c));
    for (const float c : {4.4355452e-1f, 1.0f}) q = fma(q, square, broadcast(c));
    return divide_roughly(x * p, q);
  }
  V p = broadcast(-2.76076847742355e-16f);
  for (const float c : {2.00018790482477e-13f, -8.60467152213735e-11f, 5.12229709037114e-08f, 1.48572235717979e-05f,
                        6.37261928875436e-04f, 4.89352455891786e-03f})
    p = fma(p, square, broadcast(c));
  V q = broadcast(1.19825839466702e-06f);
  for (const float c : {1.18534705686654e-04f, 2.26843463243900e-03f, 4.89352518554385e-03f})
    q = fma(q, square, broadcast(c));
  return divide(x * p, q);
}

template <class T>
VDEBLUR_INLINE V blended(V z, V current, V previous, V beta) {
  const V one = broadcast(1.0f), w = min(one, abs_tanh<T>(z) + beta);
  return fma(w, current, (one - w) * previous);
}

template <class T>
void blend_run(const T* z, const T* x, const T* p, T* y, int64_t n, V beta) {
  constexpr int kEach = Registers<T>::N, kStep = kEach * kWidth;
  int64_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    Registers<T> similarity, current, previous, blend;
    similarity.load_from(z + i), current.load_from(x + i), previous.load_from(p + i);
    for (int k = 0; k < kEach; ++k) blend.v[k] = blended<T>(similarity.v[k], current.v[k], previous.v[k], beta);
    blend.store_to(y + i);
  }
  for (int64_t some; (some = std::min<int64_t>(n - i, kWidth)) > 0; i += some)
    store_some(y + i, blended<T>(load_some(z + i, some), load_some(x + i, some), load_some(p + i, some), beta), some);
}

template <class T>
void blend_chunk_of(const TemporalBlend& op, int64_t plane, int64_t first, float* scratch) {
  const Frames &z = op.similarity, &x = op.current, &p = op.previous, &y = op.blended;
  const int64_t b = plane / z.channels, c = plane % z.channels;
  const bool joined = z.rows_join() && x.rows_join() && p.rows_join() && y.rows_join();
  const bool together = z.pixel_stride == 1 && x.pixel_stride == 1 && p.pixel_stride == 1 && y.pixel_stride == 1;
  const int64_t end = std::min(first + kBlendChunk, z.pixels());
  const V beta = broadcast(std::clamp(*op.beta, 0.0f, 1.0f));
  for_each_piece(joined, z.width, first, end, kBlendRun, [&](int64_t at, int64_t n) {
    const auto offset = [&](const Frames& f) { return channel_at(f, b, 0, c) + pixel_at(f, at); };
    if (together) {
      blend_run(element<const T>(z, offset(z)), element<const T>(x, offset(x)), element<const T>(p, offset(p)),
                element<T>(y, offset(y)), n, beta);
      return;
    }
    float* const xs = scratch + kBlendRun;
    float* const ps = xs + kBlendRun;
    read_run(z, offset(z), n, scratch);
    read_run(x, offset(x), n, xs);
    read_run(p, offset(p), n, ps);
    blend_run<float>(scratch, xs, ps, scratch, n, beta);
    write_run(y, offset(y), n, scratch);
  });
}

void blend_chunk(const TemporalBlend& op, int64_t plane, int64_t first, float* scratch) {
  if (op.blended.type == Type::float32)
    blend_chunk_of<float>(op, plane, first, scratch);
  else
    blend_chunk_of<uint16_t>(op, plane, first, scratch);
}
