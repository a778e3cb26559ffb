// Convolutions over a tile of pixels that stays in shared memory, as matrix products on the tensor cores.
//
// A block holds its tile in planes. A plane is eight channels (16 bytes) of every pixel, the pixels of a row side by
// side, so that what a lane hands to the tensor cores for eight neighbouring pixels is 128 bytes in a row, wherever a
// tap of the convolution shifts them: no bank conflicts and no copies of shifted pixels. (tap, plane) is a chunk; a
// step of the product takes two chunks, any two, whose places stand in a table.
#pragma once
#include "weights.cuh"

namespace vdeblur {

constexpr int kRows = 16;      // pixels of one mma
constexpr int kMostTiles = 4;  // of kRows pixels, of one warp

// Fills the table of a convolution: `place(plane)` is where the first pixel lies that the first tap of the first output
// sees.
template <class Place>
__device__ __forceinline__ void fill_table(int* table, int planes, int side, int pitch, Place place) {
  const int chunks = planes * side * side;
  for (int i = int(threadIdx.x); i < 2 * steps_of(chunks); i += kThreads) {
    // What is padded has no weight; it must be read from somewhere, and what is read already anyway brings in no NaN.
    const int chunk = i < chunks ? i : chunks - 1, tap = chunk / planes;
    table[i] = place(chunk % planes) + (tap / side * pitch + tap % side) * kPlanePixel;
  }
}

// sum += a convolution of kTiles times 16 pixels; pixel[i]: where in a plane this lane's row of tile i lies, in bytes.
template <class T, int kTiles, int kColumns>
__device__ __forceinline__ void multiply(float (&sum)[kTiles][kColumns][4], const char* planes,
                                         const int (&pixel)[kTiles], const int* table, int steps,
                                         WeightRing<kColumns>& ring) {
  uint32_t a[2][kTiles][4];
  uint2 b[2][kColumns];
  table += threadIdx.x % kLanes / kRows;
  const auto load = [&](int step, int set) {
    const uint2* const weights = ring.next();
    const char* const at = planes + table[2 * step];
#pragma unroll
    for (int j = 0; j < kColumns; ++j) b[set][j] = weights[j * kLanes];
#pragma unroll
    for (int i = 0; i < kTiles; ++i) load_matrices(a[set][i], at + pixel[i]);
  };
  const auto product = [&](int set) {
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
#pragma unroll
      for (int j = 0; j < kColumns; ++j) mma<T>(sum[i][j], a[set][i], b[set][j]);
    }
  };
  load(0, 0);
  for (int step = 0; step < steps; step += 2) {
    load(step + 1, 1);
    product(0);
    if (step + 2 < steps) load(step + 2, 0);
    product(1);
  }
}

// The rows and columns of pixels that a convolution computes; pixel m is one of row m / width.
struct Region {
  int height, width;
  __host__ __device__ int pixels() const { return height * width; }
  // How many tiles of kRows pixels each warp has.
  __host__ __device__ int tiles() const { return divide_up(divide_up(pixels(), kRows), kWarps); }
};

// The first pixel of tile i of this warp, of kTiles.
template <int kTiles>
__device__ __forceinline__ int first_pixel(int i) {
  return (int(threadIdx.x) / kLanes * kTiles + i) * kRows;
}

// Where the rows lie that this lane gives to `multiply`; beyond the region the last pixel, whose result nobody takes.
template <int kTiles>
__device__ __forceinline__ void find_pixels(int (&pixel)[kTiles], Region region, int pitch) {
#pragma unroll
  for (int i = 0; i < kTiles; ++i) {
    int m = first_pixel<kTiles>(i) + int(threadIdx.x) % kRows;
    m = m < region.pixels() ? m : region.pixels() - 1;
    pixel[i] = (m / region.width * pitch + m % region.width) * kPlanePixel;
  }
}

