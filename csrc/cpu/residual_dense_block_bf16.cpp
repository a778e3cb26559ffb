// Strips of a frame, one for each thread: band by band, each layer one band behind the one before it. What strips share,
// a few rows at their edges, each computes for itself, which costs less than to wait for another core and its cache. A band
// is one row for AMX's tiles, and two for Winograd's method by dot products.
//
// A row lies in slabs of 32 channels, pixel by pixel, those of x first, then those of each layer, so that 16 pixels of a
// row are a tile as they lie, for every tap of a convolution. Only a ring of a few rows is kept.
#include "residual_dense_block_bf16.h"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "aligned.h"
#include "amx.h"
#include "bfloat16.h"
#include "isa.h"

namespace vdeblur::amx {
namespace {

constexpr int64_t kLeastRows = 8;  // of a strip
constexpr int64_t kMostTiles = 4;  // of pixels at once
constexpr int64_t kStep = 4;       // channels that each layer begins at a multiple of

// Winograd's F(2x2, 3x3).
constexpr int kPatchRows = 4;  // rows and columns of pixels that a tile of 2x2 results depends on
constexpr int kDotFrequencies = kPatchRows * kPatchRows;
constexpr int kBiasFrequency = 5;  // whose value comes to all results of a tile
constexpr int64_t kGroup = 16;     // tiles at once

// bfloat16 as they are stored.
using Half = uint16_t;

// Where channels lie in a row, and weights among the packed ones, for AMX's tiles or for dot products.
struct Places {
  DenseSizes sizes;
  bool amx;
  int64_t first(int64_t layer) const { return round_up(sizes.channels, kStep) + layer * round_up(sizes.growth, kStep); }
  int64_t slabs() const { return divide_up(first(sizes.layers), kDepth); }
  bool is_fusion(int64_t layer) const { return layer == sizes.layers; }
  int64_t outputs(int64_t layer) const { return is_fusion(layer) ? sizes.channels : sizes.growth; }
  int64_t taps(int64_t layer) const { return is_fusion(layer) ? 1 : amx ? 9 : kDotFrequencies; }
  int64_t output_tiles(int64_t layer) const { return divide_up(outputs(layer), kColumns); }
  int64_t input_tiles(int64_t layer) const { return divide_up(first(layer), kDepth); }
  // Floats.
  int64_t weight_size(int64_t layer) const { return taps(layer) * input_tiles(layer) * kTileSize / 2; }  // of a tile
  int64_t layer_size(int64_t layer) const { return output_tiles(layer) * (weight_size(layer) + kColumns); }
  int64_t ready(int64_t layer) const {
    int64_t at = 0;
    for (int64_t i = 0; i < layer; ++i) at += layer_size(i);
    return at;
  }
};

// Halves of one frequency of a group of tiles. A line is left out, or those of some sizes would all share one place of the
// cache.
constexpr int64_t spectrum_size(int64_t slabs) { return (slabs * kGroup + 1) * kDepth; }

struct Plan {
  const ResidualDenseBlock& op;
  Places at;
  const float* packed;
  int64_t strips;  // of a frame
  int64_t tiles;   // of pixels, in a row
  Half* zeros;     // a row of them
  float* threads;  // the workspaces of the threads

  int64_t band() const { return at.amx ? 1 : 2; }
  int64_t bands() const { return divide_up(op.x.height, band()); }
  int64_t slab() const { return (round_up(tiles * kRows, 2 * kGroup) + 2) * kDepth; }
  int64_t line() const { return at.slabs() * slab(); }
  // Of a row's first pixel, which is left of the frame.
  int64_t channel(int64_t c) const { return c / kDepth * slab() + c % kDepth; }
  int64_t slots() const { return (op.sizes.layers + 2) * band(); }  // rows that are kept
  // Floats of a thread's workspace: the ring of rows, results of tiles and those before them, a row of y, frequencies and
  // their products.
  int64_t ring() const { return slots() * line() / 2; }
  int64_t results() const { return 2 * kMostTiles * kRows * kColumns; }
  int64_t lines() const { return tiles * kRows * round_up(op.sizes.channels, kColumns) / 2; }
  int64_t spectra() const { return at.amx ? 0 : kDotFrequencies * spectrum_size(at.input_tiles(op.sizes.layers - 1)) / 2; }
  int64_t products() const { return at.amx ? 0 : kDotFrequencies * kGroup * kColumns; }
  int64_t each() const { return round_up(ring() + results() + lines() + spectra() + products(), kLine); }
};

Plan lay_out(const ResidualDenseBlock& op, const float* packed) {
  Plan k{op, {op.sizes, has_tiles()}, packed, 0, divide_up(op.x.width, kRows), nullptr, nullptr};
  const int64_t most = std::max<int64_t>(1, op.x.height / kLeastRows);
  k.strips = std::clamp<int64_t>(divide_up(op.threads, op.x.batch), 1, most);
  k.threads = aligned(op.workspace);
  k.zeros = reinterpret_cast<Half*>(k.threads + op.threads * k.each());
  return k;
}

// A thread's part of the workspace.
struct Room {
  const Plan& k;
  float* at;
  // A row of the frame, from the pixel left of it on.
  Half* row(int64_t y) const { return reinterpret_cast<Half*>(at) + y % k.slots() * k.line(); }
  float* results() const { return at + k.ring(); }
  Half* lines() const { return reinterpret_cast<Half*>(results() + k.results()); }
  Half* spectra() const { return reinterpret_cast<Half*>(results() + k.results() + k.lines()); }
  float* products() const { return results() + k.results() + k.lines() + k.spectra(); }
  // The same, zeros beyond the frame.
  const Half* pixels(int64_t y) const { return y >= 0 && y < k.op.x.height ? row(y) : k.zeros; }
};

}  // namespace
}  // namespace vdeblur::amx

