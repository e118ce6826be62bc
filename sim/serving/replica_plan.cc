// Which tokens an engine's next step computes: the policies of policy.h.
#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "sim/serving/replica.h"

namespace sim {

// Sequences that one microbatch may run.
int64_t Replica::Seats() const {
  const int64_t batches = policy_.microbatches;
  return (policy_.max_num_seqs + batches - 1) / batches;
}

int64_t Replica::TokensNow(const Job& job, int64_t budget) const {
  const int64_t drafts = job.decoding()
                             ? std::min(policy_.speculation.tokens(),
                                        job.request.output - job.generated - 1)
                             : 0;
  int64_t tokens = std::min(job.needed() + drafts, budget);
  if (policy_.chunked_prefill && policy_.longest_chunk > 0 && !job.decoding()) {
    tokens = std::min(tokens, policy_.longest_chunk);
  }
  return tokens;
}

void Replica::Schedule(Batch* batch, Slot slot, int64_t tokens) {
  const Job& job = jobs_[slot];
  batch->parts.push_back({slot, tokens, job.decoding()});
  if (job.decoding()) {
    ++batch->work.decodes;
    batch->work.decode_tokens += tokens;
    batch->work.decode_keys += job.computed + tokens;
    return;
  }
  batch->work.prefills.push_back({.tokens = tokens,
                                  .keys = job.computed + tokens,
                                  .last = tokens == job.needed(),
                                  .request = job.request.id});
}

// What the step was to compute for a sequence, it does not.
void Replica::Unschedule(Batch* batch, Slot slot, int64_t* budget) {
  const auto part = std::find_if(batch->parts.begin(), batch->parts.end(),
                                 [&](const Part& p) { return p.slot == slot; });
  if (part == batch->parts.end()) return;
  *budget += part->tokens;
  batch->parts.erase(part);
  const std::vector<Part> kept = std::exchange(batch->parts, {});
  batch->work = {.from_host = batch->work.from_host,
                 .from_disk = batch->work.from_disk,
                 .to_host = batch->work.to_host};
  for (const Part& p : kept) Schedule(batch, p.slot, p.tokens);
}

// Takes a sequence out of the batch that runs it: it waits again, ahead of
// those that came after it. What comes out of a step in flight for it is lost.
void Replica::PutAside(Batch* batch, const Place& place, int64_t* budget,
                       Instant now) {
  Batch& owner = *place.batch;
  const Slot slot = owner.running[place.row];
  Job& job = jobs_[slot];
  if (owner.busy) {
    std::erase_if(owner.parts, [&](const Part& p) { return p.slot == slot; });
  } else {
    Unschedule(&owner, slot, budget);
  }
  owner.gave_way = owner.gave_way || &owner != batch;
  cache_.Free(slot);
  if (policy_.preemption == Preemption::kSwap) {
    batch->work.to_host += job.computed;
    job.elsewhere = true;
  } else {
    job.computed = 0;
  }
  if (!job.preempted) {
    job.preempted = true;
    job.preempted_at = now;
  }
  if (watch_) watch_(job, JobEvent::kPutAside, now);
  ++job.preemptions;
  ++preemptions_;
  --running_;
  waiting_.insert(TurnOf(slot));
  owner.running.erase(owner.running.begin() +
                      static_cast<std::ptrdiff_t>(place.row));
}

// Whose turn comes last: by priority of all that run, else of those that each
// microbatch started last. Of other microbatches too: one with a single
// sequence would else give way to younger ones of another, and they to it, for
// ever.
Replica::Place Replica::LastInTurn() {
  Place last;
  for (Batch& b : batches_) {
    const size_t rows = b.running.size();
    size_t row = policy_.by_priority || rows == 0 ? 0 : rows - 1;
    for (; row < rows; ++row) {
      if (last.batch == nullptr ||
          TurnOf(last.batch->running[last.row]) < TurnOf(b.running[row])) {
        last = {&b, row};
      }
    }
  }
  return last;
}

// Room for `tokens` more of the sequence in `*row`, at the cost of those whose
// turn comes last, itself included: then false. `*row` follows its sequence.
bool Replica::MakeRoom(Batch* batch, size_t* row, int64_t tokens,
                       int64_t* budget, Instant now) {
  const Slot slot = batch->running[*row];
  while (!cache_.Grow(slot, jobs_[slot].computed + tokens)) {
    const Place last = LastInTurn();
    PutAside(batch, last, budget, now);
    if (last.batch != batch) continue;
    if (last.row == *row) return false;
    if (last.row < *row) --*row;
  }
  return true;
}

// The sequences that run: the next token of each, or more of its prompt.
void Replica::PlanRunning(Batch* batch, int64_t* budget, Instant now) {
  size_t row = 0;
  while (row < batch->running.size() && *budget > 0) {
    const Slot slot = batch->running[row];
    const int64_t tokens = TokensNow(jobs_[slot], *budget);
    // One that gives way leaves its row to the next.
    if (!MakeRoom(batch, &row, tokens, budget, now)) continue;
    Schedule(batch, slot, tokens);
    *budget -= tokens;
    ++row;
  }
}

// Blocks for the first `tokens` tokens of a sequence that starts, and for what
// it reserves; nothing if there is too little room.
std::optional<KvPool::Hit> Replica::Admit(Slot slot, int64_t tokens) {
  const Job& job = jobs_[slot];
  int64_t room = tokens;
  if (policy_.reservation == Reservation::kOutput) {
    room = std::max(room, Reserved(job.request, job.generated));
  }
  // As vLLM V0 counts it, which looks away from blocks that are shared.
  const auto kept = static_cast<int64_t>(std::ceil(
      policy_.watermark * static_cast<double>(cache_.options().blocks)));
  if (kept > 0 && running_ > 0 &&
      cache_.available() - cache_.BlocksFor(room) < kept) {
    return std::nullopt;
  }
  return cache_.Admit(slot, job.request, room, job.generated);
}

// Starts a waiting sequence, or goes on with one that was put aside; false if
// there is no room for it, or its prompt may not be cut and is too long.
bool Replica::Start(Batch* batch, Slot slot, int64_t* budget, Instant now) {
  Job& job = jobs_[slot];
  const bool fresh = job.computed == 0;
  const int64_t there =
      fresh ? cache_.Find(job.request, job.generated).tokens() : job.computed;
  const int64_t needed = job.tokens() - there;
  int64_t tokens = std::min(needed, *budget);
  if (policy_.chunked_prefill && policy_.longest_chunk > 0) {
    tokens = std::min(tokens, policy_.longest_chunk);
  }
  if (!policy_.chunked_prefill && tokens < needed) return false;

  const std::optional<KvPool::Hit> found = Admit(slot, there + tokens);
  if (!found) return false;
  if (job.handed_on()) job.transfer += now - job.waits_since;
  if (fresh) {
    job.computed = found->tokens();
    if (!job.has_started) job.cached = found->tokens();
    batch->work.from_host += found->host;
    batch->work.from_disk += found->disk;
  } else if (job.elsewhere) {
    batch->work.from_host += job.computed;
    job.elsewhere = false;
  }
  if (!job.has_started) job.started = now;
  job.has_started = true;
  if (watch_) watch_(job, JobEvent::kStarts, now);
  job.interference_mark = batch->interference;
  batch->running.push_back(slot);
  ++running_;
  Schedule(batch, slot, tokens);
  *budget -= tokens;
  return true;
}

// Waiting sequences, in turn, while there is room. Whether any started.
bool Replica::PlanPrompts(Batch* batch, int64_t budget, Instant now) {
  bool any = false;
  while (!waiting_.empty() && budget > 0 && running_ < policy_.max_num_seqs &&
         static_cast<int64_t>(batch->running.size()) < Seats()) {
    const auto first = waiting_.begin();
    if (!Start(batch, first->slot, &budget, now)) break;
    waiting_.erase(first);
    any = true;
  }
  return any;
}

void Replica::Plan(Batch* batch, Instant now) {
  int64_t budget = policy_.max_num_batched_tokens;
  const int64_t preemptions = preemptions_;
  switch (policy_.batching) {
    case Batching::kStatic:
      if (batch->running.empty()) {
        batch->ended = batch->ended_keys = 0;
        PlanPrompts(batch, std::numeric_limits<int64_t>::max(), now);
        return;
      }
      budget = std::numeric_limits<int64_t>::max();
      PlanRunning(batch, &budget, now);
      batch->work.decodes += batch->ended;
      batch->work.decode_tokens += batch->ended;
      batch->work.decode_keys += batch->ended_keys;
      return;
    case Batching::kPrefillFirst:
      // Those that run are not kept waiting by prompts that others then throw
      // out before they are computed.
      if (batch->gave_way && !batch->running.empty()) {
        batch->gave_way = false;
        PlanRunning(batch, &budget, now);
        return;
      }
      if (PlanPrompts(batch, budget, now)) return;
      PlanRunning(batch, &budget, now);
      return;
    case Batching::kMixed:
      PlanRunning(batch, &budget, now);
      if (preemptions_ == preemptions) PlanPrompts(batch, budget, now);
      return;
  }
}

}  // namespace sim
