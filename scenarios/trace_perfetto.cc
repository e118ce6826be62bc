#include "scenarios/trace_perfetto.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream.h"
#include "google/protobuf/wire_format_lite.h"
#include "scenarios/pftrace.pb.h"
#include "scenarios/trace.h"
#include "scenarios/whole_file.h"
#include "sim/column.h"
#include "sim/engine.h"
#include "sim/ledger.h"
#include "sim/program.h"
#include "sim/units.h"

namespace scenarios {
namespace {

namespace io = google::protobuf::io;
using google::protobuf::RepeatedPtrField;
using google::protobuf::internal::WireFormatLite;
using pftrace::TracePacket;
using pftrace::TrackEvent;

// zlib's: 1 is three times as fast as the default 6, for files a third larger.
constexpr int kGzipLevel = 1;
constexpr uint32_t kSequence = 1;      // trusted_packet_sequence_id of all
constexpr uint32_t kStateCleared = 1;  // SEQ_INCREMENTAL_STATE_CLEARED
constexpr uint32_t kNeedsState = 2;    // SEQ_NEEDS_INCREMENTAL_STATE
constexpr int32_t kPidsPerRank = 100;
static_assert(sim::kMaxLanes + 1 < kPidsPerRank);

constexpr uint64_t Nanoseconds(sim::Instant t) {
  return static_cast<uint64_t>(t.since_start.count() / 1000);
}

// Strings and the numbers that stand for them, from 1.
class Interner {
 public:
  // Adds `text` to `fresh` when it is new.
  uint64_t Of(const std::string& text,
              RepeatedPtrField<pftrace::InternedString>* fresh) {
    const auto [entry, is_new] = ids_.try_emplace(text, ids_.size() + 1);
    if (is_new) {
      pftrace::InternedString* interned = fresh->Add();
      interned->set_iid(entry->second);
      interned->set_str(text);
    }
    return entry->second;
  }

 private:
  absl::btree_map<std::string, uint64_t> ids_;
};

class PerfettoWriter {
 public:
  PerfettoWriter(const TraceInputs& inputs, io::ZeroCopyOutputStream& stream)
      : inputs_(inputs), arrow_ends_(inputs), out_(&stream) {}

  bool Write() {
    WriteFirst();
    for (size_t label = 0; label < inputs_.program.labels.size(); ++label) {
      WriteLabel(sim::AsId<sim::LabelId>(label));
    }
    for (size_t rank = 0; rank < inputs_.ranks.size(); ++rank) {
      WriteTracks(rank);
      WriteSlices(rank);
      WriteMemory(rank);
      if (out_.HadError()) return false;
    }
    out_.Trim();
    return !out_.HadError();
  }

 private:
  // Tracks of one rank: the process, its lanes, its counters. 0 is taken.
  uint64_t TrackOf(size_t rank, size_t track) const {
    return 1 + rank * (inputs_.program.lanes.size() + 3) + track;
  }
  uint64_t ProcessTrack(size_t rank) const { return TrackOf(rank, 0); }
  uint64_t LaneTrack(size_t rank, size_t lane) const {
    return TrackOf(rank, 1 + lane);
  }
  uint64_t CounterTrack(size_t rank, size_t counter) const {
    return TrackOf(rank, 1 + inputs_.program.lanes.size() + counter);
  }
  const sim::Script& ScriptOf(size_t rank) const {
    const sim::RankId id = inputs_.ranks[rank].rank;
    return inputs_.program.scripts[inputs_.program.script[id]];
  }

  void WriteFirst();
  void WriteLabel(sim::LabelId label);
  void WriteTracks(size_t rank);
  void WriteSlices(size_t rank);
  void WriteMemory(size_t rank);
  void WriteDescriptor(const pftrace::TrackDescriptor& descriptor);
  void WriteBegin(uint64_t at, uint64_t track, const sim::Task& task,
                  const ArrowEnd& arrow);
  void WriteEnd(uint64_t at, uint64_t track, const ArrowEnd& arrow);
  void WriteCounter(uint64_t at, uint64_t track, sim::Bytes value);
  void WritePacket(const TracePacket& packet);
  void WriteEvent(uint64_t at, std::span<const uint8_t> event);

