// Each rank has a clock of its own. A rank that knows when its communications
// begin and end depends on nobody: it runs ahead, event by event, until a lane
// arrives at a communication whose peers have not all come. If other lanes of
// the rank are then at work, it waits for its turn in the queue: what happens
// next on a rank is sure once nothing can happen anywhere before it. When the
// last peer comes, all of them know the communication's start and end.
//
// So the order in which ranks are seen to does not matter, and most events need
// no queue: without overlap of communication and computation, none does.
#include "sim/engine.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <optional>
#include <utility>

#include "sim/deadlock.h"
#include "sim/event_queue.h"
#include "sim/lane.h"
#include "sim/meetings.h"
#include "sim/steps.h"

namespace sim {
namespace {

using LaneSet = uint32_t;  // bit l is lane l

struct Rank {
  Instant done;           // end of the last task so far
  uint32_t version = 0;   // of the rank's event in the queue
  LaneSet waiting = 0;    // for other lanes
  LaneSet computing = 0;  // with a stretch
  LaneSet arrived = 0;    // at a communication whose peers have not all come
  LaneSet agreed = 0;     // with a communication that takes nothing as yet
  LaneSet loading = 0;    // with a communication that takes its part
  bool recorded = false;
  bool suspended = false;
  Device device;
};

void Insert(LaneSet& set, LaneSet bit) { set |= bit; }
void Remove(LaneSet& set, LaneSet bit) { set &= ~bit; }

// Calls visit with each lane of a set.
template <class Visit>
void ForEachLane(LaneSet set, Visit&& visit) {
  for (; set != 0; set &= set - 1) {
    visit(static_cast<uint32_t>(std::countr_zero(set)));
  }
}

class Engine {
 public:
  Engine(const Program& program, Record record);

  absl::StatusOr<Timeline> Run() &&;

 private:
  using Slot = uint32_t;  // rank << lane_bits_ | lane
  using RankRow = uint32_t;

  // What happens next on a rank, as far as it knows.
  struct Next {
    Instant at;
    Slot slot;
  };

  RankRow RowOf(Slot slot) const { return slot >> lane_bits_; }
  Rank& RankOf(Slot slot) { return ranks_[RowOf(slot)]; }
  Slot FirstSlot(RankRow rank) const { return rank << lane_bits_; }
  LaneSet BitOf(Slot slot) const {
    return LaneSet{1} << (slot - FirstSlot(RowOf(slot)));
  }
  Slot SlotOf(Seat seat) const {
    return static_cast<Slot>((Row(seat.rank) << lane_bits_) + Row(seat.lane));
  }

  void ChooseRecorded(Record record);
  bool NextEvent();
  void Advance(RankRow rank);
  void Queue(RankRow rank);
  std::optional<Next> NextOf(RankRow rank) const;
  void Happen(const Next& next);

  bool Ready(Slot slot) const;
  void Begin(Slot slot);
  void End(Slot slot);

  void Settle(Slot slot);
  void EndStretch(Slot slot);
  void AddLoad(Slot slot, int32_t times);
  void Arrive(Slot slot);
  void EndCommunication(Slot slot);

  void Write(Slot slot, StepId step, Instant start, Instant finish);
  absl::Status Deadlock() const;

