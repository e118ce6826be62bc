// Where a request goes: to an engine, from one to another, or nowhere.
#include <algorithm>
#include <optional>
#include <utility>

#include "sim/serving/fleet_simulation.h"

namespace sim {

bool FleetSimulation::Serves(const Engine& engine, const Request& request,
                             Role role) const {
  const ReplicaKind& kind = KindOf(engine);
  return kind.model == request.model &&
         (kind.role == role || kind.role == Role::kBoth);
}

// The engines of that role that can take it now; whether there is any that ever
// could, and any of those that is up.
FleetSimulation::Choice FleetSimulation::FindCandidates(const Job& job,
                                                        Role role) {
  candidates_.clear();
  candidate_rows_.clear();
  Choice choice;
  for (size_t row = 0; row < engines_.size(); ++row) {
    const Engine& e = engines_[row];
    if (!Serves(e, job.request, role)) continue;
    if (!e.replica->Takes(job.request, job.generated)) continue;
    choice.fits = true;
    choice.up = choice.up || (e.up && !e.leaving);
    const bool full = fleet_.max_waiting > 0 && !job.has_started &&
                      e.replica->waiting() >= fleet_.max_waiting;
    if (!e.up || e.leaving || full) continue;
    candidates_.push_back(e.replica.get());
    candidate_rows_.push_back(row);
  }
  return choice;
}

// To one of the engines of that role. If none may hold it or all queues are
// full, it is refused; if none is up, it waits for one.
void FleetSimulation::Place(Job job, Role role, Router* router) {
  const Choice choice = FindCandidates(job, role);
  if (!choice.fits) return Refuse(job, Drop::kTooLong);
  if (candidates_.empty()) {
    if (choice.up && !job.has_started) return Refuse(job, Drop::kQueueFull);
    homeless_.push_back(std::move(job));
    return;
  }
  const size_t row = candidate_rows_[router->Pick(job.request, candidates_)];
  if (tell_.on_route) {
    tell_.on_route({.job = &job,
                    .replica = static_cast<uint32_t>(row),
                    .at = now_,
                    .engine = engines_[row].replica.get()});
  }
  if (role == Role::kDecode && job.computed > 0) {
    return Move(std::move(job), row);
  }
  Admit(std::move(job), row);
}

// Through the engine's front end, behind those who came before; a request that
// an engine has had before needs none.
void FleetSimulation::Admit(Job job, size_t row) {
  Engine& e = engines_[row];
  const ReplicaKind& kind = KindOf(e);
  const Duration takes = kind.admit + kind.admit_token * job.request.input;
  if (takes == Duration(0) || job.has_started) {
    e.replica->Add(std::move(job), now_);
    return Touch(row);
  }
  e.front_free = std::max(e.front_free, now_) + takes;
  e.replica->Expect();
  Send(e.front_free, EventKind::kReaches, {.to = row, .job = std::move(job)});
}

void FleetSimulation::Reach(Way way) {
  if (way.to == kNowhere) return Route(std::move(way.job));
  engines_[way.to].replica->AddExpected(std::move(way.job), now_);
  Touch(way.to);
}

// Its keys and values go over the ports of both engines, which take one
// transfer at a time.
void FleetSimulation::Move(Job job, size_t row) {
  Engine& to = engines_[row];
  Engine& from = engines_[job.replica];
  const ReplicaKind& kind = KindOf(from);
  const Instant begin = std::max({now_, from.ports_free, to.ports_free});
  const BytesPerSecond rate = std::min(kind.network, KindOf(to).network);
  const Bytes bytes = kind.kv_per_token * job.computed;
  const Instant end = begin + kind.network_latency + bytes / rate;
  from.ports_free = to.ports_free = end;
  if (tell_.on_transfer) {
    tell_.on_transfer({.job = &job,
                       .from = job.replica,
                       .to = static_cast<uint32_t>(row),
                       .bytes = bytes,
                       .begin = begin,
                       .end = end});
  }
  to.replica->Expect();
  const size_t source = job.replica;
  Send(end, EventKind::kArrives,
       {.from = source, .to = row, .job = std::move(job)});
}

// Keeps a job that is on its way until its event. Of those that are there at
// one instant, the request that was made first goes first.
void FleetSimulation::Send(Instant at, EventKind kind, Way way) {
  if (unused_ways_.empty()) {
    unused_ways_.push_back(static_cast<uint32_t>(ways_.size()));
    ways_.emplace_back();
  }
  const uint32_t index = unused_ways_.back();
  unused_ways_.pop_back();
  way.used = true;
  events_.push({at, kind, way.job.request.id, index, 0, 0});
  ways_[index] = std::move(way);
}

FleetWay FleetSimulation::Take(uint32_t way) {
  unused_ways_.push_back(way);
  return std::exchange(ways_[way], {});
}

// With its keys and values, unless an engine at one of the ends has failed.
void FleetSimulation::Arrive(Way way) {
  if (way.job.computed == 0) return Route(std::move(way.job));
  way.job.transfer += now_ - way.job.last_token;
  engines_[way.to].replica->AddExpected(std::move(way.job), now_);
  Touch(way.to);
  Touch(way.from);  // may be waiting to leave
}

// Where engines for prompts serve the model, to one of them, if any engine can
// take the rest too.
void FleetSimulation::Route(Job job) {
  const bool split = std::any_of(
      fleet_.kinds.begin(), fleet_.kinds.end(), [&](const ReplicaKind& kind) {
        return kind.model == job.request.model && kind.role == Role::kPrefill;
      });
  if (!split) return Place(std::move(job), Role::kBoth, &router_);
  if (job.request.output > 1 && !FindCandidates(job, Role::kDecode).fits) {
    return Refuse(job, Drop::kTooLong);
  }
  Place(std::move(job), Role::kPrefill, &router_);
}

}  // namespace sim
