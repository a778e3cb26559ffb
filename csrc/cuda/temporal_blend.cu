// temporal_blend: the convolution over two frames' features and the blend that it decides, in one kernel.
//
// A block computes a tile of the result. It reads the tiles of both frames with the border that the convolution needs,
// once, and keeps them in shared memory; the sums stay in registers until they have become the blend. Per pixel 2 C
// numbers are read (and those of the borders) and C written; 4 * C * C * k * k operations, which is what it is limited
// by.
#include "convolution.cuh"

namespace vdeblur {
namespace {

constexpr int kChoices[] = {2, 4, 8}, kTiles = 2;

struct Plan {
  int batch, height, width, channels, side;
  int tile_height, tile_width, down, across;  // the tiles' size and number
  Columns columns;
  int stages;

  __host__ __device__ int pitch() const { return tile_width + side - 1; }
  __host__ __device__ int rows() const { return tile_height + side - 1; }
  __host__ __device__ int planes() const { return 2 * divide_up(channels, kPlaneChannels); }
  __host__ __device__ int steps() const { return steps_of(planes() * side * side); }
  __host__ __device__ Region region() const { return {tile_height, tile_width}; }
  // An odd number of pixels sets neighbouring planes apart by a bank.
  __host__ __device__ int plane_bytes() const { return (rows() * pitch() | 1) * kPlanePixel; }
  __host__ __device__ int table_bytes() const { return round_up(2 * steps() * int(sizeof(int)), kPlanePixel); }
  int shared_bytes() const {
    return kStages * kStageSteps * step_bytes(columns.at_once) + table_bytes() + planes() * plane_bytes();
  }
};

// One pixel and channel: current where the sum is large, else what it was.
__device__ __forceinline__ float blended(float sum, float current, float previous, float beta) {
  const float share = fabsf(tanhf(sum)) + beta, w = share > 1.0f ? 1.0f : share;
  return w * current + (1.0f - w) * previous;
}

template <class T, int kColumns>
__global__ void __launch_bounds__(kThreads, 1)
    blend_kernel(Plan plan, const void* current, const void* previous, const void* weights, const float* bias,
                 const float* given_beta, void* y) {
  const int across = int(blockIdx.x) % plan.across, down = int(blockIdx.x) / plan.across % plan.down;
  const int frame = int(blockIdx.x) / plan.across / plan.down;
  char* const memory = shared_memory();
  int* const table = reinterpret_cast<int*>(memory + WeightRing<kColumns>::kBytes);
  char* const planes = reinterpret_cast<char*>(table) + plan.table_bytes();
  const View view{plan.height, plan.width, plan.channels, down * plan.tile_height, across * plan.tile_width, frame};
  const int radius = plan.side / 2, plane = plan.plane_bytes(), before = plan.planes() / 2 * plane;
  View bordered = view;
  bordered.top -= radius;
  bordered.left -= radius;
  load_tile(planes, plane, current, bordered, plan.rows(), plan.pitch());
  load_tile(planes + before, plane, previous, bordered, plan.rows(), plan.pitch());
  WeightRing<kColumns> ring{memory, static_cast<const char*>(weights), unsigned(plan.stages)};
  ring.start();
  fill_table(table, plan.planes(), plan.side, plan.pitch(), [&](int i) { return i * plane; });
  __syncthreads();
  const float beta = *given_beta < 0.0f ? 0.0f : *given_beta > 1.0f ? 1.0f : *given_beta;
  int pixel[kTiles];
  find_pixels(pixel, plan.region(), plan.pitch());
  for (int group = 0; group < plan.columns.groups; ++group) {
    float sum[kTiles][kColumns][4] = {};
    multiply<T>(sum, planes, pixel, table, plan.steps(), ring);
    each_pair(sum, plan.region(), group, bias, [&](int row, int column, int channel, float first, float second) {
      if (channel >= plan.channels || !view.inside(row, column)) return;
      const int place = ((row + radius) * plan.pitch() + column + radius) * kPlanePixel;
      const char* const from = planes + channel / kPlaneChannels * plane + place + channel % kPlaneChannels * 2;
      const float2 now = unpack<T>(*reinterpret_cast<const uint32_t*>(from));
      const float2 then = unpack<T>(*reinterpret_cast<const uint32_t*>(from + before));
      store_pair<T>(y, view.at(row, column), channel, plan.channels, blended(first, now.x, then.x, beta),
                    blended(second, now.y, then.y, beta));
    });
  }
}

// The largest tile that leaves the fewest rounds of blocks, for all take as long. False where none fits.
bool choose_tile(Plan& plan, const Chip& chip) {
  int64_t best = 0;
  Plan trial = plan;
  for (int height = 16; height >= 2; height -= 2) {
    for (int width = 8; width <= 32; width += 8) {
      trial.tile_height = height < plan.height ? height : plan.height;
      trial.tile_width = width < plan.width ? width : plan.width;
      trial.down = divide_up(plan.height, trial.tile_height);
      trial.across = divide_up(plan.width, trial.tile_width);
      if (trial.region().tiles() > kTiles || trial.shared_bytes() > chip.shared) continue;
      const int64_t blocks = int64_t(plan.batch) * trial.down * trial.across;
      const int64_t rounds = (blocks + chip.processors - 1) / chip.processors;
      if (best && rounds >= best) continue;
      best = rounds;
      plan = trial;
    }
  }
  return best;
}

struct Arguments {
  const void *current, *previous, *weight, *bias;
  const float* beta;
  void* y;
  char* workspace;
  void* stream;
};

template <class T, int kColumns>
cudaError_t run(const Plan& plan, const Arguments& given) {
  constexpr int kPackBlocks = 64;
  float* const bias = reinterpret_cast<float*>(given.workspace + plan.stages * WeightRing<kColumns>::kStage);
  const Convolution conv{given.weight, given.bias,    given.workspace, bias,          2 * plan.channels,  plan.channels,
                         plan.side,    plan.channels, plan.channels,   plan.planes(), plan.columns.groups};
  const auto pack = pack_weights<T, kColumns, 1>;
  if (const auto error = launch(pack, kPackBlocks, kThreads, 0, given.stream, Convolutions<1>{{conv}}, kPackBlocks))
    return error;
  return launch(blend_kernel<T, kColumns>, int64_t(plan.batch) * plan.down * plan.across, kThreads, plan.shared_bytes(),
                given.stream, plan, given.current, given.previous, static_cast<const void*>(given.workspace),
                static_cast<const float*>(bias), given.beta, given.y);
}

template <class T>
cudaError_t run(const Plan& plan, const Arguments& given) {
  switch (plan.columns.at_once) {
    case 2:
      return run<T, 2>(plan, given);
    case 4:
      return run<T, 4>(plan, given);
    default:
      return run<T, 8>(plan, given);
  }
}

Plan plan_for(int64_t channels, int64_t side) {
  Plan plan{};
  plan.channels = int(channels);
  plan.side = int(side);
  plan.columns = columns_for(plan.channels, kChoices);
  plan.stages = divide_up(plan.columns.groups * plan.steps(), kStageSteps);
  return plan;
}

}  // namespace
}  // namespace vdeblur

