// The stages of a residual dense block, for one chunk of one row of tiles: stage 0 loads x, stage k computes layer k,
// the last of them also fuses and stores y.
//
// Tiles lie along the register. A layer transforms its inputs to 36 frequencies, some channels at a time, multiplies
// each frequency by its weights in blocks of 6 outputs x 2 registers, and transforms back; all of it in a scratch that
// stays in the second cache. Per pixel and pair of channels 2.25 multiply-adds where the definition has 9.

#include "activation.inl"
#include "columns.inl"
#include "winograd.inl"

struct DenseChunk {
  const DensePlan& k;
  int64_t q, row;      // row of tiles, counted through the batch and within its frame
  int64_t first, end;  // blocks
  float* pixels;       // of this row
  float* scratch;

  int64_t frame() const { return q / k.rows; }
  float* pixels_of(int64_t block, int64_t c) const { return pixels + block * k.block_pixels() + c * k.channel(); }
  // Rows of pixels of the frame in this row of tiles.
  int64_t height() const { return std::min(kTile, k.op.x.height - row * kTile); }
  // Registers of a block that hold tiles of the frame.
  int registers(int64_t block) const { return k.columns - block * k.lanes > kWidth ? 2 : 1; }
  // Tiles of a block whose pixel in column j lies in the frame.
  int64_t inside(int64_t block, int64_t j) const {
    return std::clamp<int64_t>(divide_up(k.op.x.width - j, kTile) - block * k.lanes, 0, k.lanes);
  }
  // Of the pixels in this row of tiles, the first of a block.
  int64_t pixel_at(const Frames& f, int64_t block) const {
    return row * kTile * f.row_stride + block * k.lanes * kTile * f.pixel_stride;
  }
};

// What the next layer must see around `count` new channels from `c` on: zeros beyond the frame, and in the edges of
// each block the pixels of its neighbours.
inline void finish_edges(const DenseChunk& d, int64_t c, int64_t count) {
  const DensePlan& k = d.k;
  const int64_t last = k.blocks - 1, behind = k.lanes, before = k.lanes + kEdge - 1;
  for (int64_t block = d.first; block < d.end; ++block) {
    const bool whole = block < last && d.height() == kTile;
    float* record = d.pixels_of(block, c);
    for (int64_t i = 0; i < count * kTile; ++i, record += k.record()) {
      for (int64_t j = 0; !whole && j < kTile; ++j) {
        const int64_t kept = i % kTile < d.height() ? d.inside(block, j) : 0;
        std::fill(record + k.column(j) + kept, record + k.column(j) + k.lanes, 0.0f);
      }
      if (block == 0) record[before] = 0.0f;
      if (block == last) record[behind] = 0.0f;
      if (block > 0) (record - k.block_pixels())[behind] = record[0];
      if (block < last) (record + k.block_pixels())[before] = record[k.column(3) + k.lanes - 1];
    }
  }
}

// Channels side by side are loaded a block of all of them at a time, planes a plane at a time.
template <class T>
void load_pixels(const DenseChunk& d, int64_t channel, int64_t channels) {
  const DensePlan& k = d.k;
  const Frames& x = k.op.x;
  const T* const frame = frame_of<const T>(x, d.frame(), 0) + channel * x.channel_stride;
  for (int64_t block = d.first; x.channel_stride == 1 && block < d.end; ++block)
    for (int64_t i = 0; i < d.height(); ++i)
      for (int64_t j = 0; j < kTile; ++j)
        transpose(frame + d.pixel_at(x, block) + i * x.row_stride + j * x.pixel_stride, kTile * x.pixel_stride,
                  d.pixels_of(block, channel) + i * k.record() + k.column(j), k.channel(), d.inside(block, j),
                  channels);
  for (int64_t c = 0; x.channel_stride != 1 && c < channels; ++c)
    for (int64_t i = 0; i < d.height(); ++i)
      for (int64_t block = d.first; block < d.end; ++block) {
        const T* const from = frame + c * x.channel_stride + d.pixel_at(x, block) + i * x.row_stride;
        float* const to = d.pixels_of(block, channel + c) + i * k.record();
        int64_t done = 0;
        for (; x.pixel_stride == 1 && done + 8 <= d.inside(block, 3); done += 8)
          split_columns(from + kTile * done, to + done, to + k.column(1) + done, to + k.column(2) + done,
                        to + k.column(3) + done);
        for (int64_t j = 0; j < kTile; ++j)
          for (int64_t t = done; t < d.inside(block, j); ++t)
            to[k.column(j) + t] = widen(from[(kTile * t + j) * x.pixel_stride]);
      }
  finish_edges(d, channel, channels);
}

