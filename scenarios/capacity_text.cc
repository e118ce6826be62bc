// The text of a capacity report: the answer first, then what bounds it.
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "scenarios/capacity_report.h"
#include "scenarios/reading.h"

namespace scenarios {
namespace {

constexpr double kMs = 1e-3;

std::string LoadText(const CapacityReport& r, double load) {
  return absl::StrFormat("%.4g %s", load, r.unit());
}

void Answer(const CapacityReport& r, std::string* out) {
  const bool fewest = r.asked() == "fewest GPUs";
  absl::StrAppendFormat(out, "%s\n  %s on %s, %s; %s\n\n", r.scenario(),
                        r.model(), r.gpu(), r.profile(), r.workload());
  if (!r.meets()) {
    absl::StrAppendFormat(
        out, "%s: none meets the objectives\n",
        fewest ? absl::StrCat("fewest GPUs for ", LoadText(r, r.load()))
               : r.asked());
  } else if (fewest) {
    absl::StrAppendFormat(out, "fewest GPUs for %s: %d, of %d engine%s\n",
                          LoadText(r, r.load()), r.gpus(), r.engines(),
                          r.engines() == 1 ? "" : "s");
  } else {
    absl::StrAppendFormat(out, "%s: %s on %d GPU%s (%.4g a GPU)\n", r.asked(),
                          LoadText(r, r.load()), r.gpus(),
                          r.gpus() == 1 ? "" : "s", r.load_per_gpu());
  }
  const auto sure = [&](const char* words, double x) {
    if (x <= 0) return;
    absl::StrAppendFormat(out, "  surely %s at %s\n", words,
                          fewest ? absl::StrFormat("%.0f GPUs", x)
                                 : LoadText(r, x));
  };
  sure("met", r.surely_meets());
  sure("missed", r.surely_misses());
  if (!r.why().empty()) absl::StrAppend(out, "  limit: ", r.why(), "\n");
  if (r.meets() && r.tried_size() == 1) {
    absl::StrAppend(out, "  limit: none was found\n");
  }
}

void Tried(const CapacityReport& r, std::string* out) {
  if (r.tried_size() == 0) return;
  absl::StrAppendFormat(
      out, "\n%22s %9s %9s %9s %9s %9s %7s %6s %6s %6s\n", "load",
      "ttft p50", "p99", "tpot p50", "p99", "tok/s/GPU", "$/Mtok", "busy",
      "batch", "cache");
  for (const LoadTried& t : r.tried()) {
    absl::StrAppendFormat(
        out, "%-6s %15.4g %9s %9s %9s %9s %9s %7s %5.0f%% %6.1f %5.0f%%\n",
        t.which(), t.load(), ReadableTime(t.ttft_p50_ms() * kMs),
        ReadableTime(t.ttft_p99_ms() * kMs),
        ReadableTime(t.tpot_p50_ms() * kMs),
        ReadableTime(t.tpot_p99_ms() * kMs),
        Grouped(t.output_tokens_per_second_per_gpu()),
        t.usd_per_million_output_tokens() > 0
            ? absl::StrFormat("%.3g", t.usd_per_million_output_tokens())
            : "-",
        t.busy() * 100, t.running(), t.cache_used() * 100);
  }
  for (const LoadTried& t : r.tried()) {
    for (const ShareOfGood& a : t.attained()) {
      absl::StrAppendFormat(
          out,
          "%-6s %s: %.2f %% of requests (%.2f to %.2f %% at 95 %%), %.4g %% "
          "are wanted%s\n",
          t.which(), a.objective(), a.share() * 100, a.low() * 100,
          a.high() * 100, a.wanted() * 100,
          t.stable() ? "" : "; unstable");
    }
  }
}

void WaysOut(const CapacityReport& r, std::string* out) {
  if (r.meets() || r.asked() != "highest load") return;
  if (r.ways_out_size() == 0) {
    absl::StrAppend(out, "\nno single change that was tried would help\n");
    return;
  }
  absl::StrAppend(out, "\nwhat would help, the cheapest first\n");
  for (const WayToMeet& w : r.ways_out()) {
    absl::StrAppendFormat(out, "  --set %-40s %3d GPUs, about %.3g %s\n",
                          w.change(), w.gpus(), w.load(), r.unit());
  }
}

void Deployments(const CapacityReport& r, std::string* out) {
  if (r.deployments_size() == 0) return;
  absl::StrAppendFormat(out, "\n%-55s %9s %9s %9s %9s  %s\n", "deployment",
                        "load", "a GPU", "ttft p99", "tpot p99",
                        "limit beyond");
  for (const DeploymentTried& d : r.deployments()) {
    const bool meets = d.load() > 0;
    absl::StrAppendFormat(
        out, "%-55s %9s %9s %9s %9s  %s\n", d.deployment(),
        meets ? absl::StrFormat("%.4g", d.load()) : "none",
        meets ? absl::StrFormat("%.4g", d.load_per_gpu()) : "-",
        meets ? ReadableTime(d.ttft_p99_ms() * kMs) : "-",
        meets ? ReadableTime(d.tpot_p99_ms() * kMs) : "-", d.why());
  }
  if (r.meets()) {
    absl::StrAppend(out, "\nthe best: ", r.deployments(0).sets(), "\n");
  }
}

}  // namespace

std::string ToText(const CapacityReport& report) {
  std::string out;
  Answer(report, &out);
  Tried(report, &out);
  WaysOut(report, &out);
  Deployments(report, &out);
  absl::StrAppendFormat(
      &out, "\n%d simulations, %s requests\n", report.simulations(),
      Grouped(static_cast<double>(report.simulated_requests())));
  return out;
}

}  // namespace scenarios
