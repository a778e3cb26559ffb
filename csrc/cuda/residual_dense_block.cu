// residual_dense_block: a whole block of dense 3x3 convolutions, the 1x1 that fuses them and the input added, in one
// kernel.
//
// A block computes a tile of the result. It reads the tile of the input with a border of one pixel for each dense
// layer, once, and keeps it and every layer's output in shared memory; each layer computes a border one pixel narrower
// than the last, so blocks never wait for one another, for some pixels computed twice. Per pixel C numbers are read
// (and those of the borders) and C written; 2 * (9 * growth * inputs of each layer + C * all of them) operations, which
// is what it is limited by.
#include "convolution.cuh"

namespace vdeblur {
namespace {

constexpr int kMostLayers = 4;
constexpr int kChoices[] = {2, 3, 4, 5};

struct Plan {
  int batch, height, width, channels, growth, layers;
  bool relu;
  int tile_height, tile_width, down, across;  // the tiles' size and number
  Columns dense, fuse;                        // of the same width
  int stages;

  __host__ __device__ int pitch() const { return tile_width + 2 * layers; }
  __host__ __device__ int first() const { return divide_up(channels, kPlaneChannels); }
  __host__ __device__ int rest() const { return divide_up(growth, kPlaneChannels); }
  __host__ __device__ int planes(int layer) const { return first() + layer * rest(); }
  __host__ __device__ int side(int layer) const { return layer < layers ? 3 : 1; }
  __host__ __device__ int chunks(int layer) const { return planes(layer) * side(layer) * side(layer); }
  __host__ __device__ int groups(int layer) const { return layer < layers ? dense.groups : fuse.groups; }
  // What a layer computes: the tile and the border that later layers need.
  __host__ __device__ Region region(int layer) const {
    const int border = layer < layers ? 2 * (layers - 1 - layer) : 0;
    return {tile_height + border, tile_width + border};
  }
  // Part 0 is the input, part i the output of layer i - 1. Its rows have the input's pitch; it starts i pixels further
  // down and to the right. An odd number of pixels sets neighbouring planes apart by a bank.
  __host__ __device__ int plane_bytes(int part) const {
    return ((tile_height + 2 * (layers - part)) * pitch() | 1) * kPlanePixel;
  }
  __host__ __device__ int part_at(int part) const {
    int at = 0;
    for (int i = 0; i < part; ++i) at += (i ? rest() : first()) * plane_bytes(i);
    return at;
  }
  __host__ __device__ int table_at(int layer) const {
    int at = 0;
    for (int i = 0; i < layer; ++i) at += 2 * steps_of(chunks(i));
    return at;
  }
  __host__ __device__ int table_bytes() const { return round_up(table_at(layers + 1) * int(sizeof(int)), kPlanePixel); }
  int shared_bytes() const {
    return kStages * kStageSteps * step_bytes(dense.at_once) + table_bytes() + part_at(layers + 1);
  }
};

// x * (1 + erf(x / sqrt(2))) / 2, by 1 - erf(z) = (a1 t + ... + a5 t^5) exp(-z^2), t = 1 / (1 + p z), which is off
// by 1.5e-7 at most (Abramowitz and Stegun, 7.1.26).
__device__ __forceinline__ float gelu(float x) {
  const float z = fabsf(x) * 0.70710678f, t = reciprocal(1.0f + 0.3275911f * z);
  const float sum =
      t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
  const float rest = 0.5f * sum * exp2f(z * z * -1.44269504f);
  return x > 0.0f ? x - x * rest : x * rest;
}

__device__ __forceinline__ float activated(float x, bool relu) { return relu ? (x < 0.0f ? 0.0f : x) : gelu(x); }

template <class T, int kColumns>
struct Block {
  const Plan& plan;
  View view;  // from the tile's first pixel
  char* planes;
  const int* table;
  const float* bias;
  WeightRing<kColumns> ring;

  template <int kTiles>
  __device__ __forceinline__ void layer(int layer, void* result) {
    const Region region = plan.region(layer);
    int pixel[kTiles];
    find_pixels(pixel, region, plan.pitch());
    for (int group = 0; group < plan.groups(layer); ++group) {
      float sum[kTiles][kColumns][4] = {};
      multiply<T>(sum, planes, pixel, table + plan.table_at(layer), steps_of(plan.chunks(layer)), ring);
      if (layer < plan.layers) {
        keep(sum, region, layer, group);
      } else {
        finish(sum, region, group, result);
      }
    }
    bias += plan.groups(layer) * kColumns * 8;
  }

