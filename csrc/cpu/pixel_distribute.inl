// One tile of pixels: logits of all maps, softmax over them, the mixture of the global vectors.
//
// Pixels lie along the register, maps and then channels are broadcast:
//   e[k][p] = exp(bias[k] + sum over c of weight[k][c] * x[c][p] - the largest of them over k)
//   y[c][p] = sum over k of aggregate[c][k] * e[k][p] / sum over k of e[k][p]
// Three registers of pixels at a time, whose logits stay in the first cache. Per pixel 4 * C * K operations on C numbers
// read and C written.

#include "softmax.inl"

constexpr int kRows = kRegisters == 16 ? 4 : 8;
constexpr int kAcross = 3;
constexpr int kGroup = kAcross * kWidth;

// out[r][p] += sum over s of rows[r][s] * in[s][p] for the pixels of one group, a block of rows at a time.
template <class T>
VDEBLUR_INLINE void multiply(Ahead<kDistributeTile, T>& ahead, Ahead<kDistributeTile, T, true>& room,
                             const float* rows, int64_t row_count, const float* start, const float* in, int64_t in_step,
                             int64_t steps, const V (&scale)[kAcross], float* out, int64_t out_step) {
  for (int64_t r = 0; r < row_count; r += kRows, rows += kRows * steps) {
    V acc[kRows][kAcross];
    for (int i = 0; i < kRows; ++i)
      for (int j = 0; j < kAcross; ++j) acc[i][j] = broadcast(start ? start[r + i] : 0.0f);
    for (int64_t at = 0; at < steps; at += kStepsBetween) {
      ahead.ask();
      room.ask();
      outer<kRows, kAcross>(acc, rows + at * kRows, 1, kRows, in + at * in_step, in_step,
                            std::min(kStepsBetween, steps - at));
    }
    for (int i = 0; i < kRows; ++i)
      for (int j = 0; j < kAcross; ++j) store(out + (r + i) * out_step + j * kWidth, acc[i][j] * scale[j]);
  }
}

// logits (maps, kGroup) to numerators, in place -> 1 / denominator.
VDEBLUR_INLINE V soften(float* logits, int64_t maps) {
  V peak = broadcast(-FLT_MAX), total = broadcast(0.0f);
  for (int64_t k = 0; k < maps; ++k) peak = max(load(logits + k * kGroup), peak);
  for (int64_t k = 0; k < maps; ++k) {
    const V e = exp_of_negative(load(logits + k * kGroup) - peak);
    total = total + e;
    store(logits + k * kGroup, e);
  }
  return broadcast(1.0f) / total;
}

template <class T>
void distribute_tile_of(const DistributeTiles& k, int64_t index, float* tile, float* out, float* logits) {
  const PixelDistribute& op = k.op;
  const int64_t b = index / k.per_frame, first = index % k.per_frame * kDistributeTile;
  const int64_t count = std::min<int64_t>(kDistributeTile, op.x.pixels() - first);
  const float* aggregate = k.aggregate + b * k.channels * op.maps;
  const Tile x = tile_of<kDistributeTile>(op.x, frame_of<const T>(op.x, b, 0), first, count, tile);
  // Straight to its place where that is a run of float32 for each channel, and no channel is there to pad a block.
  T* const y = frame_of<T>(op.y, b, 0);
  int64_t out_step = kDistributeTile;
  const bool straight = std::is_same_v<T, float> && is_plain<kDistributeTile>(op.y, first, count) &&
                        op.x.channels % kRows == 0;
  if (straight) {
    out = reinterpret_cast<float*>(y + pixel_at(op.y, first));
    out_step = op.y.channel_stride;
  }
  const int64_t steps = k.maps * divide_up(op.x.channels, kStepsBetween) + k.channels * divide_up(op.maps, kStepsBetween);
  const int64_t times = kDistributeTile / kGroup * steps / kRows;
  Ahead<kDistributeTile, T> ahead(op.x, frame_of<const T>(op.x, b, 0), first + kDistributeTile, times);
  // Where it will be written too: those lines come as slowly as those that are read.
  Ahead<kDistributeTile, T, true> room(op.y, y, first, times);
  for (int64_t p = 0; p < count; p += kGroup) {
    V scale[kAcross] = {broadcast(1.0f), broadcast(1.0f), broadcast(1.0f)};
    multiply(ahead, room, k.weight, op.maps, k.bias, x.at + p, x.stride, op.x.channels, scale, logits, kGroup);
    for (int j = 0; j < kAcross; ++j) scale[j] = soften(logits + j * kWidth, op.maps);
    multiply(ahead, room, aggregate, op.x.channels, nullptr, logits, kGroup, op.maps, scale, out + p, out_step);
  }
  if (!straight) store_tile<kDistributeTile>(op.y, y, first, count, out);
}

void distribute_tile(const DistributeTiles& k, int64_t index, float* scratch) {
  float* const out = scratch + k.op.x.channels * kDistributeTile;
  float* const logits = out + k.channels * kDistributeTile;
  if (k.op.x.type == Type::float32)
    distribute_tile_of<float>(k, index, scratch, out, logits);
  else
    distribute_tile_of<uint16_t>(k, index, scratch, out, logits);
}
