#include "scenarios/serving_tracks.h"

#include <cstddef>
#include <vector>

#include "scenarios/pftrace.pb.h"

namespace scenarios {
namespace {

// By TraceKey.
constexpr const char* kKeys[] = {
    "decodes",
    "decode_tokens",
    "prompts",
    "prompt_tokens",
    "prompts_of",
    "keys",
    "kv_read_mib",
    "from_host_tokens",
    "from_disk_tokens",
    "to_host_tokens",

    "kernel",
    "times",
    "alone_us",
    "flops",
    "bytes",
    "stretch",

    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "preemptions",
    "priority",
    "session",
    "engine",
    "from_engine",
    "to_engine",
    "mib",
    "waiting",
    "running",
    "dropped",
    "ttft_ms",
    "tpot_ms",
    "e2e_ms",
    "queue_ms",
    "prefill_ms",
    "transfer_ms",
    "decode_ms",
    "interference_ms",
    "preemption_ms",
};
static_assert(std::size(kKeys) ==
              static_cast<size_t>(TraceKey::kPreemptionMs) + 1);

}  // namespace

ServingTracks::ServingTracks(google::protobuf::io::ZeroCopyOutputStream& stream)
    : out(stream) {
  out.First(std::vector<std::string>(std::begin(kKeys), std::end(kKeys)));
}

uint64_t ServingTracks::New(uint64_t count) {
  const uint64_t first = tracks_;
  tracks_ += count;
  return first;
}

void ServingTracks::Process(uint64_t track, int32_t pid,
                            const std::string& name) {
  pftrace::TrackDescriptor process;
  process.set_uuid(track);
  process.mutable_process()->set_pid(pid);
  process.mutable_process()->set_process_name(name);
  process.set_sibling_order_rank(pid);
  process.set_child_ordering(pftrace::TrackDescriptor::EXPLICIT);
  out.Describe(process);
}

void ServingTracks::Thread(uint64_t track, int32_t pid, int32_t tid,
                           const std::string& name) {
  pftrace::TrackDescriptor thread;
  thread.set_uuid(track);
  thread.mutable_thread()->set_pid(pid);
  thread.mutable_thread()->set_tid(tid);
  thread.mutable_thread()->set_thread_name(name);
  thread.set_sibling_order_rank(tid - pid);
  out.Describe(thread);
}

void ServingTracks::Row(uint64_t track, uint64_t process, int32_t place,
                        const std::string& name) {
  pftrace::TrackDescriptor row;
  row.set_uuid(track);
  row.set_parent_uuid(process);
  row.set_name(name);
  row.set_sibling_order_rank(place);
  out.Describe(row);
}

void ServingTracks::Counter(uint64_t track, uint64_t process,
                            const std::string& name) {
  pftrace::TrackDescriptor counter;
  counter.set_uuid(track);
  counter.set_parent_uuid(process);
  counter.set_name(name);
  counter.mutable_counter()->set_unit(pftrace::CounterDescriptor::UNIT_COUNT);
  out.Describe(counter);
}

}  // namespace scenarios
