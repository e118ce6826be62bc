// Workloads from text, and what their requests look like.
//
//   MomentsOf(Gaps(AllOf(Maker("poisson { … }").Make()))).mean;  // seconds
#ifndef TESTS_SCENARIOS_DRAWN_REQUESTS_H_
#define TESTS_SCENARIOS_DRAWN_REQUESTS_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "scenarios/field_checks.h"
#include "scenarios/workload.h"
#include "sim/text_file.h"

namespace scenarios::drawn {

inline absl::StatusOr<WorkloadMaker> MakerOf(const std::string& text,
                                             const std::string& folder = "") {
  proto::Workload workload;
  const absl::StatusOr<sim::TextFile> file =
      sim::TextFile::Parse("w", text, &workload);
  if (!file.ok()) return file.status();
  const absl::Status ranges = CheckRanges(
      workload, "", [&](absl::string_view path, absl::string_view problem) {
        return file->Error(path, problem);
      });
  if (!ranges.ok()) return ranges;
  return WorkloadOf(workload, file->At(""), folder);
}

inline WorkloadMaker Maker(const std::string& text, const std::string& folder = "") {
  absl::StatusOr<WorkloadMaker> maker = MakerOf(text, folder);
  if (!maker.ok()) ADD_FAILURE() << maker.status();
  return *std::move(maker);
}

// All requests, each answered `service` seconds after it arrives, in order.
inline std::vector<sim::Request> AllOf(sim::Workload workload, double service = 0) {
  std::vector<sim::Request> all;
  while (workload.next()) {
    all.push_back(workload.Take());
    workload.Done(all.back(), all.back().arrival + sim::Seconds(service));
  }
  return all;
}

inline double At(const sim::Request& request) {
  return sim::InSeconds(request.arrival.since_start);
}

struct Moments {
  double mean = 0, variation = 0;  // squared coefficient of variation
};

inline Moments MomentsOf(const std::vector<double>& values) {
  Moments m;
  for (const double v : values)
    m.mean += v / static_cast<double>(values.size());
  for (const double v : values) {
    m.variation += (v - m.mean) * (v - m.mean) /
                   static_cast<double>(values.size()) / (m.mean * m.mean);
  }
  return m;
}

inline std::vector<double> Gaps(const std::vector<sim::Request>& requests) {
  std::vector<double> gaps;
  for (size_t i = 1; i < requests.size(); ++i) {
    gaps.push_back(At(requests[i]) - At(requests[i - 1]));
  }
  return gaps;
}

inline std::vector<double> Inputs(const std::vector<sim::Request>& requests) {
  std::vector<double> inputs;
  for (const sim::Request& r : requests) {
    inputs.push_back(static_cast<double>(r.input));
  }
  return inputs;
}

// One line a request, for comparison.
inline std::string Dump(const std::vector<sim::Request>& requests) {
  std::string text;
  for (const sim::Request& r : requests) {
    absl::StrAppend(&text, r.id, " ", r.arrival.since_start.count(), " ",
                    r.input, " ", r.output, " ", r.session, " ", r.chunk);
    for (const uint64_t id : r.prefix) absl::StrAppend(&text, " ", id);
    absl::StrAppend(&text, "\n");
  }
  return text;
}

inline constexpr char kLengths[] =
    "input { uniform { least: 10 most: 1000 } } output { fixed: 7 }\n";

inline std::string With(const std::string& arrivals) {
  return absl::StrCat(arrivals, " ", kLengths);
}

// Writes a file of this test's folder; gives that folder.
inline std::string Write(const std::string& name, const std::string& text) {
  std::ofstream(testing::TempDir() + "/" + name) << text;
  return testing::TempDir();
}

}  // namespace scenarios::drawn

#endif  // TESTS_SCENARIOS_DRAWN_REQUESTS_H_
