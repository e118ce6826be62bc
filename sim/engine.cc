#include "sim/engine.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "sim/deadlock.h"
#include "sim/event_queue.h"
#include "sim/meetings.h"
#include "sim/steps.h"

namespace sim {
namespace {

// Work is counted in 1/1024 ps of an undisturbed device, so that the progress
// of a kernel, time x speed, is a whole number however often its speed changes.
using Work = int64_t;
using Speed = int64_t;  // work per ps: parts per 1024
constexpr Speed kFullSpeed = 1024;
constexpr Speed kLeastSpeed = 64;  // program.h: contention never goes further

Work WorkOf(Duration alone) { return alone.count() * kFullSpeed; }

Duration TimeFor(Work work, Speed speed) {
  if (speed == kFullSpeed) return Duration((work + kFullSpeed - 1) >> 10);
  return Duration((work + speed - 1) / speed);
}

// What a rank's device has left for kernels.
struct Load {
  int32_t compute = 0, memory = 0;  // taken, in 1024ths

  Speed speed(const Step& kernel) const {
    const int32_t taken = kernel.memory_bound ? memory : compute;
    return std::max<Speed>(kFullSpeed - taken, kLeastSpeed);
  }
};

// One lane of one rank. It either runs a stretch - kernels `at` to `last`, one
// straight after the other - or has arrived at communication `at`, or waits for
// other lanes before it may begin `at`, or is over.
struct Lane {
  Instant start;  // when `at` began
  Instant since;  // `left` is what is left of kernel `at` at this instant
  Work left = 0;
  StepId at{};
  StepId last{};
  uint32_t version = 0;  // of the event that ends the stretch
  bool arrived = false;
};

struct Rank {
  Instant done;
  uint32_t host = 0;     // first row in the table of host times
  uint16_t blocked = 0;  // lanes that wait for other lanes
  uint16_t running = 0;  // lanes that run a stretch
  bool recorded = false;
  Load load;
};

// An event's owner is a lane (its slot) or, with this bit, a meeting.
constexpr uint32_t kMeetingBit = 1u << 31;

class Engine {
 public:
  Engine(const Program& program, Record record);

  absl::StatusOr<Timeline> Run() &&;

 private:
  using Slot = uint32_t;  // rank << lane_bits_ | lane

  Rank& RankOf(Slot slot) { return ranks_[slot >> lane_bits_]; }
  Slot FirstSlot(Slot slot) const { return slot >> lane_bits_ << lane_bits_; }
  uint16_t LaneBit(Slot slot) const {
    return static_cast<uint16_t>(1u << (slot - FirstSlot(slot)));
  }
  Slot SlotOf(Seat seat) const;

  void ChooseRecorded(Record record);
  bool Ready(Slot slot, StepId step) const;
  Instant LaunchOf(const Rank& rank, const Step& step) const;
  void Begin(Slot slot);
  void End(Slot slot);

  void BeginStretch(Slot slot, Instant start);
  void Forecast(Slot slot);
  void Settle(Slot slot);
  void EndStretch(Slot slot);
  void AddLoad(Slot slot, int32_t compute, int32_t memory);

  void Arrive(Slot slot, Instant at);
  void StartMeeting(MeetingId id);
  void EndMeeting(MeetingId id);

  void Write(Slot slot, StepId step, Instant start, Instant finish);
  absl::Status Deadlock() const;

