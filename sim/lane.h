// One lane of one rank, and the law by which its kernels progress on a device
// that communications take parts of.
//
//   BeginStretch(lane, now, steps, device);   // lane.end: 1000 ps from now
//   Settle(lane, now, steps, device, write);  // 256 ps later: 744 ps are left
//   device.compute_taken += 512;              // half the compute units
//   Walk(lane, steps, device);                // lane.end: 1488 ps from now
//
// Work is counted in 1/1024 ps of an undisturbed device, so that the progress
// of a kernel, time x speed, is a whole number however often its speed changes;
// only its end is rounded, up to the next picosecond.
#ifndef SIM_LANE_H_
#define SIM_LANE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "sim/column.h"
#include "sim/program.h"
#include "sim/steps.h"
#include "sim/units.h"

namespace sim {

using Work = int64_t;   // 1/1024 ps
using Speed = int64_t;  // work per ps: parts per 1024
inline constexpr Speed kFullSpeed = 1024;

// What the kernels of one rank run on.
struct Device {
  // What communications take at present, in 1024ths.
  int32_t compute_taken = 0, memory_taken = 0;
  // When each epoch of the host began: 0, then the ends of its syncs.
  Instant* host = nullptr;

  Speed SpeedOf(const Step& kernel) const {
    const int32_t taken = kernel.memory_bound ? memory_taken : compute_taken;
    return std::max<Speed>(kFullSpeed - taken, kLeastSpeed);
  }
  // When the host has launched the step.
  Instant LaunchOf(const Step& step) const {
    return host[step.epoch] + step.issue;
  }
};

// The lane's next task, `at`, either waits for other lanes or is at work: as a
// stretch, kernels `at` to `last` one straight after the other, or as a
// communication. A lane that is over stands at its end.
struct Lane {
  Instant start;  // of `at`; while peers are missing, when it arrived
  Instant end;    // of the stretch or the communication, as things stand
  Instant since;  // `left` is what is left of kernel `at` at this instant
  Work left = 0;
  StepId at{};
  StepId last{};
};

inline Work WorkOf(const Step& kernel) {
  return kernel.duration.count() * kFullSpeed;
}

inline Duration TimeFor(Work work, Speed speed) {
  const Work rounded_up = work + speed - 1;
  // The same, without a division.
  if (speed == kFullSpeed) return Duration(rounded_up / kFullSpeed);
  return Duration(rounded_up / speed);
}

// Foretells the stretch's end, should the load stay as it is.
// REQUIRES: `since` and `left` are up to date.
inline void Walk(Lane& lane, const Steps& steps, const Device& device) {
  size_t row = Row(lane.at);
  const Step* step = &steps[lane.at];
  lane.end = lane.since + TimeFor(lane.left, device.SpeedOf(*step));
  while (step->kind == StepKind::kJoinedKernel) {
    step = &steps[AsId<StepId>(++row)];
    lane.end = std::max(lane.end, device.LaunchOf(*step)) +
               TimeFor(WorkOf(*step), device.SpeedOf(*step));
  }
  lane.last = AsId<StepId>(row);
}

// Begins the stretch that starts with kernel `at`.
inline void BeginStretch(Lane& lane, Instant start, const Steps& steps,
                         const Device& device) {
  lane.start = lane.since = start;
  lane.left = WorkOf(steps[lane.at]);
  Walk(lane, steps, device);
}

// Brings the stretch up to `now`, during which the load was as it is: `at` is
// the kernel that runs. The last kernel stays, even with nothing left of it.
// Calls write(step, start, end) for each kernel it leaves behind.
template <class Write>
void Settle(Lane& lane, Instant now, const Steps& steps, const Device& device,
            Write&& write) {
  while (lane.at < lane.last) {
    const Speed speed = device.SpeedOf(steps[lane.at]);
    const Instant end = lane.since + TimeFor(lane.left, speed);
    if (end > now) break;
    write(lane.at, lane.start, end);
    lane.at = AsId<StepId>(Row(lane.at) + 1);
    const Step& next = steps[lane.at];
    lane.start = lane.since = std::max(end, device.LaunchOf(next));
    lane.left = WorkOf(next);
  }
  if (lane.since >= now) return;
  const Speed speed = device.SpeedOf(steps[lane.at]);
  lane.left = std::max<Work>(lane.left - (now - lane.since).count() * speed, 0);
  lane.since = now;
}

}  // namespace sim

#endif  // SIM_LANE_H_
