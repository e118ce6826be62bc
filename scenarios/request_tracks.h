// The requests of a trace of serving: process "requests", in which each has a
// slice on one of a few lanes, from its arrival to its last token, and within
// it one for each phase of its way:
//
//   queue        at the router and the engine, until its first step begins
//   prefill      until its first token
//   transfer     of its keys and values to another engine …
//   queue        … and the wait for room there
//   decode       its further tokens
//   preempted    put aside for others, or its engine is down; it waits again
//   recompute    what it lost, up to its next token
//
// A lane is free for another request once its own has ended. Thread "router"
// has an instant for each way that a request is sent, and for each one that is
// refused. Of large runs the first requests alone are shown; an instant says
// so, where the others begin. Counter "in flight" counts all.
#ifndef SCENARIOS_REQUEST_TRACKS_H_
#define SCENARIOS_REQUEST_TRACKS_H_

#include <cstdint>
#include <functional>
#include <queue>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/string_view.h"
#include "scenarios/serving_inputs.h"
#include "scenarios/serving_tracks.h"
#include "sim/serving/fleet.h"

namespace scenarios {

class RequestTracks {
 public:
  // Of the requests with ids below `shown`.
  RequestTracks(const ServingInputs& inputs, int64_t shown,
                ServingTracks* tracks);

  // As sim::Listeners.
  void Arrives(const sim::Request& request);
  void IsRouted(const sim::RouteRecord& route);
  void Changes(const sim::Job& job, sim::JobEvent event, uint32_t engine,
               sim::Instant at);
  void Moves(const sim::TransferRecord& transfer);
  void Steps(const sim::StepRecord& step);
  void IsDone(const sim::Job& job);
  void IsDropped(const sim::Request& request, sim::Drop why);
  void Switches(uint32_t engine, sim::Instant at, bool up);
  void Ends(sim::Instant at);

  // Adds to the end of a step's slice the arrows to it from the requests whose
  // prompts it computes.
  void AddArrows(const sim::StepRecord& step, EventBytes* event);

 private:
  enum class Phase : uint8_t {
    kQueue,
    kPrefill,
    kTransfer,
    kDecode,
    kPreempted,
    kRecompute,
  };
  struct Live {
    size_t lane = 0;
    Phase phase = Phase::kQueue;
    uint32_t engine = 0;
    uint64_t arrow = 0;  // from its prefill to the steps that do it; 0: none
    sim::Instant since = {};  // the phase began
    uint32_t from = 0;        // of kTransfer
    double mib = 0;           // likewise
  };

  static absl::string_view NameOf(Phase phase);
  Live* Find(int64_t id);
  size_t TakeLane();
  uint64_t LaneTrack(size_t lane) const { return lanes_[lane]; }
  // The phase ends and another begins; one of no length is not shown.
  void Enter(Live* live, Phase next, sim::Instant at);
  // The request ends: the event `tracks_.out.event` on its lane is written.
  EventBytes& BeginEnd(Live* live, sim::Instant at);
  void Close(int64_t id, sim::Instant at);
  void Note(sim::Instant at, const std::string& name);  // begins an instant
  void Count(int64_t change, sim::Instant at);

  const ServingInputs& inputs_;
  const int64_t shown_;
  ServingTracks& tracks_;
  uint64_t process_, router_, in_flight_track_;
  std::vector<uint64_t> lanes_;  // their tracks
  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> free_;
  absl::btree_map<int64_t, Live> live_;  // by id
  int64_t in_flight_ = 0;
  sim::Instant now_ = {};  // of what was told last
};

}  // namespace scenarios

#endif  // SCENARIOS_REQUEST_TRACKS_H_