  const Program& program_;
  const Steps steps_;
  Meetings meetings_;
  unsigned lane_bits_;
  std::vector<Rank> ranks_;
  std::vector<Lane> lanes_;        // by slot
  std::vector<Instant> host_;      // ends of each rank's host syncs, after 0
  std::vector<LaneId> axis_lane_;  // script-major: the lane of each axis
  EventQueue queue_;
  Instant now_;
  Timeline timeline_;
};

Engine::Engine(const Program& program, Record record)
    : program_(program),
      steps_(program),
      meetings_(program),
      lane_bits_(static_cast<unsigned>(
          std::bit_width(std::max<size_t>(program.lanes.size(), 1) - 1))),
      ranks_(program.script.size()),
      lanes_(program.script.size() << lane_bits_),
      axis_lane_(program.scripts.size() * program.axes.size()) {
  for (size_t script = 0; script < program.scripts.size(); ++script) {
    for (const Task& task : program.scripts[AsId<ScriptId>(script)].tasks) {
      if (task.axis == kNoAxis) continue;
      axis_lane_[script * program.axes.size() + Row(task.axis)] = task.lane;
    }
  }
  for (size_t row = 0; row < ranks_.size(); ++row) {
    const ScriptId script = program.script[AsId<RankId>(row)];
    ranks_[row].host = static_cast<uint32_t>(host_.size());
    host_.resize(host_.size() + 1 + steps_.host_syncs(script));
    for (size_t lane = 0; lane < program.lanes.size(); ++lane) {
      lanes_[(row << lane_bits_) + lane].at =
          steps_.begin(script, AsId<LaneId>(lane));
    }
  }
  ChooseRecorded(record);
}

void Engine::ChooseRecorded(Record record) {
  Column<ScriptId, uint8_t> seen(program_.scripts.size());
  timeline_.offset.assign(ranks_.size() + 1, 0);
  for (size_t row = 0; row < ranks_.size(); ++row) {
    const ScriptId script = program_.script[AsId<RankId>(row)];
    ranks_[row].recorded =
        record == Record::kEveryRank ||
        (record == Record::kFirstOfEachScript && !seen[script]);
    seen[script] = true;
    const uint64_t tasks = program_.scripts[script].tasks.size();
    timeline_.completions += tasks;
    timeline_.offset[row + 1] =
        timeline_.offset[row] + (ranks_[row].recorded ? tasks : 0);
  }
  timeline_.starts.resize(timeline_.offset.back());
  timeline_.finishes.resize(timeline_.offset.back());
}

absl::StatusOr<Timeline> Engine::Run() && {
  for (size_t row = 0; row < ranks_.size(); ++row) {
    for (size_t lane = 0; lane < program_.lanes.size(); ++lane) {
      Begin(static_cast<Slot>((row << lane_bits_) + lane));
    }
  }
  while (!queue_.empty()) {
    const Event event = queue_.Pop();
    now_ = event.at;
    if (event.owner & kMeetingBit) {
      const MeetingId id{event.owner & ~kMeetingBit};
      meetings_[id].in_progress ? EndMeeting(id) : StartMeeting(id);
    } else if (event.version == lanes_[event.owner].version) {
      EndStretch(event.owner);
    }
  }
  if (absl::Status status = Deadlock(); !status.ok()) return status;
  for (const Rank& rank : ranks_) {
    timeline_.done.Append(rank.done);
    timeline_.makespan = std::max(timeline_.makespan, rank.done.since_start);
  }
  return std::move(timeline_);
}

// Whether all that the lane's next step waits for has ended.
bool Engine::Ready(Slot slot, StepId step) const {
  const Slot first = FirstSlot(slot);
  for (const Need need : steps_.needs(step)) {
    if (lanes_[first + need.lane].at < need.position) return false;
  }
  return true;
}

// When the host has launched the step.
Instant Engine::LaunchOf(const Rank& rank, const Step& step) const {
  return host_[rank.host + step.epoch] + step.issue;
}

// Begins the lane's next step, if it may.
void Engine::Begin(Slot slot) {
  const StepId at = lanes_[slot].at;
  const Step& step = steps_[at];
  Rank& rank = RankOf(slot);
  if (step.kind == StepKind::kEnd) {
    rank.done = now_;
    return;
  }
  const uint16_t bit = LaneBit(slot);
  if (!Ready(slot, at)) {
    rank.blocked |= bit;
    return;
  }
  rank.blocked &= static_cast<uint16_t>(~bit);
  const Instant start = std::max(now_, LaunchOf(rank, step));
  step.kind == StepKind::kCommunication ? Arrive(slot, start)
                                        : BeginStretch(slot, start);
}

// The lane's step has ended now.
void Engine::End(Slot slot) {
  Lane& lane = lanes_[slot];
  Rank& rank = RankOf(slot);
  const Step& step = steps_[lane.at];
  if (step.host_sync) host_[rank.host + step.epoch + 1] = now_;
  lane.at = AsId<StepId>(Row(lane.at) + 1);
  for (unsigned woken = step.wakes & rank.blocked; woken != 0;
       woken &= woken - 1) {
    Begin(FirstSlot(slot) + static_cast<Slot>(std::countr_zero(woken)));
  }
  Begin(slot);
}

void Engine::BeginStretch(Slot slot, Instant start) {
  Lane& lane = lanes_[slot];
  lane.start = lane.since = start;
  lane.left = WorkOf(steps_[lane.at].duration);
  RankOf(slot).running |= LaneBit(slot);
  Forecast(slot);
}

// Foretells the stretch's end, should the device's load stay as it is.
void Engine::Forecast(Slot slot) {
  Lane& lane = lanes_[slot];
  const Rank& rank = RankOf(slot);
  size_t row = Row(lane.at);
  const Step* step = &steps_[lane.at];
  Instant end = lane.since + TimeFor(lane.left, rank.load.speed(*step));
  while (step->kind == StepKind::kJoinedKernel) {
    step = &steps_[AsId<StepId>(++row)];
    end = std::max(end, LaunchOf(rank, *step)) +
          TimeFor(WorkOf(step->duration), rank.load.speed(*step));
  }
  lane.last = AsId<StepId>(row);
  queue_.Push({.at = end, .owner = slot, .version = ++lane.version});
}

// Brings the stretch up to now: `at` is the kernel that runs, `left` the rest
// of it. The last kernel of the stretch stays, even with nothing left of it,
// until its event ends it.
void Engine::Settle(Slot slot) {
  Lane& lane = lanes_[slot];
  const Rank& rank = RankOf(slot);
  while (lane.at < lane.last) {
    const Speed speed = rank.load.speed(steps_[lane.at]);
    const Instant end = lane.since + TimeFor(lane.left, speed);
    if (end > now_) break;
    if (rank.recorded) Write(slot, lane.at, lane.start, end);
    lane.at = AsId<StepId>(Row(lane.at) + 1);
    const Step& next = steps_[lane.at];
    lane.start = lane.since = std::max(end, LaunchOf(rank, next));
    lane.left = WorkOf(next.duration);
  }
  if (lane.since >= now_) return;
  const Work done =
      (now_ - lane.since).count() * rank.load.speed(steps_[lane.at]);
  lane.left = std::max<Work>(lane.left - done, 0);
  lane.since = now_;
}

void Engine::EndStretch(Slot slot) {
  Lane& lane = lanes_[slot];
  Rank& rank = RankOf(slot);
  if (rank.recorded) {
    Settle(slot);
    Write(slot, lane.last, lane.start, now_);
  }
  lane.at = lane.last;
  rank.running &= static_cast<uint16_t>(~LaneBit(slot));
  End(slot);
}

// A communication of the slot's rank begins to take its part of the device, or
// ends to. What each kernel has done so far, it did at the speed before.
void Engine::AddLoad(Slot slot, int32_t compute, int32_t memory) {
  if ((compute | memory) == 0) return;
  Rank& rank = RankOf(slot);
  const auto for_each_stretch = [&](auto&& visit) {
    for (unsigned running = rank.running; running != 0;
         running &= running - 1) {
      visit(FirstSlot(slot) + static_cast<Slot>(std::countr_zero(running)));
    }
  };
  for_each_stretch([this](Slot lane) { Settle(lane); });
  rank.load.compute += compute;
  rank.load.memory += memory;
  for_each_stretch([this](Slot lane) { Forecast(lane); });
}

Engine::Slot Engine::SlotOf(Seat seat) const {
  const size_t script = Row(program_.script[seat.rank]);
  const LaneId lane =
      axis_lane_[script * program_.axes.size() + Row(seat.axis)];
  return static_cast<Slot>((Row(seat.rank) << lane_bits_) + Row(lane));
}

void Engine::Arrive(Slot slot, Instant at) {
  const Step& step = steps_[lanes_[slot].at];
  const MeetingId id =
      meetings_.id(AsId<RankId>(slot >> lane_bits_), step.axis);
  lanes_[slot].arrived = true;
  const bool takes = (step.takes_compute | step.takes_memory) != 0;
  Meeting& meeting = meetings_[id];
  if (!meeting.Arrive(at, step.duration, takes)) return;
  if (meeting.start == now_ || !meeting.takes) {
    StartMeeting(id);
    return;
  }
  const auto owner = static_cast<uint32_t>(Row(id)) | kMeetingBit;
  queue_.Push({.at = meeting.start, .owner = owner, .version = 0});
}

void Engine::StartMeeting(MeetingId id) {
  Meeting& meeting = meetings_[id];
  meeting.in_progress = true;
  const auto owner = static_cast<uint32_t>(Row(id)) | kMeetingBit;
  queue_.Push(
      {.at = meeting.start + meeting.duration, .owner = owner, .version = 1});
  if (!meeting.takes) return;
  for (const Seat seat : meetings_.seats(id)) {
    const Slot slot = SlotOf(seat);
    const Step& step = steps_[lanes_[slot].at];
    AddLoad(slot, step.takes_compute, step.takes_memory);
  }
}

void Engine::EndMeeting(MeetingId id) {
  const Meeting ended = meetings_[id];
  meetings_[id].Clear();  // before its members come for the next call
  for (const Seat seat : meetings_.seats(id)) {
    const Slot slot = SlotOf(seat);
    Lane& lane = lanes_[slot];
    const Step& step = steps_[lane.at];
    lane.arrived = false;
    if (ended.takes) AddLoad(slot, -step.takes_compute, -step.takes_memory);
    if (RankOf(slot).recorded) Write(slot, lane.at, ended.start, now_);
    End(slot);
  }
}

void Engine::Write(Slot slot, StepId step, Instant start, Instant finish) {
  const size_t row =
      timeline_.offset[slot >> lane_bits_] + Row(steps_.task(step));
  timeline_.starts[row] = start;
  timeline_.finishes[row] = finish;
}

// Ok if every lane is over.
absl::Status Engine::Deadlock() const {
  std::vector<Standing> standing;
  for (size_t slot = 0; slot < lanes_.size(); ++slot) {
    const Lane& lane = lanes_[slot];
    const size_t lane_row = slot & ((size_t{1} << lane_bits_) - 1);
    if (lane_row >= program_.lanes.size()) continue;
    if (steps_[lane.at].kind == StepKind::kEnd) continue;
    standing.push_back({.rank = AsId<RankId>(slot >> lane_bits_),
                        .lane = AsId<LaneId>(lane_row),
                        .task = steps_.task(lane.at),
                        .arrived = lane.arrived});
  }
  if (standing.empty()) return absl::OkStatus();
  return DeadlockError(program_, standing);
}

}  // namespace

std::span<const Instant> Timeline::start(RankId rank) const {
  return {starts.data() + offset[Row(rank)],
          starts.data() + offset[Row(rank) + 1]};
}

std::span<const Instant> Timeline::finish(RankId rank) const {
  return {finishes.data() + offset[Row(rank)],
          finishes.data() + offset[Row(rank) + 1]};
}

absl::StatusOr<Timeline> Simulate(const Program& program, Record record) {
  return Engine(program, record).Run();
}

}  // namespace sim
