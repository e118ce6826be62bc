#include "scenarios/load_probe.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

namespace scenarios {
namespace {

double Count(int64_t n) { return static_cast<double>(n); }
double Share(double part, double whole) { return whole > 0 ? part / whole : 0; }

// A request that has been answered or refused.
struct Seen {
  double arrival = 0, finish = 0;  // seconds
  double ttft = 0, tpot = 0;
  double wait = 0;  // for a first step, for room, and put aside
  int64_t id = 0, output = 0;
  size_t objective = 0;
  bool refused = false, good = false;
  bool misses_ttft = false, misses_tpot = false, misses_e2e = false;
  sim::LatencyParts parts = {};
};

Seen SeenOf(const ServingInputs& inputs, const sim::Job& job) {
  const size_t row = job.request.slo_class % inputs.objectives.size();
  const Objective& o = inputs.objectives[row];
  Seen seen{.arrival = sim::InSeconds(job.request.arrival.since_start),
            .finish = sim::InSeconds(job.finish.since_start),
            .ttft = sim::InSeconds(job.first_token - job.request.arrival),
            .tpot = TimePerToken(job),
            .id = job.request.id,
            .output = job.request.output,
            .objective = row,
            .good = Meets(o, job),
            .parts = job.parts()};
  seen.wait = sim::InSeconds(seen.parts.queue + seen.parts.transfer +
                             seen.parts.preemption);
  seen.misses_ttft = o.ttft_seconds && seen.ttft > *o.ttft_seconds;
  seen.misses_tpot = o.tpot_seconds && seen.tpot > *o.tpot_seconds;
  seen.misses_e2e =
      o.e2e_seconds && seen.finish - seen.arrival > *o.e2e_seconds;
  return seen;
}

// What has been seen of a run, and the part of it that is judged.
struct Run {
  std::vector<Seen> seen;  // by arrival
  ServingOutcome outcome;
  double from = 0, until = 0;  // seconds
  bool judges(const Seen& s) const {
    return s.arrival >= from && s.arrival <= until;
  }
};

// Of a load whose requests all arrive by themselves, the time of the last; of
// conversations, the time by which the last has begun.
void SetWindow(bool closed, double load, int64_t requests, Run* run) {
  const auto rows = static_cast<int64_t>(run->seen.size());
  if (rows == 0) return;
  const int64_t first =
      closed ? std::min<int64_t>(2 * static_cast<int64_t>(load), rows / 2)
             : rows / 5;
  run->from = run->seen[static_cast<size_t>(first)].arrival;
  run->until = run->seen.back().arrival;
  if (!closed) {
    run->until = std::clamp(Count(requests) / load, run->from, run->until);
  }
}

Run RunLoad(const ServingInputs& inputs, double load, int64_t requests) {
  Run run;
  const bool closed = IsClosedLoop(inputs);
  ServingOptions options;
  options.load.requests = requests;
  if (closed) {
    options.load.concurrency = static_cast<int64_t>(load);
  } else {
    options.load.requests_per_second = load;
  }
  options.listeners.on_done = [&](const sim::Job& job) {
    run.seen.push_back(SeenOf(inputs, job));
  };
  options.listeners.on_dropped = [&](const sim::Request& r, sim::Drop) {
    run.seen.push_back(
        {.arrival = sim::InSeconds(r.arrival.since_start),
         .id = r.id,
         .output = r.output,
         .objective = r.slo_class % inputs.objectives.size(),
         .refused = true});
  };
  run.outcome = Serve(inputs, options);
  std::sort(run.seen.begin(), run.seen.end(), [](const Seen& a, const Seen& b) {
    return std::pair(a.arrival, a.id) < std::pair(b.arrival, b.id);
  });
  SetWindow(closed, load, requests, &run);
  return run;
}

// Mean of a column and the standard error that the means of ten batches of it
// show.
std::pair<double, double> MeanOf(const std::vector<double>& values) {
  constexpr size_t kBatches = 10;
  const size_t each = values.size() / kBatches;
  if (each == 0) return {0, 0};
  double sum = 0, squares = 0;
  for (size_t batch = 0; batch < kBatches; ++batch) {
    double mean = 0;
    for (size_t i = 0; i < each; ++i) mean += values[batch * each + i];
    mean /= static_cast<double>(each);
    sum += mean;
    squares += mean * mean;
  }
  const double mean = sum / kBatches;
  const double variance =
      std::max(0.0, squares / kBatches - mean * mean) / (kBatches - 1);
  return {mean, std::sqrt(variance)};
}

// Above capacity, waits grow by 1 - capacity / load for as long as requests
// arrive. A growth below half a percent, or within four standard errors, may be
// chance.
void JudgeGrowth(const Run& run, Probe* probe) {
  constexpr double kLeastGrowth = 0.005, kErrors = 4;
  const double middle = (run.from + run.until) / 2;
  std::vector<double> before, after;
  for (const Seen& s : run.seen) {
    if (!run.judges(s) || s.refused) continue;
    (s.arrival < middle ? before : after).push_back(s.wait);
  }
  const auto [earlier, earlier_error] = MeanOf(before);
  const auto [later, later_error] = MeanOf(after);
  const double error = std::hypot(earlier_error, later_error);
  probe->wait_growth = Share(later - earlier, middle - run.from);
  probe->stable = probe->wait_growth < kLeastGrowth ||
                  later - earlier < kErrors * error;
}

void CountAttained(const ServingInputs& inputs, const Run& run, Probe* probe) {
  for (size_t row = 0; row < inputs.objectives.size(); ++row) {
    std::vector<bool> good;
    for (const Seen& s : run.seen) {
      if (run.judges(s) && s.objective == row) good.push_back(s.good);
    }
    const auto met = std::count(good.begin(), good.end(), true);
    probe->attained.push_back({.good = met,
                               .of = static_cast<int64_t>(good.size()),
                               .wanted = inputs.objectives[row].attainment,
                               .range = ShareInterval(good)});
  }
}

void AddRequests(const Run& run, Probe* probe) {
  double tokens = 0, done = 0, present = 0;
  for (const Seen& s : run.seen) {
    if (!s.refused && s.finish > run.from && s.finish <= run.until) {
      done += 1;
      tokens += Count(s.output);
    }
    present += std::max(0.0, std::min(s.finish, run.until) -
                                 std::max(s.arrival, run.from));
    if (!run.judges(s)) continue;
    ++probe->judged;
    probe->refused += s.refused ? 1 : 0;
    if (s.refused) continue;
    probe->ttft.Add(s.ttft);
    if (s.output > 1) probe->tpot.Add(s.tpot);
    probe->e2e.Add(s.finish - s.arrival);
    probe->all.Add(s.parts);
    if (!s.good) probe->late.Add(s.parts);
    probe->missed_ttft += s.misses_ttft ? 1 : 0;
    probe->missed_tpot += s.misses_tpot ? 1 : 0;
    probe->missed_e2e += s.misses_e2e ? 1 : 0;
  }
  const double seconds = run.until - run.from;
  probe->present = Share(present, seconds);
  probe->requests_per_second = Share(done, seconds);
  probe->output_tokens_per_second = Share(tokens, seconds);
}

void AddEngines(const ServingOutcome& o, Probe* probe) {
  probe->busy = Share(o.busy_seconds, o.served.replica_seconds);
  probe->running = Share(o.running, o.step_seconds);
  probe->cache_used = Share(o.cache_used, o.step_seconds);
  probe->preemptions = o.served.preemptions;
}

// What a load settles to: the whole of it is asked for, not until some moment,
// and nothing is left out of the outcome's own figures.
ServingInputs Endless(const ServingInputs& inputs) {
  ServingInputs endless = inputs;
  endless.most = sim::kForever;
  endless.interval = {};
  endless.exclude.Clear();
  return endless;
}

// Whether an objective says how long a request may wait.
bool BoundsWaits(const ServingInputs& inputs) {
  return std::any_of(
      inputs.objectives.begin(), inputs.objectives.end(),
      [](const Objective& o) { return o.ttft_seconds || o.e2e_seconds; });
}

Probe Judge(const ServingInputs& inputs, double load, const Run& run) {
  Probe probe{.load = load, .gpus = inputs.gpus()};
  for (const ServingPool& pool : inputs.pools) probe.engines += pool.replicas;
  probe.requests = static_cast<int64_t>(run.seen.size());
  CountAttained(inputs, run, &probe);
  AddRequests(run, &probe);
  AddEngines(run.outcome, &probe);
  if (IsClosedLoop(inputs)) {
    const double waits = probe.all.queue + probe.all.preemption;
    probe.stable =
        BoundsWaits(inputs) ||
        waits <= 0.5 * probe.e2e.mean() * Count(probe.all.requests);
  } else {
    JudgeGrowth(run, &probe);
  }
  return probe;
}

}  // namespace

Confidence WilsonInterval(double share, double draws) {
  assert(draws > 0);
  constexpr double kZ = 1.959963985;  // of 95 %
  const double z2 = kZ * kZ / draws;
  const double middle = (share + z2 / 2) / (1 + z2);
  const double half =
      kZ / (1 + z2) *
      std::sqrt(share * (1 - share) / draws + z2 / (4 * draws));
  return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

Confidence ShareInterval(const std::vector<bool>& good) {
  constexpr size_t kBatches = 20;
  if (good.empty()) return {1, 1};  // there is none that is not
  const auto draws = static_cast<double>(good.size());
  const double share =
      static_cast<double>(std::count(good.begin(), good.end(), true)) / draws;
  const size_t each = good.size() / kBatches;
  const double alone = share * (1 - share);
  if (each == 0 || alone <= 0) return WilsonInterval(share, draws);
  double squares = 0;
  for (size_t batch = 0; batch < kBatches; ++batch) {
    const auto first = good.begin() + static_cast<ptrdiff_t>(batch * each);
    const auto met =
        std::count(first, first + static_cast<ptrdiff_t>(each), true);
    const double off =
        static_cast<double>(met) / static_cast<double>(each) - share;
    squares += off * off;
  }
  const double bunched =
      squares / (kBatches - 1) * static_cast<double>(each) / alone;
  return WilsonInterval(
      share, draws / std::clamp(bunched, 1.0, static_cast<double>(each)));
}

bool Probe::meets() const {
  return stable && std::all_of(attained.begin(), attained.end(),
                               [](const Attained& a) {
                                 return a.share() >= a.wanted;
                               });
}

bool Probe::surely_meets() const {
  return stable && std::all_of(attained.begin(), attained.end(),
                               [](const Attained& a) {
                                 return a.range.low >= a.wanted;
                               });
}

bool Probe::surely_misses() const {
  return !stable || std::any_of(attained.begin(), attained.end(),
                                [](const Attained& a) {
                                  return a.range.high < a.wanted;
                                });
}

bool Probe::idle() const {
  return present < 0.05 * Count(engines);
}

Probe ProbeLoad(const ServingInputs& inputs, double load,
                const ProbeOptions& options) {
  assert(HasLoad(inputs) && load > 0 && !inputs.objectives.empty());
  const ServingInputs endless = Endless(inputs);
  const bool closed = IsClosedLoop(inputs);
  // A load that most requests suffer from shows in an eighth of them.
  if (!closed) {
    const int64_t few = std::max<int64_t>(100, options.requests / 8);
    const Probe first = Judge(endless, load, RunLoad(endless, load, few));
    for (const Attained& a : first.attained) {
      if (a.of > 0 && a.share() < 0.5 * a.wanted) return first;
    }
  }
  constexpr double kRounds = 8, kLengths = 5;
  int64_t requests = options.requests;
  if (closed) {
    requests = std::max(requests, static_cast<int64_t>(kRounds * load));
  }
  for (;;) {
    const Run run = RunLoad(endless, load, requests);
    Probe probe = Judge(endless, load, run);
    const double wanted = kLengths * probe.e2e.mean();
    // What is missed in a short run is missed in a long one; but waits may
    // grow only while the fleet fills.
    const bool fills = !probe.stable && probe.wait_growth < 0.3;
    if (closed || !(probe.meets() || fills) || run.until >= wanted ||
        requests >= options.most_requests) {
      return probe;
    }
    requests = std::min(options.most_requests, 2 * requests);
  }
}

bool IsClosedLoop(const ServingInputs& inputs) {
  return inputs.workload->concurrency().has_value();
}

bool HasLoad(const ServingInputs& inputs) {
  return IsClosedLoop(inputs) ||
         inputs.workload->requests_per_second().has_value();
}

double LoadOf(const ServingInputs& inputs) {
  return IsClosedLoop(inputs) ? Count(*inputs.workload->concurrency())
                              : *inputs.workload->requests_per_second();
}

}  // namespace scenarios
