#include "scenarios/trace_kineto.h"

#include <google/protobuf/io/gzip_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "scenarios/trace.h"
#include "sim/program.h"
#include "tests/scenarios/small_trace.h"
#include "tests/scenarios/trace_processor.h"

namespace scenarios {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json Written(const SmallTrace& small) {
  const absl::Status written = WriteKineto(small.inputs, Scratch("small.json"));
  EXPECT_TRUE(written.ok()) << written;
  return json::parse(BytesOf(Scratch("small.json")));
}

std::vector<json> EventsOf(const json& trace, const std::string& phase,
                           const std::string& category = "") {
  std::vector<json> events;
  for (const json& event : trace["traceEvents"]) {
    if (event["ph"] == phase &&
        (category.empty() || event.value("cat", "") == category)) {
      events.push_back(event);
    }
  }
  return events;
}

int64_t InNanoseconds(const json& microseconds) {
  return std::llround(microseconds.get<double>() * 1000);
}

// Holistic Trace Analysis (hta/common/trace_file.py, trace_parser.py, trace.py)
// asks for these.

TEST(WriteKineto, SaysWhatHtaAsksOfAFile) {
  const SmallTrace small;
  const json trace = Written(small);
  EXPECT_EQ(trace["schemaVersion"], 1);
  EXPECT_EQ(trace["distributedInfo"],
            json::parse(R"({"backend": "nccl", "rank": 0, "world_size": 32})"));
  ASSERT_EQ(trace["deviceProperties"].size(), 4);
  EXPECT_EQ(trace["deviceProperties"][3],
            json::parse(R"({"id": 24, "name": "NVIDIA H100 80GB HBM3"})"));
  // Links to event 0 read as no link: that one must not be a launch or kernel.
  EXPECT_EQ(trace["traceEvents"][0]["ph"], "M");
}

TEST(WriteKineto, EveryKernelWhereTheTimelineHasIt) {
  const SmallTrace small;
  using Kernel = std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t>;
  std::multiset<Kernel> expected, written;
  for (const TracedRank& rank : small.inputs.ranks) {
    const auto& script = small.program.scripts[small.program.script[rank.rank]];
    for (size_t row = 0; row < script.tasks.size(); ++row) {
      const sim::Task& task = script.tasks[sim::AsId<sim::TaskId>(row)];
      const int64_t start =
          small.timeline.start(rank.rank)[row].since_start.count() / 1000;
      const int64_t finish =
          small.timeline.finish(rank.rank)[row].since_start.count() / 1000;
      expected.emplace(rank.number, 7 + int64_t(task.lane), start,
                       finish - start, task.pass);
    }
  }
  for (const json& event : EventsOf(Written(small), "X", "kernel")) {
    const json& args = event["args"];
    written.emplace(event["pid"], event["tid"], InNanoseconds(event["ts"]),
                    InNanoseconds(event["dur"]), args["pass"]);
    EXPECT_EQ(args["stream"], event["tid"]);
    EXPECT_EQ(args["device"], event["pid"]);
    EXPECT_EQ(args["context"], 1);
  }
  EXPECT_EQ(written.size(), kSmallTraceSlices);
  EXPECT_EQ(written, expected);
}

TEST(WriteKineto, EveryKernelHasOneLaunchAheadOfIt) {
  const SmallTrace small;
  const json trace = Written(small);
  std::map<int64_t, json> launches;
  for (const json& event : EventsOf(trace, "X", "cuda_runtime")) {
    EXPECT_EQ(event["name"], "cudaLaunchKernel");
    EXPECT_TRUE(launches.emplace(event["args"]["correlation"], event).second);
  }
  EXPECT_EQ(launches.size(), kSmallTraceSlices);
  std::map<int64_t, int64_t> next;  // pid -> where its last launch ended
  for (const json& kernel : EventsOf(trace, "X", "kernel")) {
    const json& launch = launches.at(kernel["args"]["correlation"]);
    EXPECT_EQ(launch["pid"], kernel["pid"]);
    EXPECT_EQ(launch["tid"], 1);
    // Each launch takes the host 2 us, one after another.
    EXPECT_EQ(InNanoseconds(launch["ts"]), next[launch["pid"]]);
    EXPECT_EQ(InNanoseconds(launch["dur"]), 2000);
    next[launch["pid"]] += 2000;
  }
}

TEST(WriteKineto, TheHostLaunchesOnAfterASyncEnds) {
  SmallTrace small;
  // The first gemm, which ends at 10 us, holds the host; times issued are
  // counted from there: the second launch ends at 10 + 4 us.
  sim::Script& script = small.program.scripts[sim::ScriptId{0}];
  script.tasks[sim::TaskId{0}].host_sync = true;
  const std::vector<json> launches =
      EventsOf(Written(small), "X", "cuda_runtime");
  EXPECT_EQ(InNanoseconds(launches[1]["ts"]), 10'000);
  EXPECT_EQ(InNanoseconds(launches[1]["dur"]), 4'000);
}

TEST(WriteKineto, OneStepAnnotationCoversARank) {
  const SmallTrace small;
  const std::vector<json> steps =
      EventsOf(Written(small), "X", "user_annotation");
  ASSERT_EQ(steps.size(), 4);
  EXPECT_EQ(steps[0]["name"], "ProfilerStep#0");
  EXPECT_EQ(InNanoseconds(steps[0]["ts"]), 0);
  EXPECT_EQ(InNanoseconds(steps[0]["dur"]), 257'000);
}

TEST(WriteKineto, CommunicationsAreNamedAndDescribedAsNccls) {
  const SmallTrace small;
  std::set<std::string> names;
  json sum;
  for (const json& event : EventsOf(Written(small), "X", "kernel")) {
    names.insert(event["name"]);
    if (event["name"] == "ncclKernel_AllReduce_RING") sum = event["args"];
  }
  EXPECT_EQ(names, (std::set<std::string>{"layer.0 \"qkv\"",
                                          "ncclKernel_AllReduce_RING",
                                          "ncclKernel_SendRecv"}));
  EXPECT_EQ(sum["label"], "layer.0 tp sum");
  EXPECT_EQ(sum["Collective name"], "allreduce");
  EXPECT_EQ(sum["Process Group Name"], "tp");
  EXPECT_EQ(sum["Group size"], 2);
  EXPECT_EQ(sum["dtype"], "bf16");
  // 8192 bytes of 2 each.
  EXPECT_EQ(sum["In msg nelems"], 4096);
  EXPECT_EQ(sum["Out msg nelems"], 4096);
}

TEST(WriteKineto, AGatherTakesAndAScatterGivesOneRanksPart) {
  SmallTrace small;
  for (const auto& [collective, in, out] :
       {std::tuple("all-gather", 2048, 4096),
        std::tuple("reduce-scatter", 4096, 2048)}) {
    small.inputs.notes[sim::LabelId{1}].notes[0].value = collective;
    for (const json& event : EventsOf(Written(small), "X", "kernel")) {
      if (event["args"].value("label", "") != "layer.0 tp sum") continue;
      EXPECT_EQ(event["args"]["In msg nelems"], in);
      EXPECT_EQ(event["args"]["Out msg nelems"], out);
    }
  }
}

TEST(WriteKineto, PerfettosReaderFindsSlicesArrowsAndMemory) {
  const std::string why_not = WhyNoTraceProcessor();
  if (!why_not.empty()) GTEST_SKIP() << why_not;
  const SmallTrace small;
  Written(small);
  const std::vector<json> answers = Ask(
      Scratch("small.json"),
      {kComplaints,
       "select count(*) from slice where category = 'kernel' and dur > 0",
       "with place as (select s.id, s.name, p.pid from slice s "
       "join thread_track k on s.track_id = k.id "
       "join thread using (utid) join process p using (upid)) "
       "select a.pid, a.name, b.pid, count(*) from flow f "
       "join place a on f.slice_out = a.id "
       "join place b on f.slice_in = b.id group by 1, 2, 3 order by 1, 3",
       "select max(c.value), count(distinct upid) from counter c "
       "join process_counter_track k on c.track_id = k.id "
       "where k.name like 'memory allocated%'",
       "select distinct p.name, t.name from thread t "
       "join process p using (upid) where p.pid = 0 and t.name = 'tp'"});
  EXPECT_EQ(answers[0], json::array());
  EXPECT_EQ(Whole(answers[1][0][0]), kSmallTraceSlices);
  EXPECT_EQ(answers[2], json::parse(R"([
      ["0", "ncclKernel_AllReduce_RING", "8", "3"],
      ["0", "ncclKernel_SendRecv", "16", "3"],
      ["8", "ncclKernel_SendRecv", "24", "3"],
      ["16", "ncclKernel_SendRecv", "0", "3"],
      ["24", "ncclKernel_SendRecv", "8", "3"]])"));
  EXPECT_EQ(answers[3], json::parse(R"([[117440512.0, "4"]])"));  // 112 MiB
  EXPECT_EQ(answers[4], json::parse(R"([["rank 0 · stage 0", "tp"]])"));
}

TEST(WriteKineto, ANameInGzIsGzipped) {
  const SmallTrace small;
  Written(small);
  const fs::path packed_path = Scratch("small.json.gz");
  ASSERT_TRUE(WriteKineto(small.inputs, packed_path).ok());
  const std::string bytes = BytesOf(packed_path);
  namespace io = google::protobuf::io;
  io::ArrayInputStream packed(bytes.data(), static_cast<int>(bytes.size()));
  io::GzipInputStream unpacked(&packed, io::GzipInputStream::GZIP);
  std::string text;
  const void* data;
  for (int size; unpacked.Next(&data, &size);) {
    text.append(static_cast<const char*>(data), static_cast<size_t>(size));
  }
  EXPECT_EQ(text, BytesOf(Scratch("small.json")));
}

TEST(WriteKinetoFolder, OneFileForEachRankWithoutArrows) {
  const SmallTrace small;
  const fs::path folder = Scratch("by-rank");
  ASSERT_TRUE(WriteKinetoFolder(small.inputs, folder).ok());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 4);
  const json trace = json::parse(BytesOf(folder / "rank-16.json"));
  EXPECT_EQ(trace["distributedInfo"]["rank"], 16);
  EXPECT_EQ(EventsOf(trace, "X", "kernel").size(), 9);
  for (const json& event : trace["traceEvents"]) {
    EXPECT_EQ(event.value("pid", 16), 16);
    EXPECT_NE(event["ph"], "s");
    EXPECT_NE(event["ph"], "f");
  }
}

TEST(WriteKinetoFolder, SaysWhyThereIsNoFolder) {
  const SmallTrace small;
  const fs::path file = Scratch("a-file");
  ASSERT_TRUE(WriteKineto(small.inputs, file).ok());
  EXPECT_EQ(WriteKinetoFolder(small.inputs, file / "sub").message(),
            (file / "sub").string() + ": cannot make folder: Not a directory");
}

}  // namespace
}  // namespace scenarios
