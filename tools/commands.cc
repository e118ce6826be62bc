#include "tools/commands.h"

#include <iostream>
#include <memory>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/message.h"
#include "models/account.h"
#include "models/op_graph.h"
#include "scenarios/account.h"
#include "scenarios/answer.h"
#include "scenarios/explain.h"
#include "scenarios/list.h"
#include "scenarios/load.h"
#include "scenarios/report.h"
#include "scenarios/run.h"
#include "scenarios/serving_inputs.h"
#include "scenarios/serving_report.h"
#include "scenarios/serving_run.h"
#include "scenarios/serving_trace.h"
#include "scenarios/suite.h"
#include "scenarios/trace_kineto.h"
#include "scenarios/trace_of_run.h"
#include "scenarios/trace_perfetto.h"
#include "scenarios/validate.h"
#include "scenarios/validation_report.h"
#include "scenarios/whole_file.h"
#include "tools/calibrate/fit_tables.h"
#include "tools/progress.h"

namespace tools {
namespace {

int Fail(const absl::Status& status) {
  std::cerr << status.message() << '\n';
  return kBadInput;
}

// Prints an answer, or says what was wrong with the input.
int Answer(const absl::StatusOr<std::string>& text) {
  if (!text.ok()) return Fail(text.status());
  std::cout << *text;
  return kDone;
}

absl::Status WriteFile(const std::string& path, const std::string& text) {
  return scenarios::WriteWhole(
      path, [&](google::protobuf::io::ZeroCopyOutputStream& stream) {
        google::protobuf::io::CodedOutputStream coded(&stream);
        coded.WriteString(text);
        return !coded.HadError();
      });
}

// The operators of one layer, or of all for -1, as GraphViz.
absl::StatusOr<std::string> GraphOf(const Arguments& a,
                                    const scenarios::Outcome& outcome) {
  // The first chunk's ops have the first labels.
  const models::OpGraph& graph = outcome.lowered.stages[0].chunks[0];
  std::vector<double> seconds;
  int64_t last = -1;
  for (size_t op = 0; op < graph.ops.size(); ++op) {
    const hardware::PricedOp& priced =
        outcome.lowered.ops[sim::AsId<sim::LabelId>(op)];
    seconds.push_back(sim::InSeconds(priced.time));
    last = std::max<int64_t>(last, priced.op.layer);
  }
  if (a.graph_layer < -1 || a.graph_layer > last) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--layer: there is no layer ", a.graph_layer,
        " in the first model chunk; 0 to ", last, " work, or -1 for all"));
  }
  return models::ToGraphViz(graph, static_cast<int32_t>(a.graph_layer),
                            models::CriticalPath(graph, seconds));
}

// Writes the files that `run` was asked for beside its answer.
absl::Status WriteFiles(const Arguments& a, const scenarios::Inputs& inputs,
                        const scenarios::Outcome& outcome) {
  if (!a.graph.empty()) {
    const absl::StatusOr<std::string> graph = GraphOf(a, outcome);
    if (!graph.ok()) return graph.status();
    const absl::Status status = WriteFile(a.graph, *graph);
    if (!status.ok()) return status;
  }
  if (a.trace.empty()) return absl::OkStatus();
  const absl::StatusOr<scenarios::TraceInputs> trace =
      scenarios::TraceOf(inputs, outcome, a.trace_ranks);
  if (!trace.ok()) return trace.status();
  const bool json =
      absl::EndsWith(a.trace, ".json") || absl::EndsWith(a.trace, ".json.gz");
  return json ? scenarios::WriteKineto(*trace, a.trace)
              : scenarios::WritePerfetto(*trace, a.trace);
}

// An answer, and whether what was asked for can be.
struct Run {
  std::unique_ptr<const google::protobuf::Message> report;
  std::string text;
  bool feasible = true;
};

