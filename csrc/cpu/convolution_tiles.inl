// A strip of a convolution of bfloat16 by AMX's tiles.

#include "runs.inl"
#include "halves.inl"
#include "accumulators.inl"

// Pixels first ... end of row y of all pictures, channels side by side; the zeros around the row stay.
inline void load_pixels(const TilePlan& k, int64_t batch, int64_t y, int64_t first, int64_t end, Half* row) {
  const int64_t pixel = k.at.pixel();
  row += k.margin() * pixel;
  int64_t channel = 0;
  for (const Frames* x = k.op.inputs; x < k.op.inputs + k.op.count; channel += x->channels, ++x) {
    const Half* from = frame_of<const Half>(*x, batch, 0) + y * x->row_stride + first * x->pixel_stride;
    if (x->channels == pixel && x->pixel_stride == pixel)
      std::memcpy(row + first * pixel, from, sizeof(Half) * (end - first) * pixel);
    else
      for (int64_t i = first; i < end; ++i, from += x->pixel_stride)
        copy_halves(from, x->channels, row + i * pixel + channel);
  }
  for (int64_t i = first; channel < pixel && i < end; ++i) row[i * pixel + channel] = 0;
}

// What is read of row y where it was copied.
inline void load_row(const TilePlan& k, int64_t batch, int64_t y, Half* row) {
  const int64_t width = k.op.inputs[0].width, left = std::min(k.inner * kRows + k.margin(), width);
  load_pixels(k, batch, y, 0, left, row);
  load_pixels(k, batch, y, std::clamp(k.inner_end * kRows - k.margin(), left, width), width, row);
}

// Zeros left and right of a row's pixels, which nothing overwrites.
inline void clear_edges(const TilePlan& k, Half* row) {
  const int64_t edge = k.margin() * k.at.pixel();
  std::fill_n(row, edge, Half(0));
  std::fill(row + edge + k.op.inputs[0].width * k.at.pixel(), row + k.line(), Half(0));
}

// kOutputs tiles of a block of outputs for kPixels tiles of pixels -> out (pixels, kOutputs kColumns). rows: of the pixels
// that the taps see, from the leftmost tap of all on. meanwhile(): called once for each part of a piece.
template <int kPixels, int kOutputs, class Meanwhile>
VDEBLUR_INLINE void convolve_block(const TilePlaces& at, const Half* const* rows, const float* block, float* out,
                                   Meanwhile meanwhile) {
  begin_tiles<kPixels, kOutputs>(block);
  const Half* weights = reinterpret_cast<const Half*>(block + kBlockOutputs);
  const int64_t pixel = at.pixel(), last = at.piece() - at.depth();
  const auto multiply = [&](const Half* part) {
    if constexpr (kOutputs == 1)
      multiply_tiles<kPixels, kA, kB>(part, pixel, weights);
    else
      multiply_two_outputs<kPixels>(part, pixel, weights);
    weights += kOutputs * kTileSize;
    meanwhile();
  };
  for (int64_t i = 0; i < at.n.kernel; ++i) {
    for (int64_t d = 0; d < last; d += kDepth) multiply(rows[i] + d);
    multiply(rows[i] + last);
  }
  store_tiles<kPixels, kOutputs>(out);
}

// Results of a row, some pixels of a block of outputs at a time.
struct FinishedRow {
  const TilePlan& k;
  int64_t batch, y;
  V least;

  template <class T>
  VDEBLUR_INLINE T* in(const Frames& f, int64_t row, int64_t column, int64_t channel) const {
    return frame_of<T>(f, batch, 0) + row * f.row_stride + column * f.pixel_stride + channel;
  }
  template <bool kAdds>
  VDEBLUR_INLINE V sum(const float* out, const Half* other, int64_t count) const {
    V v = load(out);
    if (kAdds) v = v + (count >= kWidth ? load(other) : load_halves(other, count));
    return max(least, v);
  }
  template <bool kAdds>
  VDEBLUR_INLINE void put(const float* out, int64_t pixels, int64_t count, const Half* other, int64_t other_step, Half* to,
                          int64_t step) const {
    int64_t i = 0;
    for (; count <= 8 && i + 2 <= pixels; i += 2) {  // two pixels fill a register
      V v = load_eights(out, out + kColumns);
      if (kAdds) v = v + load_halves(other, other + other_step, count);
      store_eights(to, to + step, max(least, v), count);
      out += 2 * kColumns, to += 2 * step, other += 2 * other_step;
    }
    if (count <= kColumns)
      for (; i < pixels; ++i, out += kColumns, to += step, other += other_step)
        store_halves(to, sum<kAdds>(out, other, count), count);
    else if (count < 2 * kColumns)
      for (; i < pixels; ++i, out += 2 * kColumns, to += step, other += other_step) {
        store_half(to, sum<kAdds>(out, other, kColumns));
        store_halves(to + kColumns, sum<kAdds>(out + kColumns, other + kColumns, count - kColumns), count - kColumns);
      }
    else
      for (; i < pixels; ++i, out += 2 * kColumns, to += step, other += other_step)
        store_two(to, sum<kAdds>(out, other, kColumns), sum<kAdds>(out + kColumns, other + kColumns, kColumns));
  }
  VDEBLUR_INLINE void operator()(const float* out, int64_t first, int64_t pixels, int64_t block) const {
    const Convolution& op = k.op;
    const int64_t up = op.sizes.upscale, of_phase = k.at.blocks_of_phase(), phase = up == 1 ? 0 : block / of_phase;
    const int64_t channel = (block - phase * of_phase) * kBlockOutputs;
    const int64_t count = std::min(kBlockOutputs, op.y.channels - channel);
    const int64_t row = y * up + (up == 1 ? 0 : phase / up), column = first * up + (up == 1 ? 0 : phase % up);
    Half* const to = in<Half>(op.y, row, column, channel);
    const int64_t step = up * op.y.pixel_stride;
    if (op.other.data)
      put<true>(out, pixels, count, in<const Half>(op.other, row, column, channel), up * op.other.pixel_stride, to, step);
    else
      put<false>(out, pixels, count, nullptr, 0, to, step);
  }
};

