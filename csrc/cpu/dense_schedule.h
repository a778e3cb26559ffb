// In which order the parts of a residual dense block are computed, and by which thread.
#pragma once
#include <atomic>
#include <thread>
#include <vector>

#include "ops.h"

namespace vdeblur {

constexpr int64_t kLag = 2;  // rows that a layer stays behind the one before it

// Tasks in an order in which each depends on earlier ones only, and on those of earlier steps: in step s stage k works
// on row s - kLag * k. Threads take the next task, and wait until what it needs is done, which it mostly is.
//
// Plan: op, rows (of a frame), chunks (tasks in a row of a stage), slots (rows that are kept).
template <class Plan>
class Schedule {
 public:
  explicit Schedule(const Plan& k)
      : k_(k), rows_(k.op.x.batch * k.rows), stages_(k.op.sizes.layers + 1), done_(stages_ * rows_) {}

  template <class Kernel>
  void work(Kernel kernel, float* scratch) {
    const int64_t each = stages_ * k_.chunks, tasks = (rows_ + kLag * (stages_ - 1)) * each;
    for (int64_t task; (task = next_.fetch_add(1, std::memory_order_relaxed)) < tasks;) {
      const int64_t stage = task % each / k_.chunks, q = task / each - kLag * stage;
      if (q < 0 || q >= rows_) continue;
      wait_for_inputs(stage, q);
      wait_for_room(stage, q);
      kernel(k_, stage, q, task % k_.chunks, scratch);
      done_[stage * rows_ + q].fetch_add(1, std::memory_order_release);
    }
  }

 private:
  // The rows of the layer before, and those beside them.
  void wait_for_inputs(int64_t stage, int64_t q) {
    if (!stage) return;
    const int64_t top = q / k_.rows * k_.rows;
    for (int64_t r = std::max(q - 1, top); r <= std::min(q + 1, top + k_.rows - 1); ++r) wait(stage - 1, r);
  }

  // What x is written over must have been read; the layers write over what is older still.
  void wait_for_room(int64_t stage, int64_t q) {
    const int64_t last = stages_ - 1;
    for (int64_t r = q - 1; !stage && r <= q + 1; ++r) wait(last, r - k_.slots);
  }

  void wait(int64_t stage, int64_t q) {
    if (q < 0) return;
    const std::atomic<int64_t>& done = done_[stage * rows_ + q];
    for (uint32_t looks = 1; done.load(std::memory_order_acquire) < k_.chunks; ++looks)
      if (looks % 64 == 0) std::this_thread::yield();
  }

  const Plan& k_;
  const int64_t rows_, stages_;
  std::atomic<int64_t> next_{0};
  std::vector<std::atomic<int64_t>> done_;
};

}  // namespace vdeblur