// Calls take(y, x, channel, two sums with their bias) for every pair of channels, this one and the next, that this lane
// has.
template <int kTiles, int kColumns, class Take>
__device__ __forceinline__ void each_pair(const float (&sum)[kTiles][kColumns][4], Region region, int group,
                                          const float* bias, Take take) {
  const int lane = int(threadIdx.x) % kLanes;
#pragma unroll
  for (int i = 0; i < kTiles; ++i) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int m = first_pixel<kTiles>(i) + lane / 4 + 8 * half;
      if (m >= region.pixels()) continue;
      const int y = m / region.width, x = m % region.width;
#pragma unroll
      for (int j = 0; j < kColumns; ++j) {
        const int channel = (group * kColumns + j) * 8 + 2 * (lane % 4);
        take(y, x, channel, sum[i][j][2 * half] + bias[channel], sum[i][j][2 * half + 1] + bias[channel + 1]);
      }
    }
  }
}

// Frames whose channels lie together, seen from the tile whose first pixel is (top, left) of one of them.
struct View {
  int height, width, channels, top, left;
  int64_t frame;
  __device__ bool inside(int y, int x) const {
    return unsigned(top + y) < unsigned(height) && unsigned(left + x) < unsigned(width);
  }
  __device__ int64_t at(int y, int x) const { return ((frame * height + top + y) * width + left + x) * channels; }
};

// Copies a tile of rows x pitch pixels into planes of `plane` bytes, kBytes at a time; zero outside of the frame.
template <int kBytes>
__device__ __forceinline__ void copy_tile(char* planes, int plane, const uint16_t* frames, View view, int rows,
                                          int pitch) {
  constexpr int kNumbers = kBytes / 2, kPieces = kPlanePixel / kBytes;
  const int pieces = divide_up(view.channels, kPlaneChannels) * kPieces;
  int piece = int(threadIdx.x) % pieces, x = int(threadIdx.x) / pieces, y = 0;
  while (true) {
    for (; x >= pitch; x -= pitch) ++y;
    if (y >= rows) break;
    const bool valid = view.inside(y, x) && piece * kNumbers < view.channels;
    const uint16_t* const from = valid ? frames + view.at(y, x) + piece * kNumbers : frames;
    char* const to = planes + piece / kPieces * plane + (y * pitch + x) * kPlanePixel + piece % kPieces * kBytes;
    if constexpr (kBytes == 2) {
      *reinterpret_cast<uint16_t*>(to) = valid ? *from : 0;
    } else {
      copy_async<kBytes>(to, from, valid);
    }
    piece += kThreads % pieces;
    x += kThreads / pieces;
    if (piece >= pieces) {
      piece -= pieces;
      ++x;
    }
  }
}

// The widest copies that the channels and the address allow.
__device__ __forceinline__ void load_tile(char* planes, int plane, const void* frames, View view, int rows, int pitch) {
  const uint16_t* const from = static_cast<const uint16_t*>(frames);
  const unsigned aligned = unsigned(reinterpret_cast<uintptr_t>(frames)) | unsigned(view.channels) * 2;
  if (aligned % 16 == 0) {
    copy_tile<16>(planes, plane, from, view, rows, pitch);
  } else if (aligned % 8 == 0) {
    copy_tile<8>(planes, plane, from, view, rows, pitch);
  } else if (aligned % 4 == 0) {
    copy_tile<4>(planes, plane, from, view, rows, pitch);
  } else {
    copy_tile<2>(planes, plane, from, view, rows, pitch);
  }
}

// Writes channels `channel`, `channel + 1` of a pixel: together where they are aligned.
template <class T>
__device__ __forceinline__ void store_pair(void* frames, int64_t at, int channel, int channels, float first,
                                           float second) {
  uint16_t* const to = static_cast<uint16_t*>(frames) + at + channel;
  const uint32_t both = pack<T>(first, second);
  if (channel + 1 < channels && reinterpret_cast<uintptr_t>(to) % 4 == 0) {
    *reinterpret_cast<uint32_t*>(to) = both;
  } else {
    if (channel < channels) to[0] = uint16_t(both);
    if (channel + 1 < channels) to[1] = uint16_t(both >> 16);
  }
}

}  // namespace vdeblur
