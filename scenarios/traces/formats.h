// The formats of traces, one file each.
#ifndef SCENARIOS_TRACES_FORMATS_H_
#define SCENARIOS_TRACES_FORMATS_H_

#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "scenarios/traces/trace.h"
#include "scenarios/workload.pb.h"

namespace scenarios {

using LoadRows = absl::StatusOr<RequestTrace>(const std::string& name,
                                              const std::string& text,
                                              const TraceOptions& options);

LoadRows LoadAzure, LoadMooncake, LoadVidur, LoadVllmRequests, LoadShareGpt,
    LoadBurstGpt, LoadBailian;

struct TraceFormat {
  proto::Workload::Trace::Format format;
  bool json;                                 // else CSV
  std::span<const absl::string_view> names;  // columns, or keys, it must have
  LoadRows* load;
};

// To which a file belongs is told by its names: of the formats whose names it
// has, the one with the most.
std::span<const TraceFormat> TraceFormats();

}  // namespace scenarios

#endif  // SCENARIOS_TRACES_FORMATS_H_
