// Some pixels of one image.
//
// Pixels lie along the register. Per pixel J * K * C estimates and J * K + J logits are read, C mixtures written: two
// operations an estimate, twenty a logit. For usual numbers of branches nothing but the mixture is ever written
// (mix_registers); else the shares of a group's branches come first, then each of its estimates is read once (mix_run).
#include "runs.inl"
#include "registers.inl"

// 2^x for x <= 0 to 2e-7; 0 below -126.5, so that what is masked has no share. A NaN stays one.
VDEBLUR_INLINE V power(V x) {
  x = max(broadcast(-127.0f), x);
  const V n = round(x), r = x - n;
  V p = broadcast(1.326472233e-3f);
  for (const float c : {9.671512984e-3f, 5.550733759e-2f, 2.402224208e-1f, 6.931469776e-1f, 1.0f})
    p = fma(p, r, broadcast(c));
  return p * power_of_two(n);
}

// Logits (count, kMixRun) to shares, in place: softmax over the count, times `whole` if there is one.
VDEBLUR_INLINE void soften(float* logits, int64_t count, const float* whole, int64_t n) {
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
    const V scale = (whole ? load(whole + i) : broadcast(1.0f)) / total;
    for (int64_t k = 0; k < count; ++k) store(column + k * kMixRun, load(column + k * kMixRun) * scale);
  }
}

// Shares (channels of f, kMixRun) from logits that begin at `offset`.
inline void shares_of(const AttentionMix& op, const Frames& f, int64_t offset, const float* whole, int64_t n,
                      float* to) {
  for (int64_t c = 0; c < f.channels; ++c) read_run(f, offset + c * f.channel_stride, n, to + c * kMixRun);
  if (op.softmax) {
    soften(to, f.channels, whole, n);
  } else if (whole) {
    for (int64_t c = 0; c < f.channels; ++c)
      for (int64_t i = 0; i < n; ++i) to[c * kMixRun + i] *= whole[i];
  }
}

// mixed += the sum over the branches of share * estimate, for one channel of n pixels. `ahead` leads from an estimate
// to the one that is read next, which the processor is asked for meanwhile: it foresees longer runs only.
template <class T>
VDEBLUR_INLINE void add_branches(const float* shares, const T* estimates, int64_t branches, int64_t stride,
                                 int64_t ahead, int64_t n, float* mixed) {
  constexpr int kLine = 64 / sizeof(T), kVectors = kLine / kWidth;
  int64_t i = 0;
  for (; i + kLine <= n; i += kLine) {
    V sum[kVectors];
    for (int v = 0; v < kVectors; ++v) sum[v] = load(mixed + i + v * kWidth);
    const float* share = shares + i;
    const T* estimate = estimates + i;
    for (int64_t k = 0; k < branches; ++k, share += kMixRun, estimate += stride) {
      __builtin_prefetch(estimate + ahead);
      for (int v = 0; v < kVectors; ++v)
        sum[v] = fma(load(share + v * kWidth), load(estimate + v * kWidth), sum[v]);
    }
    for (int v = 0; v < kVectors; ++v) store(mixed + i + v * kWidth, sum[v]);
  }
  for (; i < n; i += kWidth) {
    const int64_t lanes = std::min<int64_t>(kWidth, n - i);
    V sum = load(mixed + i);
    for (int64_t k = 0; k < branches; ++k)
      sum = fma(load(shares + k * kMixRun + i), load_some(estimates + k * stride + i, lanes), sum);
    store(mixed + i, sum);
  }
}

// The mixture to memory past the caches, which saves reading the lines that it fills: nothing here reads it again.
inline void write_past_caches(const float* from, int64_t n, float* to) {
  int64_t i = 0;
#if VDEBLUR_WIDTH == 16
  for (; i + kWidth <= n; i += kWidth) _mm512_stream_ps(to + i, load(from + i));
  _mm_sfence();
#elif VDEBLUR_WIDTH == 8
  for (; i + kWidth <= n; i += kWidth) _mm256_stream_ps(to + i, load(from + i));
  _mm_sfence();
#endif
  std::copy(from + i, from + n, to + i);
}

