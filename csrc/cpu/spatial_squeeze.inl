// One chunk of a frame: for every tile of pixels, gate and logits, online softmax, weighted sums and sums of channels.
//
// Pixels lie along the register, maps are broadcast:
//   logits[m][p] = bias[m] + sum over c of weight[m][c] * x[c][p]
//   sums[c][m]  += sum over p of x[c][p] * exp(logits[m][p] - peak[m]) * (1 - gate[p])
// where the sums are added up lane by lane, and across the lanes only when a chunk is done. Per pixel 4 * C * M operations
// on C numbers, which are read where they lie, if they lie so that the second cache can keep a tile of them.
//
// A long float32 sum of like numbers drifts, so sums are nested: over a lane of a tile, over kTilesTogether tiles
// ("recent"), over the chunk, over the frame's chunks.

#include "runs.inl"
#include "softmax.inl"

constexpr int64_t kPixels = kSqueezeTile;
constexpr int64_t kTilesTogether = 32;
constexpr int kAcross = 3;                             // registers of pixels and
constexpr int kMapRows = kRegisters == 16 ? 4 : 8;     // maps of a block of logits
constexpr int kRowsBesideGate = kRegisters == 16 ? 0 : kMapRows;
constexpr int kChannelRows = kChannelBlock;            // channels and
constexpr int kMapColumns = kRegisters == 16 ? 2 : 4;  // maps of a block of sums

struct SqueezeScratch {
  float* tile;     // (channels, kPixels): what has to be copied
  float* weights;  // (maps, kPixels): logits, then softmax numerators times the open gate
  float* gate;     // (kPixels): Q
  float* open;     // (kPixels): 1 - Q, which is not computed from Q: either may be near 0
  float* mean;     // (channels, kWidth): sums over recent pixels, apart by lane
  float* totals;   // (maps, kWidth): of numerators, likewise
  float* recent;   // (channels, maps, kWidth): weighted sums, likewise
  float* flushed;  // (maps): the peaks that the chunk's statistics are scaled to
  float* end;

  SqueezeScratch(const SqueezeChunks& k, float* at) {
    const auto take = [&](int64_t floats) { return std::exchange(at, at + floats); };
    tile = take(k.channels * kPixels);
    weights = take(k.maps * kPixels);
    gate = take(kPixels);
    open = take(kPixels);
    mean = take(k.channels * kWidth);
    totals = take(k.maps * kWidth);
    recent = take(k.channels * k.maps * kWidth);
    flushed = take(k.maps);
    end = at + (-k.maps & 15);
  }
};

// Logits of R maps for kAcross registers of pixels, and with kGate the gate's, which is one more row.
template <int R, bool kGate, class T>
VDEBLUR_INLINE void logits_of(const SqueezeChunks& k, const SqueezeScratch& s, const Tile& x, int64_t p, int64_t map,
                              Ahead<kPixels, T>& ahead) {
  const int64_t channels = k.op.x.channels;
  const float *weight = k.weight + map * channels, *from = x.at + p;
  V acc[R + 1][kAcross], (&gate)[kAcross] = acc[R];
  for (int i = 0; i < R; ++i)
    for (V& v : acc[i]) v = broadcast(k.bias[map + i]);
  for (V& v : gate) v = broadcast(kGate ? k.op.gate_bias[0] : 0.0f);
  for (int64_t c = 0; c < channels; ++c, weight += R, from += x.stride) {
    if (c % kStepsBetween == 0) ahead.ask();
    V v[kAcross];
#pragma GCC unroll 3
    for (int j = 0; j < kAcross; ++j) v[j] = load(from + j * kWidth);
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
      const V w = broadcast(weight[i]);
#pragma GCC unroll 3
      for (int j = 0; j < kAcross; ++j) acc[i][j] = fma(w, v[j], acc[i][j]);
    }
    if constexpr (kGate) {
      const V w = broadcast(k.op.gate_weight[c]);
#pragma GCC unroll 3
      for (int j = 0; j < kAcross; ++j) gate[j] = fma(w, v[j], gate[j]);
    }
  }
  for (int i = 0; i < R; ++i)
    for (int j = 0; j < kAcross; ++j) store(s.weights + (map + i) * kPixels + p + j * kWidth, acc[i][j]);
  for (int j = 0; kGate && j < kAcross; ++j) {
    const V one = broadcast(1.0f), e = exp(gate[j]), open = one / (one + e);
    store(s.open + p + j * kWidth, open);
    store(s.gate + p + j * kWidth, e * open);
  }
}

