// The text of a serving report: the answer first, then why.
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "scenarios/reading.h"
#include "scenarios/serving_report.h"

namespace scenarios {
namespace {

constexpr double kMs = 1e-3;

void Head(const ServingReport& r, std::string* out) {
  absl::StrAppend(out, r.scenario(), "\n");
  for (const PoolOfEngines& p : r.pools()) {
    absl::StrAppendFormat(out, "  engines   %d x %s on %d x %s, %s%s\n",
                          p.engines(), p.model(), p.gpus_of_engine(), p.gpu(),
                          p.split(),
                          p.role() == "both" ? "" : absl::StrCat(", ", p.role()));
  }
  absl::StrAppendFormat(out, "  engine    %s\n", r.profile());
  absl::StrAppendFormat(out, "  load      %s\n\n", r.load());
}

void LatencyLines(const ServingReport& r, std::string* out) {
  absl::StrAppend(
      out,
      "latency            mean        p50        p90        p95        p99\n");
  for (const Latency& l : r.latency()) {
    absl::StrAppendFormat(out, "  %-11s", l.kind());
    for (const double ms :
         {l.mean_ms(), l.p50_ms(), l.p90_ms(), l.p95_ms(), l.p99_ms()}) {
      absl::StrAppendFormat(out, "%11s", ReadableTime(ms * kMs));
    }
    absl::StrAppend(out, "\n");
  }
}

void Throughput(const ServingReport& r, std::string* out) {
  absl::StrAppendFormat(out, "\nrequests   %s of %s answered",
                        Grouped(static_cast<double>(r.answered())),
                        Grouped(static_cast<double>(r.requests())));
  if (r.refused_too_long() > 0) {
    absl::StrAppendFormat(out, ", %d refused as too long",
                          r.refused_too_long());
  }
  if (r.refused_queue_full() > 0) {
    absl::StrAppendFormat(out, ", %d refused by full queues",
                          r.refused_queue_full());
  }
  if (r.unserved() > 0) {
    absl::StrAppendFormat(out, ", %d not in time", r.unserved());
  }
  absl::StrAppendFormat(out, "; %.4g/s over %s\n", r.requests_per_second(),
                        ReadableTime(r.seconds()));
  absl::StrAppendFormat(
      out, "tokens/s   %s out (%s per GPU), %s in\n",
      Grouped(r.output_tokens_per_second()),
      Grouped(r.output_tokens_per_second_per_gpu()),
      Grouped(r.input_tokens_per_second()));
  absl::StrAppendFormat(out, "cost       %.3g J a token",
                        r.joules_per_output_token());
  if (r.usd_per_million_output_tokens() > 0) {
    absl::StrAppendFormat(out, ", $%.3g a million",
                          r.usd_per_million_output_tokens());
  }
  absl::StrAppend(out, "\n");
  for (const Attainment& a : r.attainment()) {
    absl::StrAppendFormat(out, "%-10s %.2f %% of requests meet it, %.4g %% are "
                               "wanted: %s\n",
                          a.objective(), a.share() * 100, a.wanted() * 100,
                          a.share() >= a.wanted() ? "met" : "MISSED");
  }
  if (r.attainment_size() > 0) {
    absl::StrAppendFormat(out, "goodput    %.4g requests/s\n",
                          r.goodput_requests_per_second());
  }
}

void Parts(const ServingReport& r, std::string* out) {
  bool late = false;
  for (const PartOfLatency& p : r.parts()) late = late || p.late_mean_ms() > 0;
  absl::StrAppendFormat(out, "\nwhere the time goes%s\n",
                        late ? "              all              late" : "");
  for (const PartOfLatency& p : r.parts()) {
    if (p.mean_ms() <= 0 && p.late_mean_ms() <= 0) continue;
    absl::StrAppendFormat(out, "  %-14s %11s %6.1f %%", p.part(),
                          ReadableTime(p.mean_ms() * kMs), p.share() * 100);
    if (late) {
      absl::StrAppendFormat(out, "%11s %6.1f %%",
                            ReadableTime(p.late_mean_ms() * kMs),
                            p.late_share() * 100);
    }
    absl::StrAppend(out, "\n");
  }
}

void Engines(const ServingReport& r, std::string* out) {
  absl::StrAppendFormat(out,
                        "\nengines    busy %.1f %%, %.1f sequences in a step (%d "
                        "at most), %.1f waiting (%d at most)\n",
                        r.busy() * 100, r.mean_running(), r.most_running(),
                        r.mean_waiting(), r.most_waiting());
  absl::StrAppendFormat(out,
                        "cache      %.1f %% used (%.1f %% at most; %.1f %% of "
                        "that empty), %.1f %% of prompts found there, %d "
                        "preemptions\n",
                        r.mean_cache_used() * 100, r.most_cache_used() * 100,
                        r.mean_cache_waste() * 100, r.prefix_hit_rate() * 100,
                        r.preemptions());
  absl::StrAppendFormat(out, "use        MFU %.1f %%, MBU %.1f %%, %s steps\n",
                        r.mfu() * 100, r.mbu() * 100,
                        Grouped(static_cast<double>(r.steps())));
}

void MemoryLines(const ServingReport& r, std::string* out) {
  absl::StrAppend(out, "\nmemory of a GPU    weights  activations  overhead  "
                       "     cache   tokens cached\n");
  for (const PoolOfEngines& p : r.pools()) {
    absl::StrAppendFormat(
        out, "  %-12s %7.2f GiB %8.2f GiB %5.2f GiB %7.2f GiB %15s\n", p.pool(),
        p.weights_gib(), p.activations_gib(), p.overhead_gib(), p.cache_gib(),
        Grouped(static_cast<double>(p.cache_tokens())));
    if (p.missing_gib() > 0) {
      absl::StrAppendFormat(
          out,
          "  DOES NOT FIT: %.2f GiB are missing for one block of the cache; "
          "more GPUs in an engine (parallel.tensor), 8-bit weights "
          "(quantization) or fewer max_num_batched_tokens would help\n",
          p.missing_gib());
    }
  }
}

void Series(const ServingReport& r, std::string* out) {
  if (r.series_size() == 0) return;
  absl::StrAppend(out, "\n   from s  arrived  answered  tokens/s  running  "
                       "waiting    cache     busy\n");
  for (const IntervalOfRun& i : r.series()) {
    absl::StrAppendFormat(
        out, "%9.4g %8d %9d %9s %8.1f %8.1f %7.1f%% %7.1f%%\n",
        i.from_seconds(), i.arrived(), i.answered(),
        Grouped(i.output_tokens_per_second()), i.running(), i.waiting(),
        i.cache_used() * 100, i.busy() * 100);
  }
}

}  // namespace

std::string ToText(const ServingReport& report) {
  std::string out;
  Head(report, &out);
  if (report.fits()) {
    LatencyLines(report, &out);
    Throughput(report, &out);
    Parts(report, &out);
    Engines(report, &out);
  }
  MemoryLines(report, &out);
  Series(report, &out);
  return out;
}

}  // namespace scenarios
