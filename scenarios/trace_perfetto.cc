#include "scenarios/trace_perfetto.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "google/protobuf/io/zero_copy_stream.h"
#include "scenarios/perfetto_packets.h"
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
using pftrace::TracePacket;
using pftrace::TrackEvent;

constexpr int32_t kPidsPerRank = 100;
constexpr uint64_t kPassKey = 1;  // the first of First
static_assert(sim::kMaxLanes + 1 < kPidsPerRank);

class PerfettoWriter {
 public:
  PerfettoWriter(const TraceInputs& inputs, io::ZeroCopyOutputStream& stream)
      : inputs_(inputs), arrow_ends_(inputs), out_(stream) {}

  bool Write() {
    out_.First({"pass"});
    for (size_t label = 0; label < inputs_.program.labels.size(); ++label) {
      WriteLabel(sim::AsId<sim::LabelId>(label));
    }
    for (size_t rank = 0; rank < inputs_.ranks.size(); ++rank) {
      WriteTracks(rank);
      WriteSlices(rank);
      WriteMemory(rank);
      if (out_.failed()) return false;
    }
    return out_.Finish();
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

  void WriteLabel(sim::LabelId label);
  void WriteTracks(size_t rank);
  void WriteSlices(size_t rank);
  void WriteMemory(size_t rank);
  void WriteBegin(uint64_t at, uint64_t track, const sim::Task& task,
                  const ArrowEnd& arrow);
  void WriteEnd(uint64_t at, uint64_t track, const ArrowEnd& arrow);
  void WriteCounter(uint64_t at, uint64_t track, sim::Bytes value);

  const TraceInputs& inputs_;
  ArrowEnds arrow_ends_;
  PerfettoPackets out_;
  Interner categories_, names_, texts_;
  // What every slice of a label begins with, serialized: parts of a TrackEvent.
  sim::Column<sim::LabelId, std::string> begins_;
};

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
    note->set_name_iid(
        out_.keys.Of(key, fresh->mutable_debug_annotation_names()));
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
  out_.Write(packet);
}

void PerfettoWriter::WriteTracks(size_t rank) {
  const TracedRank& traced = inputs_.ranks[rank];
  const int32_t pid = kPidsPerRank * static_cast<int32_t>(traced.number + 1);
  pftrace::TrackDescriptor process;
  process.set_uuid(ProcessTrack(rank));
  process.mutable_process()->set_pid(pid);
  process.mutable_process()->set_process_name(traced.name);
  process.set_sibling_order_rank(static_cast<int32_t>(rank));
  out_.Describe(process);

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
    out_.Describe(thread);
  }
  if (traced.memory.empty()) return;
  for (const size_t counter : {size_t{0}, size_t{1}}) {
    pftrace::TrackDescriptor track;
    track.set_uuid(CounterTrack(rank, counter));
    track.set_parent_uuid(ProcessTrack(rank));
    track.set_name(counter == 0 ? "memory allocated" : "memory reserved");
    track.mutable_counter()->set_unit(
        pftrace::CounterDescriptor::UNIT_SIZE_BYTES);
    out_.Describe(track);
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

void PerfettoWriter::WriteBegin(uint64_t at, uint64_t track,
                                const sim::Task& task, const ArrowEnd& arrow) {
  out_.event.Begin(track);
  if (arrow.side == ArrowEnd::kFirst || arrow.side == ArrowEnd::kMiddle) {
    out_.event.Leave(arrow.id);
  }
  out_.event.Raw(begins_[task.label]).Arg(kPassKey, uint64_t{task.pass});
  out_.Write(at);
}

void PerfettoWriter::WriteEnd(uint64_t at, uint64_t track,
                              const ArrowEnd& arrow) {
  out_.event.End(track);
  // At the end, because slices that an arrow joins begin together, and the
  // reader drops an arrow whose last slice it meets before its first.
  if (arrow.side == ArrowEnd::kLast) out_.event.Arrive(arrow.id);
  out_.Write(at);
}

void PerfettoWriter::WriteCounter(uint64_t at, uint64_t track,
                                  sim::Bytes value) {
  out_.event.Count(track, value.count());
  out_.Write(at);
}

}  // namespace

absl::Status WritePerfetto(const TraceInputs& inputs,
                           const std::filesystem::path& path) {
  return WriteWholeGzip(path, kTraceGzipLevel,
                        [&](io::ZeroCopyOutputStream& s) {
                          return PerfettoWriter(inputs, s).Write();
                        });
}

}  // namespace scenarios
