// The stages of a residual dense block with channels along the register, for some tiles of one row of tiles: stage 0 loads
// x, stage k computes layer k, the last of them also fuses and stores y.

#include "activation.inl"
#include "winograd.inl"

namespace channels {

using vdeblur::channels::kFill;
using vdeblur::channels::kTile;
using vdeblur::channels::Packed;
using vdeblur::channels::Plan;

struct Chunk {
  const Plan& k;
  int64_t q, row;      // row of tiles, counted through the batch and within its frame
  int64_t first, end;  // tiles
  float* scratch;

  int64_t frame() const { return q / k.rows; }
  // Rows and columns of pixels of the frame from the first tile on.
  int64_t height() const { return std::min(kTile, k.op.x.height - row * kTile); }
  int64_t width() const { return std::min(end * kTile, k.op.x.width) - first * kTile; }
  // Channel c of the first tile's pixels in row i.
  float* pixels(int64_t i, int64_t c) const { return k.line_of(q, i) + (1 + first * kTile) * k.pixel() + c; }
  // ... in a picture.
  template <class T>
  T* in(const Frames& f, int64_t i) const {
    return frame_of<T>(f, frame(), 0) + (row * kTile + i) * f.row_stride + first * kTile * f.pixel_stride;
  }
};

// Pixels of channels, wherever they are, to pixels with their channels side by side and `step` apart; and back.
template <class T>
void gather(const Frames& f, const T* from, int64_t pixels, float* to, int64_t step) {
  if (f.pixel_stride == 1 && f.channels > 1) return transpose(from, f.channel_stride, to, step, f.channels, pixels);
  for (int64_t p = 0; p < pixels; ++p, from += f.pixel_stride, to += step)
    if (f.channel_stride == 1)  // as almost all have it, so that the compiler knows
      for (int64_t c = 0; c < f.channels; ++c) to[c] = widen(from[c]);
    else
      for (int64_t c = 0; c < f.channels; ++c) to[c] = widen(from[c * f.channel_stride]);
}
template <class T>
void scatter(const Frames& f, const float* from, int64_t step, int64_t pixels, T* to) {
  if (f.pixel_stride == 1 && f.channels > 1) return transpose(from, step, to, f.channel_stride, pixels, f.channels);
  for (int64_t p = 0; p < pixels; ++p, from += step, to += f.pixel_stride)
    if (f.channel_stride == 1)
      for (int64_t c = 0; c < f.channels; ++c) narrow(from[c], to + c);
    else
      for (int64_t c = 0; c < f.channels; ++c) narrow(from[c], to + c * f.channel_stride);
}

template <class T>
void load_pixels(const Chunk& d) {
  const Frames& x = d.k.op.x;
  for (int64_t i = 0; i < kTile; ++i)
    if (i < d.height())
      gather(x, d.in<const T>(x, i), d.width(), d.pixels(i, 0), d.k.pixel());
    else  // beyond the frame, where no layer writes
      std::fill_n(d.pixels(i, 0), (d.end - d.first) * kTile * d.k.pixel(), 0.0f);
}

// Patches to spectra (frequency, tile, input), inputs filled up with what happens to lie behind them.
inline void transform_pixels(const Chunk& d, int64_t inputs, float* spectra) {
  const Plan& k = d.k;
  const int64_t pixel = k.pixel(), last = k.rows - 1, before = d.first * kTile * pixel;
  const float* const above = (d.row == 0 ? k.zeros : k.line_of(d.q - 1, kTile - 1)) + before;
  const float* const below = (d.row == last ? k.zeros : k.line_of(d.q + 1, 0)) + before;
  const float* const rows[kPatch] = {above, k.line_of(d.q, 0) + before, k.line_of(d.q, 1) + before,
                                     k.line_of(d.q, 2) + before, k.line_of(d.q, 3) + before, below};
  const int64_t columns[kPatch] = {0, pixel, 2 * pixel, 3 * pixel, 4 * pixel, 5 * pixel};
  const int64_t filled = round_up(inputs, kFill), frequency = k.spectrum(), tiles = d.end - d.first;
  for (int64_t t = 0; t < tiles; ++t, spectra += filled)
    for (int64_t c = 0; c < inputs; c += kWidth) {
      const int64_t at = t * kTile * pixel + c;
      forward_tiles({rows[0] + at, rows[1] + at, rows[2] + at, rows[3] + at, rows[4] + at, rows[5] + at}, columns,
                    spectra + c, frequency);
    }
}

template <Activation kActivation>
void finish_layer(const Chunk& d, int64_t layer, const float* bias, int64_t filled, const float* products) {
  const Plan& k = d.k;
  const int64_t growth = k.op.sizes.growth, pixel = k.pixel(), frequency = k.product(), height = d.height();
  const int64_t tiles = d.end - d.first, width = d.width();
  float* lines[kTile];
  for (int i = 0; i < kTile; ++i) lines[i] = d.pixels(i, k.op.sizes.inputs(layer));
  for (int64_t t = 0; t < tiles; ++t)
    for (int64_t o = 0; o < growth; o += kWidth) {
      V out[kTile][kTile];
      inverse_tiles(products + t * filled + o, frequency, out);
      const V shift = load(bias + o);
      const int64_t channels = std::min<int64_t>(kWidth, growth - o), columns = std::min(kTile, width - t * kTile);
      for (int64_t i = 0; i < height; ++i) {
        float* to = lines[i] + t * kTile * pixel + o;
        for (int64_t j = 0; j < columns; ++j, to += pixel) {
          const V sum = out[i][j] + shift, y = kActivation == Activation::gelu ? gelu(sum) : relu(sum);
          channels == kWidth ? store(to, y) : store_some(to, y, channels);
        }
      }
    }
}

inline void dense_layer(const Chunk& d, int64_t layer) {
  const Plan& k = d.k;
  const Packed at{k.op.sizes};
  const int64_t inputs = k.op.sizes.inputs(layer), filled = at.filled(layer), tiles = d.end - d.first;
  const int64_t row = round_up(inputs, kFill);
  float* const spectra = d.scratch;
  float* const products = spectra + kFrequencies * k.spectrum();
  transform_pixels(d, inputs, spectra);
  const float* weights = k.packed + at.ready(layer);
  for (int64_t f = 0; f < kFrequencies; ++f, weights += inputs * filled)
    multiply(spectra + f * k.spectrum(), row, tiles, inputs, weights, filled, k.op.sizes.growth,
             products + f * k.product());
  const float* const bias = k.packed + at.bias(layer);
  if (k.op.activation == Activation::gelu)
    finish_layer<Activation::gelu>(d, layer, bias, filled, products);
  else
    finish_layer<Activation::relu>(d, layer, bias, filled, products);
}

// R pixels of NV registers of channels: bias + the sum over all inputs, run by run, + x.
template <int R, int NV>
void fuse_pixels(const Chunk& d, const float* pixels, int64_t c, float* to) {
  const Packed at{d.k.op.sizes};
  const int64_t layers = d.k.op.sizes.layers, filled = at.filled(layers), all = d.k.op.sizes.all();
  const int64_t pixel = d.k.pixel();
  const float* const bias = d.k.packed + at.bias(layers) + c;
  const float* const weights = d.k.packed + at.ready(layers) + c;
  for (int64_t first = 0; first < all; first += kRun) {
    V acc[R][NV];
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) acc[i][v] = broadcast(0.0f);
    outer<R, NV>(acc, pixels + first, pixel, 1, weights + first * filled, filled, std::min(kRun, all - first));
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) {
        float* const sum = to + i * filled + v * kWidth;
        store(sum, (first ? load(sum) : load(bias + v * kWidth)) + acc[i][v]);
      }
  }
  for (int i = 0; i < R; ++i)
    for (int v = 0; v < NV; ++v) {
      const int64_t own = std::min<int64_t>(kWidth, d.k.op.x.channels - c - v * kWidth);
      float* const sum = to + i * filled + v * kWidth;
      const float* const x = pixels + i * pixel + c + v * kWidth;
      if (own > 0) store(sum, load(sum) + (own < kWidth ? load_some(x, own) : load(x)));
    }
}