// lines (channels, 4 columns, lanes) of row i of a block to y.
template <class T>
void store_pixels(const DenseChunk& d, int64_t block, int64_t i, const float* lines) {
  const Frames& y = d.k.op.y;
  const int64_t lanes = d.k.lanes;
  T* to = frame_of<T>(y, d.frame(), 0) + d.pixel_at(y, block) + i * y.row_stride;
  if (y.channel_stride == 1 && y.pixel_stride != 1) {
    for (int64_t j = 0; j < kTile; ++j)
      transpose(lines + j * lanes, kTile * lanes, to + j * y.pixel_stride, kTile * y.pixel_stride, y.channels,
                d.inside(block, j));
    return;
  }
  for (int64_t c = 0; c < y.channels; ++c, to += y.channel_stride, lines += kTile * lanes) {
    int64_t done = 0;
    for (; y.pixel_stride == 1 && done + 8 <= d.inside(block, 3); done += 8)
      join_columns(lines + done, lines + lanes + done, lines + 2 * lanes + done, lines + 3 * lanes + done,
                   to + kTile * done);
    for (int64_t j = 0; j < kTile; ++j)
      for (int64_t t = done; t < d.inside(block, j); ++t)
        narrow(lines[j * lanes + t], to + (kTile * t + j) * y.pixel_stride);
  }
}

// The spectra of channels `first` to `end`.
inline void transform_pixels(const DenseChunk& d, int64_t first, int64_t end, const Spectra& spectra) {
  const DensePlan& k = d.k;
  const int64_t record = k.record(), channel = k.channel();
  const int64_t columns[kPatch] = {k.column(3) - 1, k.column(0), k.column(1), k.column(2), k.column(3), 1};
  const bool top = d.row == 0, bottom = d.row == k.rows - 1;
  const float* const row_above = k.pixels_of(d.q ? d.q - 1 : 0) + (kTile - 1) * record;
  const float* const row_below = k.pixels_of(d.q + 1);
  for (int64_t block = d.first; block < d.end; ++block)
    for (int64_t c = first; c < end; ++c) {
      const int64_t at = block * k.block_pixels() + c * channel;
      const float* const here = d.pixels + at;
      const float* const above = top ? k.zeros : row_above + at;
      const float* const below = bottom ? k.zeros : row_below + at;
      // The next channel, which the processor does not foresee.
      for (int64_t i = 0; i < channel; i += kEdge) __builtin_prefetch(here + channel + i);
      for (int64_t i = 0; i < record; i += kEdge) {
        __builtin_prefetch(above + channel + i);
        __builtin_prefetch(below + channel + i);
      }
      for (int v = 0; v < d.registers(block) * kWidth; v += kWidth)
        forward_tiles({above + v, here + v, here + record + v, here + 2 * record + v, here + 3 * record + v, below + v},
                      columns, spectra.of(block - d.first, 0, c - first) + v, spectra.frequency);
    }
}

// acc += sums of `inputs` products, run by run: a sum that adds up short runs rounds less than one long chain.
template <int R, int NV>
VDEBLUR_INLINE void outer_in_runs(V (&acc)[R][NV], const float* weights, const float* vectors, int64_t step,
                                  int64_t inputs) {
  for (; inputs > 0; inputs -= kShortRun, weights += kShortRun * R, vectors += kShortRun * step) {
    V run[R][NV];
    for (int i = 0; i < R; ++i)
      for (int v = 0; v < NV; ++v) run[i][v] = broadcast(0.0f);
    outer<R, NV>(run, weights, 1, R, vectors, step, std::min(inputs, kShortRun));
    for (int i = 0; i < R; ++i)
      for (int v = 0; v < NV; ++v) acc[i][v] = acc[i][v] + run[i][v];
  }
}

