// Engines that start, stop, fail and come back.
#include <algorithm>
#include <cassert>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "sim/serving/fleet_simulation.h"

namespace sim {

void FleetSimulation::AddEngine(size_t kind, Duration start) {
  const ReplicaKind& k = fleet_.kinds[kind];
  EnginePolicy policy = k.policy;
  policy.seed += engines_.size();
  policy.prefill_only = k.role == Role::kPrefill;
  engines_.push_back(
      {.kind = kind,
       .replica = std::make_unique<Replica>(policy, k.cache, k.cost),
       .since = now_,
       .ports_free = now_,
       .began =
           std::vector<Instant>(static_cast<size_t>(policy.microbatches))});
  if (tell_.on_job) {
    const auto row = static_cast<uint32_t>(engines_.size() - 1);
    engines_.back().replica->Watch(
        [this, row](const Job& job, JobEvent event, Instant at) {
          tell_.on_job(job, event, row, at);
        });
  }
  served_.kind_of.push_back(kind);
  if (start == Duration(0)) {
    SetUp(engines_.size() - 1, true);
  } else {
    engines_.back().starting = true;
    Push(now_ + start, EventKind::kStarts, engines_.size() - 1);
  }
}

void FleetSimulation::SetUp(size_t engine, bool up) {
  Engine& e = engines_[engine];
  e.up = up;
  e.starting = false;
  if (tell_.on_replica) {
    tell_.on_replica(static_cast<uint32_t>(engine), now_, up);
  }
  if (!up) {
    served_.replica_seconds += InSeconds(now_ - e.since);
    return;
  }
  std::vector<Job> jobs = std::exchange(homeless_, {});
  for (Job& job : jobs) {
    if (job.generated > 0 && job.computed > 0) {
      Place(std::move(job), Role::kDecode, &second_router_);
    } else {
      Route(std::move(job));
    }
  }
}

// Of requests whose keys and values an engine sends, keeps or receives.
void FleetSimulation::LoseCaches(size_t engine) {
  const auto lose = [&](Job& job) {
    if (job.computed == 0) return;
    job.transfer += now_ - job.last_token;
    job.Lose(now_);
  };
  for (Way& way : ways_) {
    // What its front end holds goes to the router again.
    if (way.used && way.to == engine && way.job.computed == 0) {
      way.to = kNowhere;
    }
    if (!way.used || way.job.computed == 0) continue;
    if (way.from != engine && way.to != engine) continue;
    if (way.to != engine) engines_[way.to].replica->Unexpect();
    lose(way.job);
  }
  for (Job& job : homeless_) {
    if (job.replica == engine) lose(job);
  }
}

// Nobody needs it or what it keeps.
bool FleetSimulation::MayLeave(size_t engine) const {
  const auto sends = [&](const Way& way) {
    return way.used && way.from == engine && way.job.computed > 0;
  };
  const auto keeps = [&](const Job& job) {
    return job.computed > 0 && job.replica == engine;
  };
  return engines_[engine].replica->outstanding() == 0 &&
         std::none_of(ways_.begin(), ways_.end(), sends) &&
         std::none_of(homeless_.begin(), homeless_.end(), keeps);
}

void FleetSimulation::Fail(const Failure& failure) {
  if (failure.replica >= engines_.size()) return;
  Engine& e = engines_[failure.replica];
  if (!e.up && !e.failed) return;
  e.down_until = std::max(e.down_until, failure.at + failure.lasts);
  if (e.failed) return;
  e.failed = !e.leaving;
  ++e.life;
  LoseCaches(failure.replica);
  std::vector<Job> lost = e.replica->Abandon(now_);
  e.ports_free = now_;
  SetUp(failure.replica, false);
  for (Job& job : lost) Route(std::move(job));
}

void FleetSimulation::Recover(size_t engine) {
  if (engine >= engines_.size()) return;
  Engine& e = engines_[engine];
  if (!e.failed || now_ < e.down_until) return;
  e.failed = false;
  e.since = now_;
  SetUp(engine, true);
  Touch(engine);
}

// One decision at a time: up at once to what the requests need, down by one
// engine after the fleet has had too few for long enough.
void FleetSimulation::Scale() {
  const Autoscaling& a = fleet_.autoscaling;
  assert(a.interval > Duration(0) && a.least <= a.most);
  next_look_ = now_ + a.interval;
  int64_t outstanding = static_cast<int64_t>(homeless_.size());
  int64_t there = 0;
  std::optional<size_t> last;
  for (size_t row = 0; row < engines_.size(); ++row) {
    const Engine& e = engines_[row];
    if (e.kind != 0) continue;
    outstanding += e.replica->outstanding();
    if (e.leaving || (!e.up && !e.starting)) continue;
    ++there;
    if (e.up) last = row;
  }
  const int64_t wanted = std::clamp(
      (outstanding + a.target_outstanding - 1) / a.target_outstanding, a.least,
      a.most);
  for (; there < wanted; ++there) AddEngine(0, fleet_.kinds[0].cold_start);
  if (wanted >= there) quiet_since_ = now_;
  if (there > wanted && last && now_ - quiet_since_ >= a.patience) {
    engines_[*last].leaving = true;
    Touch(*last);
    quiet_since_ = now_;
  }
}

}  // namespace sim
