// A residual dense block, row by row.

#include "runs.inl"
#include "halves.inl"
#include "accumulators.inl"
#include "activation.inl"
#include "residual_dense_block_dots.inl"

// The outputs of one tile of weights for kPixels tiles of pixels -> out (pixels, kColumns). rows: of the pixels that
// the taps see, kTaps of them, from the leftmost tap on. meanwhile(): called once for each of them, or, where there is but
// one, for each tile of inputs.
template <int kPixels, int kTaps, class Meanwhile>
VDEBLUR_INLINE void convolve(const Half* const* rows, int64_t slab, int64_t inputs, const float* packed, float* out,
                             Meanwhile meanwhile) {
  begin_tiles<kPixels>(packed);
  const Half* weights = reinterpret_cast<const Half*>(packed + kColumns);
  for (int i = 0; i < kTaps; ++i)
    for (int j = 0; j < kTaps; ++j) {
      const Half* pixels = rows[i] + j * kDepth;
      int64_t c = 0;
      for (; c + kDepth <= inputs; c += kDepth, pixels += slab, weights += kTileSize) {
        multiply_tiles<kPixels, kA, kB>(pixels, kDepth, weights);
        if (kTaps == 1) meanwhile();
      }
      if (c < inputs) {
        multiply_tiles<kPixels, kRestA, kRestB>(pixels, kDepth, weights);
        weights += kTileSize;
      }
      if (kTaps > 1) meanwhile();
    }
  store_tiles<kPixels>(out);
}

template <int kTaps, class Meanwhile>
VDEBLUR_INLINE void convolve_tiles(int64_t tiles, const Half* const* rows, int64_t slab, int64_t inputs,
                                   const float* packed, float* out, Meanwhile meanwhile) {
  switch (tiles) {
    case 1:
      return convolve<1, kTaps>(rows, slab, inputs, packed, out, meanwhile);
    case 2:
      return convolve<2, kTaps>(rows, slab, inputs, packed, out, meanwhile);
    case 3:
      return convolve<3, kTaps>(rows, slab, inputs, packed, out, meanwhile);
    default:
      return convolve<4, kTaps>(rows, slab, inputs, packed, out, meanwhile);
  }
}

// The same of one tap by dot products, of the first N outputs for 16 pixels at a time.
template <int N>
void convolve_dots(int64_t tiles, const Half* const* row, int64_t slab, int64_t inputs, const float* packed,
                   float* out) {
  for (int64_t first = 0; first < tiles * kRows; first += kRows, out += kRows * kColumns) {
    Dots<N> dots[kRows];
#pragma GCC unroll 16
    for (Dots<N>& d : dots) d.begin(packed);
    const Half* weights = reinterpret_cast<const Half*>(packed + kColumns);
    const Half* pixels = row[0] + first * kDepth;
    for (int64_t c = 0; c < inputs; c += kDepth, pixels += slab, weights += kTileSize)
      for (int64_t pair = 0; pair < std::min(kDepth, inputs - c); pair += 2) {
        const auto w = Dots<N>::weights(weights + pair * kColumns);
#pragma GCC unroll 16
        for (int p = 0; p < kRows; ++p) dots[p].add(w, pixels + p * kDepth + pair);
      }
#pragma GCC unroll 16
    for (int p = 0; p < kRows; ++p) dots[p].finish(out + p * kColumns);
  }
}

// Calls finish(results, first pixel, how many, tile of outputs) for all of a row and a layer. room: for two lots of results.
template <bool kTiles, int kTaps, class Finish>
VDEBLUR_INLINE void convolve_row(const Plan& k, int64_t layer, const Half* const (&rows)[kTaps], float* room,
                                 Finish finish) {
  const int64_t inputs = k.at.first(layer), step = kColumns + k.at.weight_size(layer);
  const int64_t steps = kTaps > 1 ? kTaps * kTaps : std::max<int64_t>(1, inputs / kDepth);
  const int64_t share = round_up(divide_up(kMostTiles * kRows, steps), 2);
  if (kTiles) configure(configuration(inputs % kDepth));
  Unfinished<Finish> before{finish};
  float *out = room, *other = room + kMostTiles * kRows * kColumns;
  for (int64_t tile = 0; tile < k.tiles; tile += kMostTiles) {
    const int64_t tiles = std::min(kMostTiles, k.tiles - tile), first = tile * kRows;
    const Half* here[kTaps];
    for (int i = 0; i < kTaps; ++i) here[i] = rows[i] + first * kDepth;
    for (int64_t o = 0; o < k.at.output_tiles(layer); ++o, std::swap(out, other)) {
      const float* const weights = k.packed + k.at.ready(layer) + o * step;
      const bool few = k.at.outputs(layer) - o * kColumns <= kColumns / 2;
      if constexpr (kTiles)
        convolve_tiles<kTaps>(tiles, here, k.slab(), inputs, weights, out, [&] { before.some(share); });
      else
        (few ? convolve_dots<8> : convolve_dots<16>)(tiles, here, k.slab(), inputs, weights, out);
      before.all();
      before.are(out, first, std::min(tiles * kRows, k.op.x.width - first), o);
    }
  }
  before.all();
}