inline void write_mixed(const Frames& f, int64_t offset, int64_t n, const float* from) {
  const bool plain = f.type == Type::float32 && f.pixel_stride == 1;
  float* const to = plain ? element<float>(f, offset) : nullptr;
  if (plain && reinterpret_cast<uintptr_t>(to) % (kWidth * sizeof(float)) == 0)
    write_past_caches(from, n, to);
  else
    write_run(f, offset, n, from);
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
  float* const outer = mixed + channels * kMixRun;
  float* const shares = outer + op.groups * kMixRun;
  float* const room = shares + branches * kMixRun;
  std::fill(mixed, outer, 0.0f);
  if (op.outer.data) shares_of(op, op.outer, at.outer, nullptr, n, outer);
  for (int64_t j = 0; j < op.groups; ++j) {
    const float* const whole = op.outer.data ? outer + j * kMixRun : nullptr;
    shares_of(op, op.logits, at.logits + j * op.logits.frame_stride, whole, n, shares);
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t channel = c * estimates.channel_stride, offset = at.estimates + j * op.group_stride + channel;
      float* const sum = mixed + c * kMixRun;
      if (estimates.pixel_stride == 1) {
        const bool last = c + 1 == channels;
        const int64_t ahead = !last ? estimates.channel_stride : j + 1 < op.groups ? op.group_stride - channel : 0;
        add_branches(shares, element<const T>(estimates, offset), branches, estimates.frame_stride, ahead, n, sum);
        continue;
      }
      for (int64_t k = 0; k < branches; ++k)
        read_run(estimates, offset + k * estimates.frame_stride, n, room + k * kMixRun);
      add_branches<float>(shares, room, branches, kMixRun, 0, n, sum);
    }
  }
  for (int64_t c = 0; c < channels; ++c)
    write_mixed(op.mixed, at.mixed + c * op.mixed.channel_stride, n, mixed + c * kMixRun);
}

// Pixels that are neighbours in a plane of T; asks for what comes later in it: the processor does not follow as many
// planes as are read at once.
template <class T>
struct Pixels : Registers<T> {
  VDEBLUR_INLINE void load_ahead(const T* p) {
    constexpr int64_t kBytesAhead = 512;  // 256 to 2048 are as good
    __builtin_prefetch(p + kBytesAhead / sizeof(T));
    this->load_from(p);
  }
};

// Softmax over K maps of logits, or they themselves, times `whole`.
template <class T, int K>
VDEBLUR_INLINE void soften(Pixels<T> (&logit)[K], bool softmax, const Pixels<T>* whole) {
  for (int i = 0; i < Pixels<T>::N; ++i) {
    V scale = whole ? whole->v[i] : broadcast(1.0f);
    if (softmax) {
      V peak = logit[0].v[i], total = broadcast(0.0f);
#pragma GCC unroll 8
      for (int k = 1; k < K; ++k) peak = max(logit[k].v[i], peak);
#pragma GCC unroll 8
      for (int k = 0; k < K; ++k) {
        logit[k].v[i] = power((logit[k].v[i] - peak) * broadcast(1.44269504f));
        total = total + logit[k].v[i];
      }
      scale = scale / total;
    }
#pragma GCC unroll 8
    for (int k = 0; k < K; ++k) logit[k].v[i] = logit[k].v[i] * scale;
  }
}

constexpr int kColours = 3, kMostGroups = 4, kFewestBranches = 2, kMostBranches = 5;

