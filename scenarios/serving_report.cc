#include "scenarios/serving_report.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace scenarios {
namespace {

constexpr double kMs = 1e3, kMillion = 1e6, kHour = 3600;

double Count(int64_t n) { return static_cast<double>(n); }
double Share(double part, double whole) { return whole > 0 ? part / whole : 0; }

void AddLatency(const std::string& kind, const Latencies& l,
                ServingReport* report) {
  if (l.size() == 0) return;
  Latency* latency = report->add_latency();
  latency->set_kind(kind);
  latency->set_mean_ms(l.mean() * kMs);
  latency->set_p50_ms(l.Quantile(0.5) * kMs);
  latency->set_p90_ms(l.Quantile(0.9) * kMs);
  latency->set_p95_ms(l.Quantile(0.95) * kMs);
  latency->set_p99_ms(l.Quantile(0.99) * kMs);
}

void AddGaps(const sim::Histogram& gaps, ServingReport* report) {
  if (gaps.count() == 0) return;
  const auto ms = [&](double share) {
    return sim::InSeconds(gaps.Quantile(share)) * kMs;
  };
  Latency* latency = report->add_latency();
  latency->set_kind("itl");
  latency->set_mean_ms(gaps.mean_seconds() * kMs);
  latency->set_p50_ms(ms(0.5));
  latency->set_p90_ms(ms(0.9));
  latency->set_p95_ms(ms(0.95));
  latency->set_p99_ms(ms(0.99));
}

std::string RoleName(sim::Role role) {
  return role == sim::Role::kPrefill  ? "prefill"
         : role == sim::Role::kDecode ? "decode"
                                      : "both";
}

std::string SplitOf(const models::ServingSpec& spec) {
  std::string split = absl::StrCat("tp ", spec.tensor);
  if (spec.pipeline > 1) absl::StrAppend(&split, " · pp ", spec.pipeline);
  if (spec.expert > 1) absl::StrAppend(&split, " · ep ", spec.expert);
  if (spec.data_parallel_attention) absl::StrAppend(&split, " · dp attention");
  return split;
}

void AddPools(const ServingInputs& inputs, ServingReport* report) {
  for (const ServingPool& pool : inputs.pools) {
    PoolOfEngines* p = report->add_pools();
    const EngineMemory& m = pool.memory;
    p->set_pool(pool.name);
    p->set_model(pool.model.name);
    p->set_gpu(pool.cluster.gpu.name);
    p->set_role(RoleName(pool.role));
    p->set_engines(pool.replicas);
    p->set_gpus_of_engine(pool.gpus());
    p->set_split(SplitOf(pool.spec));
    p->set_capacity_gib(sim::InGiB(m.capacity));
    p->set_weights_gib(sim::InGiB(m.weights));
    p->set_activations_gib(sim::InGiB(m.activations));
    p->set_overhead_gib(sim::InGiB(m.overhead));
    p->set_cache_gib(sim::InGiB(m.cache));
    p->set_cache_tokens(m.blocks * pool.cache.block_tokens);
    p->set_missing_gib(sim::InGiB(m.missing));
  }
}

void AddParts(const ServingOutcome& o, ServingReport* report) {
  const auto sum = [](const PartSums& s) {
    return s.queue + s.prefill + s.transfer + s.decode + s.interference +
           s.preemption;
  };
  const std::pair<const char*, double PartSums::*> parts[] = {
      {"queue", &PartSums::queue},       {"prefill", &PartSums::prefill},
      {"transfer", &PartSums::transfer}, {"decode", &PartSums::decode},
      {"interference", &PartSums::interference},
      {"preemption", &PartSums::preemption}};
  for (const auto& [name, part] : parts) {
    PartOfLatency* p = report->add_parts();
    p->set_part(name);
    p->set_mean_ms(Share(o.all.*part, Count(o.all.requests)) * kMs);
    p->set_share(Share(o.all.*part, sum(o.all)));
    p->set_late_mean_ms(Share(o.late.*part, Count(o.late.requests)) * kMs);
    p->set_late_share(Share(o.late.*part, sum(o.late)));
  }
}

void AddObjectives(const ServingInputs& inputs, const ServingOutcome& o,
                   double seconds, ServingReport* report) {
  bool meets = true;
  for (size_t row = 0; row < inputs.objectives.size(); ++row) {
    const Objective& objective = inputs.objectives[row];
    Attainment* a = report->add_attainment();
    a->set_objective(objective.name.empty() ? absl::StrCat("slo ", row)
                                            : objective.name);
    a->set_share(Share(Count(o.good[row]), Count(o.of_class[row])));
    a->set_wanted(objective.attainment);
    a->set_requests(o.of_class[row]);
    meets = meets && a->share() >= objective.attainment;
  }
  report->set_meets(meets);
  if (!inputs.objectives.empty()) {
    report->set_goodput_requests_per_second(
        Share(Count(o.good_requests), seconds));
  }
}

// GPUs that were up or starting, times how long.
double GpuSeconds(const ServingInputs& inputs, const ServingOutcome& o) {
  double all = 0;
  for (const ServingPool& pool : inputs.pools) {
    all += Count(pool.gpus() * pool.replicas);
  }
  const double engines = Count([&] {
    int64_t n = 0;
    for (const ServingPool& pool : inputs.pools) n += pool.replicas;
    return n;
  }());
  return o.served.replica_seconds * all / engines;
}

void AddThroughput(const ServingInputs& inputs, const ServingOutcome& o,
                   double seconds, ServingReport* report) {
  const double gpus = Count(inputs.gpus());
  const double output = Count(o.output_tokens);
  report->set_requests_per_second(Share(Count(o.counted), seconds));
  report->set_input_tokens_per_second(Share(Count(o.input_tokens), seconds));
  report->set_output_tokens_per_second(Share(output, seconds));
  report->set_output_tokens_per_second_per_gpu(
      Share(output, seconds * gpus));
  const double gpu_seconds = GpuSeconds(inputs, o);
  if (inputs.gpu_hour_usd) {
    report->set_usd_per_million_output_tokens(
        Share(gpu_seconds / kHour * *inputs.gpu_hour_usd, output) * kMillion);
  }
  report->set_joules_per_output_token(
      Share(gpu_seconds * inputs.pools.front().cluster.gpu.power_watts *
                inputs.power_usage_effectiveness,
            output));
}

void AddEngines(const ServingInputs& inputs, const ServingOutcome& o,
                ServingReport* report) {
  report->set_mean_running(Share(o.running, o.step_seconds));
  report->set_most_running(o.most_running);
  report->set_mean_waiting(Share(o.waiting, o.step_seconds));
  report->set_most_waiting(o.most_waiting);
  report->set_mean_cache_used(Share(o.cache_used, o.step_seconds));
  report->set_most_cache_used(o.most_cache_used);
  report->set_mean_cache_waste(Share(o.cache_waste, o.step_seconds));
  report->set_prefix_hit_rate(
      Share(Count(o.cached_tokens), Count(o.input_tokens)));
  report->set_preemptions(o.served.preemptions);
  report->set_steps(o.served.steps);
  report->set_busy(Share(o.busy_seconds, o.served.replica_seconds));
  const ServingPool& first = inputs.pools.front();
  const double gpu_seconds = GpuSeconds(inputs, o);
  const auto dtype = first.spec.weights == models::WeightFormat::kFp8 ||
                             first.spec.weights ==
                                 models::WeightFormat::kFp8Blocks
                         ? models::DType::kFp8
                         : models::DType::kBf16;
  report->set_mfu(
      Share(o.flops, gpu_seconds * first.cluster.gpu.peak[dtype].count()));
  report->set_mbu(Share(
      o.bytes, gpu_seconds * first.cluster.gpu.memory_bandwidth.count()));
}

void AddSeries(const ServingInputs& inputs, const ServingOutcome& o,
               ServingReport* report) {
  const double length = sim::InSeconds(inputs.interval);
  const double engines = Count(static_cast<int64_t>(o.served.kind_of.size()));
  for (size_t row = 0; row < o.series.size(); ++row) {
    const Interval& in = o.series[row];
    IntervalOfRun* i = report->add_series();
    i->set_from_seconds(Count(static_cast<int64_t>(row)) * length);
    i->set_arrived(in.arrived);
    i->set_answered(in.done);
    i->set_output_tokens_per_second(Count(in.tokens) / length);
    i->set_running(in.running);
    i->set_waiting(in.waiting);
    i->set_cache_used(in.cache_used);
    i->set_busy(Share(in.busy_seconds, length * engines));
  }
}

void AddHead(const ServingInputs& inputs, ServingReport* report) {
  const ServingPool& first = inputs.pools.front();
  report->set_scenario(inputs.name);
  report->set_model(first.model.name);
  report->set_cluster(first.cluster.name);
  report->set_profile(inputs.profile);
  report->set_gpus(inputs.gpus());
  int64_t engines = 0;
  for (const ServingPool& pool : inputs.pools) engines += pool.replicas;
  report->set_engines(engines);
  report->set_load(DescribeLoad(inputs));
  report->set_fits(Fits(inputs));
  AddPools(inputs, report);
}

}  // namespace

