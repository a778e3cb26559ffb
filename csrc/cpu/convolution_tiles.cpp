// Strips of frames in parallel, row by row.
//
// What a row of taps sees of a row of pixels, channels side by side, lies in one piece, and the next pixel's piece begins a
// pixel later: 16 of them are a tile as they lie, whatever the channels. Wide rows of one picture are read where they are,
// but for both ends. Those, narrow rows and several pictures are copied first, with zeros left and right of the frame, to a
// ring of as many rows as the kernel has.
#include "convolution_tiles.h"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "aligned.h"
#include "amx.h"
#include "bfloat16.h"
#include "huge_pages.h"

namespace vdeblur::amx {
namespace {

constexpr int64_t kStripRows = 16, kLeastRows = 4;
constexpr int64_t kMostTiles = 4;  // of results at once
constexpr int64_t kBlockOutputs = 2 * kColumns;
constexpr int64_t kWide = 8, kEnd = 2;  // tiles of a row that is wide, and of each of its ends
constexpr int64_t kMostKernel = 5;      // rows of taps

// bfloat16 as they are stored.
using Half = uint16_t;

// Where things stand in the packed parameters: phase by phase, block of outputs by block, biases and the weights (row of
// taps, part of a piece, tile of outputs, pair of the part's numbers, output, 2). A part is a tile of pixels deep. The last
// one of a piece may begin within the one before, and what both have counts there: its weights are zero here. (So nothing is
// read that does not count, for it may be NaN, and all parts have one shape.)
struct TilePlaces {
  ConvolutionSizes n;
  int64_t phases() const { return n.upscale * n.upscale; }
  int64_t tiles_of_phase() const { return divide_up(n.outputs, kColumns); }
  int64_t blocks_of_phase() const { return divide_up(tiles_of_phase(), 2); }
  int64_t blocks() const { return phases() * blocks_of_phase(); }
  int64_t tiles_of(int64_t block) const {
    return std::min<int64_t>(2, tiles_of_phase() - block % blocks_of_phase() * 2);
  }
  int64_t pixel() const { return round_up(n.inputs, 2); }  // halves
  int64_t piece() const { return n.kernel * pixel(); }
  int64_t parts() const { return divide_up(piece(), kDepth); }
  int64_t part(int64_t i) const { return std::min(i * kDepth, piece() - depth()); }  // where it begins
  int64_t depth() const { return std::min(piece(), kDepth); }
  int64_t block() const { return kBlockOutputs + n.kernel * parts() * kTileSize; }  // floats
  int64_t size() const { return kLine + blocks() * block(); }
};

struct TilePlan {
  const Convolution& op;
  TilePlaces at;
  const float* packed;
  int64_t strips;            // of a frame
  int64_t tiles;             // of pixels, in a row
  int64_t inner, inner_end;  // of these, those that are read where they lie
  Half* zeros = nullptr;     // a row of them
  float* threads = nullptr;

  int64_t margin() const { return at.n.kernel / 2; }
  // A line is left out, or the rows of some sizes would all share one place of the cache.
  int64_t line() const { return round_up((tiles * kRows + 2 * margin()) * at.pixel(), 2 * kLine) + 2 * kLine; }
  int64_t results() const { return kMostTiles * kRows * kColumns; }
  int64_t each() const { return 2 * results() + at.n.kernel * line() / 2; }  // floats of a thread
};

TilePlan lay_out(const Convolution& op) {
  const Frames& x = op.inputs[0];
  const int64_t strips = round_up(divide_up(x.height, kStripRows) * x.batch, op.threads);
  const int64_t most = std::max<int64_t>(1, x.height / kLeastRows);
  const int64_t tiles = divide_up(x.width, kRows);
  TilePlan k{op, {op.sizes}, aligned(op.packed), 0, tiles, tiles, tiles};
  const bool together = op.count == 1 && x.channels == k.at.pixel() && x.pixel_stride == k.at.pixel();
  if (together && tiles >= kWide) k.inner = kEnd, k.inner_end = tiles - kEnd;
  k.strips = std::clamp<int64_t>(strips / x.batch, 1, most);
  k.threads = aligned(op.workspace);
  k.zeros = reinterpret_cast<Half*>(k.threads + op.threads * k.each());
  return k;
}

// A thread's part of the workspace.
struct TileRoom {
  const TilePlan& k;
  float* at;
  int64_t which = 0;  // of the two lots of results
  float* results() const { return at + which * k.results(); }
  void turn() { which = 1 - which; }
  // A row of the frame, from the leftmost pixel on that its first result sees.
  Half* row(int64_t y) const {
    return reinterpret_cast<Half*>(at + 2 * k.results()) + y % k.at.n.kernel * k.line();
  }
  // The same, zeros beyond the frame.
  const Half* pixels(int64_t y) const { return y >= 0 && y < k.op.inputs[0].height ? row(y) : k.zeros; }
};

}  // namespace
}  // namespace vdeblur::amx

#define VDEBLUR_KERNEL "convolution_tiles.inl"
#include "on_amx.h"

namespace vdeblur::amx {
#if !defined(__x86_64__)
namespace {
// Never called: there are no tiles.
void convolve_strip(const TilePlan&, int64_t, int64_t, int64_t, TileRoom&) {}
}  // namespace
#endif

int64_t packed_size(const ConvolutionSizes& sizes) { return TilePlaces{sizes}.size(); }

void pack(const ConvolutionSizes& n, const float* weight, const float* bias, float* packed) {
  const TilePlaces at{n};
  std::fill_n(packed, at.size(), 0.0f);
  float* to = aligned(packed);
  for (int64_t block = 0; block < at.blocks(); ++block, to += at.block()) {
    const int64_t phase = block / at.blocks_of_phase(), first = block % at.blocks_of_phase() * kBlockOutputs;
    const int64_t end = std::min(first + kBlockOutputs, n.outputs);
    Half* const halves = reinterpret_cast<Half*>(to + kBlockOutputs);
    for (int64_t o = first; o < end; ++o) {
      const int64_t column = o - first, output = o * at.phases() + phase;
      to[column] = bias[output];
      for (int64_t c = 0; c < n.inputs; ++c)
        for (int64_t i = 0; i < n.kernel; ++i)
          for (int64_t j = 0; j < n.kernel; ++j) {
            const int64_t number = j * at.pixel() + c, part = number / kDepth, place = number - at.part(part);
            const int64_t tile = (i * at.parts() + part) * at.tiles_of(block) + column / kColumns;
            halves[tile * kTileSize + place / 2 * kDepth + column % kColumns * 2 + place % 2] =
                narrowed(weight[((output * n.inputs + c) * n.kernel + i) * n.kernel + j]);
          }
    }
  }
}

int64_t workspace(const Convolution& op) {
  const TilePlan k = lay_out(op);
  return kLine + op.threads * k.each() + divide_up(k.line(), 2);
}

void run(const Convolution& op) {
  const TilePlan k = lay_out(op);
  std::fill_n(k.zeros, k.line(), Half(0));
  prefer_huge_pages(op.y);
#pragma omp parallel num_threads(op.threads)
  {
    const Configured configured(true, 0, k.at.depth());
    TileRoom room{k, k.threads + omp_get_thread_num() * k.each()};
#pragma omp for schedule(dynamic)
    for (int64_t i = 0; i < op.y.batch * k.strips; ++i) {
      const int64_t strip = i % k.strips, rows = op.inputs[0].height;
      convolve_strip(k, i / k.strips, strip * rows / k.strips, (strip + 1) * rows / k.strips, room);
    }
  }
}

}  // namespace vdeblur::amx
