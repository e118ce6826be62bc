// Which cases orrery-measure runs and how long each will take, known before it
// starts: estimates from a roofline, fitted into a budget of time.
//
//   Plan plan = MakePlan({.profile = Profile::kQuick}, DatasheetOf("h200"));
//   plan.seconds   // at most 150
//
// A family that is not asked for leaves its time to nobody: a case is planned
// the same alone as among others.
#ifndef TOOLS_CALIBRATE_PLAN_H_
#define TOOLS_CALIBRATE_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tools/calibrate/cases.h"

namespace tools {

// What a card can do at most; estimates only.
struct Ceilings {
  std::string gpu;          // as the public tables name it
  double matrix_flops = 0;  // per second, dense, BF16
  double vector_flops = 0;  // per second, FP32
  double memory_bytes = 0;  // per second
  double host_bytes = 0;    // per second and direction
  double wire_bytes = 0;    // per second and direction, to other GPUs
  double capacity = 0;      // bytes of device memory
};

// a100, h100 or h200 by its datasheet; an H200 for any other name.
Ceilings DatasheetOf(const std::string& gpu);

// "h200" of "NVIDIA H200"; the public tables' names, else the device's own in
// lower case with _ between its words.
std::string TableNameOfGpu(const std::string& device);

// The least time of one run, in microseconds: 2 for its launch, and the work at
// 60 % of the ceilings.
double EstimateUs(const Case& c, const Ceilings& ceilings);

// How a case is measured.
struct Effort {
  int candidates = 1;  // algorithms tried before the best is timed
  int runs = 1;        // of the kernel between two events
  int samples = 5;     // timed intervals, of which the median is reported
};

struct PlannedCase {
  Case what;
  std::string family;
  double estimated_us = 0;  // one run
  Effort effort;
  double seconds = 0;  // set-up, check, warm-up and samples together
};

struct Plan {
  std::vector<PlannedCase> cases;
  double seconds = 0;         // of all cases
  double budget_seconds = 0;  // of the families asked for
  struct LeftOut {
    std::string family;
    int cases = 0;
    std::string reason;
  };
  std::vector<LeftOut> left_out;
};

struct PlanOptions {
  Profile profile = Profile::kFull;
  std::vector<std::string> only;  // families; empty: all
  int64_t gpus = 1;
};

// Families in the order they run: roofline, gemm, attention, pointwise,
// experts, collectives.
const std::vector<std::string>& Families();

// Seconds that one family may take.
double BudgetOf(const std::string& family, Profile profile);

Plan MakePlan(const PlanOptions& options, const Ceilings& ceilings);

// One line per case, then totals: what --plan prints.
std::string TextOf(const Plan& plan);

}  // namespace tools

#endif  // TOOLS_CALIBRATE_PLAN_H_
