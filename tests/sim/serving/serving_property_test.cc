// What holds of every fleet, policy and workload, on random ones.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "sim/serving/fleet.h"
#include "tests/sim/random_program.h"
#include "tests/sim/serving/naive_engine.h"
#include "tests/sim/serving/small_serving.h"

namespace sim {
namespace {

constexpr int kCases = 2000;

int64_t From(Dice& dice, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(
                   dice.Below(static_cast<uint64_t>(high - low + 1)));
}

// Prompts and answers of at most 60 tokens, some with common beginnings.
std::vector<Request> RandomRequests(Dice& dice) {
  const int64_t count = From(dice, 1, 60);
  const bool at_once = dice.Chance(25);
  const int64_t gap = From(dice, 1, 60);
  std::vector<Request> requests;
  int64_t at = 0;
  for (int64_t n = 0; n < count; ++n) {
    if (!at_once) at += From(dice, 0, gap);
    Request r{.id = n,
              .arrival = AtMs(at),
              .input = dice.Chance(10) ? 1 : From(dice, 1, 60),
              .output = dice.Chance(10) ? 1 : From(dice, 1, 60),
              .priority = static_cast<int>(From(dice, 0, 2))};
    if (dice.Chance(30)) r.most_output = r.output + From(dice, 0, 20);
    if (dice.Chance(50)) {
      r.chunk = 4;
      const auto tree = static_cast<uint64_t>(From(dice, 1, 3));
      for (int64_t c = 0; c < (r.input + r.output) / 4; ++c) {
        const auto own = static_cast<uint64_t>(n) * 1000;
        r.prefix.push_back(tree * 100'000 + static_cast<uint64_t>(c) +
                           (c > 5 ? own : 0));
      }
    }
    requests.push_back(std::move(r));
  }
  return requests;
}

EnginePolicy RandomPolicy(Dice& dice) {
  EnginePolicy p{.batching = static_cast<Batching>(From(dice, 0, 2)),
                 .chunked_prefill = dice.Chance(60),
                 .max_num_seqs = From(dice, 1, 12),
                 .max_num_batched_tokens = From(dice, 1, 80),
                 .longest_chunk = dice.Chance(30) ? From(dice, 1, 20) : 0,
                 .max_model_len = dice.Chance(20) ? From(dice, 60, 120) : 0,
                 .reservation = dice.Chance(30) ? Reservation::kOutput
                                                : Reservation::kAsNeeded,
                 .preemption = dice.Chance(30) ? Preemption::kSwap
                                               : Preemption::kRecompute,
                 .watermark = dice.Chance(30) ? 0.1 : 0,
                 .by_priority = dice.Chance(30)};
  if (dice.Chance(40)) p.speculation.acceptance = {0.8, 0.5, 0.3};
  if (dice.Chance(40)) p.microbatches = static_cast<int>(From(dice, 2, 4));
  return p;
}

StepTime RoughCost(const StepWork& work) {
  StepTime time = TenAndOnePerToken(work);
  time.last = Milliseconds(2);
  time.host = Milliseconds(1) * (work.decodes % 3);
  return time;
}

ReplicaKind RandomKind(Dice& dice, Role role) {
  ReplicaKind kind = SmallKind(RandomPolicy(dice), From(dice, 20, 60), role);
  kind.cost = &RoughCost;
  kind.cold_start = Milliseconds(1) * From(dice, 0, 300);
  if (dice.Chance(50)) {
    kind.cache.prefix_caching = true;
    if (dice.Chance(40)) kind.cache.host_blocks = From(dice, 0, 30);
    if (dice.Chance(20)) kind.cache.disk_blocks = From(dice, 0, 30);
  }
  return kind;
}

Fleet RandomFleet(Dice& dice) {
  Fleet fleet;
  if (dice.Chance(30)) {
    fleet.kinds = {RandomKind(dice, Role::kPrefill),
                   RandomKind(dice, Role::kDecode)};
    fleet.replicas = {0, 1};
  } else {
    fleet.kinds = {RandomKind(dice, Role::kBoth)};
    fleet.replicas = {0};
    if (dice.Chance(40)) fleet.kinds.push_back(RandomKind(dice, Role::kBoth));
  }
  while (dice.Chance(40)) {
    fleet.replicas.push_back(dice.Below(fleet.kinds.size()));
  }
  fleet.router = static_cast<RouterKind>(From(dice, 0, 3));
  if (dice.Chance(20)) fleet.max_waiting = From(dice, 1, 5);
  if (dice.Chance(20)) fleet.request_overhead = Milliseconds(3);
  if (dice.Chance(20)) {
    for (ReplicaKind& kind : fleet.kinds) kind.admit_token = Milliseconds(1);
  }
  if (dice.Chance(25)) {
    fleet.autoscaling = {.target_outstanding = From(dice, 1, 8),
                         .least = From(dice, 0, 1),
                         .most = From(dice, 1, 4),
                         .interval = Milliseconds(100),
                         .patience = Milliseconds(200)};
  }
  while (dice.Chance(40)) {
    fleet.failures.push_back({.replica = static_cast<size_t>(From(dice, 0, 3)),
                              .at = AtMs(From(dice, 0, 2000)),
                              .lasts = Milliseconds(1) * From(dice, 0, 1000)});
  }
  fleet.most = Seconds(3600);  // of a workload of less than a minute's work
  return fleet;
}

// Checks every step as it ends.
class StepChecks {
 public:
  void Check(const StepRecord& s, const EnginePolicy& policy) {
    EXPECT_LT(s.begin, s.end);
    EXPECT_LE(last_end_, s.end);
    last_end_ = s.end;
    Instant& free = free_[{s.replica, s.microbatch}];
    EXPECT_LE(free, s.begin) << "two steps at once";
    free = s.end;
    int64_t tokens = s.work->decode_tokens;
    for (const PrefillChunk& c : s.work->prefills) {
      EXPECT_GT(c.tokens, 0);
      EXPECT_GE(c.keys, c.tokens);
      tokens += c.tokens;
    }
    const auto sequences =
        s.work->decodes + static_cast<int64_t>(s.work->prefills.size());
    EXPECT_GT(sequences, 0);
    if (policy.batching != Batching::kStatic) {
      EXPECT_LE(tokens, policy.max_num_batched_tokens);
      EXPECT_LE(s.engine->running(), policy.max_num_seqs);
      EXPECT_LE(sequences, policy.max_num_seqs);
    }
    const KvPool& cache = s.engine->cache();
    EXPECT_GE(cache.used(), 0);
    EXPECT_LE(cache.used(), cache.options().blocks);
    EXPECT_EQ(cache.allocated() - cache.released(), cache.used());
    EXPECT_TRUE(s.engine->running() > 0 || cache.used() == 0);
    if (policy.reservation == Reservation::kOutput) {
      EXPECT_EQ(s.engine->preemptions(), 0);
    }
  }

