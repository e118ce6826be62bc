#include "scenarios/serving_run.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "sim/random.h"

namespace scenarios {
namespace {

// Whoever writes a draft runs once for each of its tokens, and over every
// prompt.
sim::StepCost CostWithDraft(std::shared_ptr<hardware::ServingCost> model,
                            std::shared_ptr<hardware::ServingCost> draft,
                            int64_t tokens) {
  return [model, draft, tokens](const sim::StepWork& work) {
    sim::StepTime time = model->Of(work);
    sim::StepWork one = work;
    one.decode_tokens = work.decodes;
    one.prefills.clear();
    if (work.decodes > 0) {
      time.last += draft->Of(one).busy() * tokens;
    }
    if (!work.prefills.empty()) {
      one = work;
      one.decodes = one.decode_tokens = one.decode_keys = 0;
      time.last += draft->Of(one).busy();
    }
    return time;
  };
}

sim::StepCost CostOf(const ServingPool& pool) {
  auto model = std::make_shared<hardware::ServingCost>(
      pool.model, pool.spec, pool.cost, pool.cluster, pool.host);
  if (pool.draft) {
    hardware::EngineHost inside = pool.host;  // the host is counted once
    inside.step = inside.sequence = sim::Duration(0);
    auto draft = std::make_shared<hardware::ServingCost>(
        *pool.draft, pool.spec, pool.cost, pool.cluster, inside);
    return CostWithDraft(model, draft, pool.policy.speculation.tokens());
  }
  return [model](const sim::StepWork& work) { return model->Of(work); };
}

// Work of a pool's steps, of all its GPUs together.
struct WorkRates {
  double flops_of_token = 0, flops_of_pair = 0, flops_of_sample = 0;
  double weight_bytes = 0, key_bytes = 0;
  double stages = 1;
};

WorkRates RatesOf(const ServingPool& pool) {
  const auto flops = [&](double tokens, double pairs, double sampled) {
    return models::ServingFlops(pool.model, tokens, pairs, sampled).count();
  };
  const auto gpus = static_cast<double>(pool.gpus());
  return {.flops_of_token = flops(1, 0, 0),
          .flops_of_pair = flops(0, 1, 0),
          .flops_of_sample = flops(0, 0, 1),
          .weight_bytes =
              static_cast<double>(pool.memory.weights.count()) * gpus,
          .key_bytes = static_cast<double>(
                           models::CacheBytesPerToken(pool.model, pool.spec)
                               .count()) *
                       gpus,
          .stages = static_cast<double>(pool.spec.pipeline)};
}

// What a run leaves out at its end, known once it has been run.
struct Cut {
  sim::Instant last = {sim::kForever};  // arrivals behind it do not count …
  int64_t ids = std::numeric_limits<int64_t>::max();  // … nor ids from here on
};

class Collector {
 public:
  Collector(const ServingInputs& inputs, const Cut& cut)
      : inputs_(inputs), cut_(cut) {
    o_.good.resize(inputs.objectives.size());
    o_.of_class.resize(inputs.objectives.size());
    o_.until_last_arrival = inputs.exclude.drain();
    for (const ServingPool& pool : inputs.pools) {
      rates_.push_back(RatesOf(pool));
      kind_of_.insert(kind_of_.end(), static_cast<size_t>(pool.replicas),
                      rates_.size() - 1);
    }
  }

  void Done(const sim::Job& job);
  void Dropped(const sim::Request& request, sim::Drop why);
  void Step(const sim::StepRecord& step);
  ServingOutcome Take(sim::Served served);

 private:
  void Count(const sim::Job& job);
  void CountWork(const sim::StepRecord& step, double seconds);
  Interval* At(sim::Instant instant);
  bool Excluded(sim::Instant arrival, int64_t id) const;

