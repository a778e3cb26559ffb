// One chunk of a bfloat16 frame by AMX: what spatial_squeeze.inl does, with products of parts (parts.inl).
//
// Pixels lie along the register:
//   logits[m][p] = bias[m] + sum over c of weight[m][c] * x[c][p]
//   sums[c][m]  += sum over p of x[c][p] * exp(logits[m][p] - peak[m]) * (1 - gate[p])
// x is a right operand first, pairs of channels, and then a left one, as it came. The numerators are turned to become a
// right operand, pairs of pixels.
//
// Sums are nested as there: over kPixels, over kTilesTogether times as many ("recent"), over the chunk, over the frame.

#include "runs.inl"
#include "parts.inl"
#include "softmax.inl"

constexpr int64_t kTilesTogether = 32;
constexpr int64_t kPixels = kSqueezePixels;
constexpr int kVectors = kPixels / kWidth;

struct SqueezeScratch {
  Half* pairs;       // (channels / 2, kPixels, 2)
  Half* rows;        // (channels, kPixels)
  Half* numerators;  // (kParts, maps, kPixels)
  Half* turned;      // (kParts, kPixels / 2, maps, 2)
  float* logits;     // (maps, kPixels)
  float* results;    // (4, kRows, kColumns)
  float* gate;       // (kPixels): Q
  float* open;       // (kPixels): 1 - Q
  float* mean;       // (channels, kWidth): sums over recent pixels, still apart by lane
  float* totals;     // (maps, kWidth): of numerators, likewise
  float* recent;     // (channels, maps)
  float* flushed;    // (maps): the peaks that the chunk's statistics are scaled to
  float* tile;       // (channels, kPixels): what did not lie in rows
  float* end;

  SqueezeScratch(const SqueezeChunks& k, float* at) {
    const auto take = [&](int64_t floats) { return std::exchange(at, at + floats); };
    const auto halves = [&](int64_t count) { return reinterpret_cast<Half*>(take(count / 2)); };
    pairs = halves(k.channels * kPixels);
    rows = halves(k.channels * kPixels);
    numerators = halves(kParts * k.maps * kPixels);
    turned = halves(kParts * k.maps * kPixels);
    logits = take(k.maps * kPixels);
    results = take(4 * kRows * kColumns);
    gate = take(kPixels);
    open = take(kPixels);
    mean = take(k.channels * kWidth);
    totals = take(k.maps * kWidth);
    recent = take(k.channels * k.maps);
    flushed = take(k.maps);
    tile = take(k.channels * kPixels);
    end = at;
  }
};

// A tile (channels, kPixels) whose channels lie `stride` apart, to both operands, and to the gate and the channels' sums.
template <class T>
VDEBLUR_APART void take(const SqueezeChunks& k, const SqueezeScratch& s, const T* from, int64_t stride) {
  const SpatialSqueeze& op = k.op;
  static const T zeros[kPixels] = {};
  const auto gate_of = [&](int64_t c) {
    return broadcast(op.gate_weight && c < op.x.channels ? op.gate_weight[c] : 0.0f);
  };
  V z[kVectors];
  for (V& v : z) v = broadcast(op.gate_weight ? op.gate_bias[0] : 0.0f);
  for (int64_t c = 0; c < op.x.channels; c += 2, from += 2 * stride) {
    const T* const other = c + 1 < op.x.channels ? from + stride : zeros;
    const V w_even = gate_of(c), w_odd = gate_of(c + 1);
    V sum_even = load(s.mean + c * kWidth), sum_odd = load(s.mean + (c + 1) * kWidth);
    V even[kVectors], odd[kVectors];
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) {
      even[j] = load(from + j * kWidth);
      odd[j] = load(other + j * kWidth);
      z[j] = fma(w_odd, odd[j], fma(w_even, even[j], z[j]));
      sum_even = sum_even + even[j];
      sum_odd = sum_odd + odd[j];
      store_bits(s.pairs + c * kPixels + 2 * j * kWidth, in_turn(even[j], odd[j]));
    }
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; j += 2) {
      Half* const row = s.rows + c * kPixels + j * kWidth;
      store_bits(row, one_after_the_other(even[j], even[j + 1]));
      store_bits(row + kPixels, one_after_the_other(odd[j], odd[j + 1]));
    }
    store(s.mean + c * kWidth, sum_even);
    store(s.mean + (c + 1) * kWidth, sum_odd);
  }
  if (!op.gate_weight) return;
  const V one = broadcast(1.0f);
  for (int j = 0; j < kVectors; ++j) {
    const V e = exp(z[j]), open = one / (one + e);
    store(s.open + j * kWidth, open);
    store(s.gate + j * kWidth, e * open);
  }
}