  const Program& program_;
  const Steps steps_;
  Meetings meetings_;
  unsigned lane_bits_;
  std::vector<Rank> ranks_;
  std::vector<Lane> lanes_;         // by slot
  std::vector<Instant> host_;       // rank after rank; see Device
  std::vector<RankRow> free_;       // ranks that may be able to run ahead
  std::vector<RankRow> suspended_;  // ranks to queue when no rank is free
  EventQueue queue_;                // of ranks
  Instant now_;                     // of the rank being seen to
  Timeline timeline_;
};

Engine::Engine(const Program& program, Record record)
    : program_(program),
      steps_(program),
      meetings_(program),
      lane_bits_(static_cast<unsigned>(
          std::bit_width(std::max<size_t>(program.lanes.size(), 1) - 1))),
      ranks_(program.script.size()),
      lanes_(program.script.size() << lane_bits_) {
  size_t epochs = 0;
  for (const ScriptId script : program.script) {
    epochs += 1 + steps_.host_syncs(script);
  }
  host_.resize(epochs);
  Instant* host = host_.data();
  for (size_t row = 0; row < ranks_.size(); ++row) {
    const ScriptId script = program.script[AsId<RankId>(row)];
    ranks_[row].device.host = host;
    host += 1 + steps_.host_syncs(script);
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
  for (RankRow rank = 0; rank < ranks_.size(); ++rank) {
    now_ = Instant();
    for (size_t lane = 0; lane < program_.lanes.size(); ++lane) {
      Begin(FirstSlot(rank) + static_cast<Slot>(lane));
    }
    Advance(rank);
  }
  while (NextEvent()) {
  }
  if (absl::Status status = Deadlock(); !status.ok()) return status;
  for (const Rank& rank : ranks_) {
    timeline_.done.Append(rank.done);
    timeline_.makespan = std::max(timeline_.makespan, rank.done.since_start);
  }
  return std::move(timeline_);
}

// Lets the free ranks run, then the one in the queue whose turn it is. False if
// there is none.
bool Engine::NextEvent() {
  while (!free_.empty()) {
    const RankRow rank = free_.back();
    free_.pop_back();
    Advance(rank);
  }
  for (const RankRow rank : suspended_) Queue(rank);
  suspended_.clear();
  if (queue_.empty()) return false;
  const Event event = queue_.Pop();
  if (event.version == ranks_[event.owner].version) {
    Happen(*NextOf(event.owner));
    Advance(event.owner);
  }
  return true;
}

// Runs the rank as far as it is sure of what happens next.
void Engine::Advance(RankRow row) {
  Rank& rank = ranks_[row];
  while (rank.arrived == 0) {
    const std::optional<Next> next = NextOf(row);
    if (!next) return;
    Happen(*next);
  }
  if (rank.suspended) return;
  rank.suspended = true;
  suspended_.push_back(row);
}

void Engine::Queue(RankRow row) {
  Rank& rank = ranks_[row];
  rank.suspended = false;
  if (rank.arrived == 0) return;
  const std::optional<Next> next = NextOf(row);
  if (!next) return;
  // A communication's start may have been left for later.
  const Instant at = std::max(next->at, queue_.now());
  queue_.Push({.at = at, .version = ++rank.version, .owner = row});
}

// Ends of stretches and of communications; and starts of communications while
// there are kernels for them to slow, otherwise they can be left for later.
std::optional<Engine::Next> Engine::NextOf(RankRow row) const {
  const Rank& rank = ranks_[row];
  const Lane* const lanes = &lanes_[FirstSlot(row)];
  Next next = {Instant{Duration(std::numeric_limits<int64_t>::max())}, 0};
  const auto consider = [&](Instant at, uint32_t lane) {
    if (at < next.at) next = {at, FirstSlot(row) + lane};
  };
  ForEachLane(rank.computing | rank.loading,
              [&](uint32_t lane) { consider(lanes[lane].end, lane); });
  ForEachLane(rank.agreed, [&](uint32_t lane) {
    consider(rank.computing != 0 ? lanes[lane].start : lanes[lane].end, lane);
  });
  if ((rank.computing | rank.loading | rank.agreed) == 0) return std::nullopt;
  return next;
}

void Engine::Happen(const Next& next) {
  Rank& rank = RankOf(next.slot);
  const LaneSet bit = BitOf(next.slot);
  now_ = next.at;
  if (rank.computing & bit) {
    EndStretch(next.slot);
  } else if ((rank.agreed & bit) && rank.computing != 0) {
    Remove(rank.agreed, bit);
    Insert(rank.loading, bit);
    AddLoad(next.slot, 1);
  } else {
    EndCommunication(next.slot);
  }
}

// Whether all that the lane's next step waits for has ended.
bool Engine::Ready(Slot slot) const {
  const Slot first = FirstSlot(RowOf(slot));
  for (const Need need : steps_.needs(lanes_[slot].at)) {
    if (lanes_[first + need.lane].at < need.position) return false;
  }
  return true;
}

// Begins the lane's next step, if it may.
void Engine::Begin(Slot slot) {
  Lane& lane = lanes_[slot];
  Rank& rank = RankOf(slot);
  const Step& step = steps_[lane.at];
  if (step.kind == StepKind::kEnd) {
    rank.done = now_;
    return;
  }
  const LaneSet bit = BitOf(slot);
  if (!Ready(slot)) {
    Insert(rank.waiting, bit);
    return;
  }
  Remove(rank.waiting, bit);
  lane.start = std::max(now_, rank.device.LaunchOf(step));
  if (step.kind == StepKind::kCommunication) {
    Arrive(slot);
    return;
  }
  Insert(rank.computing, bit);
  BeginStretch(lane, lane.start, steps_, rank.device);
}

// The lane's step has ended now: begins what that allows.
void Engine::End(Slot slot) {
  Lane& lane = lanes_[slot];
  Rank& rank = RankOf(slot);
  const Step& step = steps_[lane.at];
  if (step.host_sync) rank.device.host[step.epoch + 1] = now_;
  lane.at = AsId<StepId>(Row(lane.at) + 1);
  ForEachLane(step.wakes & rank.waiting,
              [&](uint32_t woken) { Begin(FirstSlot(RowOf(slot)) + woken); });
  Begin(slot);
}

void Engine::Settle(Slot slot) {
  const Rank& rank = RankOf(slot);
  sim::Settle(lanes_[slot], now_, steps_, rank.device,
              [&](StepId step, Instant start, Instant finish) {
                if (rank.recorded) Write(slot, step, start, finish);
              });
}

void Engine::EndStretch(Slot slot) {
  Lane& lane = lanes_[slot];
  Rank& rank = RankOf(slot);
  if (rank.recorded) {
    Settle(slot);
    Write(slot, lane.last, lane.start, now_);
  }
  lane.at = lane.last;
  Remove(rank.computing, BitOf(slot));
  End(slot);
}

// The communication begins to take its part of the device (times 1) or ceases
// to (times -1). What kernels have done so far, they did at the speed before.
void Engine::AddLoad(Slot slot, int32_t times) {
  Rank& rank = RankOf(slot);
  const Slot first = FirstSlot(RowOf(slot));
  const Step& step = steps_[lanes_[slot].at];
  ForEachLane(rank.computing, [&](uint32_t lane) { Settle(first + lane); });
  rank.device.compute_taken += times * step.takes_compute;
  rank.device.memory_taken += times * step.takes_memory;
  ForEachLane(rank.computing, [&](uint32_t lane) {
    Walk(lanes_[first + lane], steps_, rank.device);
  });
}

// If the lane is the last to come to its meeting, all who are there learn when
// they begin and end.
void Engine::Arrive(Slot slot) {
  const Lane& lane = lanes_[slot];
  const Step& step = steps_[lane.at];
  const MeetingId id = meetings_.id(AsId<RankId>(RowOf(slot)), step.axis);
  Insert(RankOf(slot).arrived, BitOf(slot));
  Meeting& meeting = meetings_[id];
  if (!meeting.Arrive(lane.start, step.duration)) return;
  for (const Seat seat : meetings_.seats(id)) {
    const Slot member = SlotOf(seat);
    lanes_[member].start = meeting.start;
    lanes_[member].end = meeting.start + meeting.duration;
    Rank& rank = RankOf(member);
    Remove(rank.arrived, BitOf(member));
    Insert(rank.agreed, BitOf(member));
    ++rank.version;
    if (RowOf(member) != RowOf(slot)) free_.push_back(RowOf(member));
  }
  meeting.Clear();
}

void Engine::EndCommunication(Slot slot) {
  const Lane& lane = lanes_[slot];
  Rank& rank = RankOf(slot);
  const LaneSet bit = BitOf(slot);
  if (rank.loading & bit) AddLoad(slot, -1);
  Remove(rank.loading, bit);
  Remove(rank.agreed, bit);
  if (rank.recorded) Write(slot, lane.at, lane.start, now_);
  End(slot);
}

void Engine::Write(Slot slot, StepId step, Instant start, Instant finish) {
  const size_t row = timeline_.offset[RowOf(slot)] + Row(steps_.task(step));
  timeline_.starts[row] = start;
  timeline_.finishes[row] = finish;
}

// Ok if every lane is over.
absl::Status Engine::Deadlock() const {
  std::vector<Standing> standing;
  for (size_t row = 0; row < ranks_.size(); ++row) {
    for (size_t lane = 0; lane < program_.lanes.size(); ++lane) {
      const StepId at = lanes_[(row << lane_bits_) + lane].at;
      if (steps_[at].kind == StepKind::kEnd) continue;
      standing.push_back({.rank = AsId<RankId>(row),
                          .lane = AsId<LaneId>(lane),
                          .task = steps_.task(at),
                          .arrived = (ranks_[row].arrived >> lane & 1) != 0});
    }
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
