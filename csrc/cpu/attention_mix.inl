// Some pixels of one batch: the shares of all branches first, then every estimate is read once.
//
// Pixels lie along the register. Per pixel J * K * C estimates and J * K + J logits are read and C mixtures written, two
// operations for each estimate.
#include "runs.inl"

// Logits (count, kMixRun) to shares, in place: softmax over the count.
VDEBLUR_INLINE void soften(float* logits, int64_t count, int64_t n) {
  for (int64_t i = 0; i < n; i += kWidth) {
    float* const column = logits + i;
    V peak = load(column), total = broadcast(0.0f);
    for (int64_t k = 1; k < count; ++k) peak = max(load(column + k * kMixRun), peak);
    for (int64_t k = 0; k < count; ++k) {
      const V e = exp(load(column + k * kMixRun) - peak);
      total = total + e;
      store(column + k * kMixRun, e);
    }
    const V scale = broadcast(1.0f) / total;
    for (int64_t k = 0; k < count; ++k) store(column + k * kMixRun, load(column + k * kMixRun) * scale);
  }
}

// Where the pixels at hand begin.
struct MixPlace {
  int64_t estimates, logits, outer, mixed;
};

// Shares (channels of f, kMixRun) from the logits of a group, which begin at `offset`.
inline void shares_of(const AttentionMix& op, const Frames& f, int64_t offset, int64_t n, float* to) {
  for (int64_t c = 0; c < f.channels; ++c) read_run(f, offset + c * f.channel_stride, n, to + c * kMixRun);
  if (op.softmax) soften(to, f.channels, n);
}

// mixed += share * estimate. There are more estimates than the processor can foresee: the next run is asked for here.
template <class T>
VDEBLUR_INLINE void add_share(const float* share, const T* estimate, int64_t n, float* mixed) {
  constexpr int64_t kLine = 64 / sizeof(T);
  for (int64_t i = 0; i < kMixRun; i += kLine) __builtin_prefetch(estimate + kMixRun + i);
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) store(mixed + i, fma(load(share + i), load(estimate + i), load(mixed + i)));
  if (i < n) store(mixed + i, fma(load(share + i), load_some(estimate + i, n - i), load(mixed + i)));
}

template <class T>
void mix_run(const AttentionMix& op, const MixPlace& at, int64_t n, float* scratch) {
  const Frames& estimates = op.estimates;
  const int64_t branches = estimates.frames, channels = op.mixed.channels;
  float* const mixed = scratch;
  float* const room = mixed + channels * kMixRun;
  float* const outer = room + kMixRun;
  float* const shares = outer + op.groups * kMixRun;
  std::fill(mixed, room, 0.0f);
  if (op.outer.data) shares_of(op, op.outer, at.outer, n, outer);
  for (int64_t j = 0; j < op.groups; ++j) {
    shares_of(op, op.logits, at.logits + j * op.logits.frame_stride, n, shares);
    for (int64_t k = 0; k < branches; ++k) {
      float* const share = shares + k * kMixRun;
      for (int64_t i = 0; op.outer.data && i < n; i += kWidth)
        store(share + i, load(share + i) * load(outer + j * kMixRun + i));
      int64_t offset = at.estimates + j * op.group_stride + k * estimates.frame_stride;
      for (int64_t c = 0; c < channels; ++c, offset += estimates.channel_stride) {
        if (estimates.pixel_stride == 1) {
          add_share(share, element<const T>(estimates, offset), n, mixed + c * kMixRun);
        } else {
          read_run(estimates, offset, n, room);
          add_share<float>(share, room, n, mixed + c * kMixRun);
        }
      }
    }
  }
  for (int64_t c = 0; c < channels; ++c)
    write_run(op.mixed, at.mixed + c * op.mixed.channel_stride, n, mixed + c * kMixRun);
}

void mix_chunk(const AttentionMix& op, int64_t b, int64_t first, float* scratch) {
  const bool joined = rows_join(op.estimates) && rows_join(op.logits) && rows_join(op.mixed) &&
                      (!op.outer.data || rows_join(op.outer));
  const auto run = op.estimates.type == Type::float32 ? mix_run<float> : mix_run<uint16_t>;
  const int64_t end = std::min<int64_t>(first + kMixChunk, op.mixed.pixels());
  for_each_piece(joined, op.mixed.width, first, end, kMixRun, [&](int64_t at, int64_t n) {
    const auto place = [&](const Frames& f) { return b * f.batch_stride + pixel_at(f, at, joined); };
    run(op, {place(op.estimates), place(op.logits), place(op.outer), place(op.mixed)}, n, scratch);
  });
}
