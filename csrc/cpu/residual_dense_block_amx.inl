// The stages of a residual dense block for one row of pixels: stage 0 loads x, stage k computes layer k, the last of
// them also fuses and stores y.

// A register as the 16 bfloat16 nearest to it.
VDEBLUR_INLINE void store_half(Half* to, V v) {
#if defined(VDEBLUR_ON_HOST)
  store(to, v);
#else
  const __m256bh half = _mm512_cvtneps_pbh(v);
  std::memcpy(to, &half, sizeof half);
#endif
}

// C[p] += A[p] B for kPixels tiles of pixels, `step` bytes apart.
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
  for (int64_t i = 0; i < x.width; ++i, from += x.pixel_stride, to += k.depth) {
    if (x.channel_stride == 1)
      std::memcpy(to, from, sizeof(Half) * x.channels);
    else
      for (int64_t c = 0; c < x.channels; ++c) to[c] = from[c * x.channel_stride];
    if (x.channels % 2) to[x.channels] = 0;
  }
}

template <Activation kActivation>
void dense_layer(const Plan& k, int64_t layer, const Half* const (&rows)[3], Half* row, float* out) {
  convolve_row<3>(k, layer, rows, out, [&](int64_t first, int64_t pixels, int64_t tile) {
    // What stands beyond the layer's channels is zero, or is written later.
    Half* to = row + (first + 1) * k.depth + k.at.first(layer) + tile * kColumns;
    for (int64_t i = 0; i < pixels; ++i, to += k.depth) {
      const V sum = load(out + i * kColumns);
      store_half(to, kActivation == Activation::gelu ? gelu(sum) : relu(sum));
    }
  });
}

// y = fusion + x, by way of `lines` (pixels, channels) where y's channels are not side by side.
inline void fuse(const Plan& k, int64_t frame, int64_t y, const Half* row, float* out, Half* lines) {
  const Frames& f = k.op.y;
  Half* const image = static_cast<Half*>(f.data) + frame * f.batch_stride + y * f.row_stride;
  const bool direct = f.channel_stride == 1;
  const int64_t step = direct ? f.pixel_stride : round_up(f.channels, kColumns);
  const Half* const centre[1] = {row + k.depth};
  convolve_row<1>(k, k.op.sizes.layers, centre, out, [&](int64_t first, int64_t pixels, int64_t tile) {
    const int64_t c = tile * kColumns, count = std::min(kColumns, f.channels - c);
    const Half* x = centre[0] + first * k.depth + c;
    Half* to = (direct ? image : lines) + first * step + c;
    for (int64_t i = 0; i < pixels; ++i, to += step, x += k.depth) {
      const V sum = load(out + i * kColumns) + load(x);
      if (count == kColumns || !direct) {
        store_half(to, sum);
      } else {
        Half some[kColumns];
        store_half(some, sum);
        std::memcpy(to, some, sizeof(Half) * count);
      }
    }
  });
  if (direct) return;
  for (int64_t c = 0; c < f.channels; ++c)
    for (int64_t i = 0; i < f.width; ++i) image[c * f.channel_stride + i * f.pixel_stride] = lines[i * step + c];
}

void dense_row(const Plan& k, int64_t stage, int64_t q, int64_t i, float* scratch) {
  const int64_t frame = q / k.rows, y = q % k.rows * kBand + i, height = k.op.x.height;
  if (y >= height) return;
  Half* const row = k.row(q, i);
  if (stage == 0) return load_row(k, frame, y, row);
  const Half* const above = y == 0 ? k.zeros : i ? k.row(q, i - 1) : k.row(q - 1, kBand - 1);
  const Half* const below = y == height - 1 ? k.zeros : i + 1 < kBand ? k.row(q, i + 1) : k.row(q + 1, 0);
  const Half* const rows[3] = {above, row, below};
  if (k.op.activation == Activation::gelu)
    dense_layer<Activation::gelu>(k, stage - 1, rows, row, scratch);
  else
    dense_layer<Activation::relu>(k, stage - 1, rows, row, scratch);
  if (stage == k.op.sizes.layers)
    fuse(k, frame, y, row, scratch, reinterpret_cast<Half*>(scratch + kMostTiles * kRows * kColumns));
}
