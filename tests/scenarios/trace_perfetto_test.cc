#include "scenarios/trace_perfetto.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "scenarios/trace.h"
#include "sim/program.h"
#include "sim/units.h"
#include "tests/scenarios/small_trace.h"
#include "tests/scenarios/trace_processor.h"

namespace scenarios {
namespace {

using nlohmann::json;

void ExpectSlicesOfTheTimeline(const SmallTrace& small, const json& rows) {
  using Slice = std::tuple<std::string, int64_t, int64_t, std::string, int64_t,
                           int64_t, std::string, std::string, int64_t>;
  std::multiset<Slice> expected, read;
  const sim::Program& program = small.program;
  for (const TracedRank& rank : small.inputs.ranks) {
    const auto& tasks = program.scripts[program.script[rank.rank]].tasks;
    for (size_t row = 0; row < tasks.size(); ++row) {
      const sim::Task& task = tasks[sim::AsId<sim::TaskId>(row)];
      const int64_t start =
          small.timeline.start(rank.rank)[row].since_start.count() / 1000;
      const int64_t finish =
          small.timeline.finish(rank.rank)[row].since_start.count() / 1000;
      const int64_t pid = 100 * (rank.number + 1);
      expected.emplace(program.labels[task.label], start, finish - start,
                       program.lanes[task.lane], pid + 1 + int64_t(task.lane),
                       pid, rank.name, small.inputs.notes[task.label].category,
                       task.pass);
    }
  }
  for (const json& row : rows) {
    ASSERT_FALSE(row[3].is_null()) << row << " is on no thread";
    read.emplace(row[0], Whole(row[1]), Whole(row[2]), row[3], Whole(row[4]),
                 Whole(row[5]), row[6], row[7], Whole(row[8]));
  }
  EXPECT_EQ(read.size(), kSmallTraceSlices);
  EXPECT_EQ(read, expected);
}

void ExpectTheTimeOfEachLane(const json& slices) {
  std::map<int64_t, int64_t> sum;  // tid -> ns
  for (const json& row : slices) sum[Whole(row[4])] += Whole(row[2]);
  // Stage 0: 3 x 10 us of gemm, 3 x 4 of all-reduce, 3 x (5 + 7) of messages;
  // stage 1: 3 x 10 and 3 x (5 + 7). Rank 8·r has pid 100 (8·r + 1).
  EXPECT_EQ(sum, (std::map<int64_t, int64_t>{{101, 30'000},
                                             {102, 12'000},
                                             {103, 36'000},
                                             {901, 30'000},
                                             {902, 12'000},
                                             {903, 36'000},
                                             {1701, 30'000},
                                             {1703, 36'000},
                                             {2501, 30'000},
                                             {2503, 36'000}}));
}

void ExpectArrowsFromSendersAndAmongMembers(const json& rows) {
  using End = std::pair<int64_t, std::string>;
  std::map<std::pair<End, End>, int> arrows;
  for (const json& row : rows) {
    ++arrows[{{Whole(row[0]), row[1]}, {Whole(row[2]), row[3]}}];
  }
  const std::string there = "activations", back = "gradients",
                    sum = "layer.0 tp sum";
  EXPECT_EQ(arrows, (std::map<std::pair<End, End>, int>{
                        {{{100, there}, {1700, there}}, 3},
                        {{{900, there}, {2500, there}}, 3},
                        {{{1700, back}, {100, back}}, 3},
                        {{{2500, back}, {900, back}}, 3},
                        {{{100, sum}, {900, sum}}, 3}}));
}

void ExpectTheMemoryCurve(const SmallTrace& small, const json& rows) {
  // Stage 0: 64 + 16 MiB at the first gemm, at 0 us; 96 at 100; 112 at 200, the
  // peak; 64 when it is done, at 257 us. Reserved only grows.
  std::vector<std::pair<int64_t, int64_t>> allocated, reserved;
  for (const json& row : rows) {
    EXPECT_EQ(row[2], "bytes");
    if (Whole(row[0]) != 100) continue;
    auto& counter = row[1] == "memory allocated" ? allocated : reserved;
    counter.emplace_back(Whole(row[3]), row[4].get<int64_t>() >> 20);
  }
  EXPECT_EQ(allocated,
            (std::vector<std::pair<int64_t, int64_t>>{
                {0, 80}, {100'000, 96}, {200'000, 112}, {257'000, 64}}));
  EXPECT_EQ(reserved,
            (std::vector<std::pair<int64_t, int64_t>>{
                {0, 80}, {100'000, 96}, {200'000, 112}, {257'000, 112}}));
  size_t points = 0;
  for (const TracedRank& rank : small.inputs.ranks) {
    points += rank.memory.size();
  }
  EXPECT_EQ(rows.size(), 2 * points);
}

void ExpectNotes(const json& rows) {
  std::map<std::string, std::string> args;
  for (const json& row : rows) {
    args[row[0]] =
        row[1].is_string() ? row[1].get<std::string>() : row[1].dump();
  }
  EXPECT_EQ(args, (std::map<std::string, std::string>{
                      {"debug.bound_by", "compute"},
                      {"debug.bytes", "1099511627776"},  // 2^40
                      {"debug.flops", "1500000000000"},
                      {"debug.pass", "2"}}));
}

// A slice or counter joined with its thread and process.
constexpr char kOnThread[] =
    "left join thread_track k on s.track_id = k.id "
    "left join thread t using (utid) left join process p using (upid) ";

TEST(WritePerfetto, PerfettosReaderFindsSlicesArrowsMemoryAndNotes) {
  const std::string why_not = WhyNoTraceProcessor();
  if (!why_not.empty()) GTEST_SKIP() << why_not;
  const SmallTrace small;
  const std::filesystem::path trace = Scratch("small.pftrace");
  const absl::Status written = WritePerfetto(small.inputs, trace);
  ASSERT_TRUE(written.ok()) << written;
  const std::string slice_with_place = std::string("from slice s ") + kOnThread;
  const std::vector<json> answers = Ask(
      trace,
      {kComplaints, "select * from slice where name is null or dur < 0",
       "select s.name, s.ts, s.dur, t.name, t.tid, p.pid, p.name, s.category, "
       "extract_arg(s.arg_set_id, 'debug.pass') " +
           slice_with_place,
       "with place as (select s.id, s.name, p.pid " + slice_with_place +
           ") select a.pid, a.name, b.pid, b.name from flow f "
           "join place a on f.slice_out = a.id "
           "join place b on f.slice_in = b.id",
       "select p.pid, k.name, k.unit, c.ts, c.value from counter c "
       "join process_counter_track k on c.track_id = k.id "
       "join process p using (upid) order by c.id",
       "select a.key, coalesce(a.string_value, a.int_value, a.real_value) "
       "from slice s join args a using (arg_set_id) "
       "where s.category = 'gemm' and s.ts = 200000 and a.arg_set_id = "
       "(select max(arg_set_id) from slice where category = 'gemm' and "
       "ts = 200000)"});
  EXPECT_EQ(answers[0], json::array());
  EXPECT_EQ(answers[1], json::array());
  ExpectSlicesOfTheTimeline(small, answers[2]);
  ExpectTheTimeOfEachLane(answers[2]);
  ExpectArrowsFromSendersAndAmongMembers(answers[3]);
  EXPECT_EQ(answers[3].size(), kSmallTraceArrows);
  ExpectTheMemoryCurve(small, answers[4]);
  ExpectNotes(answers[5]);
}

TEST(WritePerfetto, EqualInputsGiveEqualBytes) {
  const SmallTrace one, other;
  ASSERT_TRUE(WritePerfetto(one.inputs, Scratch("one")).ok());
  ASSERT_TRUE(WritePerfetto(other.inputs, Scratch("other")).ok());
  EXPECT_GT(BytesOf(Scratch("one")).size(), 100);
  EXPECT_EQ(BytesOf(Scratch("one")), BytesOf(Scratch("other")));
}

}  // namespace
}  // namespace scenarios
