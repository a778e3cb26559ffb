// Sums of products in tiles: kPixels tiles of pixels side by side times kOutputs tiles of outputs, four at most. After
// halves.inl; included by the .inl files that use it.

// C[p kOutputs + o] = the same for each pixel.
template <int kPixels, int kOutputs = 1>
VDEBLUR_INLINE void begin_tiles(const float* from) {
  const float* const second = from + (kOutputs - 1) * kColumns;
  tile_load<kC>(from, 0);
  if constexpr (kPixels * kOutputs > 1) tile_load<kC + 1>(second, 0);
  if constexpr (kPixels * kOutputs > 2) tile_load<kC + 2>(from, 0);
  if constexpr (kPixels * kOutputs > 3) tile_load<kC + 3>(second, 0);
}

// C[p] += A[p] B. pixel: halves from one pixel to the next.
template <int kPixels, int kLeft, int kRight>
VDEBLUR_INLINE void multiply_tiles(const Half* pixels, int64_t pixel, const Half* weights) {
  const int64_t stride = sizeof(Half) * pixel, tile = kRows * pixel;
  tile_load<kRight>(weights, 64);
  tile_load<kLeft>(pixels, stride);
  tile_multiply<kC, kLeft, kRight>();
  if constexpr (kPixels > 1) {
    tile_load<kLeft>(pixels + tile, stride);
    tile_multiply<kC + 1, kLeft, kRight>();
  }
  if constexpr (kPixels > 2) {
    tile_load<kLeft>(pixels + 2 * tile, stride);
    tile_multiply<kC + 2, kLeft, kRight>();
  }
  if constexpr (kPixels > 3) {
    tile_load<kLeft>(pixels + 3 * tile, stride);
    tile_multiply<kC + 3, kLeft, kRight>();
  }
}

// C[2 p + o] += A[p] B[o]: fewer loads, which matters where the lines of pixels are not those of the cache.
template <int kPixels>
VDEBLUR_INLINE void multiply_two_outputs(const Half* pixels, int64_t pixel, const Half* weights) {
  const int64_t stride = sizeof(Half) * pixel;
  tile_load<kB>(weights, 64);
  tile_load<kA>(pixels, stride);
  tile_multiply<kC, kA, kB>();
  tile_load<kRestB>(weights + kTileSize, 64);
  tile_multiply<kC + 1, kA, kRestB>();
  if constexpr (kPixels > 1) {
    tile_load<kRestA>(pixels + kRows * pixel, stride);
    tile_multiply<kC + 2, kRestA, kB>();
    tile_multiply<kC + 3, kRestA, kRestB>();
  }
}

// -> out (pixels, kOutputs kColumns).
template <int kPixels, int kOutputs = 1>
VDEBLUR_INLINE void store_tiles(float* out) {
  constexpr int64_t columns = kOutputs * kColumns, row = sizeof(float) * columns, tile = kRows * columns;
  const auto place = [&](int i) { return out + i / kOutputs * tile + i % kOutputs * kColumns; };
  tile_store<kC>(place(0), row);
  if constexpr (kPixels * kOutputs > 1) tile_store<kC + 1>(place(1), row);
  if constexpr (kPixels * kOutputs > 2) tile_store<kC + 2>(place(2), row);
  if constexpr (kPixels * kOutputs > 3) tile_store<kC + 3>(place(3), row);
}

// Results that wait to be finished: some at a time, while the tiles are busy with the next, for that is another unit of the
// processor than the one that registers have.
template <class Finish>
struct Unfinished {
  const Finish& finish;  // (results, first pixel, how many, which outputs)
  const float* out = nullptr;
  int64_t first = 0, pixels = 0, outputs = 0, columns = 0;

  VDEBLUR_INLINE void are(const float* results, int64_t from, int64_t count, int64_t which, int64_t width = kColumns) {
    out = results;
    first = from;
    pixels = count;
    outputs = which;
    columns = width;
  }
  VDEBLUR_INLINE void some(int64_t most) {
    const int64_t now = std::min(most, pixels);
    if (!now) return;
    finish(out, first, now, outputs);
    out += now * columns;
    first += now;
    pixels -= now;
  }
  VDEBLUR_INLINE void all() { some(pixels); }
};