// A map's logits to numerators; where its peak rises, what is recent is scaled down to it.
inline void soften(const SqueezeChunks& k, const SqueezeScratch& s, float* peaks, int64_t count, int64_t map) {
  float* const weights = s.weights + map * kPixels;
  float* const totals = s.totals + map * kWidth;
  std::fill(weights + count, weights + kPixels, -FLT_MAX);
  const V old = broadcast(peaks[map]);
  V top = old, total = load(totals);
  for (int64_t p = 0; p < kPixels; p += kWidth) top = max(load(weights + p), top);
  if (any_greater(top, old)) {
    peaks[map] = largest(top);
    const V scale = exp_of_negative(old - broadcast(peaks[map]));
    total = total * scale;
    for (int64_t c = 0; c < k.op.x.channels; ++c) {
      float* const sum = s.recent + (c * k.maps + map) * kWidth;
      store(sum, load(sum) * scale);
    }
  }
  const V peak = broadcast(peaks[map]);
  for (int64_t p = 0; p < kPixels; p += kWidth) {
    const V e = exp_of_negative(load(weights + p) - peak);
    total = total + e;
    store(weights + p, e * load(s.open + p));
  }
  store(totals, total);
}

// Weighted sums of kChannelRows channels for kMapColumns maps, and with kMean the channels' own sums.
template <bool kMean, class T>
VDEBLUR_INLINE void weighted_sums(const SqueezeChunks& k, const SqueezeScratch& s, const float* const (&x)[kChannelRows],
                                  int64_t c, int64_t map, Ahead<kPixels, T>& ahead) {
  const float* const weights = s.weights + map * kPixels;
  V acc[kChannelRows][kMapColumns], sum[kChannelRows];
  for (auto& row : acc)
    for (V& v : row) v = broadcast(0.0f);
  for (V& v : sum) v = broadcast(0.0f);
  for (int64_t p = 0; p < kPixels; p += kWidth) {
    if (p % (kStepsBetween * kWidth) == 0) ahead.ask();
    V e[kMapColumns];
#pragma GCC unroll 4
    for (int j = 0; j < kMapColumns; ++j) e[j] = load(weights + j * kPixels + p);
#pragma GCC unroll 4
    for (int i = 0; i < kChannelRows; ++i) {
      const V v = load(x[i] + p);
      if constexpr (kMean) sum[i] = sum[i] + v;
#pragma GCC unroll 4
      for (int j = 0; j < kMapColumns; ++j) acc[i][j] = fma(v, e[j], acc[i][j]);
    }
  }
  const auto add = [](float* to, V v) { store(to, load(to) + v); };
  for (int i = 0; i < kChannelRows; ++i) {
    for (int j = 0; j < kMapColumns; ++j) add(s.recent + ((c + i) * k.maps + map + j) * kWidth, acc[i][j]);
    if (kMean) add(s.mean + (c + i) * kWidth, sum[i]);
  }
}

// The sum of a register's lanes, by halves.
VDEBLUR_INLINE float across(const float* lanes) {
  float sum[kWidth];
  std::memcpy(sum, lanes, sizeof sum);
#pragma GCC unroll 4
  for (int half = kWidth / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) sum[i] += sum[i + half];
  return sum[0];
}

// Adds what is recent to the chunk's statistics, scaled down to the peaks of now.
inline void flush(const SqueezeChunks& k, const SqueezeScratch& s, float* sums) {
  float* const totals = sums + k.total_at();
  for (int64_t map = 0; map < k.op.maps; ++map) {
    const float peak = sums[k.peak_at() + map], by = std::exp(s.flushed[map] - peak);
    s.flushed[map] = peak;
    totals[map] = totals[map] * by + across(s.totals + map * kWidth);
    for (int64_t c = 0; c < k.op.x.channels; ++c) {
      float& sum = sums[c * k.maps + map];
      sum = sum * by + across(s.recent + (c * k.maps + map) * kWidth);
    }
  }
  for (int64_t c = 0; c < k.op.x.channels; ++c) sums[k.mean_at() + c] += across(s.mean + c * kWidth);
}

