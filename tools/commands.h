// The commands of orrery: each prints its answer to stdout, what went wrong to
// stderr, and returns the exit code.
//
//   Arguments a;
//   a.scenarios = {"llama3-70b-64xh100"};
//   int code = RunScenario(a);
//
// To add one: declare it here, write it in a .cc beside, and give it a
// subcommand in orrery.cc.
#ifndef TOOLS_COMMANDS_H_
#define TOOLS_COMMANDS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace tools {

// Done; the input is wrong; the command line is wrong; the plan is infeasible:
// it does not fit, or misses its objectives.
inline constexpr int kDone = 0, kBadInput = 1, kBadUsage = 2, kInfeasible = 3;

// What the command line says; each command reads its own.
struct Arguments {
  std::vector<std::string> scenarios;
  std::vector<std::string> sets;
  std::string format = "text";  // text | json | csv
  bool unfold = false;
  std::string trace;                 // file to write; empty: none
  std::vector<int64_t> trace_ranks;  // empty: one of each class
  std::vector<double> trace_operators;  // seconds, from and to; empty: none
  int64_t trace_requests = 10000;       // the first
  std::string graph;                 // file to write; empty: none
  int64_t graph_layer = 0;
  std::string list_kind;
  std::vector<std::string> by;
  std::string out;
  bool ranking = false, memory = false;  // of validate
  std::vector<std::string> tables;  // of validate and fit
  std::string start, date;          // of fit; empty: see FitQuestion; today
  std::vector<std::string> gpus, only;
  // Of capacity.
  bool compare = false, fewest_gpus = false;
  double load = 0;         // 0: the scenario's
  int64_t fleet_gpus = 0;  // 0: the scenario's
  int64_t requests = 2000, threads = 0;  // 0: one for each core
  double tolerance = 0.01;
};

int RunScenario(const Arguments& a);
int CompareScenarios(const Arguments& a);
int AccountFor(const Arguments& a);
int ExplainScenario(const Arguments& a);
int ValidateTable(const Arguments& a);
int FitCalibration(const Arguments& a);
int ListKind(const Arguments& a);
int FindCapacity(const Arguments& a);  // capacity_command.cc

}  // namespace tools

#endif  // TOOLS_COMMANDS_H_
