#include "sim/serving/replica.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace sim {

Replica::Replica(const EnginePolicy& policy, const KvPool::Options& cache,
                 StepCost cost)
    : policy_(policy),
      cache_(cache),
      cost_(std::move(cost)),
      batches_(static_cast<size_t>(policy.microbatches)),
      stage_free_(static_cast<size_t>(policy.microbatches)),
      random_(policy.seed) {
  assert(policy.microbatches > 0 && policy.max_num_seqs > 0 &&
         policy.max_num_batched_tokens > 0);
}

// Tokens of prompt and answer that Reservation::kOutput is for.
int64_t Replica::Reserved(const Request& request, int64_t generated) const {
  if (policy_.prefill_only) return request.input + generated;
  const int64_t all = request.input + request.reserved_output();
  return policy_.max_model_len > 0 ? std::min(all, policy_.max_model_len) : all;
}

bool Replica::Takes(const Request& request, int64_t generated) const {
  const int64_t all = request.input + request.output;
  if (policy_.max_model_len > 0 && all > policy_.max_model_len) return false;
  // The last token of an answer is not computed on.
  const int64_t computed =
      policy_.prefill_only ? request.input + generated : all - 1;
  const bool again = policy_.reservation == Reservation::kAsNeeded &&
                     policy_.preemption == Preemption::kRecompute;
  const int64_t at_once = again ? computed : request.input + generated;
  if (policy_.batching != Batching::kStatic && !policy_.chunked_prefill &&
      at_once > policy_.max_num_batched_tokens) {
    return false;
  }
  const int64_t room = policy_.reservation == Reservation::kOutput
                           ? std::max(computed, Reserved(request, generated))
                           : computed;
  return cache_.BlocksFor(room) <= cache_.options().blocks;
}

Replica::Turn Replica::TurnOf(Slot slot) const {
  const Request& r = jobs_[slot].request;
  return {policy_.by_priority ? r.priority : 0, r.arrival, r.id, slot};
}

Replica::Slot Replica::NewSlot(Job job) {
  if (unused_.empty()) {
    jobs_.push_back(std::move(job));
    return static_cast<Slot>(jobs_.size() - 1);
  }
  const Slot slot = unused_.back();
  unused_.pop_back();
  jobs_[slot] = std::move(job);
  return slot;
}

void Replica::Add(Job job, Instant now) {
  assert(Takes(job.request, job.generated));
  job.waits_since = now;
  waiting_.insert(TurnOf(NewSlot(std::move(job))));
}

// Stages are passed one after another, each behind the step before.
Instant Replica::Cross(const StepTime& time, Instant now) {
  Instant at = now + time.host;
  for (Instant& free : stage_free_) {
    at = std::max(at, free) + time.stage;
    if (&free == &stage_free_.back()) at = at + time.last;
    free = at;
  }
  return at;
}

std::optional<Instant> Replica::Begin(int microbatch, Instant now) {
  Batch& b = batches_[static_cast<size_t>(microbatch)];
  assert(!b.busy);
  b.parts.clear();
  b.work = {};
  Plan(&b, now);
  if (b.parts.empty()) return std::nullopt;
  b.busy = true;
  b.began = now;
  const StepTime time = cost_(b.work);
  if (!b.work.prefills.empty()) b.interference += AddedByPrompts(b.work, time);
  return Cross(time, now);
}

// Of a step with prompts, what the sequences that decode would not have waited
// for: all of it, where it gives them no token.
Duration Replica::AddedByPrompts(const StepWork& work,
                                 const StepTime& time) const {
  StepTime less;
  if (work.decodes > 0) {
    StepWork alone = work;
    alone.prefills.clear();
    less = cost_(alone);
  }
  const auto more = [](Duration with, Duration without) {
    return std::max(Duration(0), with - without);
  };
  return more(time.stage, less.stage) * policy_.microbatches +
         more(time.last, less.last) + more(time.host, less.host);
}

// Of a draft: the first token that is wrong ends it.
int64_t Replica::Accepted() {
  int64_t right = 0;
  for (const double chance : policy_.speculation.acceptance) {
    const double drawn =
        static_cast<double>(random_() >> 11) * 0x1p-53;  // [0, 1)
    if (drawn >= chance) break;
    ++right;
  }
  return right;
}

