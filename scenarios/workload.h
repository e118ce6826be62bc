// From `workload { ... }` of a scenario to requests, checked once and made as
// often as asked.
//
//   absl::StatusOr<WorkloadMaker> maker =
//       WorkloadOf(scenario.workload(), file.At("workload"), "scenarios/");
//   // a.textproto:3:5: workload.poisson.requests_per_second: is missing; …
//   sim::Workload w = maker->Make();
//   sim::Workload faster = maker->Make({.requests_per_second = 12});
//
// To add a way to arrive: a field in workload.proto, a case in workload.cc and
// one in request_stream.cc. To add a trace format: traces/trace.h says how.
#ifndef SCENARIOS_WORKLOAD_H_
#define SCENARIOS_WORKLOAD_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "scenarios/request_stream.h"
#include "scenarios/workload.pb.h"
#include "sim/serving/workload.h"
#include "sim/text_file.h"

namespace scenarios {

// What to change of a workload, for a search over its load.
struct WorkloadOptions {
  // Mean rate of arrivals, > 0; of a trace's replay, by stretching its times.
  // The n-th request keeps its lengths.
  std::optional<double> requests_per_second = {};
  // Users of a closed loop, >= 1.
  std::optional<int64_t> concurrency = {};
  // Requests (of `turns`, conversations) in all, >= 1, in place of the
  // workload's number and duration; a trace is repeated as often as it takes.
  std::optional<int64_t> requests = {};
};

class WorkloadMaker {
 public:
  // Every call begins at the first request; equal options, equal requests.
  // REQUIRES: the maker outlives (moved or not) what it makes;
  // requests_per_second() where a rate is given, concurrency() where a
  // concurrency is.
  sim::Workload Make(const WorkloadOptions& options = {}) const;

  // The mean rate of arrivals (of `turns`, of conversations); nothing of a
  // closed loop, of all at once, and of a trace whose rows all arrive at once.
  std::optional<double> requests_per_second() const;
  // Users of a closed loop; nothing of any other.
  std::optional<int64_t> concurrency() const;
  // Requests (of `turns`, conversations) unless duration_seconds ends them
  // earlier; nothing where only that ends them.
  std::optional<int64_t> requests() const;
  // Rows of the trace that were left out as its format's comment says.
  int64_t dropped_rows() const;

 private:
  friend absl::StatusOr<WorkloadMaker> WorkloadOf(const proto::Workload&,
                                                  const sim::TextField&,
                                                  const std::string&);
  explicit WorkloadMaker(std::unique_ptr<const RequestPlan> plan)
      : plan_(std::move(plan)) {}

  std::unique_ptr<const RequestPlan> plan_;
};

// Fails at the first field that cannot be, and on files that cannot be read or
// have bad rows, with their line and column. `place` is where the workload
// stands; files it names are relative to `folder`, the scenario's.
// REQUIRES: every number is in its field's range (field_checks.h).
absl::StatusOr<WorkloadMaker> WorkloadOf(const proto::Workload& workload,
                                         const sim::TextField& place,
                                         const std::string& folder);

}  // namespace scenarios

#endif  // SCENARIOS_WORKLOAD_H_
