#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "scenarios/traces/formats.h"
#include "scenarios/traces/trace.h"
#include "sim/data_path.h"

namespace scenarios {
namespace {

RequestTrace Parse(const std::string& text, const TraceOptions& options = {}) {
  absl::StatusOr<RequestTrace> trace = ParseTrace("t", text, options);
  EXPECT_TRUE(trace.ok()) << trace.status();
  return trace.ok() ? *std::move(trace) : RequestTrace();
}

// The whole error of a trace that must not be read.
std::string Refusal(const std::string& text, const TraceOptions& options = {}) {
  return std::string(ParseTrace("t", text, options).status().message());
}

using Tokens = std::vector<uint32_t>;
using Times = std::vector<int64_t>;

constexpr char kAzure[] = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
constexpr char kBurst[] =
    "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n";

TEST(AzureTrace, TimesAreExactToTheirLastDigit) {
  const RequestTrace t =
      Parse(absl::StrCat(kAzure, "2023-11-16 18:15:46.6805900,374,44\n",
                         "2023-11-16 18:15:50.9951691,396,109"));
  EXPECT_EQ(t.input, (Tokens{374, 396}));
  EXPECT_EQ(t.output, (Tokens{44, 109}));
  // 50.9951691 - 46.6805900 s.
  EXPECT_EQ(t.at_ns, (Times{0, 4'314'579'100}));
  EXPECT_TRUE(t.session.empty());
  EXPECT_TRUE(t.prefix(1).empty());
}

TEST(AzureTrace, TimesMayHaveTheirZoneAndCrossMidnight) {
  const RequestTrace t = Parse(absl::StrCat(
      kAzure, "2024-02-28 23:59:59+00:00,1,1\n",
      "2024-02-29 00:00:00.5+00:00,1,1\n", "2024-02-29 01:00:01+01:00,1,1\n"));
  EXPECT_EQ(t.at_ns, (Times{0, 1'500'000'000, 2'000'000'000}));
}

TEST(AzureTrace, BadRowsAreRefusedWhereTheyStand) {
  const std::string good = "2023-11-16 18:15:46.68,374,44\n";
  const auto Row = [&](const std::string& row) {
    return Refusal(absl::StrCat(kAzure, good, row));
  };
  EXPECT_EQ(Row("2023-11-16 18:15:47,-3,44\n"),
            "t:3:21: ContextTokens: -3 is out of range; write 1 to 1073741824");
  EXPECT_EQ(Row("2023-11-16 18:15:47,0,44\n"),
            "t:3:21: ContextTokens: 0 is out of range; write 1 to 1073741824");
  EXPECT_EQ(Row("2023-11-16 18:15:47,7,\n"),
            "t:3:23: GeneratedTokens: \"\" is not a whole number; write one, "
            "as 12");
  EXPECT_EQ(Row("2023-11-16 18:15:47,7\n"),
            "t:3:1: the row has 2 cells; the header names 3 columns");
  EXPECT_EQ(Row("2023-11-16 18:15:46,7,7\n"),
            "t:3:1: TIMESTAMP: 2023-11-16 18:15:46 is earlier than the row "
            "before; sort the rows by time");
  EXPECT_EQ(Row("yesterday,7,7\n"),
            "t:3:1: TIMESTAMP: \"yesterday\" is not a time in UTC; write one, "
            "as 2023-11-16 18:15:46.6805900");
  EXPECT_EQ(Row("infinite-future,7,7\n"),
            "t:3:1: TIMESTAMP: \"infinite-future\" is not a time in UTC; write "
            "one, as 2023-11-16 18:15:46.6805900");
}

constexpr char kMoon[] =
    "{\"timestamp\": 0, \"input_length\": 1030, \"output_length\": 5, "
    "\"hash_ids\": [7, 8, 9]}\n"
    "{\"timestamp\": 3000, \"input_length\": 512, \"output_length\": 6, "
    "\"hash_ids\": [7]}\n";

TEST(MooncakeTrace, IdsOfWholeBlocksAreThePrefix) {
  const RequestTrace t = Parse(kMoon);
  EXPECT_EQ(t.at_ns, (Times{0, 3'000'000'000}));
  EXPECT_EQ(t.input, (Tokens{1030, 512}));
  EXPECT_EQ(t.output, (Tokens{5, 6}));
  EXPECT_EQ(t.chunk, 512);
  // 1030 = 2 x 512 + 6: the third block goes on with the answer.
  EXPECT_EQ(std::vector(t.prefix(0).begin(), t.prefix(0).end()),
            (std::vector<uint64_t>{7, 8}));
  EXPECT_EQ(std::vector(t.prefix(1).begin(), t.prefix(1).end()),
            (std::vector<uint64_t>{7}));
}

TEST(MooncakeTrace, BadRowsAreRefusedWhereTheyStand) {
  const auto Row = [](const std::string& row) {
    return Refusal(absl::StrCat(kMoon, row));
  };
  EXPECT_EQ(Row("{\"timestamp\": 4000, \"input_length\": 0}"),
            "t:3:37: input_length: 0 is out of range; write 1 to 1073741824");
  EXPECT_EQ(Row("{\"timestamp\": 4000, \"input_length\": 1.5}"),
            "t:3:37: input_length: 1.5 is not a whole number; write one, as "
            "12");
  EXPECT_EQ(Row("{\"timestamp\": 4000, \"input_length\": 7}"),
            "t:3:1: output_length: is missing; every row needs it");
  EXPECT_EQ(Row("{\"timestamp\": 2999, \"input_length\": 7}"),
            "t:3:15: timestamp: 2999 is earlier than the row before; sort the "
            "rows by time");
  EXPECT_EQ(Row("{\"timestamp\": \"now\"}"),
            "t:3:15: timestamp: \"now\" is not a number; write one, as 12.5");
  EXPECT_EQ(Row("{\"timestamp\": 4000, \"input_length\": 513, "
                "\"output_length\": 1, \"hash_ids\": [1, 2, 3]}"),
            "t:3:74: hash_ids: 3 ids are more than the 2 blocks of 512 tokens "
            "in 513; write at most one for each");
  EXPECT_EQ(Row("{\"timestamp\": 4000, \"input_length\": 513, "
                "\"output_length\": 1, \"hash_ids\": [1, \"b\"]}"),
            "t:3:74: hash_ids: \"b\" is no id; write whole numbers");
  EXPECT_EQ(
      Row("{\"timestamp\": 4000, \"input_length\": 513, "
          "\"output_length\": 1, \"hash_ids\": 1}"),
      "t:3:74: hash_ids: is no list; write one id for each block, [1, 2]");
}

TEST(JsonTrace, WhatIsNotJsonIsRefusedWhereItBreaks) {
  const auto Row = [](const std::string& row) {
    return Refusal(absl::StrCat(kMoon, row));
  };
  EXPECT_EQ(Row("{\"timestamp\": 4000,\n\"input_length\": 7}"),
            "t:3:1: the object does not end on its line; write one { … } a "
            "line");
  EXPECT_EQ(Row("  7, 8"), "t:3:3: this is no object; write one { … } a line");
  EXPECT_EQ(Row("{\"timestamp\": four}"),
            "t:3:16: this is not JSON; write {\"key\": value, … }");
  EXPECT_EQ(Row("{\"timestamp\": 1e999}"),
            "t:3:1: a number is too large for 64 bits; write one below 1e308");
  EXPECT_EQ(Refusal("[{\"conversations\": []}, 3]"),
            "t:1:25: this is no object; write a list of { … }");
  EXPECT_EQ(Refusal("[{\"conversations\": []}"),
            "t:1:23: the list does not end; write ] behind it");
  EXPECT_EQ(Refusal("[{\"conversations\": ["),
            "t:1:2: the object does not end; close its braces");
}

TEST(JsonTrace, QuotesAndBracesInTextAreText) {
  const RequestTrace t = Parse(
      "{\"note\": \"} \\\" {\\\"input_toks\\\": 9\", \"x\": {\"input_toks\": "
      "8}, "
      "\"input_toks\": 7, \"output_toks\": 6}\n");
  EXPECT_EQ(t.input, (Tokens{7}));
  EXPECT_EQ(Refusal("{\"x\": {\"input_toks\": 8}, \"input_toks\": 0, "
                    "\"output_toks\": 6}"),
            "t:1:40: input_toks: 0 is out of range; write 1 to 1073741824");
}

TEST(VidurTrace, MayLackTimes) {
  const RequestTrace with = Parse(
      "arrived_at,num_prefill_tokens,num_decode_tokens\n"
      "1.5,374,44\n5.814579,396,109\n");
  EXPECT_EQ(with.at_ns, (Times{0, 4'314'579'000}));
  const RequestTrace without = Parse(
      "num_prefill_tokens,num_decode_tokens,num_total_tokens,pd_ratio\n"
      "3772,54,3826,69.85\n");
  EXPECT_TRUE(without.at_ns.empty());
  EXPECT_EQ(without.input, (Tokens{3772}));
}

TEST(VidurTrace, TimesBeyondTheClockAreRefused) {
  EXPECT_EQ(Refusal("arrived_at,num_prefill_tokens,num_decode_tokens\n"
                    "1e12,374,44\n"),
            "t:2:1: arrived_at: 1e12 s is more than 292 years; write seconds");
}

TEST(VllmRequests, HaveTimesAllOrNone) {
  const RequestTrace t = Parse(
      "{\"request_id\": \"a\", \"input_toks\": 3, \"output_toks\": 4, "
      "\"arrival_time\": 1000.25}\n"
      "{\"request_id\": \"b\", \"input_toks\": 5, \"output_toks\": 6, "
      "\"arrival_time\": 1000.75}\n");
  EXPECT_EQ(t.at_ns, (Times{0, 500'000'000}));
  EXPECT_EQ(t.output, (Tokens{4, 6}));
  EXPECT_EQ(
      Refusal("{\"input_toks\": 3, \"output_toks\": 4}\n"
              "{\"input_toks\": 3, \"output_toks\": 4, \"arrival_time\": 1}"),
      "t:2:53: arrival_time: rows before lack it; all rows have it, or none");
  EXPECT_EQ(
      Refusal("{\"input_toks\": 3, \"output_toks\": 4, \"arrival_time\": 1}\n"
              "{\"input_toks\": 3, \"output_toks\": 4}\n"),
      "t:2:1: arrival_time: is missing; every row needs it");
}

TEST(ShareGpt, TakesTheFirstQuestionAndAnswer) {
  const RequestTrace t = Parse(
      "[{\"id\": \"a\", \"conversations\": [{\"from\": \"human\", \"tokens\": "
      "12},"
      " {\"from\": \"gpt\", \"tokens\": 34}, {\"tokens\": 99}]},\n"
      " {\"id\": \"b\", \"conversations\": [{\"tokens\": 12}]},\n"
      " {\"id\": \"c\", \"conversations\": [{\"tokens\": 0}, {\"tokens\": "
      "5}]}]");
  EXPECT_EQ(t.input, (Tokens{12}));
  EXPECT_EQ(t.output, (Tokens{34}));
  EXPECT_EQ(t.dropped, 2);
  EXPECT_TRUE(t.at_ns.empty());
}

TEST(ShareGpt, TextNeedsToBeToldHowManyCharactersMakeAToken) {
  // Nine characters, of which one takes two bytes; four.
  const std::string text =
      "[{\"conversations\": [{\"value\": \"caf\xC3\xA9 noir\"}, "
      "{\"value\": \"oui!\"}]}]";
  EXPECT_EQ(Refusal(text),
            "t:1:20: conversations: turn 0 is text without a count of tokens; "
            "give its \"tokens\", or set characters_per_token (English: 4)");
  const RequestTrace t = Parse(text, {.characters_per_token = 4});
  EXPECT_EQ(t.input, (Tokens{3}));  // 9 / 4, rounded up
  EXPECT_EQ(t.output, (Tokens{1}));
}

TEST(ShareGpt, BadTurnsAreRefused) {
  EXPECT_EQ(Refusal("[{\"conversations\": 3}]"),
            "t:1:20: conversations: is no list of turns; write [{ … }, { … }]");
  EXPECT_EQ(Refusal("[{\"conversations\": [{\"tokens\": -1}, {}]}]"),
            "t:1:20: conversations: turn 0 has -1 tokens; write 0 to "
            "1073741824");
  EXPECT_EQ(Refusal("[{\"conversations\": [{\"tokens\": 1}, {}]}]"),
            "t:1:20: conversations: turn 1 has no text; give its \"tokens\"");
}

TEST(BurstGptTrace, DropsAndCountsFailures) {
  const RequestTrace t =
      Parse(absl::StrCat(kBurst, "5,ChatGPT,472,18,490,Conversation log\n",
                         "45,ChatGPT,1087,0,1087,Conversation log\n",
                         "118,GPT-4,417,276,693,Conversation log\n"));
  EXPECT_EQ(t.at_ns, (Times{0, 113'000'000'000}));
  EXPECT_EQ(t.input, (Tokens{472, 417}));
  EXPECT_EQ(t.dropped, 1);
  EXPECT_EQ(Refusal(absl::StrCat(kBurst, "5,ChatGPT,0,18,18,API log\n")),
            "t:2:11: Request tokens: 0 is out of range; write 1 to 1073741824");
}

TEST(BurstGptTrace, RowsOfASessionBelongTogether) {
  const RequestTrace t = Parse(
      "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,"
      "Total tokens,Log Type\n"
      "1,9,2,m,1,1,2,x\n2,,2,m,1,1,2,x\n3,9,2,m,1,1,2,x\n4,,2,m,1,1,2,x\n");
  EXPECT_EQ(t.session, (Tokens{0, 1, 0, 2}));
  EXPECT_EQ(t.sessions, 3);
}

TEST(BailianTrace, ARequestIsOfItsParentsConversation) {
  const auto Row = [](int chat, int parent, double at) {
    return absl::StrCat("{\"chat_id\": ", chat,
                        ", \"parent_chat_id\": ", parent,
                        ", \"timestamp\": ", at,
                        ", \"input_length\": 33, \"output_length\": 2, "
                        "\"type\": \"text\", \"turn\": 1, "
                        "\"hash_ids\": [1, 2, 3]}\n");
  };
  const RequestTrace t = Parse(absl::StrCat(Row(10, -1, 0.5), Row(11, -1, 1),
                                            Row(12, 10, 1.5), Row(13, 12, 2)));
  EXPECT_EQ(t.session, (Tokens{0, 1, 0, 0}));
  EXPECT_EQ(t.at_ns[3], 1'500'000'000);
  EXPECT_EQ(t.chunk, 16);
  EXPECT_EQ(t.prefix(0).size(), 2);  // 33 = 2 x 16 + 1
}

TEST(Trace, OfNoKnownFormatIsToldWhatIsKnown) {
  EXPECT_EQ(Refusal("a,b\n1,2\n"),
            "t:1:1: no known trace has the columns a, b; AZURE has TIMESTAMP, "
            "ContextTokens, GeneratedTokens; VIDUR has num_prefill_tokens, "
            "num_decode_tokens; BURSTGPT has Timestamp, Request tokens, "
            "Response tokens");
  EXPECT_EQ(Refusal("\n \n"), "t:1:1: the trace is empty; it needs a request");
  EXPECT_EQ(Refusal("[ ]"), "t:1:1: the list is empty; it needs a request");
  EXPECT_EQ(Refusal(kMoon, {.format = proto::Workload::Trace::AZURE}),
            "t:1:1: this is JSON, and AZURE is not; format AUTO works");
  EXPECT_EQ(Refusal("a,b\n1,2\n", {.format = proto::Workload::Trace::VIDUR}),
            "t:1:1: there is no column \"num_prefill_tokens\"; known columns "
            "are a, b");
  EXPECT_EQ(Refusal(kAzure),
            "t: there are no requests among its 0 rows; a trace of at least "
            "one works");
}

TEST(Trace, OnlyWantedRowsAreLookedAt) {
  const std::string text = absl::StrCat(
      kAzure, "bad,-1,44\n2023-11-16 18:15:47,2,1\n2023-11-16 18:15:49,3,1\n",
      "bad,-1,44\n");
  const RequestTrace t = Parse(text, {.first_row = 1, .most_rows = 2});
  EXPECT_EQ(t.input, (Tokens{2, 3}));
  EXPECT_EQ(t.at_ns, (Times{0, 2'000'000'000}));
  EXPECT_EQ(Parse(kMoon, {.first_row = 1}).input, (Tokens{512}));
  EXPECT_EQ(
      Parse(absl::StrCat(kMoon, "not looked at"), {.most_rows = 2}).rows(), 2);
  EXPECT_EQ(Refusal(kMoon, {.first_row = 2}),
            "t: there are no requests among its 2 rows from row 2 on; a lower "
            "first_row works");
}

TEST(Trace, EveryFormatHasAColumnThatTellsItFromTheOthers) {
  std::set<std::string> seen;
  for (const TraceFormat& format : TraceFormats()) {
    std::string all;
    for (const absl::string_view name : format.names) {
      absl::StrAppend(&all, name, ";");
    }
    EXPECT_TRUE(seen.insert(all).second) << all;
  }
  EXPECT_EQ(seen.size(), proto::Workload::Trace::Format_ARRAYSIZE - 2);
}

TEST(Trace, ThatIsNotThereIsRefused) {
  EXPECT_EQ(LoadTrace("no/such.csv", {}).status().message(),
            "no/such.csv: cannot read; there is no folder no");
}

// The stored trace of that name, or nothing.
std::optional<RequestTrace> Stored(const std::string& name) {
  const char* set = std::getenv("ORRERY_DATA");
  const std::filesystem::path data = set != nullptr
                                         ? std::filesystem::path(set)
                                         : sim::DataPath("../shared/data");
  const std::filesystem::path path = data / "traces" / name;
  if (!std::filesystem::exists(path)) return std::nullopt;
  absl::StatusOr<RequestTrace> trace = LoadTrace(path.string(), {});
  EXPECT_TRUE(trace.ok()) << trace.status();
  if (!trace.ok()) return std::nullopt;
  return *std::move(trace);
}

double Mean(const Tokens& tokens) {
  return std::accumulate(tokens.begin(), tokens.end(), 0.0) /
         static_cast<double>(tokens.size());
}

TEST(StoredTraces, HaveTheRowsTimesAndMeansThatTheirReadmeStates) {
  struct Expected {
    const char* name;
    size_t rows;
    int64_t seconds;  // to the last arrival, rounded; -1: no times
    double input, output;
  };
  constexpr Expected kExpected[] = {
      {"AzureLLMInferenceTrace_code.csv", 8819, 3436, 2048, 28},
      {"AzureLLMInferenceTrace_conv.csv", 19366, 3502, 1155, 211},
      {"mooncake_fast25_conversation_trace.first.jsonl", 3698, 1215, 13405,
       348},
      {"mooncake_fast25_synthetic_trace.first.jsonl", 3476, 901, 14511, 164},
      {"vidur_splitwise_code.csv", 8819, 3436, 2048, 28},
      {"vidur_splitwise_conv.csv", 19366, 3502, 1155, 211},
      {"vidur_arxiv_summarization_llama2.csv", 28257, -1, 2588, 291},
      {"sharegpt300_llama31_8b_vllm019_rtxpro6000.jsonl", 300, 29, 857, 653},
  };
  for (const Expected& e : kExpected) {
    SCOPED_TRACE(e.name);
    const std::optional<RequestTrace> trace = Stored(e.name);
    if (!trace) GTEST_SKIP() << "no traces; set ORRERY_DATA to where they are";
    EXPECT_EQ(trace->rows(), e.rows);
    EXPECT_NEAR(Mean(trace->input), e.input, 0.5);
    EXPECT_NEAR(Mean(trace->output), e.output, 0.5);
    if (e.seconds < 0) {
      EXPECT_TRUE(trace->at_ns.empty());
    } else {
      EXPECT_EQ((trace->at_ns.back() + 500'000'000) / 1'000'000'000, e.seconds);
    }
  }
}

TEST(StoredTraces, PrefixesRepeatAsOftenAsTheirReadmeStates) {
  struct Expected {
    const char* name;
    double shared;  // of prompts' tokens, with a cache that forgets nothing
  };
  // The README counts partial blocks, too: 0.325 and 0.582.
  constexpr Expected kExpected[] = {
      {"mooncake_fast25_conversation_trace.first.jsonl", 0.325},
      {"mooncake_fast25_synthetic_trace.first.jsonl", 0.582},
  };
  for (const Expected& e : kExpected) {
    SCOPED_TRACE(e.name);
    const std::optional<RequestTrace> trace = Stored(e.name);
    if (!trace) GTEST_SKIP() << "no traces; set ORRERY_DATA to where they are";
    std::set<uint64_t> seen;
    double hits = 0;
    for (size_t row = 0; row < trace->rows(); ++row) {
      bool hit = true;
      for (const uint64_t id : trace->prefix(row)) {
        hit = hit && seen.count(id) > 0;
        if (hit) hits += 512;
        seen.insert(id);
      }
    }
    const double tokens =
        Mean(trace->input) * static_cast<double>(trace->rows());
    EXPECT_NEAR(hits / tokens, e.shared, 0.006);
  }
}

}  // namespace
}  // namespace scenarios
