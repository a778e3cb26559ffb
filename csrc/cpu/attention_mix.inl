// Some pixels of one batch: the shares of all branches first, then every estimate is read once.
//
// Pixels lie along the register. Per pixel J * K * C estimates and J * K + J logits are read and C mixtures written, two
// operations for each estimate.
#include "runs.inl"

// 2^x for x <= 0, to 3e-7 of 1: what is small is less exact, in a softmax it counts for less. A NaN stays one.
VDEBLUR_INLINE V power(V x) {
  x = max(broadcast(-126.0f), x);
  const V n = round(x), r = x - n;
  V p = broadcast(1.3333558e-3f);
  for (const float c : {9.6181291e-3f, 5.5504109e-2f, 2.4022651e-1f, 6.9314718e-1f, 1.0f}) p = fma(p, r, broadcast(c));
  return p * power_of_two(n);
}

// Logits (count, kMixRun) to shares, in place: softmax over the count.
VDEBLUR_INLINE void soften(float* logits, int64_t count, int64_t n) {
  const V to_binary = broadcast(1.44269504f);
  for (int64_t i = 0; i < n; i += kWidth) {
    float* const column = logits + i;
    V peak = load(column), total = broadcast(0.0f);
    for (int64_t k = 1; k < count; ++k) peak = max(load(column + k * kMixRun), peak);
    for (int64_t k = 0; k < count; ++k) {
      const V e = power((load(column + k * kMixRun) - peak) * to_binary);
      total = total + e;
      store(column + k * kMixRun, e);
    }
    const V scale = broadcast(1.0f) / total;
    for (int64_t k = 0; k < count; ++k) store(column + k * kMixRun, load(column + k * kMixRun) * scale);
  }
}

// Shares (channels of f, kMixRun) from the logits of a group, which begin at `offset`.
inline void shares_of(const AttentionMix& op, const Frames& f, int64_t offset, int64_t n, float* to) {
  for (int64_t c = 0; c < f.channels; ++c) read_run(f, offset + c * f.channel_stride, n, to + c * kMixRun);
  if (op.softmax) soften(to, f.channels, n);
}

// mixed += share * estimate; meanwhile the processor is asked for what is read next, for it foresees only longer runs.
template <class T>
VDEBLUR_INLINE void add_share(const float* share, const T* estimate, const T* next, int64_t n, float* mixed) {
  constexpr int64_t kLine = 64 / sizeof(T);
  int64_t i = 0;
  for (; i + kLine <= n; i += kLine) {
    __builtin_prefetch(next + i);
    for (int64_t j = i; j < i + kLine; j += kWidth)
      store(mixed + j, fma(load(share + j), load(estimate + j), load(mixed + j)));
  }
  for (; i < n; i += kWidth) {
    const V e = i + kWidth <= n ? load(estimate + i) : load_some(estimate + i, n - i);
    store(mixed + i, fma(load(share + i), e, load(mixed + i)));
  }
}

// Where the pixels at hand begin.
struct MixPlace {
  int64_t estimates, logits, outer, mixed;
};

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
      const int64_t offset = at.estimates + j * op.group_stride + k * estimates.frame_stride;
      for (int64_t c = 0; c < channels; ++c) {
        const int64_t here = offset + c * estimates.channel_stride;
        const int64_t next = c + 1 < channels ? here + estimates.channel_stride : offset + estimates.frame_stride;
        if (estimates.pixel_stride == 1) {
          add_share(share, element<const T>(estimates, here), element<const T>(estimates, next), n,
                    mixed + c * kMixRun);
        } else {
          read_run(estimates, here, n, room);
          add_share<float>(share, room, room, n, mixed + c * kMixRun);
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
  const int64_t end = std::min<int64_t>(first + kMixRun, op.mixed.pixels());
  for_each_piece(joined, op.mixed.width, first, end, kMixRun, [&](int64_t at, int64_t n) {
    const auto place = [&](const Frames& f) { return b * f.batch_stride + pixel_at(f, at); };
    run(op, {place(op.estimates), place(op.logits), place(op.outer), place(op.mixed)}, n, scratch);
  });
}
