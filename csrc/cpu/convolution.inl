// Some tiles of a convolution: channels along the register.

#include "activation.inl"
#include "winograd.inl"

// The frame and the place of a tile.
struct TileAt {
  int64_t batch, row, column;  // of its first result
  TileAt(const ConvolutionPlan& k, int64_t t)
      : batch(t / (k.tile_rows * k.tile_columns)),
        row(t / k.tile_columns % k.tile_rows * k.tile),
        column(t % k.tile_columns * k.tile) {}
};

// Copies the patch of x whose first pixel is (row, column), zeros beyond the frame, channels `filled` apart.
inline void copy_patch(const Frames& x, int64_t batch, int64_t row, int64_t column, int64_t filled, float* to) {
  const float* const frame = frame_of<const float>(x, batch, 0);
  for (int64_t i = row; i < row + kPatch; ++i)
    for (int64_t j = column; j < column + kPatch; ++j, to += filled) {
      const bool inside = i >= 0 && i < x.height && j >= 0 && j < x.width;
      if (inside) std::copy_n(frame + i * x.row_stride + j * x.pixel_stride, x.channels, to);
      std::fill(to + (inside ? x.channels : 0), to + filled, 0.0f);
    }
}

// Patches `first` to `end` to spectra (frequency, tile, input). A register that reaches beyond an input's channels
// writes where the next input, or the next tile, is written afterwards.
inline void transform_patches(const ConvolutionPlan& k, int64_t first, int64_t end, float* spectra, float* room) {
  const int64_t margin = (kPatch - k.tile) / 2;
  for (int64_t t = first; t < end; ++t) {
    const TileAt at(k, t);
    const int64_t row = at.row - margin, column = at.column - margin;
    const bool inside = row >= 0 && column >= 0 && row + kPatch <= k.height && column + kPatch <= k.width;
    for (const Frames* x = k.op.inputs; x < k.op.inputs + k.op.count; ++x) {
      const float* from = frame_of<const float>(*x, at.batch, 0) + row * x->row_stride + column * x->pixel_stride;
      int64_t pixel = x->pixel_stride, line = x->row_stride;
      if (!inside || x->channels < kWidth) {
        pixel = round_up(x->channels, kWidth);
        line = kPatch * pixel;
        copy_patch(*x, at.batch, row, column, pixel, room);
        from = room;
      }
      const int64_t columns[kPatch] = {0, pixel, 2 * pixel, 3 * pixel, 4 * pixel, 5 * pixel};
      for (int64_t c = 0; c < x->channels; c += kWidth) {
        // Rather the last register once more in part than beyond the channels.
        const int64_t from_c = x->channels < kWidth ? 0 : std::min(c, x->channels - kWidth);
        const float* const p = from + from_c;
        forward_tiles({p, p + line, p + 2 * line, p + 3 * line, p + 4 * line, p + 5 * line}, columns,
                      spectra + from_c, k.spectrum());
      }
      spectra += x->channels;
    }
    spectra += k.row() - k.op.sizes.inputs;
  }
}

// Where the results of a register of outputs go for one tile: their picture, from the first on.
struct Place {
  int64_t row, column, channel, channels, rows, columns;
  Place(const ConvolutionPlan& k, const TileAt& at, int64_t output) {
    const int64_t filled = round_up(k.op.y.channels, kGroup), phase = output / filled, up = k.op.sizes.upscale;
    row = at.row * up + phase / up;
    column = at.column * up + phase % up;
    channel = output % filled;
    channels = std::min<int64_t>(kWidth, k.op.y.channels - channel);
    rows = std::min(k.tile, k.height - at.row);
    columns = std::min(k.tile, k.width - at.column);
  }
  float* in(const Frames& f, int64_t batch) const {
    return frame_of<float>(f, batch, 0) + row * f.row_stride + column * f.pixel_stride + channel;
  }
};

template <int kTile, bool kAdds>
VDEBLUR_INLINE void store_whole(const ConvolutionPlan& k, const float* other, float* y, V shift, V least,
                                V (&out)[kTile][kTile]) {
  const int64_t up = k.op.sizes.upscale, other_row = up * k.op.other.row_stride, row = up * k.op.y.row_stride;
  const int64_t other_pixel = up * k.op.other.pixel_stride, pixel = up * k.op.y.pixel_stride;
#pragma GCC unroll 4
  for (int i = 0; i < kTile; ++i, other += other_row, y += row)
#pragma GCC unroll 4
    for (int j = 0; j < kTile; ++j) {
      const V sum = out[i][j] + shift;
      store(y + j * pixel, max(least, kAdds ? sum + load(other + j * other_pixel) : sum));
    }
}

template <int kTile>
void store_part(const ConvolutionPlan& k, const Place& place, const float* other, float* y, V shift, V least,
                V (&out)[kTile][kTile]) {
  const int64_t up = k.op.sizes.upscale;
  for (int64_t i = 0; i < place.rows; ++i)
    for (int64_t j = 0; j < place.columns; ++j) {
      V sum = out[i][j] + shift;
      if (other) {
        const float* const from = other + up * (i * k.op.other.row_stride + j * k.op.other.pixel_stride);
        sum = sum + load_some(from, place.channels);
      }
      store_some(y + up * (i * k.op.y.row_stride + j * k.op.y.pixel_stride), max(least, sum), place.channels);
    }
}

template <int kTile>
VDEBLUR_INLINE void store_results(const ConvolutionPlan& k, const TileAt& at, int64_t output, V (&out)[kTile][kTile]) {
  const Place place(k, at, output);
  if (place.channels <= 0) return;
  const bool adds = k.op.other.data, whole = place.rows == kTile && place.columns == kTile;
  const V shift = load(k.bias + output), least = broadcast(k.op.activation == Activation::relu ? 0.0f : -INFINITY);
  const float* const other = adds ? place.in(k.op.other, at.batch) : nullptr;
  float* const y = place.in(k.op.y, at.batch);
  if (!whole || place.channels < kWidth) return store_part(k, place, other, y, shift, least, out);
  adds ? store_whole<kTile, true>(k, other, y, shift, least, out)
       : store_whole<kTile, false>(k, other, y, shift, least, out);
}

template <int kTile>
void convolve(const ConvolutionPlan& k, int64_t first, int64_t end, float* scratch) {
  const int64_t inputs = k.op.sizes.inputs, tiles = end - first;
  float* const spectra = scratch;
  float* const products = spectra + kFrequencies * k.spectrum();
  transform_patches(k, first, end, spectra, products + kFrequencies * k.product());
  const float* weights = k.weights;
  for (int64_t o = 0; o < k.columns; o += kBlock) {
    const int64_t step = std::min(kBlock, k.columns - o);
    for (int64_t f = 0; f < kFrequencies; ++f, weights += inputs * step)
      multiply(spectra + f * k.spectrum(), k.row(), tiles, inputs, weights, step, products + f * k.product());
    for (int64_t t = first; t < end; ++t) {
      const TileAt at(k, t);
      for (int64_t v = 0; v < step; v += kWidth) {
        V out[kTile][kTile];
        inverse_tiles(products + (t - first) * step + v, k.product(), out);
        store_results(k, at, o + v, out);
      }
    }
  }
}
