// One chunk of a frame: for every tile of pixels, gate and channel sums, logits, online softmax, weighted sums.
//
// Maps lie along the register, pixels and then channels are broadcast:
//   logits[p][m] = bias[m] + sum over c of x[c][p] * weight[c][m]
//   sums[c][m]  += sum over p of x[c][p] * exp(logits[p][m] - peak[m]) * (1 - gate[p])
// so the softmax over pixels needs no sum across a register. Per pixel 4 * C * M operations on C numbers read.
//
// Where a register has room for all maps twice, it takes two pixels at a time ("fold"): lane 2 * m for map m of the
// even pixels and 2 * m + 1 for that of the odd ones, as if these were two maps, each with a peak and sums of its own;
// they are merged like chunks.
//
// A long float32 sum of like numbers drifts, so sums are nested: over a tile, over kTilesTogether tiles ("recent"), over
// the chunk, over the frame's chunks.

#include "runs.inl"
#include "softmax.inl"

constexpr int kPixels = kSqueezeTile;
constexpr int64_t kTilesTogether = 32;
// Rows of a block of accumulators NV registers wide, by what they are. A row of pixels is F of them.
template <int NV, int F>
constexpr int kPixelRows = kRegisters == 16 || F == 2 ? 12 / NV : 16 / NV;
template <int NV>
constexpr int kChannelRows = kRegisters == 16 || NV == 1 ? 12 / NV : 8;

struct SqueezeScratch {
  float* tile;     // (channels, kPixels)
  float* weights;  // (kPixels / fold, maps): logits, then softmax numerators times the open gate
  float* gate;     // (kPixels): Q
  float* open;     // (kPixels): 1 - Q, which is not computed from Q: either may be near 0
  float* mean;     // (channels, kWidth): sums over recent pixels, still apart by lane
  float* recent;   // (channels, maps) and then totals (maps): sums over recent tiles
};

// Copies a tile (channels, kPixels) that lies anywhere, or is in its place already; gate = sigmoid(gate logit), and x
// summed over the tile: all of it in one pass.
template <class T>
VDEBLUR_INLINE void take(const SpatialSqueeze& op, const SqueezeScratch& s, const T* from, int64_t stride) {
  constexpr int kVectors = kPixels / kWidth;
  V z[kVectors];
  for (V& v : z) v = broadcast(op.gate_weight ? op.gate_bias[0] : 0.0f);
  for (int64_t c = 0; c < op.x.channels; ++c) {
    const V w = broadcast(op.gate_weight ? op.gate_weight[c] : 0.0f);
    V sum = load(s.mean + c * kWidth);
#pragma GCC unroll 12
    for (int j = 0; j < kVectors; ++j) {
      const V x = load(from + c * stride + j * kWidth);
      store(s.tile + c * kPixels + j * kWidth, x);
      z[j] = fma(w, x, z[j]);
      sum = sum + x;
    }
    store(s.mean + c * kWidth, sum);
  }
  if (!op.gate_weight) return;
  const V one = broadcast(1.0f);
  for (int j = 0; j < kVectors; ++j) {
    const V e = exp(z[j]), open = one / (one + e);
    store(s.open + j * kWidth, open);
    store(s.gate + j * kWidth, e * open);
  }
}

template <int NV, int F, class T>
VDEBLUR_INLINE void logits_of(const SqueezeChunks& k, const SqueezeScratch& s, Ahead<kPixels, T>& ahead, int64_t count,
                              int64_t map) {
  constexpr int R = kPixelRows<NV, F>;
  for (int64_t p = 0; p * F < count; p += R) {
    V acc[R][NV];
    for (auto& row : acc)
      for (int j = 0; j < NV; ++j) row[j] = load(k.bias + map + j * kWidth);
    outer_asking<R, NV, F>([&] { ahead.ask(); }, acc, s.tile + p * F, F, kPixels, k.weight + map, k.maps,
                           k.op.x.channels);
    for (int i = 0; i < R; ++i)
      for (int j = 0; j < NV; ++j) store(s.weights + (p + i) * k.maps + map + j * kWidth, acc[i][j]);
  }
}

// sums (rows, maps) *= scale, for one register of maps.
VDEBLUR_INLINE void rescale(float* sums, int64_t rows, int64_t maps, V scale) {
  for (int64_t r = 0; r < rows; ++r) store(sums + r * maps, load(sums + r * maps) * scale);
}

// Logits to numerators; where a map's peak rises, what was summed so far is scaled down to it.
template <int F>
void soften(const SqueezeChunks& k, const SqueezeScratch& s, float* sums, int64_t count, int64_t map) {
  float* const weights = s.weights + map;
  float* const peaks = sums + k.peak_at() + map;
  const V old = load(peaks);
  const int64_t rows = divide_up(count, F);
  if (count % F != 0)  // no pixel there: it must neither count nor be the peak
    for (int64_t m = 1; m < kWidth; m += 2) weights[(rows - 1) * k.maps + m] = -FLT_MAX;
  V peak = old, total = broadcast(0.0f);
  for (int64_t p = 0; p < rows; ++p) peak = max(load(weights + p * k.maps), peak);
  if (any_greater(peak, old)) {
    const V scale = exp_of_negative(old - peak);
    rescale(sums + map, k.channels + 1, k.maps, scale);
    rescale(s.recent + map, k.channels + 1, k.maps, scale);
    store(peaks, peak);
  }
  for (int64_t p = 0; p < rows; ++p) {
    const V e = exp_of_negative(load(weights + p * k.maps) - peak);
    total = total + e;
    store(weights + p * k.maps, e * spread<F>(s.open + p * F));
  }
  float* const totals = s.recent + k.total_at() + map;
  store(totals, load(totals) + total);
}

