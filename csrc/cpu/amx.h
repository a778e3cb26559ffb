// AMX: tiles of up to 16 rows of 64 bytes, and the one thing done with them, C += A B for bfloat16 A and B, float32 C.
#pragma once
#include <cstdint>

namespace vdeblur::amx {

// C: four, for accumulators of 16 x 16. A and B of whole depth (32 channels), and of the rest; where there is no rest,
// another A and another B.
enum Tile { kC, kA = 4, kB, kRestA, kRestB, kTiles };

constexpr int64_t kRows = 16;     // pixels of a C or A; pairs of channels of a B
constexpr int64_t kColumns = 16;  // outputs of a C or B
constexpr int64_t kDepth = 32;    // channels of an A or B
constexpr int64_t kTileSize = kRows * kDepth;  // bfloat16 of a B

// As the instructions want it.
struct alignas(64) Configuration {
  uint8_t palette = 0, start_row = 0, reserved[14] = {};
  uint16_t column_bytes[16] = {};
  uint8_t rows[16] = {};
};

// `rest`: channels of kRestA and kRestB, an even number; 0 where they are as kA and kB, of `depth`.
inline Configuration configuration(int64_t rest, int64_t depth = kDepth) {
  Configuration made;
  made.palette = 1;
  for (int i = 0; i < kTiles; ++i) {
    made.column_bytes[i] = 64;
    made.rows[i] = kRows;
  }
  made.column_bytes[kA] = uint16_t(2 * depth);
  made.rows[kB] = uint8_t(depth / 2);
  made.column_bytes[kRestA] = uint16_t(2 * (rest ? rest : depth));
  made.rows[kRestB] = uint8_t((rest ? rest : depth) / 2);
  return made;
}

#if defined(VDEBLUR_ON_HOST)
// For tests on processors without it.
inline thread_local Configuration shape;
inline thread_local float tiles[kTiles][256];
inline void configure(const Configuration& wanted) { shape = wanted; }
inline void read_configuration(Configuration& found) { found = shape; }
inline void release() { shape = {}; }
template <int kTile>
inline void tile_load(const void* from, int64_t stride) {
  for (int i = 0; i < shape.rows[kTile]; ++i)
    __builtin_memcpy(reinterpret_cast<char*>(tiles[kTile]) + 64 * i, static_cast<const char*>(from) + i * stride,
                     shape.column_bytes[kTile]);
}
template <int kTile>
inline void tile_zero() {
  __builtin_memset(tiles[kTile], 0, sizeof tiles[kTile]);
}
template <int kTile>
inline void tile_store(void* to, int64_t stride) {
  for (int i = 0; i < shape.rows[kTile]; ++i)
    __builtin_memcpy(static_cast<char*>(to) + i * stride, reinterpret_cast<char*>(tiles[kTile]) + 64 * i, 64);
}
inline float widened(const float* tile, int row, int place) {
  uint16_t half;
  __builtin_memcpy(&half, reinterpret_cast<const char*>(tile) + 64 * row + 2 * place, 2);
  const uint32_t bits = uint32_t(half) << 16;
  float x;
  __builtin_memcpy(&x, &bits, 4);
  return x;
}
template <int kTile, int kLeft, int kRight>
inline void tile_multiply() {
  for (int i = 0; i < shape.rows[kTile]; ++i)
    for (int k = 0; k < shape.column_bytes[kLeft] / 2; ++k)
      for (int j = 0; j < kColumns; ++j)
        tiles[kTile][i * 16 + j] += widened(tiles[kLeft], i, k) * widened(tiles[kRight], k / 2, 2 * j + k % 2);
}
#elif defined(__x86_64__)
inline __attribute__((always_inline)) void configure(const Configuration& wanted) {
  asm volatile("ldtilecfg %0" ::"m"(wanted));
}
inline __attribute__((always_inline)) void read_configuration(Configuration& found) {
  asm volatile("sttilecfg %0" : "=m"(found));
}
inline __attribute__((always_inline)) void release() { asm volatile("tilerelease"); }
template <int kTile>
inline __attribute__((always_inline)) void tile_load(const void* from, int64_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(kTile) : "memory");
}
template <int kTile>
inline __attribute__((always_inline)) void tile_zero() {
  asm volatile("tilezero %%tmm%c0" ::"i"(kTile));
}
template <int kTile>
inline __attribute__((always_inline)) void tile_store(void* to, int64_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(kTile) : "memory");
}
template <int kTile, int kLeft, int kRight>
inline __attribute__((always_inline)) void tile_multiply() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kTile), "i"(kLeft), "i"(kRight));
}
#endif

// As long as it lives a thread's tiles are those of `configuration(rest, depth)`, if they are `wanted`; then what they were,
// for PyTorch's own kernels may be in the middle of something with the tiles that they have configured. It waits for all
// that was stored: once a thread.
class Configured {
 public:
#if defined(VDEBLUR_ON_HOST) || defined(__x86_64__)
  explicit Configured(bool wanted, int64_t rest = 0, int64_t depth = kDepth) : wanted_(wanted) {
    if (!wanted_) return;
    read_configuration(before_);
    configure(configuration(rest, depth));
  }
  ~Configured() {
    if (wanted_) before_.palette ? configure(before_) : release();
  }
  Configured(const Configured&) = delete;

 private:
  const bool wanted_;
  Configuration before_;
#else
  explicit Configured(bool, int64_t = 0, int64_t = 0) {}
#endif
};

}  // namespace vdeblur::amx
