// The text report: the answer first, then where the time and the memory go.
#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "scenarios/answer.h"
#include "scenarios/breakdown.h"
#include "scenarios/figures.h"
#include "scenarios/reading.h"

namespace scenarios {
namespace {

std::string Parameters(double count) {
  return count >= 1e9 ? absl::StrFormat("%.2f billion", count * 1e-9)
                      : absl::StrFormat("%.1f million", count * 1e-6);
}

void Head(const Report& r, std::string* out) {
  absl::StrAppend(out, r.scenario(), "\n");
  absl::StrAppendFormat(out, "  model     %s, %s parameters\n", r.model(),
                        Parameters(r.parameters()));
  absl::StrAppendFormat(out, "  machine   %s: %d x %s\n", r.cluster(), r.gpus(),
                        r.gpu());
  absl::StrAppendFormat(out, "  split     %s (%s)\n", r.split(), r.profile());
  absl::StrAppendFormat(out, "  batch     %s\n", r.batch());
  absl::StrAppendFormat(out, "  precision %s\n\n", r.precision());
}

// Ends a line about memory, of which `over` GiB are too many.
void Verdict(double over, std::string* out) {
  if (over <= 0) {
    absl::StrAppend(out, ": fits\n");
  } else {
    absl::StrAppendFormat(out, ": DOES NOT FIT, %.1f GiB over\n", over);
  }
}

void Speed(const Report& r, std::string* out) {
  absl::StrAppendFormat(out, "step       %s\n", ReadableTime(r.step_seconds()));
  absl::StrAppendFormat(out, "tokens/s   %s, %s per GPU\n",
                        Grouped(r.tokens_per_second()),
                        Grouped(r.tokens_per_second_per_gpu()));
  absl::StrAppendFormat(
      out, "MFU        %.1f %% (HFU %.1f %%), %.0f of %.0f TFLOP/s per GPU\n",
      r.mfu() * 100, r.hfu() * 100, r.tflops_per_second_per_gpu(),
      r.peak_tflops_per_second());
  if (r.has_measured()) {
    absl::StrAppendFormat(out, "measured   %s: %+.1f %% (%s)\n",
                          ReadableTime(r.measured().step_seconds()),
                          r.measured().error() * 100, r.measured().source());
  }
  const Memory& m = r.memory();
  absl::StrAppendFormat(out, "memory     %.1f of %.1f GiB on rank %d (stage %d)",
                        m.peak_gib(), m.capacity_gib(), m.rank(), m.stage());
  Verdict(m.peak_gib() - m.capacity_gib(), out);
  if (!r.has_host()) return;
  const HostOfServer& h = r.host();
  absl::StrAppendFormat(out, "host       %.1f of %.1f GiB of a server's memory",
                        h.memory_gib(), h.memory_capacity_gib());
  Verdict(h.memory_gib() - h.memory_capacity_gib(), out);
  if (h.disk_gib() <= 0) return;
  absl::StrAppendFormat(out, "drives     %.1f of %.1f GiB of a server's",
                        h.disk_gib(), h.disk_capacity_gib());
  Verdict(h.disk_gib() - h.disk_capacity_gib(), out);
}

// The definition of a part, by its name.
absl::string_view MeaningOf(absl::string_view part) {
  for (int row = 0; row < kParts; ++row) {
    if (NameOf(static_cast<Part>(row)) == part) {
      return DefinitionOf(static_cast<Part>(row));
    }
  }
  return "";
}

void Parts(const Report& r, std::string* out) {
  absl::StrAppend(out, "\nwhere the step goes (mean of ranks)\n");
  for (const PartOfStep& part : r.parts()) {
    if (part.seconds() <= 0) continue;
    absl::StrAppendFormat(out, "  %-12s %11s %6.1f %%  %s\n", part.part(),
                          ReadableTime(part.seconds()), part.share() * 100,
                          MeaningOf(part.part()));
  }
  if (r.recompute_seconds() > 0) {
    absl::StrAppendFormat(out, "  %.1f %% of the step is recomputation\n",
                          r.recompute_seconds() / r.step_seconds() * 100);
  }
  if (r.links().slowed_seconds() > 0) {
    absl::StrAppendFormat(out,
                          "  %.1f %% of the step is exposed communication "
                          "slowed by others on its links\n",
                          r.links().slowed_seconds() / r.step_seconds() * 100);
  }
  if (r.has_gemm_spread()) {
    absl::StrAppendFormat(out,
                          "  80 %% of single matrix products are priced within "
                          "%+.0f to %+.0f %% of measurements\n",
                          r.gemm_spread().low() * 100,
                          r.gemm_spread().high() * 100);
  }
}

void Stages(const Report& r, std::string* out) {
  if (r.stages_size() < 2) return;
  absl::StrAppend(
      out, "\nstage  ranks  layers     busy  exposed   bubble  memory\n");
  for (const StageOfPipeline& s : r.stages()) {
    const double step = r.step_seconds();
    absl::StrAppendFormat(
        out, "%5d %6d %7d %7.1f%% %7.1f%% %7.1f%% %5.1f GiB%s%s\n", s.stage(),
        s.ranks(), s.layers(), s.busy_seconds() / step * 100,
        s.exposed_seconds() / step * 100, s.bubble_seconds() / step * 100,
        s.peak_gib(), s.ends().empty() ? "" : "  ", s.ends());
  }
}

void MemoryLines(const Report& r, std::string* out) {
  const Memory& m = r.memory();
  absl::StrAppendFormat(
      out, "\nmemory at its peak, rank %d, %s into the step, at %s\n", m.rank(),
      ReadableTime(m.moment_seconds()), m.moment());
  for (const HeldMemory& held : m.held()) {
    absl::StrAppendFormat(out, "  %-22s %7.2f GiB\n", held.name(), held.gib());
  }
  absl::StrAppendFormat(out, "  %-22s %7.2f GiB\n", "CUDA context",
                        m.context_gib());
  absl::StrAppendFormat(out, "  %-22s %7.2f GiB\n", "NCCL buffers",
                        m.communicators_gib());
  absl::StrAppendFormat(
      out, "  the caching allocator reserves up to %.2f GiB for tensors\n",
      m.reserved_gib());
  if (!r.fits()) {
    absl::StrAppend(out, "\nways to make it fit, cheapest first\n");
    for (const WayOut& way : r.ways_out()) {
      absl::StrAppendFormat(out, "  --set %-36s %5.1f GiB, step %s\n",
                            way.change(), way.peak_gib(),
                            ReadableTime(way.step_seconds()));
    }
    if (r.ways_out().empty()) {
      absl::StrAppend(out, "  none of the single changes tried is enough\n");
    }
  }
}

void HorizonLines(const Report& r, std::string* out) {
  const HorizonOfRun& h = r.horizon();
  if (h.tokens() > 0) {
    absl::StrAppendFormat(
        out, "\nfor %.3g tokens: %s steps, %.1f days, %s GPU hours, %.0f MWh",
        h.tokens(), Grouped(h.steps()), h.days(), Grouped(h.gpu_hours()),
        h.energy_mwh());
    if (h.usd() > 0) absl::StrAppendFormat(out, ", $%s", Grouped(h.usd()));
    absl::StrAppend(out, "\n");
  }
  if (h.budget_tokens() > 0) {
    absl::StrAppendFormat(
        out,
        "\nthe budget buys %.3g tokens, or the compute-optimal training of a "
        "%s parameter model\n",
        h.budget_tokens(), Parameters(h.compute_optimal_parameters()));
  }
}

}  // namespace

std::string ToText(const Report& report) {
  std::string out;
  Head(report, &out);
  Speed(report, &out);
  Parts(report, &out);
  Stages(report, &out);
  MemoryLines(report, &out);
  HorizonLines(report, &out);
  return out;
}

std::string FigureMeanings() {
  std::string out;
  for (const FigureRow& row : FigureRows()) {
    absl::StrAppendFormat(&out, "  %-32s %-9s %s\n", row.key, row.unit,
                          row.meaning);
  }
  for (int part = 0; part < kParts; ++part) {
    absl::StrAppendFormat(&out, "  parts.%-26s %-9s %s\n",
                          NameOf(static_cast<Part>(part)), "s",
                          DefinitionOf(static_cast<Part>(part)));
  }
  return out;
}

}  // namespace scenarios
