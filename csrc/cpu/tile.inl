// A tile: some pixels of a frame, all channels, float32, as tile[channel * kTile + pixel]. Copied there from any layout
// and back, so that the kernels see one layout only. Included by each_isa.h, once for each instruction set.

VDEBLUR_INLINE float widen(float x) { return x; }
VDEBLUR_INLINE float widen(uint16_t bfloat16) {
  const uint32_t bits = uint32_t(bfloat16) << 16;
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}
VDEBLUR_INLINE void narrow(float x, float* to) { *to = x; }
VDEBLUR_INLINE void narrow(float x, uint16_t* to) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const uint32_t nearest_even = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  *to = uint16_t(x == x ? nearest_even : 0x7fc0);
}

#if VDEBLUR_WIDTH >= 8
VDEBLUR_INLINE __m256 load8(const float* p) { return _mm256_loadu_ps(p); }
VDEBLUR_INLINE __m256 load8(const uint16_t* p) {
  const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}
VDEBLUR_INLINE void store8(float* p, __m256 v) { _mm256_storeu_ps(p, v); }
VDEBLUR_INLINE void store8(uint16_t* p, __m256 v) {
  const __m256i bits = _mm256_castps_si256(v);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i nearest_even = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
  const __m256i whole = _mm256_blendv_epi8(nearest_even, _mm256_set1_epi32(0x7fc00000), nan);
  const __m256i half = _mm256_packus_epi32(_mm256_srli_epi32(whole, 16), _mm256_setzero_si256());
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(_mm256_permute4x64_epi64(half, 0x08)));
}
// r[j][i] = r[i][j]
VDEBLUR_INLINE void transpose8(__m256 (&r)[8]) {
  __m256 s[8];
  for (int i = 0; i < 8; i += 2) {
    s[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    s[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    r[i] = _mm256_shuffle_ps(s[i], s[i + 2], 0x44);
    r[i + 1] = _mm256_shuffle_ps(s[i], s[i + 2], 0xee);
    r[i + 2] = _mm256_shuffle_ps(s[i + 1], s[i + 3], 0x44);
    r[i + 3] = _mm256_shuffle_ps(s[i + 1], s[i + 3], 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    s[i] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
    s[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
  }
  for (int i = 0; i < 8; ++i) r[i] = s[i];
}
#endif

// to[j * to_stride + i] = from[i * from_stride + j] for i, j < 8.
template <class From, class To>
VDEBLUR_INLINE void transpose8(const From* from, int64_t from_stride, To* to, int64_t to_stride) {
#if VDEBLUR_WIDTH >= 8
  __m256 r[8];
  for (int i = 0; i < 8; ++i) r[i] = load8(from + i * from_stride);
  transpose8(r);
  for (int j = 0; j < 8; ++j) store8(to + j * to_stride, r[j]);
#else
  for (int j = 0; j < 8; ++j)
    for (int i = 0; i < 8; ++i) narrow(widen(from[i * from_stride + j]), to + j * to_stride + i);
#endif
}

// to[j * to_stride + i] = from[i * from_stride + j] for i < rows, j < columns.
template <class From, class To>
void transpose(const From* from, int64_t from_stride, To* to, int64_t to_stride, int64_t rows, int64_t columns) {
  const int64_t whole_rows = rows / 8 * 8, whole_columns = columns / 8 * 8;
  for (int64_t i = 0; i < whole_rows; i += 8)
    for (int64_t j = 0; j < whole_columns; j += 8)
      transpose8(from + i * from_stride + j, from_stride, to + j * to_stride + i, to_stride);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = i < whole_rows ? whole_columns : 0; j < columns; ++j)
      narrow(widen(from[i * from_stride + j]), to + j * to_stride + i);
}

// Calls run(offset of the first pixel, its place in the tile, how many) for the pieces of rows that make up a tile.
template <class Run>
VDEBLUR_INLINE void for_each_run(const Frames& f, int64_t first, int64_t count, Run run) {
  const bool one_row = f.row_stride == f.width * f.pixel_stride;
  const int64_t length = one_row ? f.height * f.width : f.width;
  for (int64_t done = 0; done < count;) {
    const int64_t row = (first + done) / length, column = (first + done) % length;
    const int64_t n = std::min(count - done, length - column);
    run(row * f.row_stride + column * f.pixel_stride, done, n);
    done += n;
  }
}

template <int kTile, class T>
void load_tile(const Frames& f, const T* frame, int64_t first, int64_t count, float* tile) {
  for_each_run(f, first, count, [&](int64_t offset, int64_t at, int64_t n) {
    const T* from = frame + offset;
    if (f.pixel_stride != 1 && f.channel_stride == 1) {
      transpose(from, f.pixel_stride, tile + at, kTile, n, f.channels);
      return;
    }
    if (f.pixel_stride == 1 && n == kTile) {  // as almost all are, so that the compiler knows their length
      for (int64_t c = 0; c < f.channels; ++c, from += f.channel_stride)
        for (int i = 0; i < kTile; ++i) tile[c * kTile + i] = widen(from[i]);
      return;
    }
    for (int64_t c = 0; c < f.channels; ++c, from += f.channel_stride) {
      float* to = tile + c * kTile + at;
      if (f.pixel_stride == 1)
        for (int64_t i = 0; i < n; ++i) to[i] = widen(from[i]);
      else
        for (int64_t i = 0; i < n; ++i) to[i] = widen(from[i * f.pixel_stride]);
    }
  });
  if (count < kTile)
    for (int64_t c = 0; c < f.channels; ++c) std::fill(tile + c * kTile + count, tile + (c + 1) * kTile, 0.0f);
}

template <int kTile, class T>
void store_tile(const Frames& f, T* frame, int64_t first, int64_t count, const float* tile) {
  for_each_run(f, first, count, [&](int64_t offset, int64_t at, int64_t n) {
    T* to = frame + offset;
    if (f.pixel_stride != 1 && f.channel_stride == 1) {
      transpose(tile + at, kTile, to, f.pixel_stride, f.channels, n);
      return;
    }
    if (f.pixel_stride == 1 && n == kTile) {
      for (int64_t c = 0; c < f.channels; ++c, to += f.channel_stride)
        for (int i = 0; i < kTile; ++i) narrow(tile[c * kTile + i], to + i);
      return;
    }
    for (int64_t c = 0; c < f.channels; ++c, to += f.channel_stride) {
      const float* from = tile + c * kTile + at;
      if (f.pixel_stride == 1)
        for (int64_t i = 0; i < n; ++i) narrow(from[i], to + i);
      else
        for (int64_t i = 0; i < n; ++i) narrow(from[i], to + i * f.pixel_stride);
    }
  });
}

// Where a pixel's first channel lies in its frame.
VDEBLUR_INLINE int64_t pixel_at(const Frames& f, int64_t p) {
  return p / f.width * f.row_stride + p % f.width * f.pixel_stride;
}

// Whether all channels of a tile are runs of neighbours.
template <int kTile>
VDEBLUR_INLINE bool is_plain(const Frames& f, int64_t first, int64_t count) {
  const bool one_row = f.height == 1 || f.row_stride == f.width;
  return f.pixel_stride == 1 && count == kTile && (one_row || first % f.width + kTile <= f.width);
}

// A tile of float32, channels `stride` apart.
struct Tile {
  const float* at;
  int64_t stride;
};

// Whether a tile may be read again and again where it lies: not where so many channels share their place in the second
// cache, whose sets come round every 128 KiB, that they drive each other out.
inline bool spread_out(const Frames& f) {
  if (f.channel_stride == 0) return true;  // one channel for all
  constexpr int64_t kRound = 128 << 10, kWays = 8;
  const int64_t bytes = f.channel_stride * 4, apart = std::min(bytes & -bytes, kRound);
  return f.channels <= kRound / apart * kWays;
}

// The tile where it lies, if it may be read there, else a copy in `room`.
template <int kTile, class T>
Tile tile_of(const Frames& f, const T* frame, int64_t first, int64_t count, float* room) {
  if constexpr (std::is_same_v<T, float>)
    if (is_plain<kTile>(f, first, count) && spread_out(f)) return {frame + pixel_at(f, first), f.channel_stride};
  load_tile<kTile>(f, frame, first, count, room);
  return {room, kTile};
}

// Steps of a block of accumulators between two requests for what comes next: few requests at a time, or the processor
// waits for room for them.
constexpr int64_t kStepsBetween = 4;

// Brings the next tile near, some of its lines at each of `times` while this one is computed: what is asked for faster
// than memory answers holds everything up. Or the place where a tile will be written.
template <int kTile, class T, bool kToWrite = false>
struct Ahead {
  static constexpr int64_t kLines = divide_up(kTile * sizeof(T), 64);  // of a channel
  const char* next;  // a line further than the first pixel, whose own line mostly came with the tile before
  int64_t stride, each, left, line = 0;

  Ahead(const Frames& f, const T* frame, int64_t pixel, int64_t times)
      : next(reinterpret_cast<const char*>(frame + pixel_at(f, pixel)) + 63),
        stride(f.channel_stride * int64_t(sizeof(T))),
        each(divide_up(f.channels * kLines, times)),
        left(f.pixel_stride == 1 && pixel < f.pixels() ? f.channels * kLines : 0) {
    if (each > kLines) each = round_up(each, kLines);  // whole channels, which takes fewer instructions
  }

  VDEBLUR_INLINE void ask() {
    const int64_t n = std::min(each, left);
    left -= n;
    if (each >= kLines) {
      for (int64_t i = 0; i < n; i += kLines, next += stride)
        for (int64_t j = 0; j < kLines; ++j) __builtin_prefetch(next + 64 * j, kToWrite, 2);
      return;
    }
    for (int64_t i = 0; i < n; ++i) {
      __builtin_prefetch(next + 64 * line, kToWrite, 2);
      if (++line == kLines) line = 0, next += stride;
    }
  }
};

template <class T>
VDEBLUR_INLINE T* frame_of(const Frames& f, int64_t b, int64_t t) {
  return static_cast<T*>(f.data) + b * f.batch_stride + t * f.frame_stride;
}