  const ServingInputs& inputs_;
  const Cut cut_;
  std::vector<WorkRates> rates_;  // by pool
  std::vector<size_t> kind_of_;   // by engine; ones that start later: the first
  ServingOutcome o_;
};

Interval* Collector::At(sim::Instant instant) {
  if (inputs_.interval == sim::Duration(0)) return nullptr;
  const auto row = static_cast<size_t>(instant.since_start.count() /
                                       inputs_.interval.count());
  if (row >= o_.series.size()) o_.series.resize(row + 1);
  return &o_.series[row];
}

bool Collector::Excluded(sim::Instant arrival, int64_t id) const {
  const proto::Workload::Exclude& x = inputs_.exclude;
  return sim::InSeconds(arrival.since_start) < x.first_seconds() ||
         id < x.first_requests() || arrival > cut_.last || id >= cut_.ids;
}

void Collector::Count(const sim::Job& job) {
  const double e2e = sim::InSeconds(job.finish - job.request.arrival);
  o_.ttft.Add(sim::InSeconds(job.first_token - job.request.arrival));
  if (job.request.output > 1) o_.tpot.Add(TimePerToken(job));
  o_.e2e.Add(e2e);
  o_.normalised.Add(e2e / static_cast<double>(job.request.output));
  ++o_.counted;
  o_.input_tokens += job.request.input;
  o_.output_tokens += job.request.output;
  o_.cached_tokens += job.cached;
  const sim::LatencyParts parts = job.parts();
  o_.all.Add(parts);
  if (inputs_.objectives.empty()) return;
  const size_t row = job.request.slo_class % inputs_.objectives.size();
  ++o_.of_class[row];
  if (Meets(inputs_.objectives[row], job)) {
    ++o_.good[row];
    ++o_.good_requests;
  } else {
    o_.late.Add(parts);
  }
}

void Collector::Done(const sim::Job& job) {
  o_.last_arrival = std::max(o_.last_arrival, job.request.arrival);
  if (Interval* in = At(job.finish)) ++in->done;
  if (Interval* in = At(job.request.arrival)) ++in->arrived;
  if (Excluded(job.request.arrival, job.request.id)) return;
  o_.last_done = std::max(o_.last_done, job.finish);
  o_.first_arrival = o_.counted == 0
                         ? job.request.arrival
                         : std::min(o_.first_arrival, job.request.arrival);
  Count(job);
}

void Collector::Dropped(const sim::Request& request, sim::Drop why) {
  o_.last_arrival = std::max(o_.last_arrival, request.arrival);
  switch (why) {
    case sim::Drop::kTooLong:
      ++o_.too_long;
      break;
    case sim::Drop::kQueueFull:
      ++o_.queue_full;
      break;
    case sim::Drop::kUnserved:
      ++o_.unserved;
      break;
  }
  if (Interval* in = At(request.arrival)) ++in->arrived;
  if (inputs_.objectives.empty()) return;
  ++o_.of_class[request.slo_class % inputs_.objectives.size()];
}

void Collector::CountWork(const sim::StepRecord& step, double seconds) {
  const WorkRates& rates =
      rates_[step.replica < kind_of_.size() ? kind_of_[step.replica] : 0];
  const sim::StepWork& w = *step.work;
  auto tokens = static_cast<double>(w.decode_tokens);
  auto keys = static_cast<double>(w.decode_keys);
  double pairs = keys, sampled = static_cast<double>(w.decodes);
  for (const sim::PrefillChunk& c : w.prefills) {
    const auto q = static_cast<double>(c.tokens);
    tokens += q;
    keys += static_cast<double>(c.keys);
    pairs += q * (static_cast<double>(c.keys) - (q - 1) / 2);
    sampled += c.last ? 1 : 0;
  }
  o_.flops += rates.flops_of_token * tokens + rates.flops_of_pair * pairs +
              rates.flops_of_sample * sampled;
  o_.bytes += rates.weight_bytes + rates.key_bytes * keys;
  o_.busy_seconds += seconds / rates.stages;
}

void Collector::Step(const sim::StepRecord& step) {
  const sim::Replica& engine = *step.engine;
  const double seconds = sim::InSeconds(step.end - step.begin);
  const double used =
      static_cast<double>(engine.cache().used()) /
      static_cast<double>(std::max<int64_t>(1, engine.cache().options().blocks));
  const auto sequences = static_cast<double>(
      step.work->decodes + static_cast<int64_t>(step.work->prefills.size()));
  const auto waiting = static_cast<double>(engine.waiting());
  CountWork(step, seconds);
  o_.step_seconds += seconds;
  o_.running += sequences * seconds;
  o_.waiting += waiting * seconds;
  o_.cache_used += used * seconds;
  const auto room = static_cast<double>(engine.cache().used() *
                                        engine.cache().options().block_tokens);
  if (room > 0) {
    const auto held = static_cast<double>(engine.TokensHeld());
    o_.cache_waste += std::max(0.0, 1 - held / room) * seconds;
  }
  o_.decode_sequences += static_cast<double>(step.work->decodes) * seconds;
  o_.most_running = std::max(o_.most_running, engine.running());
  o_.most_waiting = std::max(o_.most_waiting, engine.waiting());
  o_.most_cache_used = std::max(o_.most_cache_used, used);
  if (Interval* in = At(step.end)) {
    in->running += sequences * seconds;
    in->waiting += waiting * seconds;
    in->cache_used += used * seconds;
    in->busy_seconds += seconds;
    in->tokens += step.work->decodes;
  }
}

ServingOutcome Collector::Take(sim::Served served) {
  o_.served = std::move(served);
  for (Interval& in : o_.series) {
    if (in.busy_seconds <= 0) continue;
    in.running /= in.busy_seconds;
    in.waiting /= in.busy_seconds;
    in.cache_used /= in.busy_seconds;
  }
  return std::move(o_);
}

}  // namespace

double Latencies::Quantile(double share) const {
  if (values_.empty()) return 0;
  if (!sorted_) {
    std::sort(values_.begin(), values_.end());
    sorted_ = true;
  }
  const auto rank = static_cast<size_t>(
      std::ceil(share * static_cast<double>(values_.size())));
  return values_[std::clamp<size_t>(rank, 1, values_.size()) - 1];
}

void PartSums::Add(const sim::LatencyParts& parts) {
  ++requests;
  queue += sim::InSeconds(parts.queue);
  prefill += sim::InSeconds(parts.prefill);
  transfer += sim::InSeconds(parts.transfer);
  decode += sim::InSeconds(parts.decode);
  interference += sim::InSeconds(parts.interference);
  preemption += sim::InSeconds(parts.preemption);
}

double TimePerToken(const sim::Job& job) {
  if (job.request.output <= 1) return 0;
  return sim::InSeconds(job.finish - job.first_token) /
         static_cast<double>(job.request.output - 1);
}

bool Meets(const Objective& objective, const sim::Job& job) {
  const double ttft = sim::InSeconds(job.first_token - job.request.arrival);
  const double e2e = sim::InSeconds(job.finish - job.request.arrival);
  return (!objective.ttft_seconds || ttft <= *objective.ttft_seconds) &&
         (!objective.tpot_seconds ||
          TimePerToken(job) <= *objective.tpot_seconds) &&
         (!objective.e2e_seconds || e2e <= *objective.e2e_seconds);
}

bool Fits(const ServingInputs& inputs) {
  return std::all_of(inputs.pools.begin(), inputs.pools.end(),
                     [](const ServingPool& p) { return p.memory.blocks > 0; });
}

sim::Fleet FleetOf(const ServingInputs& inputs) {
  sim::Fleet fleet{.kinds = {},
                   .replicas = {},
                   .router = inputs.router,
                   .seed = inputs.seed,
                   .max_waiting = inputs.max_queue,
                   .request_overhead = inputs.request_overhead,
                   .autoscaling = inputs.autoscaling,
                   .failures = inputs.failures,
                   .most = inputs.most};
  for (size_t row = 0; row < inputs.pools.size(); ++row) {
    const ServingPool& pool = inputs.pools[row];
    const hardware::Cluster& c = pool.cluster;
    sim::EnginePolicy policy = pool.policy;
    policy.seed = inputs.seed;
    const double ports = c.nic_rate.count() * c.nics_per_node *
                         static_cast<double>(pool.gpus()) / c.gpus_per_node;
    fleet.kinds.push_back(
        {.policy = policy,
         .cache = pool.cache,
         .cost = CostOf(pool),
         .role = pool.role,
         .model = pool.model_index,
         .admit = pool.admit,
         .admit_token = pool.admit_token,
         .kv_per_token =
             models::CacheBytesPerToken(pool.model, pool.spec) * pool.gpus(),
         .network = sim::BytesPerSecond(
             ports > 0 ? ports * c.network.efficiency : c.nvlink_rate.count()),
         .network_latency = c.network.start + c.network.step,
         .cold_start = pool.cold_start});
    fleet.replicas.insert(fleet.replicas.end(),
                          static_cast<size_t>(pool.replicas), row);
  }
  return fleet;
}

namespace {

// One of several things by their shares, for a draw from 0 to 1.
size_t PickShare(const std::vector<double>& shares, double drawn) {
  double all = 0;
  for (const double share : shares) all += share;
  double at = drawn * all;
  for (size_t row = 0; row + 1 < shares.size(); ++row) {
    if (at < shares[row]) return row;
    at -= shares[row];
  }
  return shares.size() - 1;
}

// Draws the model and the class of each request, those of a conversation alike.
std::function<void(sim::Request*)> MarkerOf(const ServingInputs& inputs) {
  std::vector<double> models = inputs.model_shares, classes;
  if (models.empty()) {
    uint32_t most = 0;
    for (const ServingPool& p : inputs.pools) most = std::max(most, p.model_index);
    models.assign(most + 1, 1.0);
  }
  for (const Objective& o : inputs.objectives) classes.push_back(o.share);
  if (models.size() == 1 && classes.size() <= 1 &&
      (classes.empty() || inputs.objectives[0].priority == 0)) {
    return nullptr;
  }
  return [&inputs, models, classes](sim::Request* r) {
    const auto who =
        static_cast<uint64_t>(r->session >= 0 ? r->session : r->id);
    sim::SplitMix64 random(sim::Hash({inputs.seed, 0x6d61726b, who}));
    const auto draw = [&] {
      return static_cast<double>(random() >> 11) * 0x1p-53;
    };
    r->model = static_cast<uint32_t>(PickShare(models, draw()));
    if (classes.empty()) return;
    r->slo_class = static_cast<uint32_t>(PickShare(classes, draw()));
    r->priority = inputs.objectives[r->slo_class].priority;
  };
}

ServingOutcome ServeOnce(const ServingInputs& inputs,
                         const ServingOptions& options, const Cut& cut) {
  const sim::Fleet fleet = FleetOf(inputs);
  sim::Workload workload = inputs.workload->Make(options.load);
  workload.Mark(MarkerOf(inputs));
  Collector collector(inputs, cut);
  const sim::Listeners& also = options.listeners;
  sim::Listeners listeners = also;
  listeners.on_done = [&](const sim::Job& job) {
    collector.Done(job);
    if (also.on_done) also.on_done(job);
  };
  listeners.on_dropped = [&](const sim::Request& request, sim::Drop why) {
    collector.Dropped(request, why);
    if (also.on_dropped) also.on_dropped(request, why);
  };
  listeners.on_step = [&](const sim::StepRecord& step) {
    collector.Step(step);
    if (also.on_step) also.on_step(step);
  };
  return collector.Take(sim::Serve(fleet, &workload, listeners));
}

}  // namespace

// What is left out at the end is known at the end: then the run is made twice.
ServingOutcome Serve(const ServingInputs& inputs,
                     const ServingOptions& options) {
  const proto::Workload::Exclude& x = inputs.exclude;
  Cut cut;
  if (x.last_seconds() > 0 || x.last_requests() > 0) {
    const ServingOutcome first =
        ServeOnce(inputs, {.load = options.load}, cut);
    cut.last = first.last_arrival;
    cut.last.since_start -= sim::Seconds(x.last_seconds());
    cut.ids = first.served.arrived - x.last_requests();
  }
  return ServeOnce(inputs, options, cut);
}

}  // namespace scenarios
