// orrery capacity: how much load a fleet takes, how large a fleet a load takes,
// or how to lay a fleet out.
#include <cmath>
#include <iostream>
#include <optional>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "scenarios/answer.h"
#include "scenarios/capacity.h"
#include "scenarios/capacity_report.h"
#include "scenarios/deployments.h"
#include "scenarios/scenario_file.h"
#include "scenarios/serving_inputs.h"
#include "scenarios/serving_run.h"
#include "tools/commands.h"
#include "tools/progress.h"

namespace tools {
namespace {

using scenarios::CapacityReport;
using scenarios::ServingInputs;

int ThreadsOf(const Arguments& a) {
  if (a.threads > 0) return static_cast<int>(a.threads);
  const unsigned cores = std::thread::hardware_concurrency();
  return cores > 0 ? static_cast<int>(cores) : 1;
}

scenarios::CapacityOptions OptionsOf(const Arguments& a) {
  // As many in all as 150 of the first simulations have.
  return {.requests = a.requests,
          .tolerance = a.tolerance,
          .most_simulated = 150 * a.requests};
}

absl::StatusOr<CapacityReport> Compare(const Arguments& a,
                                       const ServingInputs& inputs) {
  const absl::StatusOr<std::vector<scenarios::Deployment>> all =
      scenarios::CompareDeployments(a.scenarios.front(), a.sets,
                                    {.gpus = a.fleet_gpus,
                                     .capacity = OptionsOf(a),
                                     .threads = ThreadsOf(a)});
  if (!all.ok()) return all.status();
  return scenarios::ReportDeployments(inputs, *all);
}

absl::StatusOr<CapacityReport> Fewest(const Arguments& a,
                                      const ServingInputs& inputs) {
  const double load = a.load > 0 ? a.load : scenarios::LoadOf(inputs);
  if (scenarios::IsClosedLoop(inputs) && load != std::floor(load)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--load: ", load,
        " is no number of users, which the scenario's closed loop has; a whole "
        "one works"));
  }
  return scenarios::ReportFewestEngines(
      inputs, load, scenarios::FewestEngines(inputs, load, OptionsOf(a)));
}

absl::StatusOr<CapacityReport> ReportOf(const Arguments& a) {
  const std::string& path = a.scenarios.front();
  const absl::StatusOr<scenarios::ScenarioFile> file =
      scenarios::ReadScenario(path, a.sets);
  if (!file.ok()) return file.status();
  const absl::Status asked = scenarios::CheckAsked(*file);
  if (!asked.ok()) return asked;
  const absl::StatusOr<ServingInputs> inputs =
      scenarios::ServingInputsOf(*file);
  if (!inputs.ok()) return inputs.status();
  if (a.compare) return Compare(a, *inputs);
  const bool fewest = a.fewest_gpus || a.load > 0;
  if (scenarios::Fits(*inputs) && fewest) return Fewest(a, *inputs);
  CapacityReport report =
      scenarios::Fits(*inputs)
          ? scenarios::ReportHighestLoad(
                *inputs, scenarios::HighestLoad(*inputs, OptionsOf(a)))
          : scenarios::ReportNoRoom(*inputs);
  if (!report.meets()) {
    scenarios::AddWaysOut(scenarios::WaysToServe(path, a.sets), &report);
  }
  return report;
}

}  // namespace

int FindCapacity(const Arguments& a) {
  const Progress progress("seeking the capacity of " + a.scenarios.front());
  const absl::StatusOr<CapacityReport> report = ReportOf(a);
  if (!report.ok()) {
    std::cerr << report.status().message() << '\n';
    return kBadInput;
  }
  const google::protobuf::Message* message = &*report;
  std::cout << (a.format == "json"  ? scenarios::ToJson(*message)
                : a.format == "csv" ? scenarios::ToCsv({&message, 1})
                                    : scenarios::ToText(*report));
  return report->meets() ? kDone : kInfeasible;
}

}  // namespace tools