absl::StatusOr<Run> Train(const scenarios::ScenarioFile& file,
                          const std::string& scenario, const Arguments& a) {
  if (!a.trace_operators.empty()) {
    return absl::InvalidArgumentError(
        "--trace-operators is of serving; the trace of training shows them all");
  }
  const absl::StatusOr<scenarios::Inputs> inputs = scenarios::InputsOf(file);
  if (!inputs.ok()) return inputs.status();
  const absl::StatusOr<scenarios::Outcome> outcome = scenarios::Execute(
      *inputs, {.unfold = a.unfold, .memory_curve = !a.trace.empty()});
  if (!outcome.ok()) {
    return absl::Status(
        outcome.status().code(),
        absl::StrCat(scenario, ": ", outcome.status().message()));
  }
  const absl::Status files = WriteFiles(a, *inputs, *outcome);
  if (!files.ok()) return files;
  auto report = std::make_unique<scenarios::Report>(
      scenarios::Summarize(*inputs, *outcome));
  std::string text = scenarios::ToText(*report);
  return Run{std::move(report), std::move(text),
             scenarios::Fits(*inputs, *outcome)};
}

absl::StatusOr<Run> ServeRequests(const scenarios::ScenarioFile& file,
                                  const Arguments& a) {
  if (a.unfold || !a.graph.empty() || !a.trace_ranks.empty()) {
    return absl::InvalidArgumentError(
        "--unfold, --dump-graph and --trace-ranks are of training; this "
        "scenario serves");
  }
  const absl::StatusOr<scenarios::ServingInputs> inputs =
      scenarios::ServingInputsOf(file);
  if (!inputs.ok()) return inputs.status();
  scenarios::ServingReport report = scenarios::DescribeMisfit(*inputs);
  if (report.fits()) {
    scenarios::ServingTraceOptions options{.requests = a.trace_requests};
    if (!a.trace_operators.empty()) {
      options.operators = {{sim::Seconds(a.trace_operators.front())},
                           {sim::Seconds(a.trace_operators.back())}};
    }
    const absl::StatusOr<scenarios::ServingOutcome> outcome =
        a.trace.empty() ? scenarios::Serve(*inputs)
                        : scenarios::ServeTraced(*inputs, a.trace, options);
    if (!outcome.ok()) return outcome.status();
    report = scenarios::Summarize(*inputs, *outcome);
  }
  std::string text = scenarios::ToText(report);
  const bool feasible = report.fits() && report.meets();
  return Run{std::make_unique<scenarios::ServingReport>(std::move(report)),
             std::move(text), feasible};
}

absl::StatusOr<Run> RunOne(const std::string& scenario, const Arguments& a) {
  const Progress progress("simulating " + scenario);
  const absl::StatusOr<scenarios::ScenarioFile> file =
      scenarios::ReadScenario(scenario, a.sets);
  if (!file.ok()) return file.status();
  return file->serves() ? ServeRequests(*file, a) : Train(*file, scenario, a);
}

// The scenarios named, with each suite's runs in its place.
absl::StatusOr<std::vector<std::string>> WithRuns(
    const std::vector<std::string>& names) {
  std::vector<std::string> runs;
  for (const std::string& name : names) {
    const auto file = scenarios::SuiteFileOf(name);
    if (!file) {
      runs.push_back(name);
      continue;
    }
    const absl::StatusOr<scenarios::Suite> suite = scenarios::LoadSuite(*file);
    if (!suite.ok()) return suite.status();
    for (const auto& run : suite->fields.run()) {
      runs.push_back(absl::StrCat(name, ":", run.name()));
    }
  }
  return runs;
}

// What `validate` finds for each table, one table after the other.
template <class Row, class ValidateOne>
absl::StatusOr<std::vector<Row>> OfTables(const std::vector<std::string>& tables,
                                          ValidateOne validate) {
  std::vector<Row> all;
  for (const std::string& table : tables) {
    const Progress progress("predicting the rows of " + table);
    absl::StatusOr<std::vector<Row>> rows = validate(table);
    if (!rows.ok()) return rows.status();
    all.insert(all.end(), rows->begin(), rows->end());
  }
  return all;
}

int CheckMemoryOf(const Arguments& a, int threads) {
  const absl::StatusOr<std::vector<scenarios::MemoryCheck>> checks =
      OfTables<scenarios::MemoryCheck>(
          a.tables, [&](const std::string& table) {
            return scenarios::ValidateMemory(table, threads);
          });
  if (!checks.ok()) return Fail(checks.status());
  std::cout << (a.format == "json"  ? scenarios::MemoryJson(*checks)
                : a.format == "csv" ? scenarios::MemoryCsv(*checks)
                                    : scenarios::MemoryText(*checks));
  if (a.out.empty()) return kDone;
  const absl::Status status = WriteFile(a.out, scenarios::MemoryCsv(*checks));
  return status.ok() ? kDone : Fail(status);
}

}  // namespace

