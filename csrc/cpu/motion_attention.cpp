// motion_attention: the broken lines of scale and shift, then chunks of pixels in parallel.
#include "motion_attention.h"

#include <omp.h>

#include <limits>
#include <numeric>
#include <vector>

#include "huge_pages.h"

#define VDEBLUR_KERNEL "motion_attention.inl"
#include "each_isa.h"

namespace vdeblur {
namespace {

constexpr double kSlope = 0.1;  // of the LeakyReLU, below 0

MotionPieces cut(const MotionAttention& op) {
  const int64_t bends = op.hidden * (op.shift.weight_0 ? 2 : 1);
  float* const table = op.workspace + round_up(bends, 16);
  float* const scratch = table + divide_up(op.x.channels, 8) * (bends + 1) * MotionPieces::kRow;
  return {op, bends, op.workspace, table, scratch};
}

// A unit's output is factor * (weight * magnitude + bias): the factor before its bend, and after it.
struct Unit {
  const MotionBranch* branch;
  int64_t index;
  float weight, bias;

  float bend() const {
    const float at = weight == 0.0f ? std::numeric_limits<float>::infinity() : -bias / weight;
    return at == at ? at : std::numeric_limits<float>::infinity();
  }
  double before() const { return (weight == 0.0f ? bias > 0.0f : weight < 0.0f) ? 1.0 : kSlope; }
  double after() const { return (weight == 0.0f ? bias > 0.0f : weight > 0.0f) ? 1.0 : kSlope; }
};

// Line a * magnitude + b of every channel, for the scale and for the shift.
struct Lines {
  std::vector<double> a, b;
  explicit Lines(int64_t channels) : a(channels), b(channels) {}

  void add(const Unit& unit, int64_t units, double factor) {
    for (size_t c = 0; c < a.size(); ++c) {
      const double weight = unit.branch->weight_1[c * units + unit.index] * factor;
      a[c] += weight * unit.weight;
      b[c] += weight * unit.bias;
    }
  }
};

void write_piece(const MotionPieces& k, int64_t piece, const Lines& scale, const Lines& shift) {
  for (int64_t g = 0; g < k.groups(); ++g) {
    float* const row = const_cast<float*>(k.of(g)) + piece * k.kRow;
    for (int64_t i = 0; i < 8; ++i) {
      const int64_t c = k.first_channel(g) + i;
      const bool there = c < k.op.x.channels;
      row[i] = there ? float(scale.a[c]) : 0.0f;
      row[8 + i] = there ? float(scale.b[c] + 1.0) : 0.0f;
      row[16 + i] = there ? float(shift.a[c]) : 0.0f;
      row[24 + i] = there ? float(shift.b[c]) : 0.0f;
    }
  }
}

void make_pieces(const MotionPieces& k) {
  const MotionAttention& op = k.op;
  const int64_t channels = op.x.channels;
  Lines scale(channels), shift(channels);
  std::vector<Unit> units;
  for (const MotionBranch* branch : {&op.scale, &op.shift}) {
    if (!branch->weight_0) continue;
    for (int64_t i = 0; i < op.hidden; ++i) units.push_back({branch, i, branch->weight_0[i], branch->bias_0[i]});
    Lines& lines = branch == &op.scale ? scale : shift;
    for (int64_t c = 0; c < channels; ++c) lines.b[c] = branch->bias_1[c];
  }
  std::sort(units.begin(), units.end(), [](const Unit& u, const Unit& v) { return u.bend() < v.bend(); });
  const auto lines_of = [&](const Unit& unit) -> Lines& { return unit.branch == &op.scale ? scale : shift; };
  for (const Unit& unit : units) lines_of(unit).add(unit, op.hidden, unit.before());
  write_piece(k, 0, scale, shift);
  for (int64_t i = 0; i < k.bends; ++i) {
    const_cast<float*>(k.bend)[i] = units[i].bend();
    lines_of(units[i]).add(units[i], op.hidden, units[i].after() - units[i].before());
    write_piece(k, i + 1, scale, shift);
  }
}

}  // namespace

int64_t motion_attention_workspace(const MotionAttention& op) {
  return (cut(op).scratch - op.workspace) + op.threads * 2 * kMotionRun;
}

void motion_attention(const MotionAttention& op) {
  const MotionPieces k = cut(op);
  const auto kernel = VDEBLUR_PICK(current_isa(), attend_chunk);
  const int64_t per_frame = divide_up(op.x.pixels(), kMotionRun);
  make_pieces(k);
  prefer_huge_pages(op.y);
#pragma omp parallel for num_threads(op.threads) schedule(dynamic, 4)
  for (int64_t i = 0; i < op.x.batch * per_frame; ++i)
    kernel(k, i / per_frame, i % per_frame * kMotionRun, k.scratch + omp_get_thread_num() * 2 * kMotionRun);
}

}  // namespace vdeblur