std::string DescribeLoad(const ServingInputs& inputs) {
  const WorkloadMaker& w = *inputs.workload;
  std::string load =
      w.concurrency() ? absl::StrFormat("%d users in a closed loop",
                                        *w.concurrency())
      : w.requests_per_second()
          ? absl::StrFormat("%.4g requests/s", *w.requests_per_second())
          : "all at once";
  if (w.requests()) absl::StrAppend(&load, ", ", *w.requests(), " requests");
  return load;
}

ServingReport DescribeMisfit(const ServingInputs& inputs) {
  ServingReport report;
  AddHead(inputs, &report);
  return report;
}

ServingReport Summarize(const ServingInputs& inputs,
                        const ServingOutcome& o) {
  ServingReport report;
  AddHead(inputs, &report);
  const double seconds = o.measured_seconds();
  report.set_seconds(seconds);
  report.set_requests(o.served.arrived);
  report.set_answered(o.served.done);
  report.set_refused_too_long(o.too_long);
  report.set_refused_queue_full(o.queue_full);
  report.set_unserved(o.unserved);
  report.set_counted(o.counted);
  AddLatency("ttft", o.ttft, &report);
  AddLatency("tpot", o.tpot, &report);
  AddGaps(o.served.gaps, &report);
  AddLatency("e2e", o.e2e, &report);
  AddLatency("normalised", o.normalised, &report);
  AddThroughput(inputs, o, seconds, &report);
  AddObjectives(inputs, o, seconds, &report);
  AddEngines(inputs, o, &report);
  AddParts(o, &report);
  AddSeries(inputs, o, &report);
  return report;
}

}  // namespace scenarios