// products[o] (+)= sum over inputs of weights[input][o] * spectra[input], for R outputs and NV registers of tiles.
template <int R, int NV>
VDEBLUR_INLINE void multiply_block(const float* weights, const float* spectra, int64_t inputs, int64_t lanes, bool add,
                                   float* products) {
  V acc[R][NV];
  for (int i = 0; i < R; ++i)
    for (int v = 0; v < NV; ++v) acc[i][v] = add ? load(products + i * lanes + v * kWidth) : broadcast(0.0f);
  outer_in_runs<R, NV>(acc, weights, spectra, lanes, inputs);
  for (int i = 0; i < R; ++i)
    for (int v = 0; v < NV; ++v) store(products + i * lanes + v * kWidth, acc[i][v]);
}

// The same for all blocks of a chunk, which share the weights while they are at hand.
template <int R>
void multiply_chunk(const DenseChunk& d, const float* weights, const float* spectra, int64_t block_spectra,
                    int64_t inputs, bool add, float* products, int64_t block_products) {
  const int64_t lanes = d.k.lanes;
  for (int64_t block = d.first; block < d.end; ++block, spectra += block_spectra, products += block_products)
    if (d.registers(block) == 2)
      multiply_block<R, 2>(weights, spectra, inputs, lanes, add, products);
    else
      multiply_block<R, 1>(weights, spectra, inputs, lanes, add, products);
}

constexpr decltype(&multiply_chunk<1>) kMultiplyChunk[] = {multiply_chunk<1>, multiply_chunk<2>, multiply_chunk<3>,
                                                           multiply_chunk<4>, multiply_chunk<5>, multiply_chunk<6>};

template <Activation kActivation>
void finish_layer(const DenseChunk& d, int64_t layer, const float* bias, const Spectra& products) {
  const DensePlan& k = d.k;
  for (int64_t block = d.first; block < d.end; ++block)
    for (int64_t o = 0; o < k.op.sizes.growth; ++o) {
      const V shift = broadcast(bias[o]);
      for (int v = 0; v < d.registers(block) * kWidth; v += kWidth) {
        V out[kTile][kTile];
        inverse_tiles(products.of(block - d.first, 0, o) + v, products.frequency, out);
        float* to = d.pixels_of(block, k.op.sizes.inputs(layer) + o) + v;
        for (int i = 0; i < kTile; ++i, to += k.record())
          for (int j = 0; j < kTile; ++j) {
            const V sum = out[i][j] + shift;
            store(to + k.column(j), kActivation == Activation::gelu ? gelu(sum) : relu(sum));
          }
      }
    }
  finish_edges(d, k.op.sizes.inputs(layer), k.op.sizes.growth);
}

void dense_layer(const DenseChunk& d, int64_t layer) {
  const ResidualDenseBlock& op = d.k.op;
  const PackedPlaces at{op.sizes};
  const Parts inputs = input_parts(op.sizes.inputs(layer)), outputs = output_parts(op.sizes.growth);
  const Spectra products(d.scratch, op.sizes.growth, d.k.lanes);
  const Spectra spectra(d.scratch + kChunkBlocks * products.block(), std::min(inputs.size, kMostInputs), d.k.lanes);
  const float* weights = op.packed + at.ready(layer);
  for (int64_t p = 0; p < inputs.count; ++p) {
    transform_pixels(d, inputs.first(p), inputs.first(p + 1), spectra);
    for (int64_t f = 0; f < kFrequencies; ++f)
      for (int64_t o = 0; o < outputs.count; ++o) {
        kMultiplyChunk[outputs.length(o) - 1](d, weights, spectra.of(0, f, 0), spectra.block(), inputs.length(p), p > 0,
                                              products.of(0, f, outputs.first(o)), products.block());
        weights += outputs.length(o) * inputs.length(p);
      }
  }
  const float* const bias = op.packed + at.bias(layer);
  if (op.activation == Activation::gelu)
    finish_layer<Activation::gelu>(d, layer, bias, products);
  else
    finish_layer<Activation::relu>(d, layer, bias, products);
}

