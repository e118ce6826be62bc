#include "scenarios/account.h"

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "models/load_model.h"
#include "models/parameters.h"
#include "scenarios/load.h"
#include "scenarios/report.h"
#include "scenarios/run.h"
#include "scenarios/scenario_file.h"
#include "sim/spelling.h"

namespace scenarios {
namespace {

models::MachineRates RatesOf(const hardware::GpuSpec& gpu,
                             models::Precision precision) {
  const models::DType products[] = {models::DType::kFp32, models::DType::kTf32,
                                    models::DType::kFp16, models::DType::kBf16,
                                    models::DType::kFp8};
  models::MachineRates rates;
  rates.name = gpu.name;
  rates.peak = gpu.peak[products[static_cast<size_t>(precision)]];
  rates.memory = gpu.memory_bandwidth;
  rates.capacity = gpu.memory_capacity;
  rates.link = gpu.nvlink_bandwidth;
  return rates;
}

bool CanRun(const ScenarioFile& s, const models::ModelSpec& model) {
  return !model.experts && s.scenario.has_cluster() &&
         s.scenario.has_training();
}

absl::StatusOr<models::AccountQuestion> QuestionOf(const ScenarioFile& s) {
  absl::StatusOr<models::ModelSpec> model =
      models::ResolveModel(s.scenario.model(), s.file.At("model"));
  if (!model.ok()) return model.status();
  models::AccountQuestion question = models::QuestionAbout(*model);
  if (s.scenario.horizon().has_tokens()) {
    question.tokens = s.scenario.horizon().tokens();
  }
  if (!CanRun(s, *model)) return question;
  const absl::StatusOr<Inputs> inputs = InputsOf(s);
  if (!inputs.ok()) return inputs.status();
  question.training = inputs->training;
  question.machine = RatesOf(inputs->cluster.gpu, inputs->training.precision);
  return question;
}

// Neither a model nor a scenario has this name.
absl::Status UnknownName(const std::string& name) {
  std::vector<std::string> names = models::ZooModels();
  const std::vector<std::string> library = LibraryNames();
  names.insert(names.end(), library.begin(), library.end());
  return absl::InvalidArgumentError(
      absl::StrCat(name, ": no such file, model or scenario; ",
                   sim::Suggest(name, names, "models and scenarios")));
}

}  // namespace

absl::StatusOr<models::AccountQuestion> QuestionFor(
    const std::string& name, std::span<const std::string> sets) {
  const std::vector<std::string> zoo = models::ZooModels();
  const std::vector<std::string> library = LibraryNames();
  const bool is_model = absl::EndsWith(name, ".json") ||
                        std::binary_search(zoo.begin(), zoo.end(), name);
  if (is_model && sets.empty()) {
    const absl::StatusOr<models::ModelSpec> model = models::LoadModel(name);
    if (!model.ok()) return model.status();
    return models::QuestionAbout(*model);
  }
  if (is_model) {
    return absl::InvalidArgumentError(
        absl::StrCat("--set ", sets.front(), ": ", name,
                     " is a model; give a scenario to change its fields"));
  }
  if (!std::filesystem::exists(name) &&
      !std::binary_search(library.begin(), library.end(), name)) {
    return UnknownName(name);
  }
  const absl::StatusOr<ScenarioFile> scenario = ReadScenario(name, sets);
  if (!scenario.ok()) return scenario.status();
  return QuestionOf(*scenario);
}

std::vector<models::AccountRow> SimulatedRows(
    const std::string& name, std::span<const std::string> sets,
    const models::AccountQuestion& question) {
  if (!question.machine) return {};
  const absl::StatusOr<Inputs> inputs = Load(name, sets);
  if (!inputs.ok()) return {};
  const absl::StatusOr<Outcome> outcome = Execute(*inputs);
  if (!outcome.ok()) return {};
  const Report report = Summarize(*inputs, *outcome);

  const models::Split& split = inputs->training.split;
  const double assumed = question.machine->utilization;
  const auto parameters =
      static_cast<double>(models::CountParameters(inputs->model).total);
  const double flops_per_token = 6 * parameters;
  const double rate = static_cast<double>(split.ranks()) *
                      question.machine->peak.count() * assumed;
  const double tokens = report.tokens_per_second() * report.step_seconds();
  const auto stages = static_cast<double>(split.pipeline);
  const auto chunks = static_cast<double>(inputs->training.microbatches() *
                                          split.virtual_stages);
  double bubble = 0;
  for (const PartOfStep& part : report.parts()) {
    if (part.part() == "bubble") bubble = part.share();
  }
  const auto row = [](const char* title, const char* unit, double simulated,
                      double rule, std::string note) {
    return models::AccountRow{
        .section = "simulated, in the column of the exact",
        .name = title,
        .unit = unit,
        .exact = simulated,
        .rule = rule,
        .bytes = {},
        .note = std::move(note)};
  };
  std::vector<models::AccountRow> rows = {
      row("step", "seconds", report.step_seconds(),
          tokens * flops_per_token / rate,
          absl::StrCat("rule: 6·P·D / (GPUs · peak · ", assumed, ")")),
      row("MFU", "", report.mfu(), assumed, "rule: assumed"),
      row("pipeline bubble, share of the step", "", bubble,
          (stages - 1) / (chunks + stages - 1),
          "rule: (p-1) / (v·m + p-1); simulated: every wait for other ranks")};
  if (question.tokens > 0) {
    rows.push_back(row("hours for the tokens", "",
                       question.tokens / report.tokens_per_second() / 3600,
                       question.tokens * flops_per_token / rate / 3600,
                       "rule: 6·P·D / (GPUs · peak · MFU)"));
  }
  return rows;
}

}  // namespace scenarios