template <int NV, int F, class T>
VDEBLUR_INLINE void weighted_sums(const SqueezeChunks& k, const SqueezeScratch& s, Ahead<kPixels, T>& ahead,
                                  int64_t count, int64_t map) {
  constexpr int R = kChannelRows<NV>;
  for (int64_t c = 0; c < k.op.x.channels; c += R) {
    V acc[R][NV];
    for (auto& row : acc)
      for (V& v : row) v = broadcast(0.0f);
    outer_asking<R, NV, F>([&] { ahead.ask(); }, acc, s.tile + c * kPixels, kPixels, F, s.weights + map, k.maps,
                           divide_up(count, F));
    for (int i = 0; i < R; ++i)
      for (int j = 0; j < NV; ++j) {
        float* const sum = s.recent + (c + i) * k.maps + map + j * kWidth;
        store(sum, load(sum) + acc[i][j]);
      }
  }
}

// Adds what is recent to the chunk's statistics and starts afresh.
inline void flush(const SqueezeChunks& k, const SqueezeScratch& s, float* sums) {
  for (int64_t i = 0; i < (k.channels + 1) * k.maps; ++i) sums[i] += s.recent[i];
  for (int64_t c = 0; c < k.op.x.channels; ++c) {
    float sum = 0.0f;
    for (int i = 0; i < kWidth; ++i) sum += s.mean[c * kWidth + i];
    sums[k.mean_at() + c] += sum;
  }
  std::fill(s.mean, s.recent + (k.channels + 1) * k.maps, 0.0f);
}

// Blocks of accumulators that a tile takes, one after the other.
template <int F>
int64_t blocks_of_tile(const SqueezeChunks& k) {
  constexpr int64_t kRows = kPixels / F;
  const int64_t channels = k.op.x.channels, pairs = k.maps / (2 * kWidth), single = k.maps / kWidth % 2;
  const int64_t logits = divide_up(channels, kStepsBetween), sums = kRows / kStepsBetween;
  return pairs * (kRows / kPixelRows<2, F> * logits + divide_up(channels, kChannelRows<2>) * sums) +
         single * (kRows / kPixelRows<1, F> * logits + divide_up(channels, kChannelRows<1>) * sums);
}

template <int F, class T>
void squeeze_tiles(const SqueezeChunks& k, int64_t frame, int64_t first, int64_t end, float* sums,
                   const SqueezeScratch& s) {
  const SpatialSqueeze& op = k.op;
  const Frames& x = op.x;
  const T* data = frame_of<const T>(x, frame / x.frames, frame % x.frames);
  const int64_t blocks = blocks_of_tile<F>(k);
  for (int64_t p = first; p < end; p += kPixels) {
    const int64_t count = std::min<int64_t>(kPixels, end - p), place = frame * x.pixels() + p;
    if (is_plain<kPixels>(x, p, count)) {
      take(op, s, data + pixel_at(x, p), x.channel_stride);
    } else {
      load_tile<kPixels>(x, data, p, count, s.tile);
      take(op, s, s.tile, kPixels);
    }
    Ahead<kPixels, T> ahead(x, data, p + kPixels, blocks);
    for (int64_t i = 0; op.mask && i < count; ++i) {
      s.gate[i] = op.mask[place + i];
      s.open[i] = 1.0f - s.gate[i];
    }
    if (count % F != 0) s.open[count] = 1.0f;  // it is multiplied by 0, which is not enough for a NaN
    for (int64_t i = 0; op.gate && i < count; ++i) narrow(s.gate[i], static_cast<T*>(op.gate) + place + i);
    int64_t map = 0;
    for (; map + 2 * kWidth <= k.maps; map += 2 * kWidth) logits_of<2, F>(k, s, ahead, count, map);
    if (map < k.maps) logits_of<1, F>(k, s, ahead, count, map);
    for (map = 0; map < k.maps; map += kWidth) soften<F>(k, s, sums, count, map);
    for (map = 0; map + 2 * kWidth <= k.maps; map += 2 * kWidth) weighted_sums<2, F>(k, s, ahead, count, map);
    if (map < k.maps) weighted_sums<1, F>(k, s, ahead, count, map);
    if ((p - first) / kPixels % kTilesTogether == kTilesTogether - 1) flush(k, s, sums);
  }
}

void squeeze_chunk(const SqueezeChunks& k, int64_t chunk, float* scratch) {
  float* const weights = scratch + k.channels * kPixels;
  float* const gate = weights + k.maps * kPixels;
  float* const mean = gate + 2 * kPixels;
  const SqueezeScratch s{scratch, weights, gate, gate + kPixels, mean, mean + k.channels * kWidth};
  float* const sums = k.of(chunk);
  const int64_t frame = chunk / k.per_frame, first = chunk % k.per_frame * k.pixels_each;
  const int64_t end = std::min(first + k.pixels_each, k.op.x.pixels());
  std::fill(sums, sums + k.size(), 0.0f);
  std::fill(sums + k.peak_at(), sums + k.peak_at() + k.maps, -FLT_MAX);
  std::fill(s.mean, s.recent + (k.channels + 1) * k.maps, 0.0f);
  std::fill(s.open, s.open + kPixels, 1.0f);
  std::fill(s.tile + k.op.x.channels * kPixels, s.tile + k.channels * kPixels, 0.0f);
  const bool wide = k.op.x.type == Type::float32, folded = k.fold == 2;
  const auto tiles = wide ? (folded ? &squeeze_tiles<2, float> : &squeeze_tiles<1, float>)
                          : (folded ? &squeeze_tiles<2, uint16_t> : &squeeze_tiles<1, uint16_t>);
  tiles(k, frame, first, end, sums, s);
  flush(k, s, sums);
}