// Pixels that are finished at once, at least.
constexpr int64_t kLeastShare = 4;

// Lines of memory that will be read soon, asked for some at a time.
struct ReadSoon {
  const Half *at = nullptr, *end = nullptr;
  VDEBLUR_INLINE void ask() {
    for (int i = 0; i < 2 && at < end; ++i, at += 32) __builtin_prefetch(at, 0, 2);
  }
};

// The results of one row that are computed, and those that wait.
struct RowInWork {
  const TilePlan& k;
  TileRoom& room;
  const FinishedRow& finish;
  Unfinished<FinishedRow> before{finish};
  ReadSoon soon;

  // Up to four tiles: `tiles` of pixels times kOutputs.
  template <int kOutputs>
  VDEBLUR_INLINE void convolve(int64_t tile, int64_t tiles, const Half* const* rows, int64_t which) {
    constexpr int64_t most = kMostTiles / kOutputs;
    const int64_t steps = k.at.n.kernel * k.at.parts(), share = std::max(kLeastShare, divide_up(most * kRows, steps));
    const auto meanwhile = [&] {
      before.some(share);
      soon.ask();
    };
    const float* const block = k.packed + which * k.at.block();
    float* const out = room.results();
    if (tiles == most)
      convolve_block<most, kOutputs>(k.at, rows, block, out, meanwhile);
    else if (kOutputs == 1 && tiles == 3)
      convolve_block<3, 1>(k.at, rows, block, out, meanwhile);
    else if (kOutputs == 1 && tiles == 2)
      convolve_block<2, 1>(k.at, rows, block, out, meanwhile);
    else
      convolve_block<1, kOutputs>(k.at, rows, block, out, meanwhile);
    before.all();
    const int64_t pixels = std::min(tiles * kRows, k.op.inputs[0].width - tile * kRows);
    before.are(out, tile * kRows, pixels, which, kOutputs * kColumns);
    room.turn();
  }

  // Tiles first ... end of pixels. rows: of the pixels that the taps see, from the leftmost that the first result of the row
  // sees on.
  void convolve_tiles(int64_t first, int64_t end, const Half* const (&rows)[kMostKernel]) {
    for (int64_t group = first; group < end; group += kMostTiles)
      for (int64_t which = 0; which < k.at.blocks(); ++which) {
        const int64_t outputs = k.at.tiles_of(which), most = kMostTiles / outputs;
        const int64_t last = std::min(group + kMostTiles, end);
        for (int64_t tile = group; tile < last; tile += most) {
          const Half* here[kMostKernel];
          for (int64_t i = 0; i < k.at.n.kernel; ++i) here[i] = rows[i] + tile * kRows * k.at.pixel();
          if (outputs == 1)
            convolve<1>(tile, std::min(most, last - tile), here, which);
          else
            convolve<2>(tile, std::min(most, last - tile), here, which);
        }
      }
  }
};

// Row y of the frame, whose results may be more rows than one.
inline void convolve_row(const TilePlan& k, int64_t batch, int64_t y, TileRoom& room) {
  const Frames& x = k.op.inputs[0];
  const Half* const frame = frame_of<const Half>(x, batch, 0);
  const Half *copied[kMostKernel], *lying[kMostKernel];
  for (int64_t i = 0; i < k.at.n.kernel; ++i) {
    const int64_t row = y - k.margin() + i;
    copied[i] = room.pixels(row);
    lying[i] = row >= 0 && row < x.height ? frame + row * x.row_stride - k.margin() * x.pixel_stride : k.zeros;
  }
  const FinishedRow finish{k, batch, y, broadcast(k.op.activation == Activation::relu ? 0.0f : -INFINITY)};
  RowInWork work{k, room, finish};
  if (const int64_t next = y + k.margin() + 1; k.inner < k.inner_end && next < x.height)
    work.soon = {frame + next * x.row_stride, frame + next * x.row_stride + x.width * x.pixel_stride};
  work.convolve_tiles(0, k.inner, copied);
  work.convolve_tiles(k.inner, k.inner_end, lying);
  work.convolve_tiles(k.inner_end, k.tiles, copied);
  work.before.all();
}

// Rows first ... end of a frame.
void convolve_strip(const TilePlan& k, int64_t batch, int64_t first, int64_t end, TileRoom& room) {
  const int64_t height = k.op.inputs[0].height;
  for (int64_t slot = 0; slot < k.at.n.kernel; ++slot) clear_edges(k, room.row(slot));
  int64_t loaded = std::max<int64_t>(0, first - k.margin());
  for (int64_t y = first; y < end; ++y) {
    for (; loaded < std::min(y + k.margin() + 1, height); ++loaded) load_row(k, batch, loaded, room.row(loaded));
    convolve_row(k, batch, y, room);
  }
}
