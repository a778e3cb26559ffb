// One tile of bfloat16 pixels by AMX: what pixel_distribute.inl does, with products of parts (parts.inl).
//
// Pixels lie along the register. x and the numerators are right operands, pairs of channels and pairs of maps. Results are
// rounded to 8 bits, so that of the second product's operands two parts each are more than enough.

#include "runs.inl"
#include "parts.inl"
#include "softmax.inl"

constexpr int64_t kPixels = kDistributePixels;  // read and written at once: the longer a run, the fewer wait for memory
constexpr int64_t kGroup = 2 * kColumns;        // computed at once: the fewer, the nearer they stay
constexpr int kOutParts = 2;

struct DistributeScratch {
  Half* pairs;       // (channels / 2, kPixels, 2)
  Half* numerators;  // (kOutParts, maps / 2, kGroup, 2)
  float* logits;     // (maps, kGroup)
  float* out;        // (channels, kPixels)
  float* tile;       // (channels, kPixels): what did not lie in rows
  float* end;

  DistributeScratch(const DistributeTiles& k, float* at) {
    const auto take = [&](int64_t floats) { return std::exchange(at, at + floats); };
    pairs = reinterpret_cast<Half*>(take(k.channels * kPixels / 2));
    numerators = reinterpret_cast<Half*>(take(kOutParts * k.maps * kGroup / 2));
    logits = take(k.maps * kGroup);
    out = take(k.channels * kPixels);
    tile = take(k.channels * kPixels);
    end = at;
  }
};

// Two tiles of results below each other, each two of pixels wide.
VDEBLUR_INLINE void store_square(float* out, int64_t row) {
  tile_store<kC>(out, sizeof(float) * row);
  tile_store<kC + 1>(out + kColumns, sizeof(float) * row);
  tile_store<kC + 2>(out + kRows * row, sizeof(float) * row);
  tile_store<kC + 3>(out + kRows * row + kColumns, sizeof(float) * row);
}

// A tile (channels, kPixels) whose channels lie `stride` apart.
template <class T>
VDEBLUR_APART void take(const DistributeTiles& k, const DistributeScratch& s, const T* from, int64_t stride) {
  static const T zeros[kPixels] = {};
  for (int64_t c = 0; c < k.op.x.channels; c += 2, from += 2 * stride) {
    const T* const odd = c + 1 < k.op.x.channels ? from + stride : zeros;
    for (int64_t p = 0; p < kPixels; p += kWidth)
      store_bits(s.pairs + c * kPixels + 2 * p, in_turn(load(from + p), load(odd + p)));
  }
}

VDEBLUR_APART void logits_of(const DistributeTiles& k, const DistributeScratch& s, int64_t p) {
  constexpr int64_t step = kParts * kTileSize;
  const int64_t below = divide_up(k.op.x.channels, kDepth) * step;
  const Half* weight = reinterpret_cast<const Half*>(k.weight);
  for (int64_t map = 0; map < k.op.maps; map += 2 * kRows, weight += below) {
    const float* const start = k.bias + map * kColumns;
    tile_load<kC>(start, 64);
    tile_load<kC + 1>(start, 64);
    tile_load<kC + 2>(start + kRows * kColumns, 64);
    tile_load<kC + 3>(start + kRows * kColumns, 64);
    for (int64_t c = 0; c < k.op.x.channels; c += kDepth, weight += step)
      multiply_square<kParts, 1, kParts>({weight, kDepth, kTileSize}, below,
                                         {s.pairs + c * kPixels + 2 * p, 2 * kPixels, 0});
    store_square(s.logits + map * kGroup, kGroup);
  }
}

// Logits of a register of pixels to numerators -> 1 / denominator. Asks for what comes next, a little at a time.
template <class Ask>
VDEBLUR_APART V soften(const DistributeTiles& k, const DistributeScratch& s, int64_t p, Ask ask) {
  const float* const logits = s.logits + p;
  V peak = broadcast(-FLT_MAX), total = broadcast(0.0f);
  for (int64_t m = 0; m < k.op.maps; ++m) peak = max(load(logits + m * kGroup), peak);
  for (int64_t m = 0; m < k.op.maps; m += 2) {
    ask();
    const bool both = m + 1 < k.op.maps;
    const V even = exp_of_negative(load(logits + m * kGroup) - peak);
    const V odd = both ? exp_of_negative(load(logits + (m + 1) * kGroup) - peak) : broadcast(0.0f);
    total = total + even + odd;
    V a[kOutParts], b[kOutParts];
    split(even, a);
    split(odd, b);
    for (int i = 0; i < kOutParts; ++i)
      store_bits(s.numerators + (i * k.maps + m) * kGroup + 2 * p, in_turn(a[i], b[i]));
  }
  return broadcast(1.0f) / total;
}