VDEBLUR_APART void logits_of(const SqueezeChunks& k, const SqueezeScratch& s) {
  const Half* weight = reinterpret_cast<const Half*>(k.weight);
  for (int64_t map = 0; map < k.maps; map += kRows) {
    const float* const start = k.bias + map * kColumns;
    tile_load<kC>(start, 64);
    tile_load<kC + 1>(start, 64);
    tile_load<kC + 2>(start, 64);
    tile_load<kC + 3>(start, 64);
    for (int64_t c = 0; c < k.channels; c += kDepth, weight += kParts * kTileSize)
      multiply_across({weight, kDepth, kTileSize}, {s.pairs + c * kPixels, 2 * kPixels, 0});
    store_results(s.logits + map * kPixels, kPixels, kColumns);
  }
}

// Where a tile of maps' peaks rise, what is recent is scaled down to them.
VDEBLUR_APART void raise_peaks(const SqueezeChunks& k, const SqueezeScratch& s, float* peaks, int64_t map) {
  float high[kWidth], scale[kWidth];
  bool rises = false;
  store(high, load(peaks + map));
  for (int64_t m = 0; m < std::min<int64_t>(kWidth, k.op.maps - map); ++m) {
    const V old = broadcast(high[m]);
    V top = old;
    for (int j = 0; j < kVectors; ++j) top = max(load(s.logits + (map + m) * kPixels + j * kWidth), top);
    if (!any_greater(top, old)) continue;
    high[m] = largest(top);
    rises = true;
  }
  if (!rises) return;
  const V by = exp_of_negative(load(peaks + map) - load(high));
  store(scale, by);
  store(peaks + map, load(high));
  for (int64_t c = 0; c < k.op.x.channels; ++c) {
    float* const sum = s.recent + c * k.maps + map;
    store(sum, load(sum) * by);
  }
  for (int m = 0; m < kWidth; ++m) {
    float* const total = s.totals + (map + m) * kWidth;
    store(total, load(total) * broadcast(scale[m]));
  }
}

// Logits of a map to numerators, as parts.
VDEBLUR_APART void soften(const SqueezeChunks& k, const SqueezeScratch& s, float peak, int64_t map) {
  const float* const logits = s.logits + map * kPixels;
  V total = load(s.totals + map * kWidth);
  const V top = broadcast(peak);
  V e[kVectors];
#pragma GCC unroll 4
  for (int j = 0; j < kVectors; ++j) e[j] = exp_of_negative(load(logits + j * kWidth) - top);
#pragma GCC unroll 4
  for (int j = 0; j < kVectors; ++j) {
    total = total + e[j];
    e[j] = e[j] * load(s.open + j * kWidth);
  }
#pragma GCC unroll 2
  for (int j = 0; j < kVectors; j += 2) {
    V a[kParts], b[kParts];
    split(e[j], a);
    split(e[j + 1], b);
#pragma GCC unroll 3
    for (int i = 0; i < kParts; ++i)
      store_bits(s.numerators + (i * k.maps + map) * kPixels + j * kWidth, one_after_the_other(a[i], b[i]));
  }
  store(s.totals + map * kWidth, total);
}

// (maps, kPixels) -> (kPixels / 2, maps, 2): a pair of pixels is turned as if it were one number.
VDEBLUR_APART void turn(const SqueezeChunks& k, const SqueezeScratch& s) {
  const int64_t part = k.maps * kPixels;
  for (int64_t i = 0; i < kParts; ++i)
    transpose(reinterpret_cast<const float*>(s.numerators + i * part), kPixels / 2,
              reinterpret_cast<float*>(s.turned + i * part), k.maps, k.maps, kPixels / 2);
}

// N tiles of channels, from c on, for one tile of maps.
template <int N>
VDEBLUR_INLINE void add_sums(const SqueezeChunks& k, const SqueezeScratch& s, int64_t c, int64_t map) {
  clear();
  for (int64_t p = 0; p < kPixels; p += kDepth)
    multiply_down<N>({s.rows + c * kPixels + p, kPixels, 0},
                     {s.turned + p * k.maps + 2 * map, 2 * k.maps, k.maps * kPixels});
  store_results(s.results, kColumns, kRows * kColumns);
  for (int64_t i = 0; i < N * kRows; ++i) {
    float* const sum = s.recent + (c + i) * k.maps + map;
    store(sum, load(sum) + load(s.results + i * kColumns));
  }
}

