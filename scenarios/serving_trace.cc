#include "scenarios/serving_trace.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/io/zero_copy_stream.h"
#include "scenarios/perfetto_packets.h"
#include "scenarios/request_tracks.h"
#include "scenarios/serving_tracks.h"
#include "scenarios/whole_file.h"
#include "sim/serving/fleet.h"

namespace scenarios {
namespace {

// Both views are told of everything, requests last where they come from steps.
sim::Listeners ListenersOf(RequestTracks& requests, EngineTracks& engines) {
  return {
      .on_arrive = [&](const sim::Request& r) { requests.Arrives(r); },
      .on_route = [&](const sim::RouteRecord& r) { requests.IsRouted(r); },
      .on_job =
          [&](const sim::Job& job, sim::JobEvent event, uint32_t engine,
              sim::Instant at) { requests.Changes(job, event, engine, at); },
      .on_done = [&](const sim::Job& job) { requests.IsDone(job); },
      .on_dropped = [&](const sim::Request& r,
                        sim::Drop why) { requests.IsDropped(r, why); },
      .on_step =
          [&](const sim::StepRecord& step) {
            engines.Steps(
                step, [&](EventBytes* end) { requests.AddArrows(step, end); });
            requests.Steps(step);
          },
      .on_transfer =
          [&](const sim::TransferRecord& transfer) {
            engines.Moves(transfer);
            requests.Moves(transfer);
          },
      .on_replica =
          [&](uint32_t engine, sim::Instant at, bool up) {
            engines.Switches(engine, at, up);
            requests.Switches(engine, at, up);
          }};
}

}  // namespace

absl::StatusOr<ServingOutcome> ServeTraced(const ServingInputs& inputs,
                                           const std::filesystem::path& path,
                                           const ServingTraceOptions& options) {
  const std::string name = path.string();
  if (absl::EndsWith(name, ".json") || absl::EndsWith(name, ".json.gz")) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": serving is traced in Perfetto's format only; .pftrace works"));
  }
  ServingOutcome outcome;
  const absl::Status written = WriteWholeGzip(
      path, kTraceGzipLevel,
      [&](google::protobuf::io::ZeroCopyOutputStream& stream) {
        ServingTracks tracks(stream);
        RequestTracks requests(inputs, options.requests, &tracks);
        EngineTracks engines(inputs, options.operators, &tracks);
        outcome = Serve(
            inputs, {.load = {}, .listeners = ListenersOf(requests, engines)});
        requests.Ends(outcome.served.end);
        engines.Ends(outcome.served.end);
        return tracks.out.Finish();
      });
  if (!written.ok()) return written;
  return outcome;
}

}  // namespace scenarios
