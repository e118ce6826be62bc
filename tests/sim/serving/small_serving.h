// Engines whose steps are easy to work out by hand, and what happened to them
// as text.
//
//   const Played p = Play(OneEngine(policy, /*blocks=*/10),
//                         {{.input = 20, .output = 2}});
//   p.steps;    // {"0-30 p20", "30-41 d1"}: 10 ms, and 1 ms for each token
//   p.done[0];  // the job of request 0
#ifndef TESTS_SIM_SERVING_SMALL_SERVING_H_
#define TESTS_SIM_SERVING_SMALL_SERVING_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "sim/serving/fleet.h"

namespace sim {

inline Instant AtMs(int64_t ms) { return {Milliseconds(1) * ms}; }
inline int64_t InMs(Duration d) { return d.count() / Milliseconds(1).count(); }
inline int64_t InMs(Instant t) { return InMs(t.since_start); }

// Of each stage: 10 ms, and 1 ms for each token of the step.
inline StepTime TenAndOnePerToken(const StepWork& work) {
  int64_t tokens = work.decode_tokens;
  for (const PrefillChunk& chunk : work.prefills) tokens += chunk.tokens;
  return {.stage = Milliseconds(1) * (10 + tokens)};
}

// Blocks of four tokens.
inline ReplicaKind SmallKind(const EnginePolicy& policy, int64_t blocks,
                             Role role = Role::kBoth) {
  return {.policy = policy,
          .cache = {.blocks = blocks, .block_tokens = 4},
          .cost = &TenAndOnePerToken,
          .role = role,
          .kv_per_token = Bytes(1000),
          .network = BytesPerSecond(1e6)};  // a millisecond for a token
}

inline Fleet OneEngine(const EnginePolicy& policy, int64_t blocks) {
  return {.kinds = {SmallKind(policy, blocks)}, .replicas = {0}};
}

struct Played {
  // "begin-end", the tokens of each part of a prompt, the sequences that decode
  // and, if they differ, their tokens; what moves to and from the host. Of more
  // than one engine or microbatch, those come first: "e1 ", "m0 ".
  std::vector<std::string> steps;
  std::map<int64_t, Job> done;
  std::vector<int64_t> order;  // in which they were done
  std::map<int64_t, Drop> dropped;
  std::vector<std::string> transfers;  // "begin-end from>to"
  std::vector<std::string> engines;    // "at +row" or "at -row"
  Served served;
};

inline std::string DumpStep(const StepRecord& s, bool engines) {
  std::string text = engines ? absl::StrCat("e", s.replica, " ") : "";
  if (s.engine->policy().microbatches > 1) {
    absl::StrAppend(&text, "m", s.microbatch, " ");
  }
  absl::StrAppend(&text, InMs(s.begin), "-", InMs(s.end));
  for (const PrefillChunk& chunk : s.work->prefills) {
    absl::StrAppend(&text, " p", chunk.tokens);
  }
  if (s.work->decodes > 0) absl::StrAppend(&text, " d", s.work->decodes);
  if (s.work->decode_tokens != s.work->decodes) {
    absl::StrAppend(&text, ":", s.work->decode_tokens);
  }
  if (s.work->to_host > 0) absl::StrAppend(&text, " out", s.work->to_host);
  if (s.work->from_host > 0) absl::StrAppend(&text, " in", s.work->from_host);
  return text;
}

// The requests in order of arrival.
inline Workload Listed(std::vector<Request> requests) {
  return Workload(
      [requests = std::move(requests),
       n = size_t{0}]() mutable -> std::optional<Request> {
        if (n == requests.size()) return std::nullopt;
        return requests[n++];
      },
      nullptr);
}

inline Played Play(const Fleet& fleet, Workload workload) {
  Played p;
  const bool engines =
      fleet.replicas.size() > 1 || fleet.autoscaling.target_outstanding > 0;
  const Listeners listeners{
      .on_done =
          [&](const Job& job) {
            p.done[job.request.id] = job;
            p.order.push_back(job.request.id);
          },
      .on_dropped = [&](const Request& r, Drop why) { p.dropped[r.id] = why; },
      .on_step =
          [&](const StepRecord& s) { p.steps.push_back(DumpStep(s, engines)); },
      .on_transfer =
          [&](const TransferRecord& t) {
            p.transfers.push_back(absl::StrCat(InMs(t.begin), "-", InMs(t.end),
                                               " ", t.from, ">", t.to));
          },
      .on_replica =
          [&](uint32_t row, Instant at, bool up) {
            p.engines.push_back(absl::StrCat(InMs(at), up ? " +" : " -", row));
          }};
  p.served = Serve(fleet, &workload, listeners);
  return p;
}

inline Played Play(const Fleet& fleet, std::vector<Request> requests) {
  return Play(fleet, Listed(std::move(requests)));
}

// "queue prefill transfer decode interference preemption", in milliseconds.
inline std::string DumpParts(const Job& job) {
  const LatencyParts p = job.parts();
  return absl::StrCat("q", InMs(p.queue), " p", InMs(p.prefill), " t",
                      InMs(p.transfer), " d", InMs(p.decode), " i",
                      InMs(p.interference), " x", InMs(p.preemption));
}

}  // namespace sim

#endif  // TESTS_SIM_SERVING_SMALL_SERVING_H_