int RunScenario(const Arguments& a) {
  const absl::StatusOr<Run> run = RunOne(a.scenarios.front(), a);
  if (!run.ok()) return Fail(run.status());
  const google::protobuf::Message* report = run->report.get();
  std::cout << (a.format == "json"  ? scenarios::ToJson(*report)
                : a.format == "csv" ? scenarios::ToCsv({&report, 1})
                                    : run->text);
  return run->feasible ? kDone : kInfeasible;
}

int CompareScenarios(const Arguments& a) {
  const absl::StatusOr<std::vector<std::string>> names = WithRuns(a.scenarios);
  if (!names.ok()) return Fail(names.status());
  if (names->size() < 2) {
    std::cerr << "SCENARIO: At least 2 required but received 1\n";
    return kBadUsage;
  }
  std::vector<Run> runs;
  std::vector<const google::protobuf::Message*> reports;
  for (const std::string& scenario : *names) {
    absl::StatusOr<Run> run = RunOne(scenario, a);
    if (!run.ok()) return Fail(run.status());
    runs.push_back(*std::move(run));
    reports.push_back(runs.back().report.get());
  }
  std::cout << (a.format == "json"  ? scenarios::CompareJson(reports)
                : a.format == "csv" ? scenarios::ToCsv(reports)
                                    : scenarios::CompareText(reports));
  return kDone;
}

int AccountFor(const Arguments& a) {
  const absl::StatusOr<models::AccountQuestion> question =
      scenarios::QuestionFor(a.scenarios.front(), a.sets);
  if (!question.ok()) return Fail(question.status());
  std::vector<models::AccountRow> rows = models::Account(*question);
  for (models::AccountRow& row :
       scenarios::SimulatedRows(a.scenarios.front(), a.sets, *question)) {
    rows.push_back(std::move(row));
  }
  std::cout << (a.format == "json"  ? models::AccountJson(*question, rows)
                : a.format == "csv" ? models::AccountCsv(rows)
                                    : models::AccountText(*question, rows));
  return kDone;
}

int ExplainScenario(const Arguments& a) {
  const absl::StatusOr<scenarios::ScenarioFile> scenario =
      scenarios::ReadScenario(a.scenarios.front(), a.sets);
  if (!scenario.ok()) return Fail(scenario.status());
  return Answer(scenarios::Explain(*scenario));
}

int ValidateTable(const Arguments& a) {
  const unsigned cores = std::thread::hardware_concurrency();
  const int threads = cores > 0 ? static_cast<int>(cores) : 1;
  if (a.memory) return CheckMemoryOf(a, threads);
  const absl::StatusOr<std::vector<scenarios::Prediction>> rows =
      OfTables<scenarios::Prediction>(
          a.tables, [&](const std::string& table) {
            return scenarios::Validate(table, a.by, threads);
          });
  if (!rows.ok()) return Fail(rows.status());
  std::cout << (a.format == "json"  ? scenarios::ToJson(*rows)
                : a.format == "csv" ? scenarios::ToCsv(*rows)
                                    : scenarios::ToText(*rows, a.ranking));
  if (a.out.empty()) return kDone;
  const absl::Status status = WriteFile(a.out, scenarios::ToCsv(*rows));
  return status.ok() ? kDone : Fail(status);
}

int FitCalibration(const Arguments& a) {
  const Progress progress("fitting");
  const std::string today =
      absl::FormatTime("%Y-%m-%d", absl::Now(), absl::UTCTimeZone());
  const absl::StatusOr<FitAnswer> answer =
      FitTables({.tables = a.tables,
                 .start = a.start,
                 .gpus = a.gpus,
                 .only = a.only,
                 .date = a.date.empty() ? today : a.date});
  if (!answer.ok()) return Fail(answer.status());
  const absl::Status status = WriteFile(a.out, answer->calibration);
  if (!status.ok()) return Fail(status);
  std::cout << answer->report;
  return kDone;
}

int ListKind(const Arguments& a) {
  return Answer(scenarios::List(a.list_kind));
}

}  // namespace tools
