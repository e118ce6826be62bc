// Each rank has a clock of its own. A rank that knows when its communications
// begin and end depends on nobody: it runs ahead, event by event, until a lane
// arrives at a communication whose peers have not all come. If other lanes of
// the rank are then at work, it waits for its turn in the queue: what happens
// next on a rank is sure once nothing can happen anywhere before it. When the
// last peer comes, all of them know the communication's start and end.
//
// So the order in which ranks are seen to does not matter, and most events need
// no queue: without overlap of communication and computation, none does.
//
// Where communications slow each other, none knows its end when it starts. Its
// lanes stay `arrived` until it ends, so that its ranks keep to the order of
// time; its start and its end are events of their own in the queue. Once
// nothing more happens at an instant, those under way share their links anew.
#include "sim/engine.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <optional>
#include <utility>

#include "sim/deadlock.h"
#include "sim/event_queue.h"
#include "sim/flows.h"
#include "sim/lane.h"
#include "sim/meetings.h"
#include "sim/rank.h"
#include "sim/steps.h"

namespace sim {
namespace {

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

  bool NextEvent();
  void Advance(RankRow rank);
  void Suspend(RankRow rank);
  void Queue(RankRow rank);
  std::optional<Next> NextOf(RankRow rank) const;
  void Happen(const Next& next);

  bool Ready(Slot slot) const;
  void Begin(Slot slot);
  void End(Slot slot);

  void Settle(Slot slot);
  void EndStretch(Slot slot);
  void AddLoad(Slot slot, int32_t compute, int32_t memory);
  void Arrive(Slot slot);
  void EndCommunication(Slot slot);

