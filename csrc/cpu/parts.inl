// Products of float32 matrices by tiles that multiply bfloat16. A float32 number is the sum of three bfloat16: itself with
// its lower half cut off, what that leaves with its lower half cut off, and what is left then. A number that is bfloat16
// is its own only part. All parts of a float32 matrix times a bfloat16 one, and nothing is lost.
//
// Tiles of results are 16 rows of 16; pixels lie along the rows. A right operand's rows are pairs of a matrix's rows,
// number by number. Included by the .inl files that use it.

#include "halves.inl"

// Steps are kept apart: inlined into one another they keep more at hand than there are registers.
#define VDEBLUR_APART __attribute__((noinline))

VDEBLUR_INLINE __m512i bits_of(V v) {
  __m512i bits;
  std::memcpy(&bits, &v, sizeof bits);
  return bits;
}
VDEBLUR_INLINE void store_bits(Half* to, __m512i bits) { std::memcpy(to, &bits, sizeof bits); }

// v is the sum of the parts, of which only the upper halves count.
template <int N>
VDEBLUR_INLINE void split(V v, V (&part)[N]) {
  part[0] = v;
#pragma GCC unroll 3
  for (int i = 1; i < N; ++i) {
    part[i - 1] = _mm512_castsi512_ps(_mm512_and_epi32(bits_of(part[i - 1]), _mm512_set1_epi32(-65536)));
    part[i] = v = v - part[i - 1];
  }
}

// The upper halves of a and then of b; and of both in turn.
VDEBLUR_INLINE __m512i one_after_the_other(V a, V b) {
  const auto odd = _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31, 29, 27, 25, 23,
                                    21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
  return _mm512_permutex2var_epi16(bits_of(a), odd, bits_of(b));
}
VDEBLUR_INLINE __m512i in_turn(V a, V b) {
  return _mm512_mask_blend_epi16(0xaaaaaaaa, _mm512_srli_epi32(bits_of(a), 16), bits_of(b));
}

// An operand in memory: where it begins, how far apart its rows are, and its parts.
struct Operand {
  const Half* at;
  int64_t row, part;
};
template <int kTile>
VDEBLUR_INLINE void load_part(Operand a, int part, int64_t offset = 0) {
  tile_load<kTile>(a.at + part * a.part + offset, sizeof(Half) * a.row);
}

// C[i] += A B[i], the B[i] side by side, all parts of A.
VDEBLUR_INLINE void multiply_across(Operand a, Operand b) {
#pragma GCC unroll 3
  for (int i = 0; i < kParts; ++i) {
    load_part<kA>(a, i);
    load_part<kB>(b, 0);
    tile_multiply<kC, kA, kB>();
    load_part<kRestB>(b, 0, kDepth);
    tile_multiply<kC + 1, kA, kRestB>();
    load_part<kB>(b, 0, 2 * kDepth);
    tile_multiply<kC + 2, kA, kB>();
    load_part<kRestB>(b, 0, 3 * kDepth);
    tile_multiply<kC + 3, kA, kRestB>();
  }
}

// C[i] += A[i] B, N of the A[i] below one another, all parts of B.
template <int N>
VDEBLUR_INLINE void multiply_down(Operand a, Operand b) {
  const int64_t below = kRows * a.row;
#pragma GCC unroll 3
  for (int i = 0; i < kParts; ++i) {
    load_part<kB>(b, i);
    load_part<kA>(a, 0);
    tile_multiply<kC, kA, kB>();
    if constexpr (N > 1) {
      load_part<kRestA>(a, 0, below);
      tile_multiply<kC + 1, kRestA, kB>();
    }
    if constexpr (N > 2) {
      load_part<kA>(a, 0, 2 * below);
      tile_multiply<kC + 2, kA, kB>();
    }
    if constexpr (N > 3) {
      load_part<kRestA>(a, 0, 3 * below);
      tile_multiply<kC + 3, kRestA, kB>();
    }
  }
}

// C[2 i + j] += A[i] B[j]: A[1] is `below` further than A[0], B[1] beside B[0]. Parts i and j where i + j < kKept.
template <int kLeftParts, int kRightParts, int kKept>
VDEBLUR_INLINE void multiply_square(Operand a, int64_t below, Operand b) {
#pragma GCC unroll 3
  for (int j = 0; j < kRightParts; ++j) {
    load_part<kB>(b, j);
    load_part<kRestB>(b, j, kDepth);
#pragma GCC unroll 3
    for (int i = 0; i < kLeftParts && i + j < kKept; ++i) {
      load_part<kA>(a, i);
      tile_multiply<kC, kA, kB>();
      tile_multiply<kC + 1, kA, kRestB>();
      load_part<kRestA>(a, i, below);
      tile_multiply<kC + 2, kRestA, kB>();
      tile_multiply<kC + 3, kRestA, kRestB>();
    }
  }
}

VDEBLUR_INLINE void clear() {
  tile_zero<kC>();
  tile_zero<kC + 1>();
  tile_zero<kC + 2>();
  tile_zero<kC + 3>();
}
// The four results, rows `row` floats apart: each `next` floats after the one before it.
VDEBLUR_INLINE void store_results(float* out, int64_t row, int64_t next) {
  tile_store<kC>(out, sizeof(float) * row);
  tile_store<kC + 1>(out + next, sizeof(float) * row);
  tile_store<kC + 2>(out + 2 * next, sizeof(float) * row);
  tile_store<kC + 3>(out + 3 * next, sizeof(float) * row);
}

// As parts.h says; zero where the matrix has no more.
inline void pack_operand(const float* from, int64_t rows, int64_t columns, float* packed) {
  const int64_t across = divide_up(columns, kDepth);
  std::fill_n(packed, operand_size(rows, columns), 0.0f);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) {
      Half* to = reinterpret_cast<Half*>(packed) + (r / kRows * across + c / kDepth) * kParts * kTileSize;
      to += r % kRows * kDepth + c % kDepth;
      float rest = from[r * columns + c];
      for (int i = 0; i < kParts; ++i, to += kTileSize) {
        uint32_t bits;
        std::memcpy(&bits, &rest, sizeof bits);
        *to = Half(bits >> 16);
        rest -= widen(*to);
      }
    }
}
inline void pack_start(const float* from, int64_t rows, float* to) {
  std::fill_n(to, start_size(rows), 0.0f);
  for (int64_t r = 0; r < rows; ++r, to += kColumns) std::fill_n(to, kColumns, from[r]);
}
