// In which order the rows of a residual dense block are worked on: all layers one shortly after the other, so that what one
// layer writes is still in the cache when the next reads it; a ring of a few rows is all that is kept.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace vdeblur {

constexpr int64_t kLag = 2;  // rows that a layer stays behind the one before it
constexpr int64_t dense_slots(int64_t layers) { return kLag * layers + 3; }  // rows of the ring

// Tasks in an order in which each depends on earlier ones only, and on those of earlier steps: in step s stage k works
// on row s - kLag * k. Threads take the next task, and wait until what it needs is done, which it mostly is.
class DenseSchedule {
 public:
  // rows: of a frame; chunks: tasks of a row in a stage.
  DenseSchedule(int64_t batch, int64_t rows, int64_t layers, int64_t chunks)
      : frame_(rows), rows_(batch * rows), stages_(layers + 1), chunks_(chunks), slots_(dense_slots(layers)),
        done_(stages_ * rows_) {}

  // task(stage, row, chunk), rows counted through the batch: stage 0 loads x, stage k computes layer k.
  template <class Task>
  void work(Task task) {
    const int64_t each = stages_ * chunks_, tasks = (rows_ + kLag * (stages_ - 1)) * each;
    for (int64_t next; (next = next_.fetch_add(1, std::memory_order_relaxed)) < tasks;) {
      const int64_t stage = next % each / chunks_, q = next / each - kLag * stage;
      if (q < 0 || q >= rows_) continue;
      wait_for_inputs(stage, q);
      wait_for_room(stage, q);
      task(stage, q, next % chunks_);
      done_[stage * rows_ + q].fetch_add(1, std::memory_order_release);
    }
  }

 private:
  // The rows of the layer before, and those beside them.
  void wait_for_inputs(int64_t stage, int64_t q) {
    if (!stage) return;
    const int64_t top = q / frame_ * frame_;
    for (int64_t r = std::max(q - 1, top); r <= std::min(q + 1, top + frame_ - 1); ++r) wait(stage - 1, r);
  }

  // What x is written over must have been read; the layers write over what is older still.
  void wait_for_room(int64_t stage, int64_t q) {
    for (int64_t r = q - 1; !stage && r <= q + 1; ++r) wait(stages_ - 1, r - slots_);
  }

  void wait(int64_t stage, int64_t q) {
    if (q < 0) return;
    const std::atomic<int64_t>& done = done_[stage * rows_ + q];
    for (uint32_t looks = 1; done.load(std::memory_order_acquire) < chunks_; ++looks)
      if (looks % 64 == 0) std::this_thread::yield();
  }

  const int64_t frame_, rows_, stages_, chunks_, slots_;
  std::atomic<int64_t> next_{0};
  std::vector<std::atomic<int64_t>> done_;
};

}  // namespace vdeblur
