// `orrery fit`: measured tables in, a calibration file out.
//
//   FitAnswer answer = *FitTables({.tables = {"gemm.csv"}, .start = "hopper",
//                                  .date = "2026-11-21"});
//   answer.calibration;  // the text of a file like hardware/calibration/*
//   answer.report;       // errors and constants, for people
#ifndef TOOLS_CALIBRATE_FIT_TABLES_H_
#define TOOLS_CALIBRATE_FIT_TABLES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace tools {

struct FitQuestion {
  std::vector<std::string> tables;  // CSV files of op_tables.h; at least one
  // The calibration that is refined, a name or a file: constants no row speaks
  // of stay what they are there. Empty: that of the first row's GPU.
  std::string start = {};
  // Rows of these GPUs only (names of hardware/gpus); empty: of every GPU whose
  // calibration is `start`.
  std::vector<std::string> gpus = {};
  std::vector<std::string> only = {};  // recipes by name; empty: all with rows
  std::string date = {};               // of the provenance, YYYY-MM-DD
};

struct FitAnswer {
  std::string calibration;
  std::string report;
};

// Fails on tables that cannot be read, on unknown names, and if no recipe has a
// row. The same question about the same files has the same answer.
absl::StatusOr<FitAnswer> FitTables(const FitQuestion& question);

}  // namespace tools

#endif  // TOOLS_CALIBRATE_FIT_TABLES_H_
