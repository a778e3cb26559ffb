// One chunk of pixels: which piece of the broken lines each pixel is on, then y = x * (scale + 1) + shift.
//
// Eight pixels of eight channels are taken at a time, a register for each pixel, so that a pixel's scales and shifts
// are four loads from its row of the table. Per number one is read and one written, six operations in between.
#include "eight.inl"
#include "runs.inl"

// rows[i] = where in a group's table the piece of pixel i stands: as many pieces in as bends lie below its magnitude.
inline void find_pieces(const MotionPieces& k, const float* magnitude, int64_t n, int32_t* rows) {
  std::fill(rows, rows + n, 0);
  for (int64_t u = 0; u < k.bends; ++u) {
    const float bend = k.bend[u];
    for (int64_t i = 0; i < n; ++i) rows[i] += magnitude[i] >= bend ? int32_t(k.kRow) : 0;
  }
}

VDEBLUR_INLINE void attend(Eight (&x)[8], const float* table, const float* magnitude, const int32_t* rows, int pixels) {
  for (int i = 0; i < pixels; ++i) {
    const float* row = table + rows[i];
    const Eight m = broadcast8(magnitude[i]);
    const Eight scale = fma8(load8(row), m, load8(row + 8)), shift = fma8(load8(row + 16), m, load8(row + 24));
    x[i] = fma8(x[i], scale, shift);
  }
}

template <class T>
void attend_chunk_of(const MotionPieces& k, int64_t b, int64_t first, int64_t end, float* magnitudes, int32_t* rows) {
  const Frames &x = k.op.x, &y = k.op.y, &m = k.op.magnitude;
  const int64_t most = x.channel_stride == 1 ? 64 : kMotionRun;  // a pixel's channels stay in the cache between groups
  const bool joined = x.rows_join() && y.rows_join() && m.rows_join();
  const int channels = int(std::min<int64_t>(8, x.channels));
  for_each_piece(joined, x.width, first, end, most, [&](int64_t at, int64_t n) {
    read_run(m, channel_at(m, b, 0, 0) + pixel_at(m, at), n, magnitudes);
    find_pieces(k, magnitudes, n, rows);
    const int pixels = int(std::min<int64_t>(8, n));
    for (int64_t g = 0; g < k.groups(); ++g) {
      const int64_t c = k.first_channel(g);
      const T* from = static_cast<const T*>(x.data) + channel_at(x, b, 0, c) + pixel_at(x, at);
      T* to = static_cast<T*>(y.data) + channel_at(y, b, 0, c) + pixel_at(y, at);
      for (int64_t start = 0; start < n; start += 8) {
        const int64_t i = std::max<int64_t>(0, std::min(start, n - 8));  // the last block may overlap the one before
        Eight block[8];
        load_block(from + i * x.pixel_stride, x.channel_stride, x.pixel_stride, channels, pixels, block);
        attend(block, k.of(g), magnitudes + i, rows + i, pixels);
        store_block(block, to + i * y.pixel_stride, y.channel_stride, y.pixel_stride, channels, pixels);
      }
    }
  });
}

void attend_chunk(const MotionPieces& k, int64_t b, int64_t first, float* scratch) {
  const int64_t end = std::min<int64_t>(first + kMotionRun, k.op.x.pixels());
  int32_t* const rows = reinterpret_cast<int32_t*>(scratch + kMotionRun);
  if (k.op.x.type == Type::float32)
    attend_chunk_of<float>(k, b, first, end, scratch, rows);
  else
    attend_chunk_of<uint16_t>(k, b, first, end, scratch, rows);
}
