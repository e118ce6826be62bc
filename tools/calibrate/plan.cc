#include "tools/calibrate/plan.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tools/calibrate/cases.h"

namespace tools {
namespace {

// Datasheets of the SXM boards. NVLink: 12 links of 25 GB/s, 18 of 25 GB/s;
// PCIe 4.0 and 5.0 x16.
const Ceilings kDatasheets[] = {
    {"h200", 989e12, 67e12, 4.8e12, 64e9, 450e9, 141e9},
    {"h100", 989e12, 67e12, 3.35e12, 64e9, 450e9, 80e9},
    {"a100", 312e12, 19.5e12, 2.039e12, 32e9, 300e9, 80e9}};

// Of the ceilings, what estimates count on; and what a launch takes.
constexpr double kReached = 0.6, kLaunchUs = 2.0;

double FlopsPerSecond(const std::string& dtype, const Ceilings& ceilings) {
  if (dtype == "fp32") return ceilings.vector_flops;
  if (dtype == "tf32") return ceilings.matrix_flops / 2;
  if (dtype == "fp8" || dtype == "w8a8_int8") return ceilings.matrix_flops * 2;
  return ceilings.matrix_flops;
}

// Slower than the ceilings by nature: our own attention, which issues
// mma.sync, reaches half of what wgmma does, less backward; pageable copies
// pass through a buffer of the driver's; exponentials have an eighth of the
// FP32 units.
double Slowdown(const Case& c) {
  if (const auto* attention = std::get_if<AttentionCase>(&c)) {
    if (attention->kernel == "flash") return attention->backward ? 5 : 3;
    return attention->backward ? 1.5 : 1;
  }
  if (const auto* roofline = std::get_if<RooflineCase>(&c)) {
    if (roofline->kernel.find("pageable") != std::string::npos) return 6;
    if (roofline->kernel == "ex2") return 8;
    if (roofline->kernel.rfind("mma", 0) == 0) return 2;
  }
  return 1;
}

// Seconds of what is done once per case beside its runs: filling tensors, at
// about 0.5 TB/s; the check against the reference, on the host; choosing an
// algorithm, and for cuDNN compiling one.
double SecondsBeside(const Case& c) {
  const Work work = WorkOf(c);
  double seconds = 0.02 + work.footprint / 0.5e12;
  if (const auto* a = std::get_if<AttentionCase>(&c)) {
    const double row = static_cast<double>(a->kv_len * a->head_dim);
    seconds += row * 64e-9 * (a->backward ? 4 : 1);
    if (a->kernel == "cudnn") seconds += 0.6;
  }
  if (std::holds_alternative<ExpertCase>(c)) seconds += 0.05;
  if (std::holds_alternative<CollectiveCase>(c)) seconds += 0.05;
  return seconds;
}

struct Aim {
  double seconds;  // of samples per case
  int samples, candidates;
};
Aim AimOf(Profile profile) {
  return profile == Profile::kQuick ? Aim{0.03, 15, 4} : Aim{0.06, 31, 8};
}

// Samples of at least 100 us, so that the events' resolution of 0.5 us does not
// show, and at least five of them.
PlannedCase PlanCase(const Case& c, const std::string& family, Profile profile,
                     const Ceilings& ceilings) {
  const Aim aim = AimOf(profile);
  PlannedCase planned{c, family, EstimateUs(c, ceilings), {}, 0};
  const double us = planned.estimated_us;
  Effort& effort = planned.effort;
  effort.candidates = std::holds_alternative<GemmCase>(c) ? aim.candidates : 1;
  effort.runs = static_cast<int>(std::clamp(200.0 / us, 1.0, 64.0));
  const double sample = us * effort.runs * 1e-6;
  effort.samples = static_cast<int>(
      std::clamp(aim.seconds / sample, 5.0, static_cast<double>(aim.samples)));
  // One run to check, two to try each further candidate, one sample to warm up.
  const double runs =
      1 + 2.0 * (effort.candidates - 1) + effort.runs * (1.0 + effort.samples);
  planned.seconds = SecondsBeside(c) + runs * us * 1e-6;
  return planned;
}

std::vector<Case> CasesOf(const std::string& family,
                          const PlanOptions& options) {
  if (family == "roofline") return RooflineCases(options.profile);
  if (family == "gemm") return GemmCases(options.profile);
  if (family == "attention") return AttentionCases(options.profile);
  if (family == "pointwise") return PointwiseCases(options.profile);
  if (family == "experts") return ExpertCases(options.profile);
  return CollectiveCases(options.profile, options.gpus);
}

void LeaveOut(const std::string& family, const std::string& reason,
              Plan& plan) {
  for (Plan::LeftOut& left : plan.left_out) {
    if (left.family == family && left.reason == reason) {
      ++left.cases;
      return;
    }
  }
  plan.left_out.push_back({family, 1, reason});
}

void PlanFamily(const std::string& family, const PlanOptions& options,
                const Ceilings& ceilings, Plan& plan) {
  const double budget = BudgetOf(family, options.profile);
  plan.budget_seconds += budget;
  double seconds = 0;
  for (const Case& c : CasesOf(family, options)) {
    PlannedCase planned = PlanCase(c, family, options.profile, ceilings);
    if (WorkOf(c).footprint > 0.5 * ceilings.capacity) {
      LeaveOut(family, "larger than half of the card's memory", plan);
    } else if (seconds + planned.seconds > budget) {
      LeaveOut(family, "no time left in the family's budget", plan);
    } else {
      seconds += planned.seconds;
      plan.cases.push_back(std::move(planned));
    }
  }
  plan.seconds += seconds;
}

std::string Line(const char* format, double a, double b, const char* name) {
  char text[256];
  std::snprintf(text, sizeof text, format, a, b, name);
  return text;
}

}  // namespace

Ceilings DatasheetOf(const std::string& gpu) {
  for (const Ceilings& sheet : kDatasheets) {
    if (sheet.gpu == gpu) return sheet;
  }
  Ceilings other = kDatasheets[0];
  other.gpu = gpu;
  return other;
}

std::string TableNameOfGpu(const std::string& device) {
  const auto has = [&](const char* word) {
    return device.find(word) != std::string::npos;
  };
  const bool pcie = has("PCIe") || has("PCIE");
  if (has("H200") && !has("GH200") && !has("NVL")) return "h200";
  if (has("H100") && !has("NVL")) return pcie ? "h100_pcie" : "h100";
  if (has("A100") && pcie)
    return has("40GB") ? "a100_pcie_40g" : "a100_pcie_80g";
  if (has("A100") && !has("40GB")) return "a100";
  std::string name;
  for (const char c : device) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0) {
      name += static_cast<char>(std::tolower(byte));
    } else if (!name.empty() && name.back() != '_') {
      name += '_';
    }
  }
  return name;
}

