// Some tiles of a convolution: channels along the register.

#include "activation.inl"
#include "runs.inl"
#include "winograd.inl"

// The frame and the place of a tile.
struct TileAt {
  int64_t batch, row, column;  // of its first result
  TileAt(const ConvolutionPlan& k, int64_t t)
      : batch(t / (k.tile_rows * k.tile_columns)),
        row(t / k.tile_columns % k.tile_rows * k.tile),
        column(t % k.tile_columns * k.tile) {}
};

// Copies the patch of x whose first pixel is (row, column), zeros beyond the frame.
template <int P, class T>
void copy_patch(const Frames& x, int64_t batch, int64_t row, int64_t column, T* to) {
  const T* const frame = frame_of<const T>(x, batch, 0);
  for (int64_t i = row; i < row + P; ++i)
    for (int64_t j = column; j < column + P; ++j, to += x.channels)
      if (i >= 0 && i < x.height && j >= 0 && j < x.width)
        std::copy_n(frame + i * x.row_stride + j * x.pixel_stride, x.channels, to);
      else
        std::fill_n(to, x.channels, T(0));
}

// Patches `first` to `end` to spectra (frequency, tile, input). A register that reaches beyond an input's channels
// writes where the next input, or the next tile, is written afterwards.
template <int P, class T>
void transform_patches(const ConvolutionPlan& k, int64_t first, int64_t end, float* spectra, T* room) {
  const int64_t margin = (P - k.tile) / 2, frequency = k.spectrum();
  for (int64_t t = first; t < end; ++t) {
    const TileAt at(k, t);
    const int64_t row = at.row - margin, column = at.column - margin;
    const bool inside = row >= 0 && column >= 0 && row + P <= k.height && column + P <= k.width;
    for (const Frames* x = k.op.inputs; x < k.op.inputs + k.op.count; ++x) {
      const T* from = frame_of<const T>(*x, at.batch, 0) + row * x->row_stride + column * x->pixel_stride;
      int64_t pixel = x->pixel_stride, line = x->row_stride;
      if (!inside) {
        pixel = x->channels;
        line = P * pixel;
        copy_patch<P>(*x, at.batch, row, column, room);
        from = room;
      }
      int64_t columns[P];
      for (int i = 0; i < P; ++i) columns[i] = i * pixel;
      for (int64_t c = 0; c < x->channels; c += kWidth) {
        const int64_t count = std::min<int64_t>(kWidth, x->channels - c);
        const T* rows[P];
        for (int i = 0; i < P; ++i) rows[i] = from + c + i * line;
        if (count == kWidth)
          forward_tiles(rows, columns, spectra + c, frequency);
        else
          forward_tiles<true>(rows, columns, spectra + c, frequency, count);
      }
      spectra += x->channels;
    }
    spectra += k.row() - k.op.sizes.inputs;
  }
}

// Where a register of outputs goes: the first of its channels, how many there are, and the place of its pixels among those
// that a pixel is scaled up to.
struct Output {
  int64_t channel, channels, row, column;
  Output() = default;
  Output(const ConvolutionPlan& k, int64_t output) {
    const int64_t filled = round_up(k.op.y.channels, kGroup), phase = output / filled, up = k.op.sizes.upscale;
    channel = output % filled;
    channels = std::min<int64_t>(kWidth, k.op.y.channels - channel);
    row = phase / up;
    column = phase % up;
  }
  // In a picture, the first pixel of a tile.
  template <class T>
  T* in(const Frames& f, const TileAt& at, int64_t up) const {
    const int64_t pixel = (at.row * up + row) * f.row_stride + (at.column * up + column) * f.pixel_stride;
    return frame_of<T>(f, at.batch, 0) + pixel + channel;
  }
};

