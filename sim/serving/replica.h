// One engine on its GPUs: the requests it waits on and runs, its cache, and the
// steps it takes.
//
//   Replica engine(policy, {.blocks = 3000, .block_tokens = 16}, cost);
//   engine.Add(Job{.request = r});
//   std::optional<Instant> end = engine.Begin(0, now);  // a step of batch 0
//   engine.End(0, *end, &outcome);                      // tokens come out
//
// Where there are pipeline stages, as many steps are in flight: each microbatch
// keeps its sequences to itself and passes the stages behind the one before it.
#ifndef SIM_SERVING_REPLICA_H_
#define SIM_SERVING_REPLICA_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "sim/serving/histogram.h"
#include "sim/serving/job.h"
#include "sim/serving/kv_pool.h"
#include "sim/serving/policy.h"
#include "sim/serving/step.h"

namespace sim {

// What came out of a step.
struct StepOutcome {
  std::vector<Job> done;  // finished, or, of an engine for prompts, handed on
  int64_t first_tokens = 0, tokens = 0;  // that came out, the first included
  std::vector<std::pair<Duration, int64_t>> gaps;  // since the token before,
                                                   // how many had it
};

enum class JobEvent : uint8_t {
  kStarts,    // is in the engine's next step, for the first time or again
  kPutAside,  // gives its room to others
};
using JobWatch = std::function<void(const Job&, JobEvent, Instant)>;

class Replica {
 public:
  // REQUIRES: every limit of the policy is above zero.
  Replica(const EnginePolicy& policy, const KvPool::Options& cache,
          StepCost cost);

  // Whom to tell of what its jobs go through; null: nobody.
  void Watch(JobWatch watch) { watch_ = std::move(watch); }

  // Whether it could ever finish its part of such a request, of whose answer
  // `generated` tokens are there.
  bool Takes(const Request& request, int64_t generated = 0) const;
  // REQUIRES: it takes it.
  void Add(Job job, Instant now);

  // A request is on its way here, and counts as outstanding until it is there.
  void Expect() { ++expected_; }
  void Unexpect() { --expected_; }
  void AddExpected(Job job, Instant now) {
    --expected_;
    Add(std::move(job), now);
  }

  // Begins a step of a microbatch and says when it ends; nothing if it has
  // nothing to do, or no room. REQUIRES: the microbatch is idle.
  std::optional<Instant> Begin(int microbatch, Instant now);
  // REQUIRES: a step of the microbatch ends now.
  void End(int microbatch, Instant now, StepOutcome* outcome);
  bool idle(int microbatch) const { return !batch(microbatch).busy; }
  const StepWork& work(int microbatch) const { return batch(microbatch).work; }

  // Takes every job away, all keys and values lost: the engine has failed.
  std::vector<Job> Abandon(Instant now);

  int64_t waiting() const { return static_cast<int64_t>(waiting_.size()); }
  int64_t running() const { return running_; }
  int64_t outstanding() const { return waiting() + running_ + expected_; }
  int64_t preemptions() const { return preemptions_; }
  const KvPool& cache() const { return cache_; }
  // Tokens of running sequences whose keys and values are there, those of a
  // shared prefix once for each. O(running()).
  int64_t TokensHeld() const;
  const EnginePolicy& policy() const { return policy_; }

 private:
  using Slot = KvPool::Slot;
  struct Part {
    Slot slot = 0;
    int64_t tokens = 0;
    bool decodes = false;
  };
  struct Batch {
    std::vector<Slot> running;  // in the order in which they started
    std::vector<Part> parts;    // of the step in flight
    StepWork work;
    Instant began;
    bool busy = false;
    bool gave_way = false;  // to another batch, since it last put prompts off
    int64_t ended = 0, ended_keys = 0;  // static: computed on, for nothing
    // Time so far that prompts kept those waiting that decode.
    Duration interference;
  };
  // Of a sequence that runs.
  struct Place {
    Batch* batch = nullptr;
    size_t row = 0;
  };
  // (priority, arrival, id, slot): who goes first.
  struct Turn {
    int priority;
    Instant arrival;
    int64_t id;
    Slot slot;
    friend auto operator<=>(const Turn&, const Turn&) = default;
  };

  const Batch& batch(int m) const { return batches_[static_cast<size_t>(m)]; }
  Turn TurnOf(Slot slot) const;
  Slot NewSlot(Job job);
  int64_t Reserved(const Request& request, int64_t generated) const;

  // Of replica_plan.cc: what the next step computes.
  void Plan(Batch* batch, Instant now);
  bool PlanPrompts(Batch* batch, int64_t budget, Instant now);
  void PlanRunning(Batch* batch, int64_t* budget, Instant now);
  std::optional<KvPool::Hit> Admit(Slot slot, int64_t tokens);
  bool Start(Batch* batch, Slot slot, int64_t* budget, Instant now);
  Place LastInTurn();
  bool MakeRoom(Batch* batch, size_t* row, int64_t tokens, int64_t* budget,
                Instant now);
  void PutAside(Batch* batch, const Place& place, int64_t* budget, Instant now);
  void Unschedule(Batch* batch, Slot slot, int64_t* budget);
  int64_t TokensNow(const Job& job, int64_t budget) const;
  void Schedule(Batch* batch, Slot slot, int64_t tokens);
  int64_t Seats() const;

  Instant Cross(const StepTime& time, Instant now);  // the pipeline stages
  Duration AddedByPrompts(const StepWork& work, const StepTime& time) const;
  void Advance(Batch* batch, const Part& part, Instant now,
               StepOutcome* outcome);
  void GiveToken(Batch* batch, Job* job, Instant now, StepOutcome* outcome);
  bool Leaves(const Job& job) const;
  int64_t Accepted();
  void CountGap(Duration gap, int64_t times, StepOutcome* outcome);

  EnginePolicy policy_;
  KvPool cache_;
  StepCost cost_;
  JobWatch watch_;
  std::vector<Batch> batches_;
  std::vector<Instant> stage_free_;
  std::vector<Job> jobs_;  // by slot
  std::vector<Slot> unused_;
  absl::btree_set<Turn> waiting_;
  int64_t running_ = 0, expected_ = 0;
  int64_t preemptions_ = 0;
  std::mt19937_64 random_;
};

}  // namespace sim

#endif  // SIM_SERVING_REPLICA_H_