// The pixels of a row, and zeros around it.
inline void load_row(const Plan& k, int64_t frame, int64_t y, Half* row) {
  const Frames& x = k.op.x;
  const Half* from = static_cast<const Half*>(x.data) + frame * x.batch_stride + y * x.row_stride;
  for (int64_t c = 0; c < x.channels; c += kDepth, row += k.slab(), from += kDepth * x.channel_stride) {
    const int64_t channels = std::min(kDepth, x.channels - c);
    Half* const to = row + kDepth;
    if (x.pixel_stride == 1)
      transpose(from, x.channel_stride, to, kDepth, channels, x.width);
    else if (x.channel_stride == 1)
      for (int64_t i = 0; i < x.width; ++i) copy_halves(from + i * x.pixel_stride, channels, to + i * kDepth);
    else
      for (int64_t i = 0; i < x.width; ++i)
        for (int64_t j = 0; j < channels; ++j) to[i * kDepth + j] = from[i * x.pixel_stride + j * x.channel_stride];
    for (int64_t i = 0; channels % kStep && i < x.width; ++i)
      std::fill_n(to + i * kDepth + channels, kStep - channels % kStep, Half(0));
  }
}

// Zeros left and right of a row's pixels, which nothing overwrites.
inline void clear_edges(const Plan& k, Half* row) {
  for (int64_t slab = 0; slab < k.at.slabs(); ++slab, row += k.slab()) {
    std::fill_n(row, kDepth, Half(0));
    std::fill(row + (k.op.x.width + 1) * kDepth, row + k.slab(), Half(0));
  }
}

template <Activation kActivation>
VDEBLUR_INLINE V activate(V v) {
  return kActivation == Activation::gelu ? gelu(v) : relu(v);
}

// The results of 16 outputs or fewer for some pixels, to channels of a slab, and from `split` on to the next one.
template <Activation kActivation>
VDEBLUR_INLINE void store_channels(const float* out, int64_t pixels, int64_t count, Half* to, int64_t split, Half* next) {
  int64_t i = 0;
  if (split < count) {
    for (; i < pixels; ++i, to += kDepth, next += kDepth)
      store_in_two(to, next, activate<kActivation>(load(out + i * kColumns)), split, count);
    return;
  }
  for (; count <= 8 && i + 2 <= pixels; i += 2, to += 2 * kDepth) {  // two pixels fill a register
    const float* const results = out + i * kColumns;
    store_eights(to, to + kDepth, activate<kActivation>(load_eights(results, results + kColumns)), count);
  }
  for (; i < pixels; ++i, to += kDepth) store_halves(to, activate<kActivation>(load(out + i * kColumns)), count);
}

// The results of a tile of a layer's outputs for pixels of a row.
template <Activation kActivation>
VDEBLUR_INLINE void store_layer(const Plan& k, int64_t layer, int64_t tile, const float* out, int64_t pixels,
                                Half* first) {
  const int64_t outputs = round_up(k.op.sizes.growth, kStep) - tile * kColumns;
  const int64_t c = k.at.first(layer) + tile * kColumns, split = kDepth - c % kDepth;
  store_channels<kActivation>(out, pixels, std::min(kColumns, outputs), first + k.channel(c), split,
                              first + k.channel(c + split));
}

// Row y of a layer.
template <Activation kActivation>
void layer_by_tiles(const Plan& k, int64_t layer, int64_t y, const Room& room) {
  const Half* const rows[3] = {room.pixels(y - 1), room.pixels(y), room.pixels(y + 1)};
  const auto finish = [&](const float* out, int64_t first, int64_t pixels, int64_t tile) {
    store_layer<kActivation>(k, layer, tile, out, pixels, room.row(y) + (first + 1) * kDepth);
  };
  convolve_row<true, 3>(k, layer, rows, room.results(), finish);
}

