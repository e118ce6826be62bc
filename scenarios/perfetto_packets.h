// Perfetto's trace format, one packet after another: what its writers share.
//
//   PerfettoPackets out(stream);
//   out.First({"decodes", "keys"});   // keys of arguments: 1 and 2
//   out.Describe(thread);             // its uuid: 7
//   out.event.Begin(7).Name("decode 64").Arg(1, int64_t{64});
//   out.Write(Nanoseconds(start));
//   out.event.End(7);
//   out.Write(Nanoseconds(end));
//   if (!out.Finish()) …              // the stream refused bytes
//
// Events are most of a trace: they are put together from bytes, which is five
// times as fast as from messages. Their order does not matter but at one
// instant of one track, where it is theirs.
#ifndef SCENARIOS_PERFETTO_PACKETS_H_
#define SCENARIOS_PERFETTO_PACKETS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream.h"
#include "google/protobuf/repeated_field.h"
#include "scenarios/pftrace.pb.h"
#include "sim/units.h"

namespace scenarios {

// zlib's: 1 is three times as fast as the default 6, for files a third larger.
inline constexpr int kTraceGzipLevel = 1;
inline constexpr uint32_t kNeedsState = 2;  // SEQ_NEEDS_INCREMENTAL_STATE

constexpr uint64_t Nanoseconds(sim::Instant t) {
  return static_cast<uint64_t>(t.since_start.count() / 1000);
}

// Strings and the numbers that stand for them, from 1.
class Interner {
 public:
  // Adds `text` to `fresh` when it is new.
  uint64_t Of(
      const std::string& text,
      google::protobuf::RepeatedPtrField<pftrace::InternedString>* fresh);

 private:
  absl::btree_map<std::string, uint64_t> ids_;
};

// A TrackEvent, field by field. The first call says which kind it is.
class EventBytes {
 public:
  EventBytes& Begin(uint64_t track);
  EventBytes& End(uint64_t track);  // of the newest open slice of the track
  EventBytes& Instant(uint64_t track);
  EventBytes& Count(uint64_t track, int64_t value);
  EventBytes& Name(absl::string_view name);
  // An arrow leaves here; an arrow ends here. Its id is not 0, and no other's.
  EventBytes& Leave(uint64_t arrow);
  EventBytes& Arrive(uint64_t arrow);
  // An argument; its key was interned.
  EventBytes& Arg(uint64_t key, uint64_t value);
  EventBytes& Arg(uint64_t key, int64_t value);
  EventBytes& Arg(uint64_t key, double value);
  EventBytes& Arg(uint64_t key, absl::string_view value);
  EventBytes& Raw(absl::string_view fields);  // serialized ones

  std::span<const uint8_t> bytes() const { return {bytes_.data(), size_}; }

 private:
  EventBytes& Start(int type, uint64_t track);
  uint8_t* Room(size_t most);  // for so many bytes more
  EventBytes& Ends(const uint8_t* end);
  EventBytes& Annotate(const uint8_t* begin, const uint8_t* end,
                       absl::string_view text);

  std::vector<uint8_t> bytes_;
  size_t size_ = 0;
};

class PerfettoPackets {
 public:
  explicit PerfettoPackets(google::protobuf::io::ZeroCopyOutputStream& stream)
      : out_(&stream) {}

  // The packet before all others. Keys of arguments have the numbers from 1.
  void First(const std::vector<std::string>& keys);
  void Describe(const pftrace::TrackDescriptor& track);
  void Write(const pftrace::TracePacket& packet);

  EventBytes event;            // the next one …
  void Write(uint64_t at_ns);  // … as it is

  bool failed() { return out_.HadError(); }
  // False if the stream refused bytes.
  bool Finish() {
    out_.Trim();
    return !out_.HadError();
  }

  Interner keys;  // of arguments

 private:
  google::protobuf::io::CodedOutputStream out_;
};

}  // namespace scenarios

#endif  // SCENARIOS_PERFETTO_PACKETS_H_