void Replica::CountGap(Duration gap, int64_t times, StepOutcome* outcome) {
  if (!outcome->gaps.empty() && outcome->gaps.back().first == gap) {
    outcome->gaps.back().second += times;
  } else {
    outcome->gaps.emplace_back(gap, times);
  }
}

// A sequence's keys and values are complete: its next token comes out.
void Replica::GiveToken(Batch* batch, Job* job, Instant now,
                        StepOutcome* outcome) {
  if (job->preempted) {
    const Duration lost = now - job->preempted_at;
    job->preemption += lost;
    if (job->generated == 0) job->preemption_before_first += lost;
    job->preempted = false;
  } else if (job->generated > 0) {
    job->interference += batch->interference - job->interference_mark;
  }
  job->interference_mark = batch->interference;
  if (job->generated == 0) {
    job->first_token = now;
    ++outcome->first_tokens;
  } else {
    CountGap(now - job->last_token, 1, outcome);
  }
  job->last_token = now;
  ++job->generated;
  ++outcome->tokens;
}

void Replica::Advance(Batch* batch, const Part& part, Instant now,
                      StepOutcome* outcome) {
  Job& job = jobs_[part.slot];
  const int64_t drafted = part.decodes ? part.tokens - 1 : 0;
  job.computed += part.tokens - drafted;
  if (job.needed() == 0) {
    GiveToken(batch, &job, now, outcome);
    const int64_t right = drafted > 0 ? std::min(Accepted(), drafted) : 0;
    job.generated += right;
    job.computed += right;
    outcome->tokens += right;
    if (right > 0) CountGap(Duration(0), right, outcome);
  }
  cache_.Computed(part.slot, job.request, job.computed);
}

// Its answer has ended, or, of an engine for prompts, has got its next token.
bool Replica::Leaves(const Job& job) const {
  return job.generated >= job.request.output ||
         (policy_.prefill_only && job.generated > 0 && !job.preempted);
}

void Replica::End(int microbatch, Instant now, StepOutcome* outcome) {
  Batch& b = batches_[static_cast<size_t>(microbatch)];
  assert(b.busy);
  b.busy = false;
  bool any = false;
  for (const Part& part : b.parts) {
    Advance(&b, part, now, outcome);
    const Job& job = jobs_[part.slot];
    any = any || Leaves(job);
  }
  b.parts.clear();
  if (!any) return;
  std::erase_if(b.running, [&](Slot slot) {
    Job& job = jobs_[slot];
    if (!Leaves(job)) return false;
    if (policy_.batching == Batching::kStatic) {
      ++b.ended;
      b.ended_keys += job.tokens();
    }
    job.finish = now;
    cache_.Free(slot);
    outcome->done.push_back(std::move(job));
    unused_.push_back(slot);
    --running_;
    return true;
  });
}

int64_t Replica::TokensHeld() const {
  int64_t tokens = 0;
  for (const Batch& b : batches_) {
    for (const Slot slot : b.running) tokens += jobs_[slot].computed;
  }
  return tokens;
}

std::vector<Job> Replica::Abandon(Instant now) {
  std::vector<Job> lost;
  const auto take = [&](Slot slot) {
    Job& job = jobs_[slot];
    job.Lose(now);
    lost.push_back(std::move(job));
    unused_.push_back(slot);
  };
  for (Batch& b : batches_) {
    for (const Slot slot : b.running) {
      cache_.Free(slot);
      take(slot);
    }
    b = {};
  }
  for (const Turn& turn : waiting_) {
    Job& job = jobs_[turn.slot];
    if (job.handed_on()) job.transfer += now - job.waits_since;
    take(turn.slot);
  }
  waiting_.clear();
  running_ = expected_ = 0;
  cache_ = KvPool(cache_.options());
  std::fill(stage_free_.begin(), stage_free_.end(), now);
  std::sort(lost.begin(), lost.end(), [](const Job& a, const Job& b) {
    return a.request.id < b.request.id;
  });
  return lost;
}

}  // namespace sim