  // The activation of a layer, into its part of the tile. Outside of the frame it is zero, as the next layer's padding.
  template <int kTiles>
  __device__ __forceinline__ void keep(const float (&sum)[kTiles][kColumns][4], Region region, int layer, int group) {
    char* const part = planes + plan.part_at(layer + 1);
    const int plane = plan.plane_bytes(layer + 1), border = plan.layers - 1 - layer;
    each_pair(sum, region, group, bias, [&](int y, int x, int channel, float first, float second) {
      if (channel / kPlaneChannels >= plan.rest()) return;
      char* const to = part + channel / kPlaneChannels * plane + (y * plan.pitch() + x) * kPlanePixel;
      const bool inside = view.inside(y - border, x - border);
      *reinterpret_cast<uint32_t*>(to + channel % kPlaneChannels * 2) =
          inside ? pack<T>(activated(first, plan.relu), activated(second, plan.relu)) : 0;
    });
  }

  // The fused sum and the input, into the result.
  template <int kTiles>
  __device__ __forceinline__ void finish(const float (&sum)[kTiles][kColumns][4], Region region, int group,
                                         void* result) {
    const int plane = plan.plane_bytes(0);
    each_pair(sum, region, group, bias, [&](int y, int x, int channel, float first, float second) {
      if (channel >= plan.channels || !view.inside(y, x)) return;
      const int place = ((y + plan.layers) * plan.pitch() + x + plan.layers) * kPlanePixel;
      const char* const from = planes + channel / kPlaneChannels * plane + place + channel % kPlaneChannels * 2;
      const float2 input = unpack<T>(*reinterpret_cast<const uint32_t*>(from));
      store_pair<T>(result, view.at(y, x), channel, plan.channels, first + input.x, second + input.y);
    });
  }
};

template <class T, int kColumns>
__global__ void __launch_bounds__(kThreads, 1)
    block_kernel(Plan plan, const void* x, const void* weights, const float* bias, void* y) {
  const int across = int(blockIdx.x) % plan.across, down = int(blockIdx.x) / plan.across % plan.down;
  const int frame = int(blockIdx.x) / plan.across / plan.down;
  char* const ring = shared_memory();
  int* const table = reinterpret_cast<int*>(ring + WeightRing<kColumns>::kBytes);
  char* const planes = reinterpret_cast<char*>(table) + plan.table_bytes();
  const View view{plan.height, plan.width, plan.channels, down * plan.tile_height, across * plan.tile_width, frame};
  View bordered = view;
  bordered.top -= plan.layers;
  bordered.left -= plan.layers;
  load_tile(planes, plan.plane_bytes(0), x, bordered, plan.tile_height + 2 * plan.layers, plan.pitch());
  Block<T, kColumns> block{plan,  view, planes,
                           table, bias, {ring, static_cast<const char*>(weights), unsigned(plan.stages)}};
  block.ring.start();
  for (int layer = 0; layer <= plan.layers; ++layer) {
    fill_table(table + plan.table_at(layer), plan.planes(layer), plan.side(layer), plan.pitch(), [&](int plane) {
      const int part = plane < plan.first() ? 0 : 1 + (plane - plan.first()) / plan.rest();
      const int within = part ? (plane - plan.first()) % plan.rest() : plane;
      const int shift = (layer - part) * (plan.pitch() + 1) * kPlanePixel;
      return plan.part_at(part) + within * plan.plane_bytes(part) + shift;
    });
  }
  for (int layer = 0; layer <= plan.layers; ++layer) {
    __syncthreads();  // the tables are there, then the layer before
    switch (plan.region(layer).tiles()) {
      case 1:
      case 2:
        block.template layer<2>(layer, y);
        break;
      case 3:
        block.template layer<3>(layer, y);
        break;
      default:
        block.template layer<4>(layer, y);
    }
  }
}

int tiles_of(const Plan& plan, int layer) {
  const int tiles = plan.region(layer).tiles();
  return tiles < 2 ? 2 : tiles;
}

// The tile that is soonest done: the fewest rounds of blocks, each as long as its products. False where none fits.
bool choose_tile(Plan& plan, const Chip& chip) {
  int64_t best = 0;
  Plan trial = plan;
  for (int height = 2; height <= 24; height += 2) {
    for (int width = 4; width <= 40; width += 4) {
      trial.tile_height = height < plan.height ? height : plan.height;
      trial.tile_width = width < plan.width ? width : plan.width;
      trial.down = divide_up(plan.height, trial.tile_height);
      trial.across = divide_up(plan.width, trial.tile_width);
      if (trial.region(0).tiles() > kMostTiles || trial.shared_bytes() > chip.shared) continue;
      const int64_t blocks = int64_t(plan.batch) * trial.down * trial.across;
      int64_t cost = 0;
      for (int layer = 0; layer <= plan.layers; ++layer) {
        cost += tiles_of(trial, layer) * plan.groups(layer) * steps_of(plan.chunks(layer));
      }
      cost *= (blocks + chip.processors - 1) / chip.processors;
      if (best && cost >= best) continue;
      best = cost;
      plan = trial;
    }
  }
  return best;
}

struct Arguments {
  const void* x;
  void* y;
  const void* const* weights;  // of each layer, then of the fuse
  const void* const* biases;
  char* workspace;
  void* stream;
};

template <class T, int kColumns>
cudaError_t run(const Plan& plan, const Arguments& given) {
  constexpr int kPackBlocks = 32;
  Convolutions<kMostLayers + 1> convolutions{};
  char* packed = given.workspace;
  for (int layer = 0; layer <= plan.layers; ++layer) {
    Convolution& conv = convolutions.of[layer];
    conv.weight = given.weights[layer];
    conv.bias = given.biases[layer];
    conv.packed = packed;
    conv.inputs = plan.channels + layer * plan.growth;
    conv.outputs = layer < plan.layers ? plan.growth : plan.channels;
    conv.side = plan.side(layer);
    conv.first = plan.channels;
    conv.rest = plan.growth;
    conv.planes = plan.planes(layer);
    conv.groups = plan.groups(layer);
    packed += int64_t(conv.groups) * conv.steps() * step_bytes(kColumns);
  }
  float* const biases = reinterpret_cast<float*>(given.workspace + plan.stages * WeightRing<kColumns>::kStage);
  float* bias = biases;
  for (int layer = 0; layer <= plan.layers; ++layer) {
    convolutions.of[layer].packed_bias = bias;
    bias += convolutions.of[layer].groups * kColumns * 8;
  }
  const auto pack = pack_weights<T, kColumns, kMostLayers + 1>;
  if (const auto error =
          launch(pack, (plan.layers + 1) * kPackBlocks, kThreads, 0, given.stream, convolutions, kPackBlocks))
    return error;
  const int64_t blocks = int64_t(plan.batch) * plan.down * plan.across;
  return launch(block_kernel<T, kColumns>, blocks, kThreads, plan.shared_bytes(), given.stream, plan, given.x,
                static_cast<const void*>(given.workspace), static_cast<const float*>(biases), given.y);
}

template <class T>
cudaError_t run(const Plan& plan, const Arguments& given) {
  switch (plan.dense.at_once) {
    case 2:
      return run<T, 2>(plan, given);
    case 3:
      return run<T, 3>(plan, given);
    case 4:
      return run<T, 4>(plan, given);
    default:
      return run<T, 5>(plan, given);
  }
}

Plan plan_for(int64_t channels, int64_t growth, int64_t layers) {
  Plan plan{};
  plan.channels = int(channels);
  plan.growth = int(growth);
  plan.layers = int(layers);
  plan.dense = columns_for(plan.growth, kChoices);
  plan.fuse = {plan.dense.at_once, divide_up(plan.first(), plan.dense.at_once)};
  int steps = 0;
  for (int layer = 0; layer <= plan.layers; ++layer) steps += plan.groups(layer) * steps_of(plan.chunks(layer));
  plan.stages = divide_up(steps, kStageSteps);
  return plan;
}

}  // namespace
}  // namespace vdeblur

