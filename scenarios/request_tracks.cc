#include "scenarios/request_tracks.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "scenarios/serving_run.h"

namespace scenarios {
namespace {

constexpr int32_t kPid = 1, kRouterTid = 2;  // below those of engines

double Milliseconds(sim::Duration d) { return sim::InSeconds(d) * 1e3; }

std::string NameOf(const sim::Request& request) {
  return absl::StrCat("request ", request.id);
}

absl::string_view NameOf(sim::Drop why) {
  switch (why) {
    case sim::Drop::kTooLong:
      return "too long";
    case sim::Drop::kQueueFull:
      return "queue full";
    case sim::Drop::kUnserved:
      return "not done when the clock stopped";
  }
  return "";
}

void AddParts(const sim::Job& job, EventBytes* event) {
  const auto add = [&](TraceKey key, sim::Duration d) {
    Arg(event, key, Milliseconds(d));
  };
  add(TraceKey::kTtftMs, job.first_token - job.request.arrival);
  if (job.request.output > 1) {
    Arg(event, TraceKey::kTpotMs, TimePerToken(job) * 1e3);
  }
  add(TraceKey::kE2eMs, job.finish - job.request.arrival);
  const sim::LatencyParts parts = job.parts();
  add(TraceKey::kQueueMs, parts.queue);
  add(TraceKey::kPrefillMs, parts.prefill);
  add(TraceKey::kTransferMs, parts.transfer);
  add(TraceKey::kDecodeMs, parts.decode);
  add(TraceKey::kInterferenceMs, parts.interference);
  add(TraceKey::kPreemptionMs, parts.preemption);
}

}  // namespace

RequestTracks::RequestTracks(const ServingInputs& inputs, int64_t shown,
                             ServingTracks* tracks)
    : inputs_(inputs), shown_(shown), tracks_(*tracks) {
  process_ = tracks_.New(3);
  router_ = process_ + 1;
  in_flight_track_ = process_ + 2;
  tracks_.Process(process_, kPid, "requests");
  tracks_.Thread(router_, kPid, kRouterTid, "router");
  tracks_.Counter(in_flight_track_, process_, "in flight");
}

absl::string_view RequestTracks::NameOf(Phase phase) {
  constexpr absl::string_view kNames[] = {"queue",  "prefill",   "transfer",
                                          "decode", "preempted", "recompute"};
  return kNames[static_cast<size_t>(phase)];
}

RequestTracks::Live* RequestTracks::Find(int64_t id) {
  if (id < 0 || id >= shown_) return nullptr;
  const auto live = live_.find(id);
  return live == live_.end() ? nullptr : &live->second;
}

size_t RequestTracks::TakeLane() {
  if (!free_.empty()) {
    const size_t lane = free_.top();
    free_.pop();
    return lane;
  }
  const size_t lane = lanes_.size();
  lanes_.push_back(tracks_.New(1));
  tracks_.Row(lanes_[lane], process_, static_cast<int32_t>(lane) + 1,
              absl::StrCat("lane ", lane + 1));
  return lane;
}

void RequestTracks::Count(int64_t change, sim::Instant at) {
  in_flight_ += change;
  tracks_.out.event.Count(in_flight_track_, in_flight_);
  tracks_.out.Write(Nanoseconds(at));
}

void RequestTracks::Note(sim::Instant at, const std::string& name) {
  now_ = std::max(now_, at);
  tracks_.out.event.Instant(router_).Name(name);
}

void RequestTracks::Arrives(const sim::Request& request) {
  now_ = std::max(now_, request.arrival);
  Count(1, request.arrival);
  if (request.id == shown_) {
    Note(request.arrival,
         absl::StrCat("requests from ", shown_, " on are not shown"));
    tracks_.out.Write(Nanoseconds(request.arrival));
  }
  if (request.id >= shown_) return;
  const size_t lane = TakeLane();
  live_[request.id] = {.lane = lane, .since = request.arrival};
  EventBytes& event = tracks_.out.event.Begin(LaneTrack(lane));
  event.Name(scenarios::NameOf(request));
  Arg(&event, TraceKey::kInput, request.input);
  Arg(&event, TraceKey::kOutput, request.output);
  if (request.priority != 0) {
    Arg(&event, TraceKey::kPriority, int64_t{request.priority});
  }
  if (request.session >= 0) Arg(&event, TraceKey::kSession, request.session);
  tracks_.out.Write(Nanoseconds(request.arrival));
}

void RequestTracks::Enter(Live* live, Phase next, sim::Instant at) {
  const uint64_t begin = Nanoseconds(live->since), end = Nanoseconds(at);
  if (begin < end) {
    EventBytes& event = tracks_.out.event.Begin(LaneTrack(live->lane));
    event.Name(NameOf(live->phase));
    if (live->phase == Phase::kTransfer) {
      Arg(&event, TraceKey::kFrom, int64_t{live->from});
      Arg(&event, TraceKey::kTo, int64_t{live->engine});
      Arg(&event, TraceKey::kMib, live->mib);
    } else if (live->phase != Phase::kQueue) {
      Arg(&event, TraceKey::kEngine, int64_t{live->engine});
    }
    const bool computes =
        live->phase == Phase::kPrefill || live->phase == Phase::kRecompute;
    if (computes && live->arrow != 0) event.Leave(live->arrow);
    tracks_.out.Write(begin);
    tracks_.out.event.End(LaneTrack(live->lane));
    tracks_.out.Write(end);
  }
  live->phase = next;
  live->since = std::max(live->since, at);
}

void RequestTracks::IsRouted(const sim::RouteRecord& route) {
  const sim::Request& request = route.job->request;
  Live* live = Find(request.id);
  if (live == nullptr) return;
  live->engine = route.replica;
  Note(route.at,
       absl::StrCat(scenarios::NameOf(request), " to engine ", route.replica));
  EventBytes& event = tracks_.out.event;
  Arg(&event, TraceKey::kInput, request.input);
  Arg(&event, TraceKey::kEngine, int64_t{route.replica});
  Arg(&event, TraceKey::kWaiting, route.engine->waiting());
  Arg(&event, TraceKey::kRunning, route.engine->running());
  tracks_.out.Write(Nanoseconds(route.at));
}

void RequestTracks::Changes(const sim::Job& job, sim::JobEvent event,
                            uint32_t engine, sim::Instant at) {
  Live* live = Find(job.request.id);
  if (live == nullptr) return;
  if (event == sim::JobEvent::kPutAside) {
    return Enter(live, Phase::kPreempted, at);
  }
  const bool computes = !job.decoding();
  Enter(live,
        !computes       ? Phase::kDecode
        : job.preempted ? Phase::kRecompute
                        : Phase::kPrefill,
        at);
  live->engine = engine;
  live->arrow = computes ? tracks_.NewArrow() : 0;
}

void RequestTracks::Moves(const sim::TransferRecord& transfer) {
  Live* live = Find(transfer.job->request.id);
  if (live == nullptr) return;
  live->engine = transfer.from;
  Enter(live, Phase::kTransfer, transfer.job->last_token);
  live->from = transfer.from;
  live->engine = transfer.to;
  live->mib = InMiB(transfer.bytes);
  Enter(live, Phase::kQueue, transfer.end);
}

void RequestTracks::AddArrows(const sim::StepRecord& step, EventBytes* event) {
  for (const sim::PrefillChunk& chunk : step.work->prefills) {
    Live* live = Find(chunk.request);
    if (live == nullptr || live->arrow == 0) continue;
    if (chunk.last) {
      event->Arrive(live->arrow);
    } else {
      event->Leave(live->arrow);
    }
  }
}

void RequestTracks::Steps(const sim::StepRecord& step) {
  now_ = std::max(now_, step.end);
  for (const sim::PrefillChunk& chunk : step.work->prefills) {
    if (!chunk.last) continue;
    Live* live = Find(chunk.request);
    if (live != nullptr) Enter(live, Phase::kDecode, step.end);
  }
}

void RequestTracks::Switches(uint32_t engine, sim::Instant at, bool up) {
  now_ = std::max(now_, at);
  if (up) return;
  for (auto& [id, live] : live_) {
    const bool there = live.engine == engine && live.since <= at;
    const bool runs = live.phase == Phase::kPrefill ||
                      live.phase == Phase::kDecode ||
                      live.phase == Phase::kRecompute;
    if (there && runs) Enter(&live, Phase::kPreempted, at);
  }
}

EventBytes& RequestTracks::BeginEnd(Live* live, sim::Instant at) {
  Enter(live, Phase::kQueue, at);
  return tracks_.out.event.End(LaneTrack(live->lane));
}

void RequestTracks::Close(int64_t id, sim::Instant at) {
  const auto live = live_.find(id);
  tracks_.out.Write(Nanoseconds(std::max(at, live->second.since)));
  free_.push(live->second.lane);
  live_.erase(live);
}

void RequestTracks::IsDone(const sim::Job& job) {
  now_ = std::max(now_, job.finish);
  Count(-1, job.finish);
  Live* live = Find(job.request.id);
  if (live == nullptr) return;
  EventBytes& event = BeginEnd(live, job.finish);
  Arg(&event, TraceKey::kEngine, int64_t{job.replica});
  Arg(&event, TraceKey::kCached, job.cached);
  Arg(&event, TraceKey::kPreemptions, int64_t{job.preemptions});
  AddParts(job, &event);
  Close(job.request.id, job.finish);
}

// Those that are not done when the clock stops end with it.
void RequestTracks::IsDropped(const sim::Request& request, sim::Drop why) {
  if (why == sim::Drop::kUnserved) return;
  const sim::Instant seen = request.arrival + inputs_.request_overhead;
  now_ = std::max(now_, seen);
  Count(-1, now_);
  Live* live = Find(request.id);
  if (live == nullptr) return;
  Note(now_, absl::StrCat(scenarios::NameOf(request),
                          " refused: ", scenarios::NameOf(why)));
  tracks_.out.Write(Nanoseconds(now_));
  Arg(&BeginEnd(live, now_), TraceKey::kDropped, scenarios::NameOf(why));
  Close(request.id, now_);
}

void RequestTracks::Ends(sim::Instant at) {
  while (!live_.empty()) {
    auto& [id, live] = *live_.begin();
    Arg(&BeginEnd(&live, at), TraceKey::kDropped,
        scenarios::NameOf(sim::Drop::kUnserved));
    Close(id, at);
  }
}

}  // namespace scenarios
