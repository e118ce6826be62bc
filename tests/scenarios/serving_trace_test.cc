#include "scenarios/serving_trace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "scenarios/serving_inputs.h"
#include "scenarios/serving_run.h"
#include "scenarios/step_operators.h"
#include "sim/serving/fleet.h"
#include "sim/units.h"
#include "tests/scenarios/trace_processor.h"

namespace scenarios {
namespace {

using nlohmann::json;

// 40 prompts of 700 tokens that come close together, in steps of 1024.
ServingInputs Small(const std::string& more) {
  const std::filesystem::path file = Scratch("serve.textproto");
  std::ofstream(file) << R"(
    model { preset: "llama3-8b" }
    cluster { preset: "dgx-h100" }
    serving {
      max_num_batched_tokens: 1024
      workload { requests: 40 poisson { requests_per_second: 50 }
                 input { fixed: 700 } output { fixed: 40 } }
      )" << more << "}";
  absl::StatusOr<ServingInputs> inputs = LoadServing(file.string());
  EXPECT_TRUE(inputs.ok()) << inputs.status();
  return *std::move(inputs);
}

constexpr char kDivided[] = R"(
    pool { name: "prompts" role: PREFILL replicas: 1 }
    pool { name: "answers" role: DECODE replicas: 2 })";

int64_t Ns(sim::Instant at) { return at.since_start.count() / 1000; }

// What a run does, told by another run of it.
struct Told {
  using Step = std::tuple<int64_t, int64_t, int64_t, std::string>;
  std::multiset<Step> steps;  // engine, begin, duration, name
  std::multiset<std::tuple<int64_t, int64_t, int64_t, int64_t>>
      moves;  // from, to, begin, duration
  std::map<int64_t, sim::Job> done;
  int64_t used = 0;  // most blocks

  explicit Told(const ServingInputs& inputs) {
    const auto add_step = [this](const sim::StepRecord& s) {
      int64_t prompts = 0;
      for (const auto& chunk : s.work->prefills) prompts += chunk.tokens;
      std::string name = prompts > 0 ? absl::StrCat("prefill ", prompts) : "";
      if (s.work->decodes > 0) {
        absl::StrAppend(&name, prompts > 0 ? " + " : "", "decode ",
                        s.work->decodes);
      }
      steps.emplace(s.replica, Ns(s.begin), Ns(s.end) - Ns(s.begin), name);
      used = std::max(used, s.engine->cache().used());
    };
    Serve(inputs,
          {.load = {},
           .listeners = {
               .on_done = [&](const sim::Job& j) { done[j.request.id] = j; },
               .on_step = add_step,
               .on_transfer =
                   [&](const sim::TransferRecord& t) {
                     moves.emplace(t.from, t.to, Ns(t.begin),
                                   Ns(t.end) - Ns(t.begin));
                   }}});
  }
};

std::filesystem::path Traced(const ServingInputs& inputs,
                             const ServingTraceOptions& options = {}) {
  const std::filesystem::path trace = Scratch("serve.pftrace");
  const auto outcome = ServeTraced(inputs, trace, options);
  EXPECT_TRUE(outcome.ok()) << outcome.status();
  return trace;
}

constexpr char kOnThread[] =
    " from slice s join thread_track k on s.track_id = k.id "
    "join thread t using (utid) join process p using (upid) ";
constexpr char kEngine[] =
    "cast(substr(p.name, 8, instr(substr(p.name, 8), ' ')) as int) ";
constexpr char kBroken[] = "select * from slice where name is null or dur < 0";
// Slices within requests, each with its request's.
constexpr char kPhases[] =
    "select s.name, s.ts, s.dur, r.name from slice s join slice r "
    "on s.parent_id = r.id where r.name glob 'request *' order by s.ts";

