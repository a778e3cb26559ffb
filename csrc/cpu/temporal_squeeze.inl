// One clip: softmax over its frames for every temporal map, then the frames' aggregates summed with these weights.
// A few tens of thousands of multiply-adds, whatever the size of the frames.
#include "eight.inl"

inline float dot(const float* a, const float* b, int64_t n) {
  Eight sums = broadcast8(0.0f);
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) sums = fma8(load8(a + i), load8(b + i), sums);
  float lanes[8], sum = 0.0f;
  store8(lanes, sums);
  for (float lane : lanes) sum += lane;
  for (; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

// attention (frames, temporal_maps), `stride` from frame to frame.
inline void attend(const TemporalSqueeze& op, const float* mean, float* attention, int64_t stride) {
  for (int64_t n = 0; n < op.temporal_maps; ++n) {
    float peak = -FLT_MAX, total = 0.0f;
    for (int64_t t = 0; t < op.frames; ++t) {
      const float logit = op.bias[n] + dot(op.weight + n * op.channels, mean + t * op.channels, op.channels);
      attention[t * stride + n] = logit;
      peak = std::max(peak, logit);
    }
    for (int64_t t = 0; t < op.frames; ++t) {
      attention[t * stride + n] = std::exp(attention[t * stride + n] - peak);
      total += attention[t * stride + n];
    }
    for (int64_t t = 0; t < op.frames; ++t) attention[t * stride + n] /= total;
  }
}

// Eight vectors by eight maps: to[i][n] = sum over t of aggregate[t][i] * attention[t][n]. Where fewer maps are left,
// zeros go over the first maps of the next vector: those must come after.
VDEBLUR_INLINE void mix(const TemporalSqueeze& op, const float* aggregate, const float* attention, int64_t stride,
                        float* to) {
  const int64_t vectors = op.channels * op.spatial_maps;
  Eight sums[8];
  for (Eight& sum : sums) sum = broadcast8(0.0f);
  for (int64_t t = 0; t < op.frames; ++t) {
    const Eight shares = load8(attention + t * stride);
    for (int i = 0; i < 8; ++i) sums[i] = fma8(broadcast8(aggregate[t * vectors + i]), shares, sums[i]);
  }
  for (int i = 0; i < 8; ++i) store8(to + i * op.temporal_maps, sums[i]);
}

void temporal_squeeze_clip(const TemporalSqueeze& op, int64_t b, float* attention) {
  const int64_t maps = op.temporal_maps, vectors = op.channels * op.spatial_maps, stride = round_up(maps, 8);
  std::fill(attention, attention + op.frames * stride, 0.0f);
  attend(op, op.mean + b * op.frames * op.channels, attention, stride);
  const float* aggregate = op.aggregate + b * op.frames * vectors;
  float* const mixed = op.mixed + b * vectors * maps;
  const int64_t whole = vectors < 16 ? 0 : (vectors - 8) / 8 * 8;  // after the last eight there may be no room
  for (int64_t i = 0; i < whole; i += 8)
    for (int64_t n = stride - 8; n >= 0; n -= 8) mix(op, aggregate + i, attention + n, stride, mixed + i * maps + n);
  for (int64_t i = whole; i < vectors; ++i)
    for (int64_t n = 0; n < maps; ++n) {
      float sum = 0.0f;
      for (int64_t t = 0; t < op.frames; ++t) sum += aggregate[t * vectors + i] * attention[t * stride + n];
      mixed[i * maps + n] = sum;
    }
}