  // Of communications that slow each other.
  void QueueFlow(MeetingId id, Instant at);
  void BeginFlow(MeetingId id);
  void EndFlow(MeetingId id);
  void ShareLinks();

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
  std::optional<Flows> flows_;      // if communications slow each other
  std::vector<Crossing> crossings_;
  EventQueue queue_;  // of ranks; of meetings, after the last rank
  Instant now_;       // of the rank being seen to
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
      timeline_(EmptyTimeline(program, record)) {
  size_t epochs = 0;
  for (const ScriptId script : program.script) {
    epochs += 1 + steps_.host_syncs(script);
  }
  host_.resize(epochs);
  Instant* host = host_.data();
  for (size_t row = 0; row < ranks_.size(); ++row) {
    const ScriptId script = program.script[AsId<RankId>(row)];
    ranks_[row].device.host = host;
    ranks_[row].recorded = !timeline_.start(AsId<RankId>(row)).empty();
    host += 1 + steps_.host_syncs(script);
    for (size_t lane = 0; lane < program.lanes.size(); ++lane) {
      lanes_[(row << lane_bits_) + lane].at =
          steps_.begin(script, AsId<LaneId>(lane));
    }
  }
  if (program.uses.size() > 0) {
    flows_.emplace(ranks_.size() * program.links.size(), meetings_.size());
  }
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
  if (flows_ && flows_->stale() && !queue_.more_now()) {
    ShareLinks();
    return true;
  }
  if (queue_.empty()) return false;
  const Event event = queue_.Pop();
  if (event.owner >= ranks_.size()) {
    const auto id = AsId<MeetingId>(event.owner - ranks_.size());
    if (event.version != flows_->version(id)) return true;
    flows_->began(id) ? EndFlow(id) : BeginFlow(id);
  } else if (event.version == ranks_[event.owner].version) {
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
  Suspend(row);
}

void Engine::Suspend(RankRow rank) {
  if (ranks_[rank].suspended) return;
  ranks_[rank].suspended = true;
  suspended_.push_back(rank);
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
    const Step& step = steps_[lanes_[next.slot].at];
    AddLoad(next.slot, step.takes_compute, step.takes_memory);
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

// Communications of the slot's rank take so much more of the device. What
// kernels have done so far, they did at the speed before.
void Engine::AddLoad(Slot slot, int32_t compute, int32_t memory) {
  Rank& rank = RankOf(slot);
  const Slot first = FirstSlot(RowOf(slot));
  ForEachLane(rank.computing, [&](uint32_t lane) { Settle(first + lane); });
  rank.device.compute_taken += compute;
  rank.device.memory_taken += memory;
  ForEachLane(rank.computing, [&](uint32_t lane) {
    Walk(lanes_[first + lane], steps_, rank.device);
  });
}

// If the lane is the last to come to its meeting, all who are there learn when
// they begin and end; or, where communications slow each other, it is queued.
void Engine::Arrive(Slot slot) {
  const Lane& lane = lanes_[slot];
  const Step& step = steps_[lane.at];
  const MeetingId id = meetings_.id(AsId<RankId>(RowOf(slot)), step.axis);
  Insert(RankOf(slot).arrived, BitOf(slot));
  Meeting& meeting = meetings_[id];
  if (!meeting.Arrive(lane.start, step.duration)) return;
  if (flows_) {
    flows_->Plan(id, meeting.duration);
    QueueFlow(id, meeting.start);
    meeting.Clear();
    return;
  }
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
  if (rank.loading & bit) {
    const Step& step = steps_[lane.at];
    AddLoad(slot, -static_cast<int32_t>(step.takes_compute),
            -static_cast<int32_t>(step.takes_memory));
  }
  Remove(rank.loading, bit);
  Remove(rank.agreed, bit);
  if (rank.recorded) Write(slot, lane.at, lane.start, now_);
  End(slot);
}

void Engine::QueueFlow(MeetingId id, Instant at) {
  const size_t owner = ranks_.size() + Row(id);
  queue_.Push({.at = at,
               .version = flows_->version(id),
               .owner = static_cast<uint32_t>(owner)});
}

void Engine::BeginFlow(MeetingId id) {
  now_ = queue_.now();
  crossings_.clear();
  const size_t links = program_.links.size();
  for (const Seat seat : meetings_.seats(id)) {
    const Slot slot = SlotOf(seat);
    Lane& lane = lanes_[slot];
    lane.start = now_;
    AddLoad(slot, steps_[lane.at].takes_compute, 0);
    Suspend(RowOf(slot));
    const Script& script = program_.scripts[program_.script[seat.rank]];
    const UseId uses = script.tasks[steps_.task(lane.at)].use;
    if (uses == kNoUse) continue;
    for (const LinkUse& use : program_.uses[uses]) {
      const size_t link = Row(seat.rank) * links + Row(use.link);
      crossings_.push_back({static_cast<uint32_t>(link), use.parts});
    }
  }
  flows_->Begin(id, now_, crossings_);
}

void Engine::EndFlow(MeetingId id) {
  now_ = queue_.now();
  const Pace pace = flows_->pace(id);
  flows_->End(id);
  for (const Seat seat : meetings_.seats(id)) {
    const Slot slot = SlotOf(seat);
    const Lane& lane = lanes_[slot];
    const Step& step = steps_[lane.at];
    Rank& rank = RankOf(slot);
    AddLoad(slot, -static_cast<int32_t>(step.takes_compute),
            -AtPace(step.takes_memory, pace));
    Remove(rank.arrived, BitOf(slot));
    ++rank.version;
    if (rank.recorded) Write(slot, lane.at, lane.start, now_);
    End(slot);
    free_.push_back(RowOf(slot));
  }
}

void Engine::ShareLinks() {
  now_ = queue_.now();
  flows_->Share(now_, [&](MeetingId id, Pace was) {
    for (const Seat seat : meetings_.seats(id)) {
      const Slot slot = SlotOf(seat);
      const int32_t takes = steps_[lanes_[slot].at].takes_memory;
      AddLoad(slot, 0, AtPace(takes, flows_->pace(id)) - AtPace(takes, was));
      Suspend(RowOf(slot));
    }
    QueueFlow(id, flows_->end(id));
  });
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

absl::StatusOr<Timeline> Simulate(const Program& program, Record record) {
  return Engine(program, record).Run();
}

}  // namespace sim