TEST(ServeTraced, ShowsEveryStepWithItsCounters) {
  if (!WhyNoTraceProcessor().empty()) GTEST_SKIP() << WhyNoTraceProcessor();
  const ServingInputs inputs = Small("replicas: 2");
  const Told told(inputs);
  const std::vector<json> rows =
      Ask(Traced(inputs),
          {kComplaints, kBroken,
           absl::StrCat("select ", kEngine, ", s.ts, s.dur, s.name", kOnThread,
                        "where t.name = 'steps'"),
           "select max(c.value) from counter c join process_counter_track k "
           "on c.track_id = k.id where k.name = 'KV blocks used'",
           "select name from process where name glob 'engine *' order by 1",
           absl::StrCat("select count(*), min(s.dur)", kOnThread,
                        "where t.name = 'service' and s.name = 'up'")});
  EXPECT_EQ(rows[0], json::array());
  EXPECT_EQ(rows[1], json::array());
  std::multiset<Told::Step> steps;
  for (const json& r : rows[2]) {
    steps.emplace(Whole(r[0]), Whole(r[1]), Whole(r[2]), r[3]);
  }
  EXPECT_GT(steps.size(), 80);
  EXPECT_EQ(steps, told.steps);
  EXPECT_EQ(rows[3][0][0].get<double>(), static_cast<double>(told.used));
  EXPECT_EQ(rows[4], (json{{"engine 0 · llama3-8b · tp 1"},
                           {"engine 1 · llama3-8b · tp 1"}}));
  EXPECT_EQ(Whole(rows[5][0][0]), 2);
}

TEST(ServeTraced, PhasesOfARequestFillItsTime) {
  if (!WhyNoTraceProcessor().empty()) GTEST_SKIP() << WhyNoTraceProcessor();
  const ServingInputs inputs = Small("");
  const Told told(inputs);
  const std::vector<json> rows = Ask(
      Traced(inputs),
      {"select name, ts, dur, extract_arg(arg_set_id, 'debug.ttft_ms'), "
       "extract_arg(arg_set_id, 'debug.input_tokens') from slice where "
       "name glob 'request *' and dur > 0",
       kPhases,
       "select a.parent_id = r.id, r.name, extract_arg(b.arg_set_id, "
       "'debug.prompts_of') from flow f join slice a on f.slice_out = a.id "
       "join slice r on a.parent_id = r.id join slice b on f.slice_in = b.id",
       absl::StrCat("select count(*)", kOnThread, "where t.name = 'router'"),
       "select max(c.value) from counter c join process_counter_track k "
       "on c.track_id = k.id where k.name = 'in flight'"});
  std::map<std::string, int64_t> sum;
  for (const json& r : rows[1]) sum[r[3]] += Whole(r[2]);
  ASSERT_EQ(rows[0].size(), told.done.size());
  for (const json& r : rows[0]) {
    const std::string name = r[0];
    const sim::Job& job = told.done.at(std::stoll(name.substr(8)));
    EXPECT_EQ(Whole(r[1]), Ns(job.request.arrival)) << name;
    EXPECT_EQ(Whole(r[2]), Ns(job.finish) - Ns(job.request.arrival)) << name;
    EXPECT_EQ(sum[name], Whole(r[2])) << name;
    EXPECT_DOUBLE_EQ(
        r[3].get<double>(),
        sim::InSeconds(job.first_token - job.request.arrival) * 1e3);
    EXPECT_EQ(Whole(r[4]), 700);
  }
  // From its prefill to a step that computes its prompt.
  std::set<std::string> joined;
  for (const json& r : rows[2]) {
    const std::string name = r[1], id = name.substr(8);
    const std::string list = absl::StrCat(" ", r[2].get<std::string>(), ",");
    EXPECT_NE(list.find(absl::StrCat(" ", id, ",")), std::string::npos) << r;
    joined.insert(name);
  }
  EXPECT_EQ(joined.size(), told.done.size());
  EXPECT_EQ(Whole(rows[3][0][0]), 40);
  EXPECT_GT(rows[4][0][0].get<double>(), 1);
}