using namespace vdeblur;

// Bytes of the workspace, a multiple of 16; -1 where the current device cannot hold the smallest tile.
extern "C" int64_t vdeblur_residual_dense_block_workspace(int64_t channels, int64_t growth, int64_t layers) {
  if (layers < 1 || layers > kMostLayers) return -1;
  Plan plan = plan_for(channels, growth, layers);
  plan.batch = 1;
  plan.height = 2;
  plan.width = 4;
  Chip chip;
  if (current_chip(chip) || !choose_tile(plan, chip)) return -1;
  const int64_t columns = plan.layers * plan.dense.groups + plan.fuse.groups;
  return int64_t(plan.stages) * kStageSteps * step_bytes(plan.dense.at_once) +
         columns * plan.dense.at_once * 8 * int64_t(sizeof(float));
}

// x, y (batch, height, width, channels), weights and biases of `type`, bfloat16 or half; y is not x. -> null, or what
// went wrong.
extern "C" const char* vdeblur_residual_dense_block(int64_t type, const void* x, void* y, int64_t batch,
                                                    int64_t channels, int64_t height, int64_t width, int64_t growth,
                                                    int64_t layers, int64_t relu, const void* const* weights,
                                                    const void* const* biases, void* workspace, void* stream) {
  Plan plan = plan_for(channels, growth, layers);
  plan.batch = int(batch);
  plan.height = int(height);
  plan.width = int(width);
  plan.relu = relu != 0;
  Chip chip;
  if (const auto error = current_chip(chip)) return cudaGetErrorString(error);
  if (!choose_tile(plan, chip)) return "no tile fits into this GPU's shared memory";
  const Arguments given{x, y, weights, biases, static_cast<char*>(workspace), stream};
  const auto error = type == kBFloat16 ? run<BFloat16>(plan, given) : run<Half>(plan, given);
  return error ? cudaGetErrorString(error) : nullptr;
}
