// One chunk of a channel: w = min(1, |tanh(similarity)| + beta), w * current + (1 - w) * previous.
//
// Per number three are read and one is written, in between twenty operations.
#include "runs.inl"

// |tanh z| to 4e-7, as the ratio of two polynomials; beyond 7.9 it is 1. A NaN stays one.
VDEBLUR_INLINE V abs_tanh(V z) {
  const V x = min(broadcast(7.90531110763549805f), max(z, broadcast(0.0f) - z)), square = x * x;
  V p = broadcast(-2.76076847742355e-16f);
  for (const float c : {2.00018790482477e-13f, -8.60467152213735e-11f, 5.12229709037114e-08f, 1.48572235717979e-05f,
                        6.37261928875436e-04f, 4.89352455891786e-03f})
    p = fma(p, square, broadcast(c));
  V q = broadcast(1.19825839466702e-06f);
  for (const float c : {1.18534705686654e-04f, 2.26843463243900e-03f, 4.89352518554385e-03f})
    q = fma(q, square, broadcast(c));
  return x * p / q;
}

VDEBLUR_INLINE V blended(V z, V current, V previous, V beta) {
  const V one = broadcast(1.0f), w = min(one, abs_tanh(z) + beta);
  return fma(w, current, (one - w) * previous);
}

template <class T>
void blend_run(const T* z, const T* x, const T* p, T* y, int64_t n, V beta) {
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) store(y + i, blended(load(z + i), load(x + i), load(p + i), beta));
  if (const int64_t rest = n - i; rest > 0)
    store_some(y + i, blended(load_some(z + i, rest), load_some(x + i, rest), load_some(p + i, rest), beta), rest);
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
