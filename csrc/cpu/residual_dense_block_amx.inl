// A residual dense block, row by row.

#include "runs.inl"
#include "halves.inl"
#include "activation.inl"

// C[p] += A[p] B for kPixels tiles of pixels, side by side in a row, whose channels lie `depth` apart.
template <int kPixels, int kLeft, int kRight>
VDEBLUR_INLINE void multiply_tiles(const Half* pixels, int64_t depth, const Half* weights) {
  const int64_t stride = sizeof(Half) * depth;
  tile_load<kRight>(weights, 64);
  tile_load<kLeft>(pixels, stride);
  tile_multiply<kC, kLeft, kRight>();
  if constexpr (kPixels > 1) {
    tile_load<kLeft>(pixels + kRows * depth, stride);
    tile_multiply<kC + 1, kLeft, kRight>();
  }
  if constexpr (kPixels > 2) {
    tile_load<kLeft>(pixels + 2 * kRows * depth, stride);
    tile_multiply<kC + 2, kLeft, kRight>();
  }
  if constexpr (kPixels > 3) {
    tile_load<kLeft>(pixels + 3 * kRows * depth, stride);
    tile_multiply<kC + 3, kLeft, kRight>();
  }
}

// The outputs of one tile of weights for kPixels tiles of pixels -> out (pixels, kColumns). rows: of the pixels that
// the taps see, kTaps of them, from the leftmost tap on.
template <int kPixels, int kTaps>
VDEBLUR_INLINE void convolve(const Half* const* rows, int64_t depth, int64_t inputs, const float* packed, float* out) {
  tile_load<kC>(packed, 0);
  if constexpr (kPixels > 1) tile_load<kC + 1>(packed, 0);
  if constexpr (kPixels > 2) tile_load<kC + 2>(packed, 0);
  if constexpr (kPixels > 3) tile_load<kC + 3>(packed, 0);
  const Half* weights = reinterpret_cast<const Half*>(packed + kColumns);
  const int64_t whole = inputs / kDepth * kDepth;
  for (int i = 0; i < kTaps; ++i)
    for (int j = 0; j < kTaps; ++j) {
      const Half* const pixels = rows[i] + j * depth;
      for (int64_t c = 0; c < whole; c += kDepth, weights += kTileSize)
        multiply_tiles<kPixels, kA, kB>(pixels + c, depth, weights);
      if (whole < inputs) {
        multiply_tiles<kPixels, kRestA, kRestB>(pixels + whole, depth, weights);
        weights += kTileSize;
      }
    }
  constexpr int64_t row = sizeof(float) * kColumns, tile = kRows * kColumns;
  tile_store<kC>(out, row);
  if constexpr (kPixels > 1) tile_store<kC + 1>(out + tile, row);
  if constexpr (kPixels > 2) tile_store<kC + 2>(out + 2 * tile, row);
  if constexpr (kPixels > 3) tile_store<kC + 3>(out + 3 * tile, row);
}

template <int kTaps>
void convolve_tiles(int64_t tiles, const Half* const* rows, int64_t depth, int64_t inputs, const float* packed,
                    float* out) {
  switch (tiles) {
    case 1:
      return convolve<1, kTaps>(rows, depth, inputs, packed, out);
    case 2:
      return convolve<2, kTaps>(rows, depth, inputs, packed, out);
    case 3:
      return convolve<3, kTaps>(rows, depth, inputs, packed, out);
    default:
      return convolve<4, kTaps>(rows, depth, inputs, packed, out);
  }
}

// Calls finish(first pixel, how many, tile of outputs) with the results in `out`, for all of a row and a layer.
template <int kTaps, class Finish>
VDEBLUR_INLINE void convolve_row(const Plan& k, int64_t layer, const Half* const (&rows)[kTaps], float* out,
                                 Finish finish) {
  const int64_t inputs = k.at.first(layer), step = kColumns + k.at.weight_size(layer);
  configure(configuration(inputs % kDepth));
  for (int64_t tile = 0; tile < k.tiles; tile += kMostTiles) {
    const int64_t tiles = std::min(kMostTiles, k.tiles - tile), first = tile * kRows;
    const Half* here[kTaps];
    for (int i = 0; i < kTaps; ++i) here[i] = rows[i] + first * k.depth;
    for (int64_t o = 0; o < k.at.output_tiles(layer); ++o) {
      convolve_tiles<kTaps>(tiles, here, k.depth, inputs, k.packed + k.at.ready(layer) + o * step, out);
      finish(first, std::min(tiles * kRows, k.op.x.width - first), o);
    }
  }
}

