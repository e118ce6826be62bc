// Rows of the tables that orrery-measure writes: the columns of the public
// operator tables, then ours, so that `orrery validate` and `orrery fit` read
// both alike.
//
//   ColumnsOf(OpTable::kGemm)   // gpu,dtype,m,n,k,time_us,…,split,spread_us,…
//   RowOf(gemm_case, timing, session)   // h200,bf16,16,28672,4096,61.312,…
//
// After the public columns: spread_us (p90_us - p10_us), p10_us, p90_us,
// samples, sm_clock_mhz, memory_clock_mhz, power_w and temperature_c while it
// ran, library, l2_state (cold, partial, warm), device, driver, cuda, date.
// `split` is own. roofline.csv is ours alone:
//   gpu, kernel, dtype   as RooflineCase has them
//   bytes, flops         of one run; 0 where the kernel has none; ex2 counts
//                        one per exponential
//   time_us              median; of one kernel for launch_stream, launch_graph
//   gb_per_s, tflop_per_s  bytes and flops over time_us
//
// To add a table: a value, its columns and its row in op_rows.cc.
#ifndef TOOLS_CALIBRATE_OP_ROWS_H_
#define TOOLS_CALIBRATE_OP_ROWS_H_

#include <string>
#include <vector>

#include "tools/calibrate/cases.h"

namespace tools {

// The spread of one case's samples, each the mean of several runs.
struct Timing {
  double median_us = 0, p10_us = 0, p90_us = 0;
  int samples = 0;
};

// Nearest-rank quantiles. REQUIRES: samples_us is not empty.
Timing SummaryOf(std::vector<double> samples_us);

// The card while a case ran; below 0: the driver does not tell.
struct CardState {
  double sm_clock_mhz = -1, memory_clock_mhz = -1;
  double power_w = -1, temperature_c = -1;
};

// What is the same in every row of a run.
struct Session {
  std::string gpu;     // "h200", as the tables name it
  std::string device;  // "NVIDIA H200", as the driver does
  std::string driver, cuda;
  std::string date;    // 2026-11-21
  std::string system;  // "1xNVIDIA H200"
};

struct Measurement {
  Case what;
  Timing timing;
  CardState card;
  std::string source;     // orrery-measure-fa2
  std::string framework;  // the library that ran it, cublaslt-13.1.0
  std::string l2;         // cold, partial or warm
};

enum class OpTable {
  kRoofline,
  kGemm,
  kAttentionPrefill,
  kAttentionDecode,
  kAttentionBackward,
  kPointwise,
  kMoe,
  kCollectives
};

OpTable TableOf(const Case& c);
// gemm.csv
std::string FileOf(OpTable table);
std::vector<std::string> ColumnsOf(OpTable table);
// As many cells as ColumnsOf(TableOf(m.what)).
std::vector<std::string> RowOf(const Measurement& m, const Session& session);

// The measurements of one table as CSV, header first.
std::string TableText(OpTable table, const std::vector<Measurement>& all,
                      const Session& session);

// Writes `text` beside `path` and moves it there, so that the file is whole or
// as it was. An empty string, or why not.
std::string WriteWholeText(const std::string& path, const std::string& text);

}  // namespace tools

#endif  // TOOLS_CALIBRATE_OP_ROWS_H_
