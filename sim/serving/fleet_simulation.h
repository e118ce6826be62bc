// The state of a fleet while it serves; sim/serving/fleet.h is how to use it.
//
//   FleetSimulation(fleet, &workload, listeners).Run();
//
// Of one instant: steps that end come first, then requests that reach the
// router or an engine, engines that start, fail and recover, arrivals, a look
// at the number of engines; then engines that any of this touched begin steps.
#ifndef SIM_SERVING_FLEET_SIMULATION_H_
#define SIM_SERVING_FLEET_SIMULATION_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <queue>
#include <utility>
#include <vector>

#include "sim/serving/fleet.h"

namespace sim {

// In the order in which those of one instant are handled.
enum class FleetEventKind : uint8_t {
  kStepEnds,
  kReaches,  // a request, the router, or an engine behind its front end
  kArrives,  // a request's keys and values, at another engine
  kStarts,   // an engine begins its service
  kFails,
  kRecovers,
};

struct FleetEvent {
  Instant at = {};
  FleetEventKind kind;
  int64_t request;  // that is on its way
  uint32_t index;   // of the engine, the way or the failure
  uint32_t detail;  // microbatch of a step that ends …
  uint32_t life;    // … and the engine's life that it is of
  friend auto operator<=>(const FleetEvent&, const FleetEvent&) = default;
};

struct FleetEngine {
  size_t kind;
  std::unique_ptr<Replica> replica;
  bool up = false;
  bool starting = false;
  bool failed = false;              // and comes back
  bool leaving = false;             // stops once it is empty, or has stopped
  bool touched = false;             // may begin a step at this instant
  uint32_t life = 0;                // counts failures: older events are void
  Instant since = {};               // up or starting from then on
  Instant down_until = {};          // where it failed
  Instant ports_free = {};          // its network ports
  Instant front_free = {};          // its front end
  std::vector<Instant> began = {};  // by microbatch
};

inline constexpr size_t kNowhere = std::numeric_limits<size_t>::max();

// A request on its way to the router or through the front end of an engine, or
// with its keys and values from one engine to another.
struct FleetWay {
  size_t from = kNowhere, to = kNowhere;
  bool used = false;
  Job job = {};
};

class FleetSimulation {
 public:
  FleetSimulation(const Fleet& fleet, Workload* workload,
                  const Listeners& listeners)
      : fleet_(fleet),
        workload_(*workload),
        tell_(listeners),
        router_(fleet.router, fleet.seed),
        second_router_(fleet.router == RouterKind::kPrefixAware
                           ? RouterKind::kLeastOutstanding
                           : fleet.router,
                       fleet.seed + 1) {}

  Served Run();

 private:
  using Event = FleetEvent;
  using EventKind = FleetEventKind;
  using Engine = FleetEngine;
  using Way = FleetWay;

  std::optional<Instant> Next();
  bool Scales() const { return fleet_.autoscaling.target_outstanding > 0; }
  void Push(Instant at, EventKind kind, size_t index, uint32_t detail = 0,
            uint32_t life = 0) {
    events_.push({at, kind, 0, static_cast<uint32_t>(index), detail, life});
  }
  void AddEngine(size_t kind, Duration start);
  void SetUp(size_t engine, bool up);
  void Handle(const Event& event);
  void TakeArrivals();
  bool MayLeave(size_t engine) const;
  void BeginSteps();
  void EndStep(const Event& event);
  void Fail(const Failure& failure);
  void Recover(size_t engine);
  void Scale();
  void Done(Job job);
  void Refuse(const Job& job, Drop why);
  void Route(Job job);
  struct Choice {
    bool fits = false, up = false;
  };
  Choice FindCandidates(const Job& job, Role role);
  void Place(Job job, Role role, Router* router);
  void Move(Job job, size_t row);
  void Send(Instant at, EventKind kind, Way way);
  Way Take(uint32_t way);
  void Arrive(Way way);
  void Admit(Job job, size_t row);
  void Reach(Way way);
  void LoseCaches(size_t engine);
  void Touch(size_t engine);
  bool Serves(const Engine& engine, const Request& request, Role role) const;
  const ReplicaKind& KindOf(const Engine& engine) const {
    return fleet_.kinds[engine.kind];
  }
  void Finish();

  const Fleet& fleet_;
  Workload& workload_;
  const Listeners& tell_;
  Router router_, second_router_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::vector<Engine> engines_;
  std::vector<size_t> touched_;
  std::vector<Way> ways_;
  std::vector<uint32_t> unused_ways_;
  std::vector<Job> homeless_;  // no engine is up for them
  Instant next_look_;          // at the number of engines
  bool looked_in_vain_ = false;
  Instant now_, quiet_since_;
  StepOutcome outcome_;
  std::vector<const Replica*> candidates_;
  std::vector<size_t> candidate_rows_;
  Served served_;
};

}  // namespace sim

#endif  // SIM_SERVING_FLEET_SIMULATION_H_