TEST(ServeTraced, TransfersAreSlicesOfBothEnginesWithAnArrow) {
  if (!WhyNoTraceProcessor().empty()) GTEST_SKIP() << WhyNoTraceProcessor();
  const ServingInputs inputs = Small(kDivided);
  const Told told(inputs);
  const std::string place =
      absl::StrCat("with place as (select s.id, s.ts, s.dur, s.name, ", kEngine,
                   "as engine", kOnThread, "where t.name = 'network') ");
  const std::vector<json> rows = Ask(
      Traced(inputs),
      {kComplaints, kBroken,
       place + "select a.engine, b.engine, a.ts, a.dur, b.ts, b.dur from flow "
               "f join place a on f.slice_out = a.id "
               "join place b on f.slice_in = b.id",
       place + "select count(*) from place", kPhases,
       "select name from process where name glob 'engine 1*'"});
  EXPECT_EQ(rows[0], json::array());
  EXPECT_EQ(rows[1], json::array());
  decltype(told.moves) moves;
  for (const json& r : rows[2]) {
    moves.emplace(Whole(r[0]), Whole(r[1]), Whole(r[2]), Whole(r[3]));
    EXPECT_EQ(r[2], r[4]);
    EXPECT_EQ(r[3], r[5]);
  }
  EXPECT_EQ(moves.size(), 40);
  EXPECT_EQ(moves, told.moves);
  EXPECT_EQ(Whole(rows[3][0][0]), 80);
  std::map<std::string, int64_t> transfer;
  for (const json& r : rows[4]) {
    if (r[0] == "transfer") transfer[r[3]] += Whole(r[2]);
  }
  for (const auto& [id, job] : told.done) {
    // What is left of it is the wait for room at the other engine.
    const int64_t moved = transfer[absl::StrCat("request ", id)];
    EXPECT_GT(moved, 0);
    EXPECT_LE(static_cast<double>(moved),
              static_cast<double>(job.transfer.count()) / 1000 + 2);
  }
  EXPECT_EQ(rows[5],
            (json{{"engine 1 · llama3-8b · answers · tp 1 · decode"}}));
}

// With room for four answers, sequences make way for each other; and engine 0
// fails while it has work.
TEST(ServeTraced, ShowsWhatPreemptionsAndOutagesCost) {
  if (!WhyNoTraceProcessor().empty()) GTEST_SKIP() << WhyNoTraceProcessor();
  ServingInputs inputs = Small(
      "replicas: 2 outage { replica: 0 at_seconds: 0.3 for_seconds: 0.2 }");
  inputs.pools[0].cache.blocks = 180;
  const Told told(inputs);
  const std::vector<json> rows =
      Ask(Traced(inputs),
          {kComplaints, kBroken, kPhases,
           absl::StrCat("select s.ts, s.dur", kOnThread,
                        "where t.name = 'service' and ", kEngine,
                        "= 0 order by s.ts"),
           "select sum(dur) from slice where name glob 'request *'"});
  EXPECT_EQ(rows[0], json::array());
  EXPECT_EQ(rows[1], json::array());
  std::map<std::string, int64_t> lost;
  int64_t all = 0;
  for (const json& r : rows[2]) {
    all += Whole(r[2]);
    if (r[0] == "preempted" || r[0] == "recompute") lost[r[3]] += Whole(r[2]);
  }
  EXPECT_EQ(all, Whole(rows[4][0][0]));
  int preempted = 0;
  for (const auto& [id, job] : told.done) {
    const sim::Duration expected = job.parts().preemption;
    EXPECT_NEAR(static_cast<double>(lost[absl::StrCat("request ", id)]),
                static_cast<double>(expected.count()) / 1000, 20)
        << id;
    preempted += expected > sim::Duration(0) ? 1 : 0;
  }
  EXPECT_GT(preempted, 3);
  ASSERT_EQ(rows[3].size(), 2);
  EXPECT_EQ(Whole(rows[3][0][1]), 300'000'000);  // up until 0.3 s
  EXPECT_EQ(Whole(rows[3][1][0]), 500'000'000);  // and from 0.5 s on
}

