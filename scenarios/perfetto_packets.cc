#include "scenarios/perfetto_packets.h"

#include "google/protobuf/wire_format_lite.h"

namespace scenarios {
namespace {

using google::protobuf::RepeatedPtrField;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;
using pftrace::DebugAnnotation;
using pftrace::TracePacket;
using pftrace::TrackEvent;

constexpr uint32_t kSequence = 1;      // trusted_packet_sequence_id of all
constexpr uint32_t kStateCleared = 1;  // SEQ_INCREMENTAL_STATE_CLEARED
constexpr size_t kMostField = 16;      // bytes of a tag and a number

}  // namespace

uint64_t Interner::Of(const std::string& text,
                      RepeatedPtrField<pftrace::InternedString>* fresh) {
  const auto [entry, is_new] = ids_.try_emplace(text, ids_.size() + 1);
  if (is_new) {
    pftrace::InternedString* interned = fresh->Add();
    interned->set_iid(entry->second);
    interned->set_str(text);
  }
  return entry->second;
}

uint8_t* EventBytes::Room(size_t most) {
  if (bytes_.size() < size_ + most) bytes_.resize(2 * (size_ + most));
  return bytes_.data() + size_;
}

EventBytes& EventBytes::Ends(const uint8_t* end) {
  size_ = static_cast<size_t>(end - bytes_.data());
  return *this;
}

EventBytes& EventBytes::Start(int type, uint64_t track) {
  size_ = 0;
  uint8_t* p = Room(2 * kMostField);
  p = WireFormatLite::WriteEnumToArray(TrackEvent::kTypeFieldNumber, type, p);
  p = WireFormatLite::WriteUInt64ToArray(TrackEvent::kTrackUuidFieldNumber,
                                         track, p);
  return Ends(p);
}

EventBytes& EventBytes::Begin(uint64_t track) {
  return Start(TrackEvent::TYPE_SLICE_BEGIN, track);
}

EventBytes& EventBytes::End(uint64_t track) {
  return Start(TrackEvent::TYPE_SLICE_END, track);
}

EventBytes& EventBytes::Instant(uint64_t track) {
  return Start(TrackEvent::TYPE_INSTANT, track);
}

EventBytes& EventBytes::Count(uint64_t track, int64_t value) {
  Start(TrackEvent::TYPE_COUNTER, track);
  return Ends(WireFormatLite::WriteInt64ToArray(
      TrackEvent::kCounterValueFieldNumber, value, Room(kMostField)));
}

EventBytes& EventBytes::Name(absl::string_view name) {
  uint8_t* p = Room(name.size() + kMostField);
  p = WireFormatLite::WriteTagToArray(TrackEvent::kNameFieldNumber,
                                      WireFormatLite::WIRETYPE_LENGTH_DELIMITED,
                                      p);
  p = CodedOutputStream::WriteVarint32ToArray(
      static_cast<uint32_t>(name.size()), p);
  return Ends(CodedOutputStream::WriteRawToArray(
      name.data(), static_cast<int>(name.size()), p));
}

EventBytes& EventBytes::Leave(uint64_t arrow) {
  return Ends(WireFormatLite::WriteFixed64ToArray(
      TrackEvent::kFlowIdsFieldNumber, arrow, Room(kMostField)));
}

EventBytes& EventBytes::Arrive(uint64_t arrow) {
  return Ends(WireFormatLite::WriteFixed64ToArray(
      TrackEvent::kTerminatingFlowIdsFieldNumber, arrow, Room(kMostField)));
}

EventBytes& EventBytes::Annotate(const uint8_t* begin, const uint8_t* end,
                                 absl::string_view text) {
  const auto size = static_cast<size_t>(end - begin);
  uint8_t* p = Room(size + text.size() + kMostField);
  p = WireFormatLite::WriteTagToArray(TrackEvent::kDebugAnnotationsFieldNumber,
                                      WireFormatLite::WIRETYPE_LENGTH_DELIMITED,
                                      p);
  p = CodedOutputStream::WriteVarint32ToArray(
      static_cast<uint32_t>(size + text.size()), p);
  p = CodedOutputStream::WriteRawToArray(begin, static_cast<int>(size), p);
  return Ends(CodedOutputStream::WriteRawToArray(
      text.data(), static_cast<int>(text.size()), p));
}

EventBytes& EventBytes::Arg(uint64_t key, uint64_t value) {
  uint8_t note[2 * kMostField];
  uint8_t* p = note;
  p = WireFormatLite::WriteUInt64ToArray(DebugAnnotation::kNameIidFieldNumber,
                                         key, p);
  p = WireFormatLite::WriteUInt64ToArray(DebugAnnotation::kUintValueFieldNumber,
                                         value, p);
  return Annotate(note, p, "");
}

EventBytes& EventBytes::Arg(uint64_t key, int64_t value) {
  uint8_t note[2 * kMostField];
  uint8_t* p = note;
  p = WireFormatLite::WriteUInt64ToArray(DebugAnnotation::kNameIidFieldNumber,
                                         key, p);
  p = WireFormatLite::WriteInt64ToArray(DebugAnnotation::kIntValueFieldNumber,
                                        value, p);
  return Annotate(note, p, "");
}

EventBytes& EventBytes::Arg(uint64_t key, double value) {
  uint8_t note[2 * kMostField];
  uint8_t* p = note;
  p = WireFormatLite::WriteUInt64ToArray(DebugAnnotation::kNameIidFieldNumber,
                                         key, p);
  p = WireFormatLite::WriteDoubleToArray(
      DebugAnnotation::kDoubleValueFieldNumber, value, p);
  return Annotate(note, p, "");
}

EventBytes& EventBytes::Arg(uint64_t key, absl::string_view value) {
  uint8_t note[2 * kMostField];
  uint8_t* p = note;
  p = WireFormatLite::WriteUInt64ToArray(DebugAnnotation::kNameIidFieldNumber,
                                         key, p);
  p = WireFormatLite::WriteTagToArray(DebugAnnotation::kStringValueFieldNumber,
                                      WireFormatLite::WIRETYPE_LENGTH_DELIMITED,
                                      p);
  p = CodedOutputStream::WriteVarint32ToArray(
      static_cast<uint32_t>(value.size()), p);
  return Annotate(note, p, value);
}

EventBytes& EventBytes::Raw(absl::string_view fields) {
  return Ends(CodedOutputStream::WriteRawToArray(
      fields.data(), static_cast<int>(fields.size()), Room(fields.size())));
}

void PerfettoPackets::First(const std::vector<std::string>& keys_of_arguments) {
  TracePacket packet;
  packet.set_sequence_flags(kStateCleared);
  packet.set_first_packet_on_sequence(true);
  for (const std::string& key : keys_of_arguments) {
    keys.Of(key,
            packet.mutable_interned_data()->mutable_debug_annotation_names());
  }
  Write(packet);
}

void PerfettoPackets::Describe(const pftrace::TrackDescriptor& track) {
  TracePacket packet;
  *packet.mutable_track_descriptor() = track;
  Write(packet);
}

void PerfettoPackets::Write(const TracePacket& packet) {
  TracePacket numbered = packet;
  numbered.set_trusted_packet_sequence_id(kSequence);
  WireFormatLite::WriteTag(pftrace::Trace::kPacketFieldNumber,
                           WireFormatLite::WIRETYPE_LENGTH_DELIMITED, &out_);
  out_.WriteVarint32(static_cast<uint32_t>(numbered.ByteSizeLong()));
  numbered.SerializeWithCachedSizes(&out_);
}

void PerfettoPackets::Write(uint64_t at_ns) {
  const std::span<const uint8_t> bytes = event.bytes();
  uint8_t head[4 * kMostField];
  uint8_t* p = head;
  const auto size = static_cast<uint32_t>(bytes.size());
  p = WireFormatLite::WriteUInt64ToArray(TracePacket::kTimestampFieldNumber,
                                         at_ns, p);
  p = WireFormatLite::WriteUInt32ToArray(
      TracePacket::kTrustedPacketSequenceIdFieldNumber, kSequence, p);
  p = WireFormatLite::WriteUInt32ToArray(TracePacket::kSequenceFlagsFieldNumber,
                                         kNeedsState, p);
  p = WireFormatLite::WriteTagToArray(TracePacket::kTrackEventFieldNumber,
                                      WireFormatLite::WIRETYPE_LENGTH_DELIMITED,
                                      p);
  p = CodedOutputStream::WriteVarint32ToArray(size, p);
  const auto head_size = static_cast<uint32_t>(p - head);
  WireFormatLite::WriteTag(pftrace::Trace::kPacketFieldNumber,
                           WireFormatLite::WIRETYPE_LENGTH_DELIMITED, &out_);
  out_.WriteVarint32(head_size + size);
  out_.WriteRaw(head, static_cast<int>(head_size));
  out_.WriteRaw(bytes.data(), static_cast<int>(size));
}

}  // namespace scenarios
