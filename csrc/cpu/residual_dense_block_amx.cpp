// Bands of rows of pixels, the layers of each shortly one after the other, rows in parallel.
//
// A pixel's channels lie side by side, those of x first, then those of each layer, so that 16 pixels of a row are a
// tile as they lie, for every tap of a convolution. Only a ring of a few bands is kept.
#include "residual_dense_block_amx.h"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "amx.h"
#include "dense_schedule.h"

namespace vdeblur::amx {
namespace {

constexpr int64_t kBand = 4;       // rows of pixels
constexpr int64_t kMostTiles = 4;  // of pixels at once

// bfloat16 as they are stored.
using Half = uint16_t;

// Where channels lie in a pixel, and weights among the packed ones. Each layer begins at an even channel.
struct Places {
  DenseSizes sizes;
  int64_t first(int64_t layer) const { return round_up(sizes.channels, 2) + layer * round_up(sizes.growth, 2); }
  // Of a pixel; a whole tile of outputs can be stored from every channel on.
  int64_t depth() const { return round_up(first(sizes.layers) + kColumns, kDepth); }
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
  int64_t rows, chunks, slots;  // see Schedule
  int64_t depth;                // channels of a pixel
  int64_t tiles;                // of pixels, in a row
  Half *pixels, *zeros;
  float* scratch;

  int64_t line() const { return (tiles * kRows + 2) * depth; }
  // A row of pixels of the batch, from the one left of the frame on.
  Half* row(int64_t q, int64_t i) const { return pixels + (q % slots * kBand + i) * line(); }
};

Plan lay_out(const ResidualDenseBlock& op, const float* packed) {
  Plan k{op, {op.sizes}, packed, divide_up(op.x.height, kBand), kBand, kLag * op.sizes.layers + 3, 0, 0, nullptr,
         nullptr, nullptr};
  k.depth = k.at.depth();
  k.tiles = divide_up(op.x.width, kRows);
  k.pixels = reinterpret_cast<Half*>(aligned(op.workspace));
  k.zeros = k.pixels + k.slots * kBand * k.line();
  k.scratch = reinterpret_cast<float*>(k.zeros + k.line());
  return k;
}

int64_t scratch_size(const Plan& k) {
  return kMostTiles * kRows * kColumns + k.tiles * kRows * round_up(k.op.sizes.channels, kColumns) / 2;
}

Half narrowed(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return x == x ? Half((bits + 0x7fff + ((bits >> 16) & 1)) >> 16) : Half(0x7fc0);
}

}  // namespace

#if defined(__x86_64__)
}  // namespace vdeblur::amx

#include <immintrin.h>

#define VDEBLUR_INLINE inline __attribute__((always_inline))
#if defined(VDEBLUR_ON_HOST)
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#elif defined(__clang__)
#pragma clang attribute push( \
    __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,amx-tile,amx-bf16"))), \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,amx-tile,amx-bf16")
#endif
#define VDEBLUR_WIDTH 16
namespace vdeblur::amx {
namespace {
#include "simd.inl"
#include "tile.inl"
#include "runs.inl"
#include "activation.inl"
#include "residual_dense_block_amx.inl"
}  // namespace
}  // namespace vdeblur::amx
#undef VDEBLUR_WIDTH
#if defined(__clang__) && !defined(VDEBLUR_ON_HOST)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace vdeblur::amx {
#else
namespace {
// Never called: best_isa() is another.
void dense_row(const Plan&, int64_t, int64_t, int64_t, float*) {}
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

int64_t workspace(const ResidualDenseBlock& op) {
  const Plan k = lay_out(op, nullptr);
  const int64_t halves = (k.slots * kBand + 1) * k.line();
  return kLine + divide_up(halves, 2) + op.threads * round_up(scratch_size(k), kLine);
}

void run(const ResidualDenseBlock& op, const float* packed) {
  const Plan k = lay_out(op, packed);
  std::fill_n(k.zeros, k.line(), Half(0));
  Schedule<Plan> schedule(k);
#pragma omp parallel num_threads(op.threads)
  {
    // PyTorch's own kernels may be in the middle of something with the tiles that they have configured.
    Configuration before;
    read_configuration(before);
    schedule.work(dense_row, k.scratch + omp_get_thread_num() * round_up(scratch_size(k), kLine));
    before.palette ? configure(before) : release();
  }
}

}  // namespace vdeblur::amx