VDEBLUR_APART void mix(const DistributeTiles& k, const DistributeScratch& s, const float* aggregate, int64_t p) {
  constexpr int64_t step = kParts * kTileSize;
  const int64_t below = divide_up(k.op.maps, kDepth) * step;
  const Half* left = reinterpret_cast<const Half*>(aggregate);
  for (int64_t c = 0; c < k.op.x.channels; c += 2 * kRows, left += below) {
    clear();
    for (int64_t map = 0; map < k.op.maps; map += kDepth, left += step)
      multiply_square<kOutParts, kOutParts, kOutParts>({left, kDepth, kTileSize}, below,
                                                       {s.numerators + map * kGroup, 2 * kGroup, k.maps * kGroup});
    store_square(s.out + c * kPixels + p, kPixels);
  }
}

// Two registers as bfloat16 to a line of memory past the caches, which saves reading it: nothing here reads it again.
VDEBLUR_INLINE void stream(V low, V high, Half* to) {
  alignas(64) Half line[2 * kWidth];
  store_half(line, low);
  store_half(line + kWidth, high);
  _mm512_stream_ps(reinterpret_cast<float*>(to), load(reinterpret_cast<const float*>(line)));
}

// `out` times scale (kPixels) to pixels of y.
VDEBLUR_APART void write(const DistributeTiles& k, const DistributeScratch& s, Half* frame, int64_t first,
                         int64_t count, const float* scale) {
  const Frames& y = k.op.y;
  Half* to = frame + pixel_at(y, first);
  const bool whole_lines = is_plain<kPixels>(y, first, count) &&
                           (reinterpret_cast<uintptr_t>(to) | sizeof(Half) * y.channel_stride) % 64 == 0;
  for (float* row = s.out; row < s.out + y.channels * kPixels; row += kPixels, to += y.channel_stride)
    for (int64_t p = 0; p < kPixels; p += 2 * kWidth) {
      const V low = load(row + p) * load(scale + p), high = load(row + p + kWidth) * load(scale + p + kWidth);
      if (whole_lines) {
        stream(low, high, to + p);
      } else {
        store(row + p, low);
        store(row + p + kWidth, high);
      }
    }
  if (!whole_lines) return store_tile<kPixels>(y, frame, first, count, s.out);
  _mm_sfence();
}

void distribute_tile(const DistributeTiles& k, int64_t index, float* scratch) {
  const DistributeScratch s(k, scratch);
  const Frames& x = k.op.x;
  const int64_t b = index / k.per_frame, first = index % k.per_frame * kPixels;
  const int64_t count = std::min<int64_t>(kPixels, x.pixels() - first);
  const Half* const data = frame_of<const Half>(x, b, 0);
  const float* const aggregate = k.aggregate + b * operand_size(x.channels, k.op.maps);
  if (is_plain<kPixels>(x, first, count)) {
    take(k, s, data + pixel_at(x, first), x.channel_stride);
  } else {
    load_tile<kPixels>(x, data, first, count, s.tile);
    take(k, s, s.tile, kPixels);
  }
  Ahead<kPixels, Half> ahead(x, data, first + kPixels, kPixels / kWidth * divide_up(k.op.maps, 2));
  float scale[kPixels];
  for (int64_t p = 0; p < count; p += kGroup) {
    logits_of(k, s, p);
    for (int64_t i = 0; i < kGroup; i += kWidth) store(scale + p + i, soften(k, s, i, [&] { ahead.ask(); }));
    mix(k, s, aggregate, p);
  }
  write(k, s, frame_of<Half>(k.op.y, b, 0), first, count, scale);
}

int64_t distribute_scratch_size(const DistributeTiles& k) { return DistributeScratch(k, k.scratch).end - k.scratch; }

void pack_distribute(const DistributeTiles& k) {
  const PixelDistribute& op = k.op;
  const int64_t channels = op.x.channels, maps = op.maps;
  pack_operand(op.weight, maps, channels, k.weight);
  pack_start(op.bias, maps, k.bias);
  for (int64_t b = 0; b < op.x.batch; ++b)
    pack_operand(op.aggregate + b * channels * maps, channels, maps, k.aggregate + b * operand_size(channels, maps));
}
