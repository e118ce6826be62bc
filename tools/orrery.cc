// orrery: simulates GPU clusters training and serving Transformers.
//
// Answers go to stdout, notes to stderr; commands.h says what exit codes mean.
#include <iostream>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "scenarios/answer.h"
#include "scenarios/capacity_report.h"
#include "scenarios/serving_report.h"
#include "sim/spelling.h"
#include "tools/commands.h"

namespace {

using tools::Arguments;

// Of a path or name.
std::string NotEmpty(const std::string& text) {
  return text.empty() ? "is empty; give a file or a name" : "";
}

// Of a trace: its format is its name's.
std::string TraceName(const std::string& name) {
  for (const char* end : {".pftrace", ".json", ".json.gz"}) {
    if (absl::EndsWith(name, end)) return "";
  }
  return name + " is of no known format; name it .pftrace, .json or .json.gz";
}

void TakeScenario(CLI::App& command, Arguments& a, const std::string& name,
                  const std::string& what, int least, int most) {
  command.add_option(name, a.scenarios, what)
      ->required()
      ->expected(least, most)
      ->check(NotEmpty);
  command
      .add_option("--set", a.sets,
                  "replace a field, e.g. training.micro_batch=2")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void TakeFormat(CLI::App& command, Arguments& a) {
  command.add_option("--format", a.format, "text | json | csv")
      ->check(CLI::IsMember({"text", "json", "csv"}))
      ->capture_default_str();
}

constexpr char kScenario[] =
    "file, a name of `orrery list scenarios`, or SUITE:RUN";

void AddRun(CLI::App& app, Arguments& a, int& code) {
  CLI::App* run = app.add_subcommand("run", "how long a step or an answer takes, and why");
  TakeScenario(*run, a, "SCENARIO", kScenario, 1, 1);
  TakeFormat(*run, a);
  run->add_flag("--unfold", a.unfold, "simulate every rank, not one of a kind");
  CLI::Option* trace =
      run->add_option("--trace", a.trace,
                      "write a timeline: FILE.pftrace (Perfetto) or FILE.json "
                      "(as PyTorch's profiler)");
  trace->check(TraceName);
  run->add_option("--trace-ranks", a.trace_ranks,
                  "ranks to trace, e.g. 0,8,16; default: one of each class")
      ->delimiter(',')
      ->needs(trace);
  run->add_option("--trace-operators", a.trace_operators,
                  "of serving: show the operators of steps between these "
                  "seconds, e.g. 12.5,12.8; one number: of those then")
      ->delimiter(',')
      ->expected(1, 2)
      ->needs(trace);
  run->add_option("--trace-requests", a.trace_requests,
                  "of serving: show so many requests, the first")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->needs(trace);
  CLI::Option* graph = run->add_option(
      "--dump-graph", a.graph, "write the operators of a layer for GraphViz");
  graph->check(NotEmpty);
  run->add_option("--layer", a.graph_layer, "of --dump-graph; -1: all")
      ->capture_default_str()
      ->needs(graph);
  run->footer(
      "Exit code 3: the plan does not fit in memory, or misses its "
      "objectives.\n\nFigures of training:\n" +
      scenarios::FigureMeanings() + "\nFigures of serving:\n" +
      scenarios::ServingFigureMeanings());
  run->callback([&] { code = tools::RunScenario(a); });
}

void AddCapacity(CLI::App& app, Arguments& a, int& code) {
  CLI::App* capacity = app.add_subcommand(
      "capacity",
      "the highest load that meets a serving scenario's slo; or the fewest "
      "GPUs, or the best deployment, for it");
  TakeScenario(*capacity, a, "SCENARIO", kScenario, 1, 1);
  TakeFormat(*capacity, a);
  CLI::Option* load =
      capacity->add_option("--load", a.load,
                           "find the fewest GPUs for so many requests/s, or "
                           "users of a closed loop");
  load->check(CLI::Range(1e-3, 1e6));
  CLI::Option* fewest = capacity->add_flag(
      "--fewest-gpus", a.fewest_gpus, "the same for the scenario's own load");
  CLI::Option* compare = capacity->add_flag(
      "--compare", a.compare,
      "rank tensor x pipeline x replicas x disaggregation x "
      "max_num_batched_tokens by the load that each takes");
  compare->excludes(load)->excludes(fewest);
  capacity
      ->add_option("--gpus", a.fleet_gpus,
                   "of --compare: lay out so many; default: the scenario's")
      ->check(CLI::Range(1, 65536))
      ->needs(compare);
  capacity
      ->add_option("--requests", a.requests,
                   "of the first simulations; the last have more where that "
                   "decides")
      ->check(CLI::Range(100, 1000000))
      ->capture_default_str();
  capacity
      ->add_option("--tolerance", a.tolerance,
                   "the load found beyond the highest is so much above it")
      ->check(CLI::Range(1e-4, 1.0))
      ->capture_default_str();
  capacity
      ->add_option("--threads", a.threads,
                   "of --compare; default: one for each core")
      ->check(CLI::Range(1, 1024));
  capacity->footer(
      "Exit code 3: nothing tried meets the objectives.\n\nFigures:\n" +
      scenarios::CapacityFigureMeanings());
  capacity->callback([&] { code = tools::FindCapacity(a); });
}

void AddCompare(CLI::App& app, Arguments& a, int& code) {
  CLI::App* compare = app.add_subcommand(
      "compare", "scenarios side by side, what differs first");
  TakeScenario(*compare, a, "SCENARIO",
               "files, names of `orrery list scenarios`, SUITE:RUN, or a suite "
               "for all of its runs",
               1, 1000);
  TakeFormat(*compare, a);
  compare->add_flag("--unfold", a.unfold,
                    "simulate every rank, not one of a kind");
  compare->callback([&] { code = tools::CompareScenarios(a); });
}

void AddAccount(CLI::App& app, Arguments& a, int& code) {
  CLI::App* account = app.add_subcommand(
      "account",
      "parameters, FLOPs and bytes, exact and by the rules of thumb");
  TakeScenario(*account, a, "MODEL|SCENARIO",
               "a model of `orrery list models`, a Hugging Face config.json, "
               "or a scenario",
               1, 1);
  TakeFormat(*account, a);
  account->callback([&] { code = tools::AccountFor(a); });
}

void AddExplain(CLI::App& app, Arguments& a, int& code) {
  CLI::App* explain = app.add_subcommand(
      "explain", "the scenario with every default, its unit and its origin");
  TakeScenario(*explain, a, "SCENARIO", kScenario, 1, 1);
  explain->callback([&] { code = tools::ExplainScenario(a); });
}

void AddValidate(CLI::App& app, Arguments& a, int& code) {
  CLI::App* validate = app.add_subcommand(
      "validate", "predict every row of tables of measurements, or of suites");
  validate
      ->add_option("TABLE", a.tables,
                   "CSV files, whose columns say what was measured; or suites, "
                   "files or names of `orrery list suites`")
      ->required()
      ->check(NotEmpty);
  validate
      ->add_option("--by", a.by,
                   "columns whose values make the groups, e.g. gpu,framework")
      ->delimiter(',');
  CLI::Option* ranking = validate->add_flag(
      "--ranking", a.ranking,
      "how well each series of splits of the same work is ordered");
  validate
      ->add_flag("--memory", a.memory,
                 "of a table of runs: whether what ran fits, and twice the "
                 "largest micro batch does not")
      ->excludes(ranking)
      ->excludes("--by");
  validate->add_option("--out", a.out, "write one line per row to this CSV")
      ->check(NotEmpty);
  TakeFormat(*validate, a);
  validate->callback([&] { code = tools::ValidateTable(a); });
}

void AddFit(CLI::App& app, Arguments& a, int& code) {
  CLI::App* fit = app.add_subcommand(
      "fit", "fit the constants of kernel prices to measured tables");
  fit->add_option("TABLE", a.tables, "CSV files of measured operator times")
      ->required()
      ->check(NotEmpty);
  fit->add_option("-o,--out", a.out, "calibration file to write")
      ->required()
      ->check(NotEmpty);
  fit->add_option("--start", a.start,
                  "calibration to refine, a name or a file; default: that of "
                  "the first row's GPU")
      ->check(NotEmpty);
  fit->add_option("--gpu", a.gpus,
                  "take rows of these GPUs only, e.g. h100-sxm-80gb; default: "
                  "of every GPU that uses the calibration")
      ->delimiter(',');
  fit->add_option("--only", a.only,
                  "laws to fit, by name of tools/calibrate/recipes.textproto")
      ->delimiter(',');
  fit->add_option("--date", a.date,
                  "date to write into the file; default: today's, in UTC");
  fit->callback([&] { code = tools::FitCalibration(a); });
}

void AddList(CLI::App& app, Arguments& a, int& code) {
  CLI::App* list = app.add_subcommand("list", "what scenario files may name");
  list->add_option("KIND", a.list_kind,
                   "gpus | clusters | models | profiles | schedules | "
                   "collectives | scenarios | suites")
      ->required();
  list->callback([&] { code = tools::ListKind(a); });
}

// Says what a word that is no command was likely meant to be; empty if it is a
// command or an option.
std::string UnknownCommand(const CLI::App& app, const std::string& word) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) {
    names.push_back(command->get_name());
    if (names.back() == word) return "";
  }
  if (word.empty() || word.front() == '-') return "";
  return "there is no command \"" + word + "\"; " +
         sim::Suggest(word, names, "commands");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Simulates GPU clusters training and serving Transformers.", "orrery");
  app.set_version_flag("--version", "orrery " ORRERY_VERSION);
  app.require_subcommand(1);
  Arguments a;
  int code = tools::kDone;
  AddRun(app, a, code);
  AddCapacity(app, a, code);
  AddCompare(app, a, code);
  AddAccount(app, a, code);
  AddExplain(app, a, code);
  AddValidate(app, a, code);
  AddFit(app, a, code);
  AddList(app, a, code);
  const std::string unknown = UnknownCommand(app, argc > 1 ? argv[1] : "");
  if (!unknown.empty()) {
    std::cerr << unknown << '\n';
    return tools::kBadUsage;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? tools::kDone : tools::kBadUsage;
  }
  if (!std::cout.flush()) {
    std::cerr << "the answer cannot be written to standard output\n";
    return tools::kBadInput;
  }
  return code;
}