// The mixture of J groups of K pictures in colour, whole registers of pixels -> how many of the n pixels are done. One
// pass over all of them together, in long runs, is up to twice as fast as mix_run's passes.
template <class T, int J, int K>
int64_t mix_registers(const AttentionMix& op, const MixPlace& at, int64_t n) {
  const Frames &x = op.estimates, &l = op.logits, &y = op.mixed;
  const T* const estimates = element<const T>(x, at.estimates);
  const T* const logits = element<const T>(l, at.logits);
  const T* const outer = op.outer.data ? element<const T>(op.outer, at.outer) : nullptr;
  T* const mixed = element<T>(y, at.mixed);
  constexpr int kStep = Pixels<T>::N * kWidth;
  int64_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    Pixels<T> whole[J], sum[kColours];
    if (outer) {
#pragma GCC unroll 8
      for (int j = 0; j < J; ++j) whole[j].load_from(outer + j * op.outer.channel_stride + i);
      soften(whole, op.softmax, static_cast<const Pixels<T>*>(nullptr));
    }
    for (Pixels<T>& colour : sum)
      for (V& v : colour.v) v = broadcast(0.0f);
#pragma GCC unroll 8
    for (int j = 0; j < J; ++j) {
      const T* const group = estimates + j * op.group_stride + i;
      Pixels<T> share[K], estimate;
#pragma GCC unroll 8
      for (int k = 0; k < K; ++k) share[k].load_ahead(logits + j * l.frame_stride + k * l.channel_stride + i);
      soften(share, op.softmax, outer ? &whole[j] : nullptr);
#pragma GCC unroll 4
      for (int c = 0; c < kColours; ++c)
#pragma GCC unroll 8
        for (int k = 0; k < K; ++k) {
          estimate.load_ahead(group + c * x.channel_stride + k * x.frame_stride);
          for (int p = 0; p < Pixels<T>::N; ++p) sum[c].v[p] = fma(share[k].v[p], estimate.v[p], sum[c].v[p]);
        }
    }
#pragma GCC unroll 4
    for (int c = 0; c < kColours; ++c) sum[c].store_to(mixed + c * y.channel_stride + i);
  }
  return i;
}

typedef int64_t (*MixRegisters)(const AttentionMix&, const MixPlace&, int64_t);

// mix_registers for as many groups and branches, where there is one.
template <class T, int J = 1, int K = kFewestBranches>
MixRegisters mix_registers_of(int64_t groups, int64_t branches) {
  if (groups == J && branches == K) return mix_registers<T, J, K>;
  if constexpr (J < kMostGroups && K == kFewestBranches) {
    if (groups > J) return mix_registers_of<T, J + 1>(groups, branches);
  }
  if constexpr (K < kMostBranches) {
    if (branches > K) return mix_registers_of<T, J, K + 1>(groups, branches);
  }
  return nullptr;
}

// In planes of one type alone.
inline MixRegisters mix_registers_of(const AttentionMix& op) {
  const Frames* const all[] = {&op.estimates, &op.logits, &op.outer, &op.mixed};
  for (const Frames* f : all)
    if (f->data && (f->pixel_stride != 1 || f->type != op.estimates.type)) return nullptr;
  if (op.mixed.channels != kColours) return nullptr;
  const bool wide = op.estimates.type == Type::float32;
  return (wide ? mix_registers_of<float> : mix_registers_of<uint16_t>)(op.groups, op.estimates.frames);
}

void mix_chunk(const AttentionMix& op, int64_t b, int64_t first, int64_t end, float* scratch) {
  const bool joined = op.estimates.rows_join() && op.logits.rows_join() && op.mixed.rows_join() &&
                      (!op.outer.data || op.outer.rows_join());
  const auto run = op.estimates.type == Type::float32 ? mix_run<float> : mix_run<uint16_t>;
  const MixRegisters whole = mix_registers_of(op);
  for_each_piece(joined, op.mixed.width, first, end, kMixTask, [&](int64_t at, int64_t n) {
    const auto places = [&](int64_t pixel) {
      const auto place = [&](const Frames& f) { return b * f.batch_stride + pixel_at(f, pixel); };
      return MixPlace{place(op.estimates), place(op.logits), place(op.outer), place(op.mixed)};
    };
    for (int64_t done = whole ? whole(op, places(at), n) : 0; done < n; done += kMixRun)
      run(op, places(at + done), std::min(n - done, kMixRun), scratch);
  });
}
