// What the views of a trace of serving share: one file, the keys of arguments,
// tracks and arrows that no two of them have in common.
//
//   ServingTracks tracks(stream);
//   const uint64_t process = tracks.New(2);
//   tracks.Process(process, /*pid=*/100, "engine 0");
//   tracks.Thread(process + 1, 100, /*tid=*/101, "steps");
//   tracks.out.event.Begin(process + 1).Name("decode 64");
//   Arg(&tracks.out.event, TraceKey::kDecodes, 64);
//   tracks.out.Write(Nanoseconds(begin));
//
// To add an argument: its key here, and its name in serving_tracks.cc.
#ifndef SCENARIOS_SERVING_TRACKS_H_
#define SCENARIOS_SERVING_TRACKS_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/io/zero_copy_stream.h"
#include "scenarios/perfetto_packets.h"
#include "sim/units.h"

namespace scenarios {

enum class TraceKey : uint8_t {
  // Of steps.
  kDecodes,
  kDecodeTokens,
  kPrompts,
  kPromptTokens,
  kPromptsOf,
  kKeys,
  kKvReadMib,
  kFromHost,
  kFromDisk,
  kToHost,
  // Of operators.
  kKernel,
  kTimes,
  kAloneUs,
  kFlops,
  kBytes,
  kStretch,
  // Of requests.
  kInput,
  kOutput,
  kCached,
  kPreemptions,
  kPriority,
  kSession,
  kEngine,
  kFrom,
  kTo,
  kMib,
  kWaiting,
  kRunning,
  kDropped,
  kTtftMs,
  kTpotMs,
  kE2eMs,
  kQueueMs,
  kPrefillMs,
  kTransferMs,
  kDecodeMs,
  kInterferenceMs,
  kPreemptionMs,
};

inline void Arg(EventBytes* event, TraceKey key, int64_t value) {
  event->Arg(uint64_t{1} + static_cast<uint64_t>(key), value);
}
inline void Arg(EventBytes* event, TraceKey key, double value) {
  event->Arg(uint64_t{1} + static_cast<uint64_t>(key), value);
}
inline void Arg(EventBytes* event, TraceKey key, absl::string_view value) {
  event->Arg(uint64_t{1} + static_cast<uint64_t>(key), value);
}

inline double InMiB(sim::Bytes bytes) {
  return static_cast<double>(bytes.count()) / (1 << 20);
}

class ServingTracks {
 public:
  explicit ServingTracks(google::protobuf::io::ZeroCopyOutputStream& stream);

  // So many numbers of tracks, of which this is the first.
  uint64_t New(uint64_t count);
  uint64_t NewArrow() { return ++arrows_; }

  void Process(uint64_t track, int32_t pid, const std::string& name);
  // REQUIRES: tid is above pid, and no other's pid. Shown in their order.
  void Thread(uint64_t track, int32_t pid, int32_t tid,
              const std::string& name);
  // A row of a process that is no thread; shown in the order of `place`.
  void Row(uint64_t track, uint64_t process, int32_t place,
           const std::string& name);
  void Counter(uint64_t track, uint64_t process, const std::string& name);

  PerfettoPackets out;

 private:
  uint64_t tracks_ = 1;  // 0 is taken
  uint64_t arrows_ = 0;
};

}  // namespace scenarios

#endif  // SCENARIOS_SERVING_TRACKS_H_