using namespace vdeblur;

// Bytes of the workspace, a multiple of 16; -1 where the current device cannot hold the smallest tile.
extern "C" int64_t vdeblur_temporal_blend_workspace(int64_t channels, int64_t side) {
  Plan plan = plan_for(channels, side);
  plan.batch = 1;
  plan.height = 2;
  plan.width = 8;
  Chip chip;
  if (current_chip(chip) || !choose_tile(plan, chip)) return -1;
  return int64_t(plan.stages) * kStageSteps * step_bytes(plan.columns.at_once) +
         plan.columns.groups * plan.columns.at_once * 8 * int64_t(sizeof(float));
}

// current, previous, y (batch, height, width, channels), weight (channels, 2 channels, side, side), bias of `type`,
// bfloat16 or half; beta one float; y is neither of the frames. -> null, or what went wrong.
extern "C" const char* vdeblur_temporal_blend(int64_t type, const void* current, const void* previous, void* y,
                                              int64_t batch, int64_t channels, int64_t height, int64_t width,
                                              int64_t side, const void* weight, const void* bias, const float* beta,
                                              void* workspace, void* stream) {
  Plan plan = plan_for(channels, side);
  plan.batch = int(batch);
  plan.height = int(height);
  plan.width = int(width);
  Chip chip;
  if (const auto error = current_chip(chip)) return cudaGetErrorString(error);
  if (!choose_tile(plan, chip)) return "no tile fits into this GPU's shared memory";
  const Arguments given{current, previous, weight, bias, beta, y, static_cast<char*>(workspace), stream};
  const auto error = type == kBFloat16 ? run<BFloat16>(plan, given) : run<Half>(plan, given);
  return error ? cudaGetErrorString(error) : nullptr;
}
