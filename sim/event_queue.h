// The events to come, earliest first.
//
//   EventQueue queue;
//   queue.Push({.at = Instant{Microseconds(2)}, .version = 1, .owner = 7});
//   const Event event = queue.Pop();
//
// Order is (at, owner, version): total, and a property of the program rather
// than of the code path that pushed, so rearranging the engine's loops cannot
// change its answers.
//
// A heap with four children a node. Most pops are followed by a push at once (a
// lane ends one stretch of work and begins the next), so a pop leaves a hole at
// the top, and the next push fills it: one pass down instead of two.
#ifndef SIM_EVENT_QUEUE_H_
#define SIM_EVENT_QUEUE_H_

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/units.h"

namespace sim {

struct Event {
  Instant at;
  uint32_t version = 0;  // an event older than its owner's version is void
  uint32_t owner = 0;    // what it happens to; the engine says what that is

  friend constexpr bool operator==(const Event&, const Event&) = default;
  // Free of branches: the outcome is a coin toss, and a heap asks often.
  friend constexpr bool operator<(const Event& a, const Event& b) {
    const uint64_t a_tie = uint64_t{a.owner} << 32 | a.version;
    const uint64_t b_tie = uint64_t{b.owner} << 32 | b.version;
    return (a.at < b.at) | ((a.at == b.at) & (a_tie < b_tie));
  }
};
static_assert(sizeof(Event) == 16, "four to a cache line");

class EventQueue {
 public:
  bool empty() const { return heap_.size() == (hole_ ? 1 : 0); }
  void Push(const Event& event);
  Event Pop();  // REQUIRES: !empty()

 private:
  static constexpr size_t kChildren = 4;

  // Puts `event` where it belongs at or below `row`, whose event is void.
  void SiftDown(size_t row, const Event& event);

  std::vector<Event> heap_;
  bool hole_ = false;  // heap_[0] has been popped and not yet filled
};

inline void EventQueue::Push(const Event& event) {
  if (hole_) {
    hole_ = false;
    SiftDown(0, event);
    return;
  }
  size_t row = heap_.size();
  heap_.push_back(event);
  while (row > 0) {
    const size_t parent = (row - 1) / kChildren;
    if (!(event < heap_[parent])) break;
    heap_[row] = heap_[parent];
    row = parent;
  }
  heap_[row] = event;
}

inline Event EventQueue::Pop() {
  assert(!empty());
  if (hole_) {
    const Event last = heap_.back();
    heap_.pop_back();
    SiftDown(0, last);
  }
  hole_ = true;
  return heap_.front();
}

inline void EventQueue::SiftDown(size_t row, const Event& event) {
  Event* const heap = heap_.data();
  const size_t size = heap_.size();
  for (size_t child = row * kChildren + 1; child < size;
       child = row * kChildren + 1) {
    size_t least = child;
    const size_t end = child + kChildren < size ? child + kChildren : size;
    for (size_t other = child + 1; other < end; ++other) {
      least = heap[other] < heap[least] ? other : least;
    }
    if (!(heap[least] < event)) break;
    heap[row] = heap[least];
    row = least;
  }
  heap[row] = event;
}

}  // namespace sim

#endif  // SIM_EVENT_QUEUE_H_