TEST(ServeTraced, OperatorsFillTheStepsOfTheWindow) {
  if (!WhyNoTraceProcessor().empty()) GTEST_SKIP() << WhyNoTraceProcessor();
  const ServingInputs inputs = Small("");
  const Told told(inputs);
  constexpr int64_t kFrom = 200'000'000, kTo = 300'000'000;
  const std::vector<json> rows = Ask(
      Traced(inputs,
             {.operators = {{{sim::Seconds(0.2)}, {sim::Seconds(0.3)}}}}),
      {kComplaints, kBroken,
       absl::StrCat("select s.ts, s.dur, s.name, extract_arg(s.arg_set_id, "
                    "'debug.kernel')",
                    kOnThread, "where t.name = 'operators' order by s.ts")});
  EXPECT_EQ(rows[0], json::array());
  EXPECT_EQ(rows[1], json::array());
  size_t steps = 0, row = 0;
  bool attends = false;
  for (const auto& [engine, begin, dur, name] : told.steps) {
    if (begin > kTo || begin + dur < kFrom) continue;
    ++steps;
    int64_t at = begin;
    for (; row < rows[2].size() && at < begin + dur; ++row) {
      EXPECT_EQ(Whole(rows[2][row][0]), at);
      at += Whole(rows[2][row][1]);
      const std::string kernel = rows[2][row][3].dump();
      attends = attends || kernel.find("attention") != std::string::npos;
    }
    EXPECT_EQ(at, begin + dur) << name;
  }
  EXPECT_EQ(row, rows[2].size());
  EXPECT_GE(steps, 5);
  EXPECT_TRUE(attends);
}

TEST(ServeTraced, SaysWhichRequestsItLeavesOut) {
  if (!WhyNoTraceProcessor().empty()) GTEST_SKIP() << WhyNoTraceProcessor();
  const ServingInputs inputs = Small("");
  const std::vector<json> rows =
      Ask(Traced(inputs, {.requests = 10}),
          {kComplaints,
           "select count(*) from slice where name glob 'request *' and dur > 0",
           absl::StrCat("select s.name", kOnThread,
                        "where t.name = 'router' and s.name glob '*not*'")});
  EXPECT_EQ(rows[0], json::array());
  EXPECT_EQ(Whole(rows[1][0][0]), 10);
  EXPECT_EQ(rows[2], (json{{"requests from 10 on are not shown"}}));
}

TEST(ServeTraced, EqualInputsGiveEqualBytesAndTheRunUntraced) {
  const ServingInputs inputs = Small(kDivided);
  const ServingTraceOptions options{.operators = {{{}, {sim::Seconds(0.1)}}}};
  const auto one = ServeTraced(inputs, Scratch("one.pftrace"), options);
  ASSERT_TRUE(one.ok()) << one.status();
  ASSERT_TRUE(ServeTraced(inputs, Scratch("other.pftrace"), options).ok());
  EXPECT_GT(BytesOf(Scratch("one.pftrace")).size(), 1000);
  EXPECT_EQ(BytesOf(Scratch("one.pftrace")), BytesOf(Scratch("other.pftrace")));
  const ServingOutcome untraced = Serve(inputs);
  EXPECT_EQ(one->served.end, untraced.served.end);
  EXPECT_EQ(one->served.steps, untraced.served.steps);
  EXPECT_EQ(one->e2e.mean(), untraced.e2e.mean());
}

TEST(ServeTraced, RefusesOtherFormats) {
  const ServingInputs inputs = Small("");
  for (const std::string name : {"serve.json", "serve.json.gz"}) {
    const std::string path = Scratch(name).string();
    EXPECT_EQ(ServeTraced(inputs, path).status().message(),
              path +
                  ": serving is traced in Perfetto's format only; "
                  ".pftrace works");
    EXPECT_FALSE(std::filesystem::exists(path));
  }
}

TEST(StepOperators, FollowEachOtherFromTheHostToTheEndOfTheStep) {
  const ServingInputs inputs = Small("");
  StepOperators operators(inputs.pools[0]);
  const sim::StepWork work{
      .decodes = 8,
      .decode_tokens = 8,
      .decode_keys = 8000,
      .prefills = {{.tokens = 500, .keys = 500, .last = true, .request = 3}}};
  const sim::Instant begin{sim::Seconds(2)}, end{sim::Seconds(2.01)};
  const std::vector<ShownOperator> all = operators.Of(work, begin, end);
  ASSERT_GT(all.size(), 8);
  EXPECT_EQ(all.front().begin, begin);
  EXPECT_EQ(all.back().end, end);
  for (size_t row = 1; row < all.size(); ++row) {
    EXPECT_EQ(all[row].begin, all[row - 1].end);
  }
  // Each takes as long as it says, stretched.
  for (const ShownOperator& op : all) {
    EXPECT_NEAR(sim::InMicroseconds(op.end - op.begin),
                op.alone_us * static_cast<double>(op.times) * op.stretch, 1e-4);
  }
}

}  // namespace
}  // namespace scenarios