 private:
  Instant last_end_;
  std::map<std::pair<uint32_t, int>, Instant> free_;
};

struct Outcome {
  Played played;
  std::string text;  // all there is to compare
};

Outcome RunChecked(const Fleet& fleet, const std::vector<Request>& requests) {
  Outcome outcome;
  Played& p = outcome.played;
  StepChecks checks;
  int64_t seen = 0;
  Workload workload = Listed(requests);
  const Listeners listeners{
      .on_done =
          [&](const Job& job) {
            EXPECT_TRUE(p.done.emplace(job.request.id, job).second);
            absl::StrAppend(&outcome.text, job.request.id, "@",
                            job.finish.since_start.count(), " ");
          },
      .on_dropped =
          [&](const Request& r, Drop why) {
            EXPECT_TRUE(p.dropped.emplace(r.id, why).second);
            absl::StrAppend(&outcome.text, r.id, "x", static_cast<int>(why),
                            " ");
          },
      .on_step =
          [&](const StepRecord& s) {
            checks.Check(s, s.engine->policy());
            ++seen;
          }};
  p.served = Serve(fleet, &workload, listeners);
  EXPECT_EQ(seen, p.served.steps);
  return outcome;
}

void ExpectPartsToSum(const Job& job) {
  const LatencyParts parts = job.parts();
  EXPECT_EQ(parts.total(), job.finish - job.request.arrival);
  for (const Duration part :
       {parts.queue, parts.prefill, parts.transfer, parts.decode,
        parts.interference, parts.preemption}) {
    EXPECT_GE(part, Duration(0)) << DumpParts(job);
  }
}

void ExpectConserved(const Played& p, const std::vector<Request>& requests) {
  const auto count = static_cast<int64_t>(requests.size());
  EXPECT_EQ(p.served.arrived, count);
  EXPECT_EQ(p.served.done, static_cast<int64_t>(p.done.size()));
  EXPECT_EQ(p.served.dropped, static_cast<int64_t>(p.dropped.size()));
  int64_t tokens = p.served.lost_tokens;
  for (const Request& r : requests) {
    EXPECT_EQ(p.done.count(r.id) + p.dropped.count(r.id), 1u) << r.id;
    const auto job = p.done.find(r.id);
    if (job == p.done.end()) continue;
    EXPECT_EQ(job->second.generated, r.output);
    ExpectPartsToSum(job->second);
    tokens += r.output;
  }
  EXPECT_EQ(p.served.tokens, tokens);
  for (const auto& [id, why] : p.dropped) {
    EXPECT_NE(why, Drop::kUnserved) << id << " was never served";
  }
}

TEST(ServingProperties, EveryTokenIsProducedOnceOrDroppedAndAllRoomGivenBack) {
  int64_t done = 0, preemptions = 0;
  for (uint64_t seed = 1; seed <= kCases; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Dice dice(seed);
    const std::vector<Request> requests = RandomRequests(dice);
    const Fleet fleet = RandomFleet(dice);
    const Outcome outcome = RunChecked(fleet, requests);
    ExpectConserved(outcome.played, requests);
    EXPECT_EQ(RunChecked(fleet, requests).text, outcome.text);
    done += outcome.played.served.done;
    preemptions += outcome.played.served.preemptions;
    if (HasFailure()) return;
  }
  // The cases are worth their time.
  EXPECT_GT(done, 20 * kCases / 2);
  EXPECT_GT(preemptions, kCases);
}

TEST(ServingProperties, FirstComeIsFirstStartedWhateverThePolicy) {
  for (uint64_t seed = 1; seed <= kCases; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Dice dice(seed);
    const std::vector<Request> requests = RandomRequests(dice);
    ReplicaKind kind = RandomKind(dice, Role::kBoth);
    kind.policy.by_priority = false;
    const Played p = Play({.kinds = {kind}, .replicas = {0}}, requests);
    // A prompt that is not cut, or gets all the tokens there are, is also
    // answered before those behind it.
    const bool in_order = kind.policy.batching == Batching::kMixed &&
                          kind.policy.longest_chunk == 0 &&
                          kind.policy.microbatches == 1;
    Instant started, answered;
    for (const auto& [id, job] : p.done) {
      EXPECT_LE(started, job.started) << id;
      started = job.started;
      EXPECT_TRUE(!in_order || answered <= job.first_token) << id;
      answered = job.first_token;
    }
    if (HasFailure()) return;
  }
}

TEST(ServingProperties, AgreesWithAnEngineThatIsSimpleMindedlyWritten) {
  int64_t preemptions = 0;
  for (uint64_t seed = 1; seed <= kCases; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Dice dice(seed);
    std::vector<Request> requests = RandomRequests(dice);
    const EnginePolicy policy{
        .max_num_seqs = From(dice, 1, 12),
        .max_num_batched_tokens = From(dice, 1, 80),
        .longest_chunk = dice.Chance(30) ? From(dice, 1, 20) : 0};
    ReplicaKind kind = SmallKind(policy, From(dice, 30, 60));
    kind.cost = &RoughCost;
    NaiveEngine naive{.blocks = kind.cache.blocks,
                      .block_tokens = kind.cache.block_tokens,
                      .seqs = policy.max_num_seqs,
                      .tokens = policy.max_num_batched_tokens,
                      .chunk = policy.longest_chunk,
                      .cost = &RoughCost};
    naive.Run(requests);
    const Played p = Play({.kinds = {kind}, .replicas = {0}}, requests);
    ASSERT_EQ(p.done.size(), requests.size());
    EXPECT_EQ(p.served.steps, naive.steps);
    EXPECT_EQ(naive.blocks, kind.cache.blocks);
    for (const NaiveSequence& s : naive.all) {
      const Job& job = p.done.at(s.request.id);
      EXPECT_EQ(job.started, s.started) << s.request.id;
      EXPECT_EQ(job.first_token, s.first_token) << s.request.id;
      EXPECT_EQ(job.finish, s.finish) << s.request.id;
      EXPECT_EQ(job.preemptions, s.preemptions) << s.request.id;
    }
    preemptions += p.served.preemptions;
    if (HasFailure()) return;
  }
  EXPECT_GT(preemptions, kCases);
}

}  // namespace
}  // namespace sim