// R outputs of the fusion for one plane of a block: panel (inputs, NV registers) holds all inputs, x first.
template <int R, int NV>
void fuse_block(const float* weights, const float* bias, int64_t inputs, const float* panel, int64_t o, float* to,
                int64_t to_step) {
  V acc[R][NV];
  for (int i = 0; i < R; ++i)
    for (int v = 0; v < NV; ++v) acc[i][v] = broadcast(bias[o + i]);
  outer_in_runs<R, NV>(acc, weights, panel, NV * kWidth, inputs);
  for (int i = 0; i < R; ++i)
    for (int v = 0; v < NV; ++v)
      store(to + i * to_step + v * kWidth, acc[i][v] + load(panel + (o + i) * NV * kWidth + v * kWidth));
}

constexpr decltype(&fuse_block<1, 1>) kFuseBlock[][kMostOutputs] = {
    {fuse_block<1, 1>, fuse_block<2, 1>, fuse_block<3, 1>, fuse_block<4, 1>, fuse_block<5, 1>, fuse_block<6, 1>},
    {fuse_block<1, 2>, fuse_block<2, 2>, fuse_block<3, 2>, fuse_block<4, 2>, fuse_block<5, 2>, fuse_block<6, 2>}};

template <class T>
void fuse(const DenseChunk& d) {
  const DensePlan& k = d.k;
  const PackedPlaces at{k.op.sizes};
  const int64_t layers = k.op.sizes.layers, inputs = k.op.sizes.all();
  const Parts outputs = output_parts(k.op.sizes.channels);
  const float* const bias = k.op.packed + at.bias(layers);
  float* const panel = d.scratch;
  float* const lines = panel + inputs * k.lanes;
  for (int64_t block = d.first; block < d.end; ++block)
    for (int64_t i = 0; i < d.height(); ++i) {
      const int registers = d.registers(block);
      for (int64_t j = 0; j < kTile; ++j) {
        const float* from = d.pixels_of(block, 0) + i * k.record() + k.column(j);
        for (int64_t c = 0; c < inputs; ++c, from += k.channel())
          for (int v = 0; v < registers; ++v) store(panel + (c * registers + v) * kWidth, load(from + v * kWidth));
        const float* weights = k.op.packed + at.ready(layers);
        float* const to = lines + j * k.lanes;
        for (int64_t b = 0; b < outputs.count; ++b) {
          const int64_t o = outputs.first(b), step = kTile * k.lanes;
          kFuseBlock[registers - 1][outputs.length(b) - 1](weights, bias, inputs, panel, o, to + o * step, step);
          weights += outputs.length(b) * inputs;
        }
      }
      store_pixels<T>(d, block, i, lines);
    }
}

// Stage 0 divides a row of planes by channels; everything else goes by blocks of tiles.
void dense_stage(const DensePlan& k, int64_t stage, int64_t q, int64_t chunk, float* scratch) {
  const Parts blocks{k.blocks, kChunkBlocks};
  DenseChunk d{k, q, q % k.rows, blocks.first(chunk), blocks.first(chunk + 1), k.pixels_of(q), scratch};
  const bool wide = k.op.x.type == Type::float32;
  if (stage == 0) {
    Parts channels{k.op.x.channels, k.op.x.channels};
    int64_t part = 0;
    if (k.op.x.channel_stride != 1) {
      channels.count = k.chunks;
      part = chunk;
      d.first = 0;
      d.end = k.blocks;
    }
    const auto load = wide ? load_pixels<float> : load_pixels<uint16_t>;
    return load(d, channels.first(part), channels.length(part));
  }
  dense_layer(d, stage - 1);
  if (stage == k.op.sizes.layers) wide ? fuse<float>(d) : fuse<uint16_t>(d);
}
