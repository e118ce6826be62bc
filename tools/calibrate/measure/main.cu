// orrery-measure: times kernels on this machine's GPU and writes the tables
// that `orrery validate` and `orrery fit` read.
#include <cuda_runtime.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "tools/calibrate/measure/cuda_check.h"
#include "tools/calibrate/measure/families.h"
#include "tools/calibrate/measure/options.h"
#include "tools/calibrate/measure/roofline.h"

namespace tools {
namespace {

constexpr int kNoGpu = 77;  // what ctest takes for "skipped"

using Clock = std::chrono::steady_clock;
double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Outcome Measure(const PlannedCase& planned, Bench& bench) {
  bench.arena.Reset();
  return std::visit(
      [&](const auto& c) {
        using Kind = std::decay_t<decltype(c)>;
        const Effort& effort = planned.effort;
        if constexpr (std::is_same_v<Kind, RooflineCase>) {
          return MeasureRoofline(c, effort, bench);
        } else if constexpr (std::is_same_v<Kind, GemmCase>) {
          return MeasureGemm(c, effort, bench);
        } else if constexpr (std::is_same_v<Kind, AttentionCase>) {
          return MeasureAttention(c, effort, bench);
        } else if constexpr (std::is_same_v<Kind, PointwiseCase>) {
          return MeasurePointwise(c, effort, bench);
        } else if constexpr (std::is_same_v<Kind, ExpertCase>) {
          return MeasureExperts(c, effort, bench);
        } else {
          return MeasureCollective(c, effort, bench);
        }
      },
      planned.what);
}

std::string Today() {
  const std::time_t now = std::time(nullptr);
  char text[16];
  std::strftime(text, sizeof text, "%Y-%m-%d", std::gmtime(&now));
  return text;
}

Session SessionOn(const Bench& bench, int gpus) {
  int runtime = 0;
  CUDA_CHECK(cudaRuntimeGetVersion(&runtime));  // 13000 is 13.0
  Session session;
  session.device = bench.card.name;
  session.gpu = TableNameOfGpu(session.device);
  session.driver = bench.state.DriverVersion();
  session.cuda = std::to_string(runtime / 1000) + "." +
                 std::to_string(runtime % 1000 / 10);
  session.date = Today();
  session.system = std::to_string(gpus) + "x" + session.device;
  return session;
}

// Cases of one family, and what became of them.
struct Tally {
  std::vector<Measurement> measured;
  int checked = 0, late = 0;
  std::vector<OpTable> refused;  // tables in which a check failed
};

void Report(const PlannedCase& planned, const Outcome& outcome,
            const Options& options, Tally& tally) {
  const std::string name = NameOf(planned.what);
  switch (outcome.kind) {
    case Outcome::Kind::kMeasured:
      tally.measured.push_back(outcome.measured);
      ++tally.checked;
      if (options.verbose) {
        std::fprintf(stderr, "%12.2f us  %s\n",
                     outcome.measured.timing.median_us, name.c_str());
      }
      return;
    case Outcome::Kind::kChecked:
      ++tally.checked;
      return;
    case Outcome::Kind::kSkipped:
      std::fprintf(stderr, "skipped %s: %s\n", name.c_str(),
                   outcome.reason.c_str());
      return;
    case Outcome::Kind::kWrong:
      std::fprintf(stderr, "orrery-measure: WRONG %s: %s\n", name.c_str(),
                   outcome.reason.c_str());
      tally.refused.push_back(TableOf(planned.what));
      return;
  }
}

// The cases of `family` in the plan, until its budget is used up.
Tally RunFamily(const std::string& family, const Plan& plan,
                const Options& options, Bench& bench) {
  Tally tally;
  const auto start = Clock::now();
  const double budget = BudgetOf(family, options.plan.profile);
  for (const PlannedCase& planned : plan.cases) {
    if (planned.family != family) continue;
    if (SecondsSince(start) + planned.seconds > budget) {
      ++tally.late;
      continue;
    }
    Report(planned, Measure(planned, bench), options, tally);
  }
  std::fprintf(stderr, "%s: %d checked, %zu timed in %.1f s of %.0f s",
               family.c_str(), tally.checked, tally.measured.size(),
               SecondsSince(start), budget);
  std::fprintf(stderr, tally.late > 0 ? "; %d left out: out of time\n" : "\n",
               tally.late);
  return tally;
}

// Writes the tables of one family, but for those in which a check failed.
// False if one was refused or could not be written.
bool WriteTables(const Tally& tally, const Session& session,
                 const std::string& folder) {
  bool all = tally.refused.empty();
  std::vector<OpTable> tables;
  for (const Measurement& m : tally.measured) {
    const OpTable table = TableOf(m.what);
    if (std::find(tables.begin(), tables.end(), table) == tables.end()) {
      tables.push_back(table);
    }
  }
  for (const OpTable table : tables) {
    const std::string path = folder + "/" + FileOf(table);
    if (std::find(tally.refused.begin(), tally.refused.end(), table) !=
        tally.refused.end()) {
      std::fprintf(stderr, "orrery-measure: %s: not written: a check failed\n",
                   path.c_str());
      continue;
    }
    const std::string problem =
        WriteWholeText(path, TableText(table, tally.measured, session));
    if (!problem.empty()) {
      std::fprintf(stderr, "orrery-measure: %s\n", problem.c_str());
      all = false;
    }
  }
  return all;
}

int GpuCount() {
  int gpus = 0;
  return cudaGetDeviceCount(&gpus) == cudaSuccess ? gpus : 0;
}

Ceilings CeilingsOfGpu(int gpus) {
  if (gpus == 0) return DatasheetOf("h200");
  cudaDeviceProp card;
  CUDA_CHECK(cudaGetDeviceProperties(&card, 0));
  Ceilings ceilings = DatasheetOf(TableNameOfGpu(card.name));
  ceilings.capacity = static_cast<double>(card.totalGlobalMem);
  return ceilings;
}

// Every kernel on shapes small enough to check in seconds, or the whole plan.
int Run(const Options& options, int gpus) {
  const Plan plan = MakePlan(options.plan, CeilingsOfGpu(gpus));
  if (options.print_plan) {
    std::fputs(TextOf(plan).c_str(), stdout);
    return 0;
  }
  if (gpus == 0) {
    std::fprintf(stderr, "orrery-measure: there is no CUDA GPU here\n");
    return kNoGpu;
  }
  std::error_code error;
  std::filesystem::create_directories(options.folder, error);
  Bench bench(0);
  bench.check_only = options.check_only;
  const Session session = SessionOn(bench, gpus);
  std::fprintf(stderr, "%s, driver %s, CUDA %s: %zu cases, %.0f s planned\n",
               session.device.c_str(), session.driver.c_str(),
               session.cuda.c_str(), plan.cases.size(), plan.seconds);
  bool all = true;
  for (const std::string& family : Families()) {
    const bool wanted =
        std::any_of(plan.cases.begin(), plan.cases.end(),
                    [&](const PlannedCase& c) { return c.family == family; });
    if (!wanted) continue;
    const Tally tally = RunFamily(family, plan, options, bench);
    all = (options.check_only ? tally.refused.empty()
                              : WriteTables(tally, session, options.folder)) &&
          all;
  }
  return all ? 0 : 1;
}

}  // namespace
}  // namespace tools

int main(int argc, char** argv) {
  tools::Options options;
  const std::string problem = tools::ParseOptions(
      std::vector<std::string>(argv + 1, argv + argc), &options);
  if (!problem.empty()) {
    std::fprintf(stderr, "orrery-measure: %s\n\n%s", problem.c_str(),
                 tools::kUsage);
    return 2;
  }
  if (options.help) {
    std::fputs(tools::kUsage, stdout);
    return 0;
  }
  const int gpus = tools::GpuCount();
  options.plan.gpus = gpus;
  return tools::Run(options, gpus);
}