template <class T>
void squeeze_tiles(const SqueezeChunks& k, int64_t frame, int64_t first, int64_t end, float* sums,
                   const SqueezeScratch& s) {
  const SpatialSqueeze& op = k.op;
  const Frames& x = op.x;
  const T* const data = frame_of<const T>(x, frame / x.frames, frame % x.frames);
  const int64_t blocks = divide_up(op.maps, kMapRows), columns = divide_up(op.maps, kMapColumns);
  const int64_t times = kPixels / (kAcross * kWidth) * blocks * divide_up(x.channels, kStepsBetween) +
                        divide_up(x.channels, kChannelRows) * columns * divide_up(kPixels / kWidth, kStepsBetween);
  for (int64_t p = first; p < end; p += kPixels) {
    const int64_t count = std::min(kPixels, end - p), place = frame * x.pixels() + p;
    const Tile tile = tile_of<kPixels>(x, data, p, count, s.tile);
    Ahead<kPixels, T> ahead(x, data, p + kPixels, times);
    for (int64_t at = 0; at < count; at += kAcross * kWidth) {
      int64_t map = 0;
      if (op.gate_weight) {
        logits_of<kRowsBesideGate, true>(k, s, tile, at, 0, ahead);
        map = kRowsBesideGate;
      }
      for (; map < op.maps; map += kMapRows) logits_of<kMapRows, false>(k, s, tile, at, map, ahead);
    }
    for (int64_t i = 0; op.mask && i < count; ++i) {
      s.gate[i] = op.mask[place + i];
      s.open[i] = 1.0f - s.gate[i];
    }
    if (op.mask) std::fill(s.open + count, s.open + kPixels, 1.0f);  // they meet zeros, which is not enough for a NaN
    for (int64_t i = 0; op.gate && i < count; ++i) narrow(s.gate[i], static_cast<T*>(op.gate) + place + i);
    for (int64_t map = 0; map < op.maps; ++map) soften(k, s, sums + k.peak_at(), count, map);
    for (int64_t c = 0; c < x.channels; c += kChannelRows) {
      const float* rows[kChannelRows];  // the last of them again and again where there are no more
      for (int i = 0; i < kChannelRows; ++i) rows[i] = tile.at + std::min(c + i, x.channels - 1) * tile.stride;
      weighted_sums<true>(k, s, rows, c, 0, ahead);
      for (int64_t map = kMapColumns; map < op.maps; map += kMapColumns)
        weighted_sums<false>(k, s, rows, c, map, ahead);
    }
    if ((p - first) / kPixels % kTilesTogether == kTilesTogether - 1) {
      flush(k, s, sums);
      std::fill(s.mean, s.flushed, 0.0f);
    }
  }
}

void squeeze_chunk(const SqueezeChunks& k, int64_t chunk, float* scratch) {
  const SqueezeScratch s(k, scratch);
  float* const sums = k.of(chunk);
  const int64_t frame = chunk / k.per_frame, first = chunk % k.per_frame * k.pixels_each;
  const int64_t end = std::min(first + k.pixels_each, k.op.x.pixels());
  std::fill(sums, sums + k.size(), 0.0f);
  std::fill(sums + k.peak_at(), sums + k.peak_at() + k.maps, -FLT_MAX);
  std::fill(s.flushed, s.flushed + k.maps, -FLT_MAX);
  std::fill(s.mean, s.flushed, 0.0f);
  std::fill(s.open, s.open + kPixels, 1.0f);
  if (k.op.x.type == Type::float32)
    squeeze_tiles<float>(k, frame, first, end, sums, s);
  else
    squeeze_tiles<uint16_t>(k, frame, first, end, sums, s);
  flush(k, s, sums);
}

int64_t squeeze_scratch_size(const SqueezeChunks& k) {
  float* const anywhere = k.statistics;
  return SqueezeScratch(k, anywhere).end - anywhere;
}