template <class T>
void fuse(const Chunk& d) {
  const Frames& y = d.k.op.y;
  const int64_t filled = round_up(y.channels, kFill), width = d.width(), pixel = d.k.pixel();
  const int64_t needed = round_up(y.channels, kWidth);
  constexpr int kRows = 6, kMost = kRegisters / 8;
  float* const line = d.scratch;
  for (int64_t i = 0; i < d.height(); ++i) {
    const float* const pixels = d.pixels(i, 0);
    for (int64_t c = 0; c < needed; c += kMost * kWidth)
      for (int64_t p = 0; p < width; p += kRows) {
        const int64_t now = std::min<int64_t>((needed - c) / kWidth, kMost);
        const int64_t at = std::max<int64_t>(0, std::min(p, width - kRows));  // the last ones twice rather than fewer
        float* const to = line + at * filled + c;
        const float* const from = pixels + at * pixel;
        if (width < kRows) {
          for (int64_t one = 0; one < width; ++one)
            for (int64_t v = 0; v < now; ++v)
              fuse_pixels<1, 1>(d, from + one * pixel, c + v * kWidth, to + one * filled + v * kWidth);
        } else if (now >= 4) {
          fuse_pixels<kRows, kMost>(d, from, c, to);
        } else if (now == 3) {
          fuse_pixels<kRows, 3>(d, from, c, to);
        } else if (now == 2) {
          fuse_pixels<kRows, 2>(d, from, c, to);
        } else {
          fuse_pixels<kRows, 1>(d, from, c, to);
        }
      }
    scatter(y, line, filled, width, d.in<T>(y, i));
  }
}

void dense_stage(const Plan& k, int64_t stage, int64_t q, int64_t chunk, float* scratch) {
  const Chunk d{k, q, q % k.rows, k.first(chunk), k.first(chunk + 1), scratch};
  const bool wide = k.op.x.type == Type::float32;
  if (stage == 0) return wide ? load_pixels<float>(d) : load_pixels<uint16_t>(d);
  dense_layer(d, stage - 1);
  if (stage == k.op.sizes.layers) wide ? fuse<float>(d) : fuse<uint16_t>(d);
}

}  // namespace channels