template <int kTile, bool kAdds, class T>
VDEBLUR_INLINE void store_whole(const ConvolutionPlan& k, const T* other, T* y, V shift, V least,
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

template <int kTile, class T>
void store_part(const ConvolutionPlan& k, const TileAt& at, int64_t channels, const T* other, T* y, V shift, V least,
                V (&out)[kTile][kTile]) {
  const int64_t up = k.op.sizes.upscale, rows = std::min<int64_t>(kTile, k.height - at.row);
  const int64_t columns = std::min<int64_t>(kTile, k.width - at.column);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) {
      V sum = out[i][j] + shift;
      if (other) {
        const T* const from = other + up * (i * k.op.other.row_stride + j * k.op.other.pixel_stride);
        sum = sum + load_some(from, channels);
      }
      store_some(y + up * (i * k.op.y.row_stride + j * k.op.y.pixel_stride), max(least, sum), channels);
    }
}

// A block of outputs of all tiles: transformed back, and stored tile by tile, for their channels lie side by side.
template <int P, int kTile, class T>
void finish_tiles(const ConvolutionPlan& k, int64_t first, int64_t end, int64_t block, int64_t step,
                  const float* products) {
  const Convolution& op = k.op;
  const int64_t up = op.sizes.upscale, frequency = k.product(), count = step / kWidth;
  const V least = broadcast(op.activation == Activation::relu ? 0.0f : -INFINITY);
  Output places[kBlock / kWidth];
  for (int64_t v = 0; v < count; ++v) places[v] = Output(k, block + v * kWidth);
  for (int64_t t = first; t < end; ++t) {
    const TileAt at(k, t);
    const bool whole = at.row + kTile <= k.height && at.column + kTile <= k.width;
    for (int64_t v = 0; v < count; ++v, products += kWidth) {
      const Output& place = places[v];
      if (place.channels <= 0) continue;
      V out[kTile][kTile];
      inverse_tiles<P>(products, frequency, out);
      const V shift = load(k.bias + block + v * kWidth);
      const T* const other = op.other.data ? place.in<const T>(op.other, at, up) : nullptr;
      T* const y = place.in<T>(op.y, at, up);
      if (!whole || place.channels < kWidth)
        store_part(k, at, place.channels, other, y, shift, least, out);
      else if (other)
        store_whole<kTile, true, T>(k, other, y, shift, least, out);
      else
        store_whole<kTile, false, T>(k, other, y, shift, least, out);
    }
  }
}

template <int P, int kTile, class T>
void convolve_tiles(const ConvolutionPlan& k, int64_t first, int64_t end, float* scratch) {
  constexpr int64_t kAll = P * P;  // frequencies
  const int64_t inputs = k.op.sizes.inputs;
  float* const spectra = scratch;
  float* const products = spectra + kAll * k.spectrum();
  transform_patches<P>(k, first, end, spectra, reinterpret_cast<T*>(products + kAll * k.product()));
  const float* weights = k.weights;
  for (int64_t o = 0; o < k.columns; o += kBlock) {
    const int64_t step = std::min(kBlock, k.columns - o);
    const int64_t wanted = k.op.sizes.upscale == 1 ? std::min(step, k.op.sizes.outputs - o) : step;
    for (int64_t f = 0; f < kAll; ++f, weights += inputs * step)
      multiply(spectra + f * k.spectrum(), k.row(), end - first, inputs, weights, step, wanted,
               products + f * k.product());
    finish_tiles<P, kTile, T>(k, first, end, o, step, products);
  }
}

void convolve(const ConvolutionPlan& k, int64_t first, int64_t end, float* scratch) {
  const bool small = k.op.sizes.kernel == 3;
  if (k.op.sizes.type == Type::float32)
    (small ? convolve_tiles<kPatch, 4, float> : convolve_tiles<kPatch, 2, float>)(k, first, end, scratch);
  else
    (small ? convolve_tiles<kWidePatch, 6, uint16_t> : convolve_tiles<kWidePatch, 4, uint16_t>)(k, first, end, scratch);
}