#define VDEBLUR_KERNEL "residual_dense_block_bf16.inl"
#include "on_amx.h"

namespace vdeblur::amx {
#if !defined(__x86_64__)
namespace {
// Never called: there are no tiles.
template <bool kTiles>
void dense_strip(const Plan&, int64_t, int64_t, int64_t, const Room&) {}
}  // namespace
#endif

namespace {
// The taps of a kernel as they are multiplied, outputs by outputs: as they are, or their frequencies.
void taps_of(const Places& at, int64_t layer, const float* weight, float* taps) {
  if (at.amx || at.is_fusion(layer)) {
    std::copy_n(weight, at.taps(layer), taps);
    return;
  }
  constexpr float G[kPatchRows][3] = {{1, 0, 0}, {0.5f, 0.5f, 0.5f}, {0.5f, -0.5f, 0.5f}, {0, 0, 1}};
  for (int i = 0; i < kPatchRows; ++i)
    for (int j = 0; j < kPatchRows; ++j) {
      float sum = 0;
      for (int m = 0; m < 3; ++m)
        for (int n = 0; n < 3; ++n) sum += G[i][m] * G[j][n] * weight[3 * m + n];
      taps[kPatchRows * i + j] = sum;
    }
}

// Where a channel of a slab lies among those that are multiplied: as it is, or even ones first, as `store_slab` has it.
int64_t place_in_slab(const Places& at, int64_t layer, int64_t place) {
  return at.amx || at.is_fusion(layer) ? place : place % 2 * (kDepth / 2) + place / 2;
}

void pack(const Places& at, const float* const* parameters, float* packed) {
  const DenseSizes& sizes = at.sizes;
  for (int64_t layer = 0; layer <= sizes.layers; ++layer) {
    const int64_t inputs = sizes.inputs(layer), taps = at.taps(layer), outputs = at.outputs(layer);
    const float *const weight = parameters[2 * layer], *const bias = parameters[2 * layer + 1];
    const int64_t kernel = at.is_fusion(layer) ? 1 : 9;
    for (int64_t tile = 0; tile < at.output_tiles(layer); ++tile) {
      float* const to = packed + at.ready(layer) + tile * (kColumns + at.weight_size(layer));
      std::fill_n(to, kColumns + at.weight_size(layer), 0.0f);
      Half* const weights = reinterpret_cast<Half*>(to + kColumns);
      for (int64_t o = tile * kColumns; o < std::min(outputs, (tile + 1) * kColumns); ++o) {
        to[o % kColumns] = bias[o];
        for (int64_t c = 0; c < inputs; ++c) {
          const int64_t past = c - sizes.channels;  // of the layers' channels
          const int64_t channel = past < 0 ? c : at.first(past / sizes.growth) + past % sizes.growth;
          const int64_t place = place_in_slab(at, layer, channel % kDepth);
          float values[kDotFrequencies];
          taps_of(at, layer, weight + (o * inputs + c) * kernel, values);
          for (int64_t tap = 0; tap < taps; ++tap) {
            Half* const b = weights + (tap * at.input_tiles(layer) + channel / kDepth) * kTileSize;
            b[place / 2 * kDepth + o % kColumns * 2 + place % 2] = narrowed(values[tap]);
          }
        }
      }
    }
  }
}

int64_t size_of(const Places& at) { return at.ready(at.sizes.layers + 1); }
int64_t size_for_tiles(const DenseSizes& sizes) { return best_has_tiles() ? size_of({sizes, true}) : 0; }
}  // namespace

int64_t packed_size(const DenseSizes& sizes) { return size_for_tiles(sizes) + size_of({sizes, false}); }

void pack(const DenseSizes& sizes, const float* const* parameters, float* packed) {
  if (best_has_tiles()) pack(Places{sizes, true}, parameters, packed);
  pack(Places{sizes, false}, parameters, packed + size_for_tiles(sizes));
}

// Where the outputs of a layer leave little of their registers empty: measured when dot products were as the definition has
// them, 9 of them where there are 4 now.
bool fills_dots(const DenseSizes& sizes) {
  const int64_t last = sizes.growth % kColumns;
  return last == 0 || last == kColumns / 2 || last >= kColumns * 3 / 4;
}

int64_t workspace(const ResidualDenseBlock& op) {
  const Plan k = lay_out(op, nullptr);
  return kLine + op.threads * k.each() + divide_up(k.line(), 2);
}

void run(const ResidualDenseBlock& op, const float* packed) {
  const bool tiles = has_tiles();
  const Plan k = lay_out(op, packed + (tiles ? 0 : size_for_tiles(op.sizes)));
  const auto strip_of = tiles ? dense_strip<true> : dense_strip<false>;
  std::fill_n(k.zeros, k.line(), Half(0));
#pragma omp parallel num_threads(op.threads)
  {
    const Configured configured(tiles);
    const Room room{k, k.threads + omp_get_thread_num() * k.each()};
#pragma omp for schedule(dynamic)
    for (int64_t i = 0; i < op.x.batch * k.strips; ++i) {
      const int64_t strip = i % k.strips, bands = k.bands();
      strip_of(k, i / k.strips, strip * bands / k.strips, (strip + 1) * bands / k.strips, room);
    }
  }
}

}  // namespace vdeblur::amx
