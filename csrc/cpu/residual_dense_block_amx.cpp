// Strips of a frame, one for each thread: row by row, each layer one row behind the one before it. What strips share,
// a few rows at their edges, each computes for itself, which costs less than to wait for another core and its cache.
//
// A row lies in slabs of 32 channels, pixel by pixel, those of x first, then those of each layer, so that 16 pixels of a
// row are a tile as they lie, for every tap of a convolution. Only a ring of a few rows is kept.
#include "residual_dense_block_amx.h"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "amx.h"
#include "bfloat16.h"

namespace vdeblur::amx {
namespace {

constexpr int64_t kLeastRows = 8;  // of a strip
constexpr int64_t kMostTiles = 4;  // of pixels at once

// bfloat16 as they are stored.
using Half = uint16_t;

// Where channels lie in a row, and weights among the packed ones. Each layer begins at an even channel.
struct Places {
  DenseSizes sizes;
  int64_t first(int64_t layer) const { return round_up(sizes.channels, 2) + layer * round_up(sizes.growth, 2); }
  int64_t slabs() const { return divide_up(first(sizes.layers), kDepth); }
  bool is_fusion(int64_t layer) const { return layer == sizes.layers; }
  int64_t outputs(int64_t layer) const { return is_fusion(layer) ? sizes.channels : sizes.growth; }
  int64_t taps(int64_t layer) const { return is_fusion(layer) ? 1 : 9; }
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

// Of kLine floats, so that what is aligned can be found in what is not.
constexpr int64_t kLine = 16;
template <class T>
T* aligned(T* p) {
  return reinterpret_cast<T*>(round_up(int64_t(reinterpret_cast<uintptr_t>(p)), 4 * kLine));
}

struct Plan {
  const ResidualDenseBlock& op;
  Places at;
  const float* packed;
  int64_t strips;  // of a frame
  int64_t tiles;   // of pixels, in a row
  Half* zeros;     // a row of them
  float* threads;  // the workspaces of the threads

  int64_t slab() const { return (tiles * kRows + 2) * kDepth; }
  int64_t line() const { return at.slabs() * slab(); }
  // Of a row's first pixel, which is left of the frame.
  int64_t channel(int64_t c) const { return c / kDepth * slab() + c % kDepth; }
  int64_t slots() const { return op.sizes.layers + 2; }  // rows that are kept
  // Floats of a thread's workspace: the ring of rows, results of tiles, a row of y.
  int64_t ring() const { return slots() * line() / 2; }
  int64_t results() const { return kMostTiles * kRows * kColumns; }
  int64_t lines() const { return tiles * kRows * round_up(op.sizes.channels, kColumns) / 2; }
  int64_t each() const { return round_up(ring() + results() + lines(), kLine); }
};

Plan lay_out(const ResidualDenseBlock& op, const float* packed) {
  Plan k{op, {op.sizes}, packed, 0, divide_up(op.x.width, kRows), nullptr, nullptr};
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
};

}  // namespace
}  // namespace vdeblur::amx

#define VDEBLUR_KERNEL "residual_dense_block_amx.inl"
#include "on_amx.h"

namespace vdeblur::amx {
#if !defined(__x86_64__)
namespace {
// Never called: there are no tiles.
template <bool kTiles>
void dense_strip(const Plan&, int64_t, int64_t, int64_t, const Room&) {}
}  // namespace
#endif

int64_t packed_size(const DenseSizes& sizes) { return Places{sizes}.ready(sizes.layers + 1); }

void pack(const DenseSizes& sizes, const float* const* parameters, float* packed) {
  const Places at{sizes};
  for (int64_t layer = 0; layer <= sizes.layers; ++layer) {
    const int64_t inputs = sizes.inputs(layer), taps = at.taps(layer), outputs = at.outputs(layer);
    const float *const weight = parameters[2 * layer], *const bias = parameters[2 * layer + 1];
    for (int64_t tile = 0; tile < at.output_tiles(layer); ++tile) {
      float* const to = packed + at.ready(layer) + tile * (kColumns + at.weight_size(layer));
      std::fill_n(to, kColumns + at.weight_size(layer), 0.0f);
      Half* const weights = reinterpret_cast<Half*>(to + kColumns);
      for (int64_t o = tile * kColumns; o < std::min(outputs, (tile + 1) * kColumns); ++o) {
        to[o % kColumns] = bias[o];
        for (int64_t c = 0; c < inputs; ++c) {
          const int64_t past = c - sizes.channels;  // of the layers' channels
          const int64_t place = past < 0 ? c : at.first(past / sizes.growth) + past % sizes.growth;
          for (int64_t tap = 0; tap < taps; ++tap) {
            Half* const b = weights + (tap * at.input_tiles(layer) + place / kDepth) * kTileSize;
            b[place % kDepth / 2 * kDepth + o % kColumns * 2 + place % 2] =
                narrowed(weight[(o * inputs + c) * taps + tap]);
          }
        }
      }
    }
  }
}

// Measured: where the outputs of a layer leave little of their registers empty.
bool fills_dots(const DenseSizes& sizes) {
  const int64_t last = sizes.growth % kColumns;
  return last == 0 || last == kColumns / 2 || last >= kColumns * 3 / 4;
}

int64_t workspace(const ResidualDenseBlock& op) {
  const Plan k = lay_out(op, nullptr);
  return kLine + op.threads * k.each() + divide_up(k.line(), 2);
}

void run(const ResidualDenseBlock& op, const float* packed) {
  const Plan k = lay_out(op, packed);
  const bool tiles = has_tiles();
  const auto strip_of = tiles ? dense_strip<true> : dense_strip<false>;
  std::fill_n(k.zeros, k.line(), Half(0));
#pragma omp parallel num_threads(op.threads)
  {
    const Configured configured(tiles);
    const Room room{k, k.threads + omp_get_thread_num() * k.each()};
#pragma omp for schedule(dynamic)
    for (int64_t i = 0; i < op.x.batch * k.strips; ++i) {
      const int64_t strip = i % k.strips, height = op.x.height;
      strip_of(k, i / k.strips, strip * height / k.strips, (strip + 1) * height / k.strips, room);
    }
  }
}

}  // namespace vdeblur::amx