  const TraceInputs& inputs_;
  ArrowEnds arrow_ends_;
  io::CodedOutputStream out_;
  Interner categories_, names_, keys_, texts_;
  uint64_t pass_key_ = 0;
  // What every slice of a label begins with, serialized: parts of a TrackEvent.
  sim::Column<sim::LabelId, std::string> begins_;
  std::vector<uint8_t> event_;  // scratch
};

void PerfettoWriter::WriteFirst() {
  TracePacket packet;
  packet.set_sequence_flags(kStateCleared);
  packet.set_first_packet_on_sequence(true);
  pass_key_ = keys_.Of(
      "pass", packet.mutable_interned_data()->mutable_debug_annotation_names());
  WritePacket(packet);
}

void PerfettoWriter::WriteLabel(sim::LabelId label) {
  TracePacket packet;
  pftrace::InternedData* fresh = packet.mutable_interned_data();
  TrackEvent event;
  event.set_name_iid(
      names_.Of(inputs_.program.labels[label], fresh->mutable_event_names()));
  const SliceNotes& notes = inputs_.notes[label];
  if (!notes.category.empty()) {
    event.add_category_iids(
        categories_.Of(notes.category, fresh->mutable_event_categories()));
  }
  for (const auto& [key, value] : notes.notes) {
    pftrace::DebugAnnotation* note = event.add_debug_annotations();
    note->set_name_iid(keys_.Of(key, fresh->mutable_debug_annotation_names()));
    if (const auto* text = std::get_if<std::string>(&value)) {
      note->set_string_value_iid(
          texts_.Of(*text, fresh->mutable_debug_annotation_string_values()));
    } else if (const auto* whole = std::get_if<int64_t>(&value)) {
      note->set_int_value(*whole);
    } else {
      note->set_double_value(std::get<double>(value));
    }
  }
  begins_.Append(event.SerializeAsString());
  packet.set_sequence_flags(kNeedsState);
  WritePacket(packet);
}

void PerfettoWriter::WriteTracks(size_t rank) {
  const TracedRank& traced = inputs_.ranks[rank];
  const int32_t pid = kPidsPerRank * static_cast<int32_t>(traced.number + 1);
  pftrace::TrackDescriptor process;
  process.set_uuid(ProcessTrack(rank));
  process.mutable_process()->set_pid(pid);
  process.mutable_process()->set_process_name(traced.name);
  process.set_sibling_order_rank(static_cast<int32_t>(rank));
  WriteDescriptor(process);

  std::vector<bool> used(inputs_.program.lanes.size());
  for (const sim::Task& task : ScriptOf(rank).tasks) {
    used[sim::Row(task.lane)] = true;
  }
  for (size_t lane = 0; lane < used.size(); ++lane) {
    if (!used[lane]) continue;
    pftrace::TrackDescriptor thread;
    thread.set_uuid(LaneTrack(rank, lane));
    thread.mutable_thread()->set_pid(pid);
    thread.mutable_thread()->set_tid(pid + 1 + static_cast<int32_t>(lane));
    thread.mutable_thread()->set_thread_name(
        inputs_.program.lanes[sim::AsId<sim::LaneId>(lane)]);
    thread.set_sibling_order_rank(static_cast<int32_t>(lane));
    WriteDescriptor(thread);
  }
  if (traced.memory.empty()) return;
  for (const size_t counter : {size_t{0}, size_t{1}}) {
    pftrace::TrackDescriptor track;
    track.set_uuid(CounterTrack(rank, counter));
    track.set_parent_uuid(ProcessTrack(rank));
    track.set_name(counter == 0 ? "memory allocated" : "memory reserved");
    track.mutable_counter()->set_unit(
        pftrace::CounterDescriptor::UNIT_SIZE_BYTES);
    WriteDescriptor(track);
  }
}

void PerfettoWriter::WriteSlices(size_t rank) {
  const sim::RankId id = inputs_.ranks[rank].rank;
  const std::span<const sim::Instant> starts = inputs_.timeline.start(id);
  const std::span<const sim::Instant> finishes = inputs_.timeline.finish(id);
  arrow_ends_.Start(rank);
  size_t row = 0;
  for (const sim::Task& task : ScriptOf(rank).tasks) {
    const uint64_t start = Nanoseconds(starts[row]);
    const uint64_t finish = Nanoseconds(finishes[row]);
    const uint64_t track = LaneTrack(rank, sim::Row(task.lane));
    ArrowEnd arrow = arrow_ends_.Next(task.axis);
    // An arrow needs its first slice to begin before its last one ends.
    if (start == finish) arrow = {};
    WriteBegin(start, track, task, arrow);
    WriteEnd(finish, track, arrow);
    ++row;
  }
}

void PerfettoWriter::WriteMemory(size_t rank) {
  const auto& [id, number, name, memory] = inputs_.ranks[rank];
  const std::vector<sim::Instant> times = sim::TimesOf(
      memory, inputs_.timeline.start(id), inputs_.timeline.done[id]);
  for (size_t point = 0; point < memory.size(); ++point) {
    const uint64_t at = Nanoseconds(times[point]);
    WriteCounter(at, CounterTrack(rank, 0), memory[point].allocated);
    WriteCounter(at, CounterTrack(rank, 1), memory[point].reserved);
  }
}

void PerfettoWriter::WriteDescriptor(
    const pftrace::TrackDescriptor& descriptor) {
  TracePacket packet;
  *packet.mutable_track_descriptor() = descriptor;
  WritePacket(packet);
}

void PerfettoWriter::WritePacket(const TracePacket& packet) {
  TracePacket numbered = packet;
  numbered.set_trusted_packet_sequence_id(kSequence);
  WireFormatLite::WriteTag(pftrace::Trace::kPacketFieldNumber,
                           WireFormatLite::WIRETYPE_LENGTH_DELIMITED, &out_);
  out_.WriteVarint32(static_cast<uint32_t>(numbered.ByteSizeLong()));
  numbered.SerializeWithCachedSizes(&out_);
}

// The three events below are most of a trace: they are put together from
// bytes, which is five times as fast as from messages.

void PerfettoWriter::WriteBegin(uint64_t at, uint64_t track,
                                const sim::Task& task, const ArrowEnd& arrow) {
  const std::string& label = begins_[task.label];
  event_.resize(label.size() + 64);  // the rest is at most 52
  uint8_t* p = event_.data();
  p = WireFormatLite::WriteEnumToArray(TrackEvent::kTypeFieldNumber,
                                       TrackEvent::TYPE_SLICE_BEGIN, p);
  p = WireFormatLite::WriteUInt64ToArray(TrackEvent::kTrackUuidFieldNumber,
                                         track, p);
  if (arrow.side == ArrowEnd::kFirst || arrow.side == ArrowEnd::kMiddle) {
    p = WireFormatLite::WriteFixed64ToArray(TrackEvent::kFlowIdsFieldNumber,
                                            arrow.id, p);
  }
  p = io::CodedOutputStream::WriteStringToArray(label, p);
  uint8_t pass[24];
  uint8_t* q = pass;
  q = WireFormatLite::WriteUInt64ToArray(
      pftrace::DebugAnnotation::kNameIidFieldNumber, pass_key_, q);
  q = WireFormatLite::WriteUInt64ToArray(
      pftrace::DebugAnnotation::kUintValueFieldNumber, task.pass, q);
  const auto size = static_cast<uint32_t>(q - pass);
  p = WireFormatLite::WriteTagToArray(TrackEvent::kDebugAnnotationsFieldNumber,
                                      WireFormatLite::WIRETYPE_LENGTH_DELIMITED,
                                      p);
  p = io::CodedOutputStream::WriteVarint32ToArray(size, p);
  p = io::CodedOutputStream::WriteRawToArray(pass, static_cast<int>(size), p);
  WriteEvent(at, {event_.data(), p});
}

void PerfettoWriter::WriteEnd(uint64_t at, uint64_t track,
                              const ArrowEnd& arrow) {
  uint8_t event[32];
  uint8_t* p = event;
  p = WireFormatLite::WriteEnumToArray(TrackEvent::kTypeFieldNumber,
                                       TrackEvent::TYPE_SLICE_END, p);
  p = WireFormatLite::WriteUInt64ToArray(TrackEvent::kTrackUuidFieldNumber,
                                         track, p);
  // At the end, because slices that an arrow joins begin together, and the
  // reader drops an arrow whose last slice it meets before its first.
  if (arrow.side == ArrowEnd::kLast) {
    p = WireFormatLite::WriteFixed64ToArray(
        TrackEvent::kTerminatingFlowIdsFieldNumber, arrow.id, p);
  }
  WriteEvent(at, {event, p});
}

void PerfettoWriter::WriteCounter(uint64_t at, uint64_t track,
                                  sim::Bytes value) {
  uint8_t event[32];
  uint8_t* p = event;
  p = WireFormatLite::WriteEnumToArray(TrackEvent::kTypeFieldNumber,
                                       TrackEvent::TYPE_COUNTER, p);
  p = WireFormatLite::WriteUInt64ToArray(TrackEvent::kTrackUuidFieldNumber,
                                         track, p);
  p = WireFormatLite::WriteInt64ToArray(TrackEvent::kCounterValueFieldNumber,
                                        value.count(), p);
  WriteEvent(at, {event, p});
}

void PerfettoWriter::WriteEvent(uint64_t at, std::span<const uint8_t> event) {
  uint8_t head[32];
  uint8_t* p = head;
  const auto size = static_cast<uint32_t>(event.size());
  p = WireFormatLite::WriteUInt64ToArray(TracePacket::kTimestampFieldNumber, at,
                                         p);
  p = WireFormatLite::WriteUInt32ToArray(
      TracePacket::kTrustedPacketSequenceIdFieldNumber, kSequence, p);
  p = WireFormatLite::WriteUInt32ToArray(TracePacket::kSequenceFlagsFieldNumber,
                                         kNeedsState, p);
  p = WireFormatLite::WriteTagToArray(TracePacket::kTrackEventFieldNumber,
                                      WireFormatLite::WIRETYPE_LENGTH_DELIMITED,
                                      p);
  p = io::CodedOutputStream::WriteVarint32ToArray(size, p);
  const auto head_size = static_cast<uint32_t>(p - head);
  WireFormatLite::WriteTag(pftrace::Trace::kPacketFieldNumber,
                           WireFormatLite::WIRETYPE_LENGTH_DELIMITED, &out_);
  out_.WriteVarint32(head_size + size);
  out_.WriteRaw(head, static_cast<int>(head_size));
  out_.WriteRaw(event.data(), static_cast<int>(size));
}

}  // namespace

absl::Status WritePerfetto(const TraceInputs& inputs,
                           const std::filesystem::path& path) {
  return WriteWholeGzip(path, kGzipLevel, [&](io::ZeroCopyOutputStream& s) {
    return PerfettoWriter(inputs, s).Write();
  });
}

}  // namespace scenarios