double EstimateUs(const Case& c, const Ceilings& ceilings) {
  const Work work = WorkOf(c);
  const double seconds = std::max(
      {work.flops / FlopsPerSecond(work.dtype, ceilings),
       work.bytes / ceilings.memory_bytes,
       work.host_bytes / ceilings.host_bytes,
       work.wire_bytes == 0 ? 0.0 : work.wire_bytes / ceilings.wire_bytes});
  return kLaunchUs + seconds * Slowdown(c) / kReached * 1e6;
}

const std::vector<std::string>& Families() {
  static const std::vector<std::string> families = {
      "roofline", "gemm", "attention", "pointwise", "experts", "collectives"};
  return families;
}

double BudgetOf(const std::string& family, Profile profile) {
  // Of 180 s and 600 s; the rest is start-up and compilation by the driver.
  static const std::pair<const char*, std::pair<double, double>> kBudgets[] = {
      {"roofline", {20, 30}}, {"gemm", {45, 220}},   {"attention", {50, 150}},
      {"pointwise", {5, 40}}, {"experts", {15, 60}}, {"collectives", {15, 40}}};
  for (const auto& [name, budget] : kBudgets) {
    if (family == name) {
      return profile == Profile::kQuick ? budget.first : budget.second;
    }
  }
  return 0;
}

Plan MakePlan(const PlanOptions& options, const Ceilings& ceilings) {
  Plan plan;
  for (const std::string& family : Families()) {
    if (options.only.empty() ||
        std::find(options.only.begin(), options.only.end(), family) !=
            options.only.end()) {
      PlanFamily(family, options, ceilings, plan);
    }
  }
  return plan;
}

std::string TextOf(const Plan& plan) {
  std::string text = " estimate us  seconds  case\n";
  for (const PlannedCase& c : plan.cases) {
    text += Line("%12.1f %8.3f  %s\n", c.estimated_us, c.seconds,
                 NameOf(c.what).c_str());
  }
  for (const Plan::LeftOut& left : plan.left_out) {
    text += left.family + ": " + std::to_string(left.cases) +
            " cases left out: " + left.reason + "\n";
  }
  text += std::to_string(plan.cases.size()) + " cases, " +
          Line("%.0f s planned of %.0f s%s\n", plan.seconds,
               plan.budget_seconds, "");
  return text;
}

}  // namespace tools