// Rows y and y + 1 of a layer.
template <Activation kActivation>
void layer_by_dots(const Plan& k, int64_t layer, int64_t y, const Room& room) {
  const int64_t inputs = k.at.first(layer), slabs = k.at.input_tiles(layer), step = kColumns + k.at.weight_size(layer);
  float* const results = room.results();
  for (int64_t first = 0; first < k.op.x.width; first += 2 * kGroup) {
    const Half* rows[kPatchRows];
    for (int i = 0; i < kPatchRows; ++i) rows[i] = room.pixels(y - 1 + i) + first * kDepth;
    transform_group(rows, k.slab(), slabs, room.spectra());
    for (int64_t tile = 0; tile < k.at.output_tiles(layer); ++tile) {
      const bool few = k.at.outputs(layer) - tile * kColumns <= kColumns / 2;
      const auto multiply = few ? multiply_group<8> : multiply_group<16>;
      multiply(room.spectra(), inputs, k.packed + k.at.ready(layer) + tile * step, room.products());
      inverse_group(room.products(), results);
      for (int64_t i = 0; i < std::min<int64_t>(2, k.op.x.height - y); ++i)
        store_layer<kActivation>(k, layer, tile, results + i * 2 * kGroup * kColumns,
                                 std::min(2 * kGroup, k.op.x.width - first),
                                 room.row(y + i) + (first + 1) * kDepth);
    }
  }
}

template <bool kTiles, Activation kActivation>
void dense_layer(const Plan& k, int64_t layer, int64_t y, const Room& room) {
  if constexpr (kTiles) layer_by_tiles<kActivation>(k, layer, y, room);
  else layer_by_dots<kActivation>(k, layer, y, room);
}

// y = fusion + x, by way of lines (pixels, channels) where y's channels are not side by side.
template <bool kTiles>
void fuse(const Plan& k, int64_t frame, int64_t y, const Room& room) {
  const Frames& f = k.op.y;
  Half* const image = static_cast<Half*>(f.data) + frame * f.batch_stride + y * f.row_stride;
  const bool direct = f.channel_stride == 1;
  const int64_t step = direct ? f.pixel_stride : round_up(f.channels, kColumns);
  const Half* const centre[1] = {room.row(y) + kDepth};
  Half* const lines = room.lines();
  const auto finish = [&](const float* out, int64_t first, int64_t pixels, int64_t tile) {
    const int64_t c = tile * kColumns, count = direct ? std::min(kColumns, f.channels - c) : kColumns;
    const Half* x = centre[0] + first * kDepth + k.channel(c);
    Half* to = (direct ? image : lines) + first * step + c;
    for (int64_t i = 0; i < pixels; ++i, to += step, x += kDepth)
      store_halves(to, load(out + i * kColumns) + load(x), count);
  };
  convolve_row<kTiles, 1>(k, k.op.sizes.layers, centre, room.results(), finish);
  if (direct) return;
  if (f.pixel_stride == 1) return transpose(lines, step, image, f.channel_stride, f.width, f.channels);
  for (int64_t c = 0; c < f.channels; ++c)
    for (int64_t i = 0; i < f.width; ++i) image[c * f.channel_stride + i * f.pixel_stride] = lines[i * step + c];
}

// Bands of rows first ... end of a frame. A layer needs of the one before it a row more at each edge.
template <bool kTiles>
void dense_strip(const Plan& k, int64_t frame, int64_t first, int64_t end, const Room& room) {
  const int64_t layers = k.op.sizes.layers;
  const auto needed = [&](int64_t band, int64_t more) {
    return band >= std::max<int64_t>(first - more, 0) && band < std::min(end + more, k.bands());
  };
  const auto for_each_row = [&](int64_t band, auto work) {
    for (int64_t y = band * k.band(); y < std::min((band + 1) * k.band(), k.op.x.height); ++y) work(y);
  };
  for (int64_t slot = 0; slot < k.slots(); ++slot) clear_edges(k, room.row(slot));
  for (int64_t newest = first - layers; newest < end + layers; ++newest) {
    if (needed(newest, layers)) for_each_row(newest, [&](int64_t y) { load_row(k, frame, y, room.row(y)); });
    for (int64_t layer = 0; layer < layers; ++layer) {
      const int64_t band = newest - layer - 1;
      if (!needed(band, layers - layer - 1)) continue;
      if (k.op.activation == Activation::gelu)
        dense_layer<kTiles, Activation::gelu>(k, layer, band * k.band(), room);
      else
        dense_layer<kTiles, Activation::relu>(k, layer, band * k.band(), room);
    }
    if (needed(newest - layers, 0)) for_each_row(newest - layers, [&](int64_t y) { fuse<kTiles>(k, frame, y, room); });
  }
}
