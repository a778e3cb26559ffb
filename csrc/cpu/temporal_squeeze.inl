// One clip: softmax over its frames for every temporal map, then the frames' aggregates summed with these weights. A few
// tens of thousands of multiply-adds, whatever the size of the frames; the compiler's own vectors do.

// attention (frames, temporal_maps)
inline void attend(const TemporalSqueeze& op, const float* mean, float* attention) {
  const int64_t maps = op.temporal_maps;
  for (int64_t n = 0; n < maps; ++n) {
    float peak = -FLT_MAX, total = 0.0f;
    for (int64_t t = 0; t < op.frames; ++t) {
      float logit = op.bias[n];
      for (int64_t c = 0; c < op.channels; ++c) logit += op.weight[n * op.channels + c] * mean[t * op.channels + c];
      attention[t * maps + n] = logit;
      peak = std::max(peak, logit);
    }
    for (int64_t t = 0; t < op.frames; ++t) {
      attention[t * maps + n] = std::exp(attention[t * maps + n] - peak);
      total += attention[t * maps + n];
    }
    for (int64_t t = 0; t < op.frames; ++t) attention[t * maps + n] /= total;
  }
}

void temporal_squeeze_clip(const TemporalSqueeze& op, int64_t b, float* attention) {
  const int64_t maps = op.temporal_maps, vectors = op.channels * op.spatial_maps;
  attend(op, op.mean + b * op.frames * op.channels, attention);
  float* const mixed = op.mixed + b * vectors * maps;
  std::fill(mixed, mixed + vectors * maps, 0.0f);
  for (int64_t t = 0; t < op.frames; ++t) {
    const float* aggregate = op.aggregate + (b * op.frames + t) * vectors;
    for (int64_t i = 0; i < vectors; ++i)
      for (int64_t n = 0; n < maps; ++n) mixed[i * maps + n] += aggregate[i] * attention[t * maps + n];
  }
}