VDEBLUR_APART void weighted_sums(const SqueezeChunks& k, const SqueezeScratch& s) {
  constexpr int64_t most = 4;
  for (int64_t map = 0; map < k.maps; map += kColumns)
    for (int64_t c = 0; c < k.op.x.channels; c += most * kRows) switch (divide_up(k.op.x.channels - c, kRows)) {
        case 1:
          add_sums<1>(k, s, c, map);
          break;
        case 2:
          add_sums<2>(k, s, c, map);
          break;
        case 3:
          add_sums<3>(k, s, c, map);
          break;
        default:
          add_sums<4>(k, s, c, map);
      }
}

// Adds what is recent to the chunk's statistics, scaled down to the peaks of now, and starts afresh.
inline void flush(const SqueezeChunks& k, const SqueezeScratch& s, float* sums) {
  const auto add_lanes = [](const float* lanes, int64_t rows, float* to) {
    for (int64_t r = 0; r < rows; ++r)
      for (int i = 0; i < kWidth; ++i) to[r] += lanes[r * kWidth + i];
  };
  for (int64_t map = 0; map < k.maps; map += kWidth) {
    const V peak = load(sums + k.peak_at() + map), by = exp_of_negative(load(s.flushed + map) - peak);
    store(s.flushed + map, peak);
    for (int64_t at = map; at < k.channels * k.maps; at += k.maps)
      store(sums + at, fma(load(sums + at), by, load(s.recent + at)));
    float* const totals = sums + k.total_at() + map;
    store(totals, load(totals) * by);
  }
  add_lanes(s.totals, k.op.maps, sums + k.total_at());
  add_lanes(s.mean, k.op.x.channels, sums + k.mean_at());
  std::fill(s.mean, s.flushed, 0.0f);
}

void squeeze_chunk(const SqueezeChunks& k, int64_t chunk, float* scratch) {
  const SpatialSqueeze& op = k.op;
  const Frames& x = op.x;
  const SqueezeScratch s(k, scratch);
  float *const sums = k.of(chunk), *const peaks = sums + k.peak_at();
  const int64_t frame = chunk / k.per_frame, first = chunk % k.per_frame * k.pixels_each;
  const int64_t end = std::min(first + k.pixels_each, x.pixels());
  const Half* const data = frame_of<const Half>(x, frame / x.frames, frame % x.frames);
  std::fill(sums, sums + k.size(), 0.0f);
  std::fill(peaks, peaks + k.maps, -FLT_MAX);
  std::fill(scratch, s.end, 0.0f);
  std::fill(s.flushed, s.flushed + k.maps, -FLT_MAX);
  std::fill(s.open, s.open + kPixels, 1.0f);
  for (int64_t p = first; p < end; p += kPixels) {
    const int64_t count = std::min(kPixels, end - p), place = frame * x.pixels() + p;
    if (is_plain<kPixels>(x, p, count)) {
      take(k, s, data + pixel_at(x, p), x.channel_stride);
    } else {
      load_tile<kPixels>(x, data, p, count, s.tile);
      take(k, s, s.tile, kPixels);
    }
    for (int64_t i = 0; op.mask && i < count; ++i) {
      s.gate[i] = op.mask[place + i];
      s.open[i] = 1.0f - s.gate[i];
    }
    for (int64_t i = 0; op.gate && i < count; ++i) narrow(s.gate[i], static_cast<Half*>(op.gate) + place + i);
    logits_of(k, s);
    for (int64_t map = 0; count < kPixels && map < op.maps; ++map)
      std::fill(s.logits + map * kPixels + count, s.logits + (map + 1) * kPixels, -FLT_MAX);
    for (int64_t map = 0; map < op.maps; map += kWidth) raise_peaks(k, s, peaks, map);
    Ahead<kPixels, Half> ahead(x, data, p + kPixels, op.maps);
    for (int64_t map = 0; map < op.maps; ++map) {
      ahead.ask();
      soften(k, s, peaks[map], map);
    }
    turn(k, s);
    weighted_sums(k, s);
    if ((p - first) / kPixels % kTilesTogether == kTilesTogether - 1) flush(k, s, sums);
  }
  flush(k, s, sums);
}

int64_t squeeze_scratch_size(const SqueezeChunks& k) {
  float* const anywhere = k.statistics;
  return SqueezeScratch(k, anywhere).end - anywhere;
}

void pack_squeeze(const SqueezeChunks& k) {
  pack_operand(k.op.weight, k.op.maps, k.op.x.channels, k.weight);
  pack_start(k.op.bias, k.op.maps, k.bias);
}