// The pixels of a row, and zeros around it.
inline void load_row(const Plan& k, int64_t frame, int64_t y, Half* row) {
  const Frames& x = k.op.x;
  const Half* from = static_cast<const Half*>(x.data) + frame * x.batch_stride + y * x.row_stride;
  std::fill_n(row, k.depth, Half(0));
  std::fill(row + (x.width + 1) * k.depth, row + k.line(), Half(0));
  Half* to = row + k.depth;
  if (x.pixel_stride == 1) transpose(from, x.channel_stride, to, k.depth, x.channels, x.width);
  for (int64_t i = 0; i < x.width; ++i, from += x.pixel_stride, to += k.depth) {
    if (x.channel_stride == 1)
      copy_halves(from, x.channels, to);
    else
      for (int64_t c = 0; x.pixel_stride != 1 && c < x.channels; ++c) to[c] = from[c * x.channel_stride];
    if (x.channels % 2) to[x.channels] = 0;
  }
}

template <Activation kActivation>
VDEBLUR_INLINE V activate(V v) {
  return kActivation == Activation::gelu ? gelu(v) : relu(v);
}

template <Activation kActivation>
void dense_layer(const Plan& k, int64_t layer, const Half* const (&rows)[3], Half* row, float* out) {
  const int64_t outputs = round_up(k.op.sizes.growth, 2);
  convolve_row<3>(k, layer, rows, out, [&](int64_t first, int64_t pixels, int64_t tile) {
    Half* to = row + (first + 1) * k.depth + k.at.first(layer) + tile * kColumns;
    const int64_t count = std::min(kColumns, outputs - tile * kColumns);
    int64_t i = 0;
    for (; count <= 8 && i + 2 <= pixels; i += 2, to += 2 * k.depth)  // two pixels fill a register
      store_eights(to, to + k.depth, activate<kActivation>(load_eights(out + i * kColumns, out + (i + 1) * kColumns)), count);
    for (; i < pixels; ++i, to += k.depth) store_halves(to, activate<kActivation>(load(out + i * kColumns)), count);
  });
}

// y = fusion + x, by way of lines (pixels, channels) where y's channels are not side by side.
inline void fuse(const Plan& k, int64_t frame, int64_t y, const Room& room) {
  const Frames& f = k.op.y;
  Half* const image = static_cast<Half*>(f.data) + frame * f.batch_stride + y * f.row_stride;
  const bool direct = f.channel_stride == 1;
  const int64_t step = direct ? f.pixel_stride : round_up(f.channels, kColumns);
  const Half* const centre[1] = {room.row(y) + k.depth};
  float* const out = room.results();
  Half* const lines = room.lines();
  convolve_row<1>(k, k.op.sizes.layers, centre, out, [&](int64_t first, int64_t pixels, int64_t tile) {
    const int64_t c = tile * kColumns, count = std::min(kColumns, f.channels - c);
    const Half* x = centre[0] + first * k.depth + c;
    Half* to = (direct ? image : lines) + first * step + c;
    for (int64_t i = 0; i < pixels; ++i, to += step, x += k.depth) {
      const V sum = load(out + i * kColumns) + load(x);
      store_halves(to, sum, direct ? count : kColumns);
    }
  });
  if (direct) return;
  if (f.pixel_stride == 1) return transpose(lines, step, image, f.channel_stride, f.width, f.channels);
  for (int64_t c = 0; c < f.channels; ++c)
    for (int64_t i = 0; i < f.width; ++i) image[c * f.channel_stride + i * f.pixel_stride] = lines[i * step + c];
}

// Rows first ... end of a frame. A layer needs of the one before it a row more at each edge.
void dense_strip(const Plan& k, int64_t frame, int64_t first, int64_t end, const Room& room) {
  const int64_t layers = k.op.sizes.layers, height = k.op.x.height;
  const auto needed = [&](int64_t y, int64_t more) {
    return y >= std::max<int64_t>(first - more, 0) && y < std::min(end + more, height);
  };
  for (int64_t newest = first - layers; newest < end + layers; ++newest) {
    if (needed(newest, layers)) load_row(k, frame, newest, room.row(newest));
    for (int64_t layer = 0; layer < layers; ++layer) {
      const int64_t y = newest - layer - 1;
      if (!needed(y, layers - layer - 1)) continue;
      const Half* const above = y ? room.row(y - 1) : k.zeros;
      const Half* const below = y + 1 < height ? room.row(y + 1) : k.zeros;
      const Half* const rows[3] = {above, room.row(y), below};
      if (k.op.activation == Activation::gelu)
        dense_layer<Activation::gelu>(k, layer, rows, room.row(y), room.results());
      else
        dense_layer<Activation::relu>(k, layer, rows, room.row(y), room.results());
    }
    if (needed(newest - layers, 0)) fuse(k, frame, newest - layers, room);
  }
}
