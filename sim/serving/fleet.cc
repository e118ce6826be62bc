// What happens when: the events of a fleet in order.
#include <algorithm>
#include <optional>
#include <utility>

#include "sim/serving/fleet_simulation.h"

namespace sim {

void FleetSimulation::Touch(size_t engine) {
  if (engines_[engine].touched) return;
  engines_[engine].touched = true;
  touched_.push_back(engine);
}

void FleetSimulation::Refuse(const Job& job, Drop why) {
  ++served_.dropped;
  served_.lost_tokens += job.generated;
  if (tell_.on_dropped) tell_.on_dropped(job.request, why);
  workload_.Done(job.request, now_);
}

void FleetSimulation::Done(Job job) {
  ++served_.done;
  if (tell_.on_done) tell_.on_done(job);
  workload_.Done(job.request, now_);
}

void FleetSimulation::TakeArrivals() {
  while (workload_.next() == now_) {
    Job job{.request = workload_.Take()};
    ++served_.arrived;
    if (tell_.on_arrive) tell_.on_arrive(job.request);
    const Duration way = fleet_.request_overhead;
    if (way == Duration(0)) {
      Route(std::move(job));
    } else {
      Send(now_ + way, EventKind::kReaches, {.job = std::move(job)});
    }
  }
}

void FleetSimulation::BeginSteps() {
  // Closed loops may make a request arrive at the instant of another's end.
  std::sort(touched_.begin(), touched_.end());
  for (const size_t row : touched_) {
    Engine& e = engines_[row];
    e.touched = false;
    if (!e.up) continue;
    for (int m = 0; m < e.replica->policy().microbatches; ++m) {
      if (!e.replica->idle(m)) continue;
      const std::optional<Instant> end = e.replica->Begin(m, now_);
      if (!end) continue;
      e.began[static_cast<size_t>(m)] = now_;
      Push(*end, EventKind::kStepEnds, row, static_cast<uint32_t>(m), e.life);
    }
    if (e.leaving && MayLeave(row)) SetUp(row, false);
  }
  touched_.clear();
}

void FleetSimulation::EndStep(const Event& event) {
  Engine& e = engines_[event.index];
  if (event.life != e.life) return;
  const auto microbatch = static_cast<int>(event.detail);
  outcome_.done.clear();
  outcome_.gaps.clear();
  outcome_.tokens = outcome_.first_tokens = 0;
  e.replica->End(microbatch, now_, &outcome_);
  ++served_.steps;
  served_.tokens += outcome_.tokens;
  for (const auto& [gap, times] : outcome_.gaps) served_.gaps.Add(gap, times);
  if (tell_.on_step) {
    tell_.on_step({.replica = event.index,
                   .microbatch = microbatch,
                   .begin = e.began[event.detail],
                   .end = now_,
                   .work = &e.replica->work(microbatch),
                   .engine = e.replica.get()});
  }
  Touch(event.index);
  std::vector<Job> done = std::move(outcome_.done);
  for (Job& job : done) {
    job.replica = event.index;
    if (job.generated >= job.request.output) {
      Done(std::move(job));
    } else {
      Place(std::move(job), Role::kDecode, &second_router_);
    }
  }
}

void FleetSimulation::Handle(const Event& event) {
  switch (event.kind) {
    case EventKind::kStepEnds:
      return EndStep(event);
    case EventKind::kReaches:
      return Reach(Take(event.index));
    case EventKind::kArrives:
      return Arrive(Take(event.index));
    case EventKind::kStarts:
      SetUp(event.index, true);
      return Touch(event.index);
    case EventKind::kFails:
      return Fail(fleet_.failures[event.index]);
    case EventKind::kRecovers:
      return Recover(fleet_.failures[event.index].replica);
  }
}

// What is still there when the clock stops is dropped, and said to be.
void FleetSimulation::Finish() {
  std::vector<Job> left = std::exchange(homeless_, {});
  for (Engine& e : engines_) {
    for (Job& job : e.replica->Abandon(now_)) left.push_back(std::move(job));
    served_.preemptions += e.replica->preemptions();
    if (e.up || e.starting)
      served_.replica_seconds += InSeconds(now_ - e.since);
  }
  for (Way& way : ways_) {
    if (way.used) left.push_back(std::move(way.job));
  }
  std::sort(left.begin(), left.end(), [](const Job& a, const Job& b) {
    return a.request.id < b.request.id;
  });
  for (const Job& job : left) {
    ++served_.dropped;
    served_.lost_tokens += job.generated;
    if (tell_.on_dropped) tell_.on_dropped(job.request, Drop::kUnserved);
  }
  served_.end = now_;
}

Served FleetSimulation::Run() {
  for (const size_t kind : fleet_.replicas) AddEngine(kind, Duration(0));
  for (size_t f = 0; f < fleet_.failures.size(); ++f) {
    const Failure& failure = fleet_.failures[f];
    Push(failure.at, EventKind::kFails, f);
    Push(failure.at + failure.lasts, EventKind::kRecovers, f);
  }
  while (const std::optional<Instant> next = Next()) {
    if (next->since_start > fleet_.most) {
      now_ = {fleet_.most};
      break;
    }
    now_ = *next;
    while (!events_.empty() && events_.top().at == now_) {
      const Event event = events_.top();
      events_.pop();
      Handle(event);
    }
    TakeArrivals();
    if (Scales() && next_look_ == now_) Scale();
    BeginSteps();
  }
  Finish();
  return std::move(served_);
}

// When something happens next that may matter to a request; nothing once all
// are done, or none of the rest ever will be.
std::optional<Instant> FleetSimulation::Next() {
  std::optional<Instant> next = workload_.next();
  if (!next && served_.arrived == served_.done + served_.dropped) {
    return std::nullopt;
  }
  if (!events_.empty() && (!next || events_.top().at < *next)) {
    next = events_.top().at;
  }
  if (next) {
    looked_in_vain_ = false;
  } else if (looked_in_vain_) {
    return std::nullopt;
  }
  if (Scales() && (!next || next_look_ < *next)) {
    looked_in_vain_ = !next;
    next = next_look_;
  }
  return next;
}

Served Serve(const Fleet& fleet, Workload* workload,
             const Listeners& listeners) {
  return FleetSimulation(fleet, workload, listeners).Run();
}

}  // namespace sim
