// Some pixels of a 1x1 convolution of bfloat16 by AMX's tiles, which are loaded from where each picture's channels lie.
// Included after pointwise_halves.inl. (To put the pictures side by side first, a tile of pixels at a time, fills more of
// the tiles and takes longer.)

// C[v] += A B[v], for kOutputs tiles of outputs side by side.
template <int kOutputs, int kLeft, int kRight>
VDEBLUR_INLINE void multiply_outputs(const Half* pixels, int64_t stride, const Half* weights, int64_t row) {
  tile_load<kLeft>(pixels, stride);
  tile_load<kRight>(weights, row);
  tile_multiply<kC, kLeft, kRight>();
  if constexpr (kOutputs > 1) {
    tile_load<kRight>(weights + kDepth, row);
    tile_multiply<kC + 1, kLeft, kRight>();
  }
  if constexpr (kOutputs > 2) {
    tile_load<kRight>(weights + 2 * kDepth, row);
    tile_multiply<kC + 2, kLeft, kRight>();
  }
  if constexpr (kOutputs > 3) {
    tile_load<kRight>(weights + 3 * kDepth, row);
    tile_multiply<kC + 3, kLeft, kRight>();
  }
}

// kRows pixels of all pictures: where they lie or, where fewer are left, copied side by side.
struct TileOfPixels {
  const Piece& piece;
  int64_t first, count;
  const Half* copied;  // (picture, kRows, channels), or null

  TileOfPixels(const Piece& of, int64_t from, Half* room)
      : piece(of), first(from), count(std::min(kRows, of.count - from)), copied(count < kRows ? room : nullptr) {
    if (!copied) return;
    const Convolution& op = piece.k.op;
    for (const Frames* x = op.inputs; x < op.inputs + op.count; room += kRows * x->channels, ++x) {
      std::fill_n(room, kRows * x->channels, Half(0));
      for (int64_t p = 0; p < count; ++p)
        std::copy_n(piece.in<const Half>(*x, first + p), x->channels, room + p * x->channels);
    }
  }
};

// kOutputs tiles of outputs from `begin` on: the sums over all pictures stay in tiles.
template <int kOutputs>
void convolve_tiles(const TileOfPixels& pixels, int64_t begin, int64_t end) {
  const Piece& piece = pixels.piece;
  const PointwisePlan& k = piece.k;
  tile_load<kC>(k.bias + begin, 0);
  if constexpr (kOutputs > 1) tile_load<kC + 1>(k.bias + begin + kColumns, 0);
  if constexpr (kOutputs > 2) tile_load<kC + 2>(k.bias + begin + 2 * kColumns, 0);
  if constexpr (kOutputs > 3) tile_load<kC + 3>(k.bias + begin + 3 * kColumns, 0);
  const Half *weights = k.halves + 2 * begin, *copied = pixels.copied;
  const int64_t row = sizeof(Half) * 2 * k.columns;
  for (const Frames* x = k.op.inputs; x < k.op.inputs + k.op.count; ++x) {
    const Half* const from = copied ? copied : piece.in<const Half>(*x, pixels.first);
    const int64_t stride = sizeof(Half) * (copied ? x->channels : x->pixel_stride);
    if (begin == 0 && !copied) ask_for_next<Half>(*x, from, kRows);
    int64_t c = 0;
    for (; c + kDepth <= x->channels; c += kDepth, weights += kDepth * k.columns)
      multiply_outputs<kOutputs, kA, kB>(from + c, stride, weights, row);
    if (c < x->channels) {
      multiply_outputs<kOutputs, kRestA, kRestB>(from + c, stride, weights, row);
      weights += (x->channels - c) * k.columns;
    }
    if (copied) copied += kRows * x->channels;
  }
  constexpr int64_t width = kOutputs * kColumns, bytes = sizeof(float) * width;
  alignas(64) float sums[kRows * width];
  tile_store<kC>(sums, bytes);
  if constexpr (kOutputs > 1) tile_store<kC + 1>(sums + kColumns, bytes);
  if constexpr (kOutputs > 2) tile_store<kC + 2>(sums + 2 * kColumns, bytes);
  if constexpr (kOutputs > 3) tile_store<kC + 3>(sums + 3 * kColumns, bytes);
  for (int64_t p = 0; p < pixels.count; ++p)
    piece.store_outputs<Half>(pixels.first + p, begin, end, sums + p * width);
}

// Outputs in equal shares of at most four tiles, whose weights serve all pixels of the piece before the next ones come.
void convolve_pixels_in_tiles(const PointwisePlan& k, int64_t task, float* room) {
  typedef void (*Tiles)(const TileOfPixels&, int64_t, int64_t);
  static constexpr Tiles kTilesOf[] = {convolve_tiles<1>, convolve_tiles<2>, convolve_tiles<3>, convolve_tiles<4>};
  const Piece piece(k, task);
  for (int64_t begin = 0, end; begin < k.op.y.channels; begin = end) {
    const int64_t left = divide_up(k.op.y.channels - begin, kColumns), now = divide_up(left, divide_up(left, 4));
    end = std::min(begin + now * kColumns, k.op.y.channels);
    for (int64_t first = 0; first < piece.count; first += kRows)
      kTilesOf[now - 1](TileOfPixels(piece, first, reinterpret_cast<Half*>(room)), begin, end);
  }
}
