#include "scenarios/capacity_report.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "scenarios/serving_report.h"

namespace scenarios {
namespace {

constexpr double kMs = 1e3, kMillion = 1e6, kHour = 3600;

constexpr FigureRow kRows[] = {
    {"scenario", "scenario", "", "the scenario's name"},
    {"model", "model", "", "of the first kind of engines"},
    {"gpu", "GPU", "", "likewise"},
    {"profile", "profile", "", "engine profile (scenarios/profiles)"},
    {"workload", "workload", "", "as the scenario has it"},
    {"asked", "asked", "", "highest load, fewest GPUs or best deployment"},
    {"unit", "unit", "", "of loads: requests/s, or users of a closed loop"},
    {"fits", "fits", "", "whether every engine has room for its cache"},
    {"meets", "meets", "",
     "whether there is an answer: a load, or a number of GPUs, that meets the "
     "objectives"},
    {"load", "load", "", "the highest that meets, or the one asked about"},
    {"gpus", "GPUs", "", "that it takes"},
    {"engines", "engines", "", "that it takes"},
    {"load_per_gpu", "load per GPU", "", "load / gpus"},
    {"surely_meets", "surely meets", "",
     "the last load tried, or number of GPUs, of which the whole 95 % interval "
     "of attainment is above what is wanted"},
    {"surely_misses", "surely misses", "",
     "the first of which it is below, or of which the queue grows"},
    {"separate", "separate", "",
     "whether the load tried next to the answer surely misses and the answer "
     "surely meets"},
    {"limit", "limit", "",
     "what is missed next to the answer: memory, refused, unstable, ttft, tpot "
     "or e2e"},
    {"cause", "cause", "",
     "compute, cache, max_num_seqs, prefill, batch, interference, preemption "
     "or transfer"},
    {"why", "why", "", "in words"},
    {"tried.load", "load", "", "at: the answer; beyond: next to it, missing"},
    {"tried.gpus", "GPUs", "", "of the fleet"},
    {"tried.requests", "requests", "", "simulated"},
    {"tried.stable", "stable", "",
     "waits do not grow while requests arrive; of a closed loop: no more users "
     "wait than are served"},
    {"tried.ttft_p50_ms", "", "ms", "to the first token, half are no longer"},
    {"tried.ttft_p99_ms", "", "ms", "99 in 100 are no longer"},
    {"tried.tpot_p50_ms", "", "ms", "of each further token"},
    {"tried.tpot_p99_ms", "", "ms", "of each further token"},
    {"tried.e2e_p50_ms", "", "ms", "to the last token"},
    {"tried.e2e_p99_ms", "", "ms", "to the last token"},
    {"tried.requests_per_second", "", "1/s", "answered while requests arrive"},
    {"tried.output_tokens_per_second_per_gpu", "", "tokens/s",
     "of requests answered while others arrive"},
    {"tried.usd_per_million_output_tokens", "", "USD",
     "GPU hours x gpu_hour_usd, of a million of these tokens"},
    {"tried.busy", "", "", "part of the engines' time in steps"},
    {"tried.running", "", "", "sequences in a step, mean over step time"},
    {"tried.cache_used", "", "", "part of the blocks, likewise"},
    {"tried.preemptions", "", "", "requests put aside for want of room"},
    {"tried.attained.share", "", "", "of requests that meet the objective"},
    {"tried.attained.low", "", "", "95 %: Wilson's interval, of as many draws …"},
    {"tried.attained.high", "", "", "… as batches of requests vary like"},
    {"tried.attained.wanted", "", "", "that the objective asks for"},
    {"ways_out.gpus", "", "", "with that change"},
    {"ways_out.load", "", "", "that is met with that change, roughly"},
    {"deployments.gpus", "", "", "of all engines"},
    {"deployments.load", "", "", "the highest that meets; 0: none does"},
    {"deployments.load_per_gpu", "", "", "what deployments are ranked by"},
    {"deployments.ttft_p99_ms", "", "ms", "at that load"},
    {"deployments.tpot_p99_ms", "", "ms", "at that load"},
    {"deployments.output_tokens_per_second_per_gpu", "", "tokens/s",
     "at that load"},
    {"deployments.limit", "", "", "what is missed beyond that load"},
    {"deployments.cause", "", "", "as of the report"},
    {"deployments.why", "", "", "in words"},
    {"deployments.sets", "", "", "what --set takes to have it"},
    {"simulations", "simulations", "", "of loads"},
    {"simulated_requests", "requests simulated", "", "in all of them"},
};

CapacityReport HeadOf(const ServingInputs& inputs, const std::string& asked) {
  CapacityReport report;
  const ServingPool& first = inputs.pools.front();
  report.set_scenario(inputs.name);
  report.set_model(first.model.name);
  report.set_gpu(first.cluster.gpu.name);
  report.set_profile(inputs.profile);
  report.set_workload(DescribeLoad(inputs));
  report.set_asked(asked);
  report.set_unit(IsClosedLoop(inputs) ? "users" : "requests/s");
  report.set_fits(Fits(inputs));
  report.set_gpus(inputs.gpus());
  int64_t engines = 0;
  for (const ServingPool& pool : inputs.pools) engines += pool.replicas;
  report.set_engines(engines);
  return report;
}

double PerGpu(const Probe& p) {
  return p.output_tokens_per_second / static_cast<double>(p.gpus);
}

void AddTried(const ServingInputs& inputs, const std::string& which,
              const Probe& p, CapacityReport* report) {
  LoadTried* t = report->add_tried();
  t->set_which(which);
  t->set_load(p.load);
  t->set_gpus(p.gpus);
  t->set_requests(p.requests);
  t->set_stable(p.stable);
  t->set_ttft_p50_ms(p.ttft.Quantile(0.5) * kMs);
  t->set_ttft_p99_ms(p.ttft.Quantile(0.99) * kMs);
  t->set_tpot_p50_ms(p.tpot.Quantile(0.5) * kMs);
  t->set_tpot_p99_ms(p.tpot.Quantile(0.99) * kMs);
  t->set_e2e_p50_ms(p.e2e.Quantile(0.5) * kMs);
  t->set_e2e_p99_ms(p.e2e.Quantile(0.99) * kMs);
  t->set_requests_per_second(p.requests_per_second);
  t->set_output_tokens_per_second_per_gpu(PerGpu(p));
  if (inputs.gpu_hour_usd && PerGpu(p) > 0) {
    t->set_usd_per_million_output_tokens(*inputs.gpu_hour_usd / kHour /
                                         PerGpu(p) * kMillion);
  }
  t->set_busy(p.busy);
  t->set_running(p.running);
  t->set_cache_used(p.cache_used);
  t->set_preemptions(p.preemptions);
  for (size_t row = 0; row < p.attained.size(); ++row) {
    const Attained& a = p.attained[row];
    ShareOfGood* share = t->add_attained();
    const std::string& name = inputs.objectives[row].name;
    share->set_objective(name.empty() ? absl::StrCat("slo ", row) : name);
    share->set_share(a.share());
    share->set_low(a.range.low);
    share->set_high(a.range.high);
    share->set_wanted(a.wanted);
  }
}

void AddCapacity(const ServingInputs& inputs, const Capacity& c,
                 CapacityReport* report) {
  report->set_meets(c.at.has_value());
  if (c.at) {
    report->set_load(c.at->load);
    report->set_gpus(c.at->gpus);
    report->set_engines(c.at->engines);
    report->set_load_per_gpu(c.at->load / static_cast<double>(c.at->gpus));
    AddTried(inputs, "at", *c.at, report);
  }
  report->set_surely_meets(c.surely_meets.value_or(0));
  report->set_surely_misses(c.surely_misses.value_or(0));
  report->set_separate(c.separate());
  if (c.beyond) {
    AddTried(inputs, "beyond", *c.beyond, report);
    report->set_limit(NameOf(c.limit.miss));
    report->set_cause(NameOf(c.limit.cause));
    report->set_why(DescribeLimit(c.limit, inputs, *c.beyond));
  }
  report->set_simulations(c.probes);
  report->set_simulated_requests(c.simulated);
}

void AddDeployment(const Deployment& d, CapacityReport* report) {
  DeploymentTried* t = report->add_deployments();
  t->set_deployment(d.choice.Text());
  t->set_gpus(d.choice.gpus());
  t->set_load(d.load());
  t->set_load_per_gpu(d.load_per_gpu());
  if (d.capacity.at) {
    const Probe& p = *d.capacity.at;
    t->set_ttft_p99_ms(p.ttft.Quantile(0.99) * kMs);
    t->set_tpot_p99_ms(p.tpot.Quantile(0.99) * kMs);
    t->set_output_tokens_per_second_per_gpu(PerGpu(p));
  }
  t->set_limit(NameOf(d.limit.miss));
  t->set_cause(NameOf(d.limit.cause));
  t->set_why(d.why);
  std::string sets;
  for (const std::string& set : d.choice.Sets()) {
    absl::StrAppend(&sets, sets.empty() ? "" : " ", "--set '", set, "'");
  }
  t->set_sets(sets);
}

}  // namespace

CapacityReport ReportHighestLoad(const ServingInputs& inputs,
                                 const Capacity& capacity) {
  CapacityReport report = HeadOf(inputs, "highest load");
  AddCapacity(inputs, capacity, &report);
  return report;
}

CapacityReport ReportFewestEngines(const ServingInputs& inputs, double load,
                                   const Capacity& capacity) {
  CapacityReport report = HeadOf(inputs, "fewest GPUs");
  AddCapacity(inputs, capacity, &report);
  report.set_load(load);
  return report;
}

CapacityReport ReportDeployments(const ServingInputs& inputs,
                                 const std::vector<Deployment>& all) {
  CapacityReport report = HeadOf(inputs, "best deployment");
  if (!all.empty()) {
    const Deployment& best = all.front();
    AddCapacity(inputs, best.capacity, &report);
    report.set_fits(best.limit.miss != Miss::kMemory);
    report.set_gpus(best.choice.gpus());
    report.set_engines(best.choice.replicas);
    report.set_limit(NameOf(best.limit.miss));
    report.set_cause(NameOf(best.limit.cause));
    report.set_why(best.why);
  }
  int64_t probes = 0, simulated = 0;
  for (const Deployment& d : all) {
    AddDeployment(d, &report);
    probes += d.capacity.probes;
    simulated += d.capacity.simulated;
  }
  report.set_simulations(probes);
  report.set_simulated_requests(simulated);
  return report;
}

CapacityReport ReportNoRoom(const ServingInputs& inputs) {
  CapacityReport report = HeadOf(inputs, "highest load");
  const Limit limit = MemoryLimitOf(inputs);
  report.set_limit(NameOf(limit.miss));
  report.set_why(DescribeLimit(limit, inputs, {}));
  return report;
}

void AddWaysOut(const std::vector<WayToServe>& ways, CapacityReport* report) {
  for (const WayToServe& way : ways) {
    WayToMeet* w = report->add_ways_out();
    w->set_change(way.change);
    w->set_gpus(way.gpus);
    w->set_load(way.load);
  }
}

std::span<const FigureRow> CapacityFigureRows() { return kRows; }

std::string CapacityFigureMeanings() {
  std::string out;
  for (const FigureRow& row : kRows) {
    absl::StrAppendFormat(&out, "  %-46s %-9s %s\n", row.key, row.unit,
                          row.meaning);
  }
  return out;
}

}  // namespace scenarios
