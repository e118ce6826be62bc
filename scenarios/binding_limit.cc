#include "scenarios/binding_limit.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "scenarios/reading.h"

namespace scenarios {
namespace {

double Part(double part, double whole) { return whole > 0 ? part / whole : 0; }

// Of those that run prompts, which is where requests wait.
int64_t SequencesOf(const ServingInputs& inputs) {
  return inputs.pools.front().policy.max_num_seqs;
}

// Why a request does not begin.
Cause CauseOfWait(const ServingInputs& inputs, const Probe& probe) {
  const double aside = Part(static_cast<double>(probe.preemptions),
                            static_cast<double>(probe.requests));
  if (probe.cache_used > 0.9 || aside > 0.05) return Cause::kCache;
  const auto most = static_cast<double>(SequencesOf(inputs));
  return probe.running > 0.9 * most ? Cause::kSequences : Cause::kCompute;
}

// The largest part of what late requests' time went to.
Cause LargestOf(const ServingInputs& inputs, const Probe& probe,
                bool first_token, bool rest) {
  const PartSums& late = probe.late;
  std::pair<double, Cause> parts[] = {
      {first_token ? late.queue : 0, Cause::kCompute},
      {first_token ? late.prefill : 0, Cause::kPrefill},
      {rest ? late.decode : 0, Cause::kBatch},
      {rest ? late.interference : 0, Cause::kInterference},
      {late.preemption, Cause::kPreemption},
      {rest ? late.transfer : 0, Cause::kTransfer}};
  const Cause largest =
      std::max_element(std::begin(parts), std::end(parts),
                       [](const auto& a, const auto& b) {
                         return a.first < b.first;
                       })
          ->second;
  return largest == Cause::kCompute ? CauseOfWait(inputs, probe) : largest;
}

std::string DescribeMemory(const ServingInputs& inputs) {
  for (const ServingPool& pool : inputs.pools) {
    if (pool.memory.blocks > 0) continue;
    return absl::StrFormat(
        "%.2f GiB are missing for one block of the cache, beside %.2f GiB of "
        "weights and %.2f GiB of activations",
        sim::InGiB(pool.memory.missing), sim::InGiB(pool.memory.weights),
        sim::InGiB(pool.memory.activations));
  }
  return "";
}

std::string DescribeCause(Cause cause, const ServingInputs& inputs,
                          const Probe& p) {
  const PartSums& late = p.late;
  const auto n = static_cast<double>(std::max<int64_t>(1, late.requests));
  const double rest =
      late.decode + late.interference + late.preemption + late.transfer;
  switch (cause) {
    case Cause::kNone:
      return "";
    case Cause::kCompute:
      return absl::StrFormat(
          "requests wait %s for a first step; engines are busy %.0f %%, with "
          "%.1f sequences in a step",
          ReadableTime(late.queue / n), p.busy * 100, p.running);
    case Cause::kCache:
      return absl::StrFormat(
          "requests wait %s, for the cache is %.0f %% full; %d preemptions",
          ReadableTime((late.queue + late.preemption) / n), p.cache_used * 100,
          p.preemptions);
    case Cause::kSequences:
      return absl::StrFormat(
          "requests wait %s, for all %d sequences (max_num_seqs) run",
          ReadableTime(late.queue / n), SequencesOf(inputs));
    case Cause::kPrefill:
      return absl::StrFormat("steps of their own prompts take %s",
                             ReadableTime(late.prefill / n));
    case Cause::kBatch:
      return absl::StrFormat(
          "steps with %.1f sequences take too long; others' prompts are %.0f "
          "%% of a token's time",
          p.running, 100 * Part(late.interference, rest));
    case Cause::kInterference:
      return absl::StrFormat("others' prompts take %.0f %% of a token's time",
                             100 * Part(late.interference, rest));
    case Cause::kPreemption:
      return absl::StrFormat("requests are put aside for %s; %d preemptions",
                             ReadableTime(late.preemption / n), p.preemptions);
    case Cause::kTransfer:
      return absl::StrFormat(
          "keys and values take %s to another engine and for room there",
          ReadableTime(late.transfer / n));
  }
  return "";
}

std::string TitleOf(Miss miss) {
  switch (miss) {
    case Miss::kNone:
      return "";
    case Miss::kMemory:
      return "does not fit";
    case Miss::kRefused:
      return "refused";
    case Miss::kUnstable:
      return "unstable";
    case Miss::kTtft:
      return "TTFT";
    case Miss::kTpot:
      return "TPOT";
    case Miss::kE2e:
      return "E2E";
  }
  return "";
}

}  // namespace

Limit MemoryLimitOf(const ServingInputs& inputs) {
  return Fits(inputs) ? Limit{} : Limit{.miss = Miss::kMemory};
}

Limit LimitOf(const ServingInputs& inputs, const Probe& probe) {
  if (probe.meets()) return {};
  const int64_t most = std::max(
      {probe.missed_ttft, probe.missed_tpot, probe.missed_e2e, probe.refused});
  if (probe.refused > 0 && probe.refused == most) {
    return {.miss = Miss::kRefused};
  }
  if (!probe.stable) return {Miss::kUnstable, CauseOfWait(inputs, probe)};
  if (probe.missed_ttft == most) {
    return {Miss::kTtft, LargestOf(inputs, probe, true, false)};
  }
  if (probe.missed_tpot == most) {
    return {Miss::kTpot, LargestOf(inputs, probe, false, true)};
  }
  return {Miss::kE2e, LargestOf(inputs, probe, true, true)};
}

std::string NameOf(Miss miss) {
  constexpr const char* kNames[] = {"",     "memory", "refused", "unstable",
                                    "ttft", "tpot",   "e2e"};
  return kNames[static_cast<size_t>(miss)];
}

std::string NameOf(Cause cause) {
  constexpr const char* kNames[] = {
      "",      "compute",      "cache",      "max_num_seqs", "prefill",
      "batch", "interference", "preemption", "transfer"};
  return kNames[static_cast<size_t>(cause)];
}

std::string DescribeLimit(const Limit& limit, const ServingInputs& inputs,
                          const Probe& probe) {
  if (limit.miss == Miss::kNone) return "";
  std::string why = DescribeCause(limit.cause, inputs, probe);
  if (limit.miss == Miss::kMemory) why = DescribeMemory(inputs);
  if (limit.miss == Miss::kRefused) {
    why = absl::StrFormat("%d of %d requests are too long, or find queues full",
                          probe.refused, probe.judged);
  }
  if (limit.miss == Miss::kUnstable && !IsClosedLoop(inputs)) {
    why = absl::StrFormat("waits grow by %s a second; %s",
                          ReadableTime(probe.wait_growth), why);
  }
  return absl::StrCat(TitleOf(limit.miss), ": ", why);
}

}  // namespace scenarios
