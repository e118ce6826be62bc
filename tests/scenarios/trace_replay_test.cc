// Traces replayed: scaled, tiled, stretched, as lengths alone.
#include "scenarios/workload.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "sim/data_path.h"
#include "tests/scenarios/drawn_requests.h"

namespace scenarios {
namespace {

using drawn::AllOf;
using drawn::At;
using drawn::Gaps;
using drawn::Inputs;
using drawn::Maker;
using drawn::MomentsOf;
using drawn::Write;
using sim::Request;

constexpr char kVidur[] =
    "arrived_at,num_prefill_tokens,num_decode_tokens\n"
    "10,1,4\n11,2,5\n14,3,6\n";

TEST(TraceReplay, ScalesAndTilesTimes) {
  const std::string folder = Write("v.csv", kVidur);
  const auto all = AllOf(
      Maker("trace { file: \"v.csv\" time_scale: 2 tile: 2 }", folder).Make());
  ASSERT_EQ(all.size(), 6);
  // 0, 1 and 4 s, and 2 s, the mean gap, behind the last again; twice as slow.
  const double expected[] = {0, 2, 8, 12, 14, 20};
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(At(all[i]), expected[i]);
    EXPECT_EQ(all[i].input, static_cast<int64_t>(i % 3 + 1));
    EXPECT_EQ(all[i].output, static_cast<int64_t>(i % 3 + 4));
  }
}

TEST(TraceReplay, IsStretchedToARate) {
  const std::string folder = Write("v.csv", kVidur);
  const WorkloadMaker maker =
      Maker("trace { file: \"v.csv\" tile: 2 }", folder);
  EXPECT_EQ(maker.requests(), 6);
  EXPECT_EQ(maker.requests_per_second(), 0.5);  // 2 gaps in 4 s
  const auto all = AllOf(maker.Make({.requests_per_second = 2}));
  EXPECT_EQ(At(all[5]), 2.5);  // 10 / 4
}

TEST(TraceReplay, MayGiveLengthsAlone) {
  const std::string folder = Write("v.csv", kVidur);
  const auto poisson = AllOf(
      Maker("trace { file: \"v.csv\" rate_per_second: 4 tile: 2000 }", folder)
          .Make());
  ASSERT_EQ(poisson.size(), 6000);
  EXPECT_NEAR(MomentsOf(Gaps(poisson)).mean, 0.25, 0.03 * 0.25);
  EXPECT_EQ(poisson[4].input, 2);
  const auto loop =
      AllOf(Maker("closed_loop { concurrency: 2 } lengths_from { file: "
                  "\"v.csv\" }",
                  folder)
                .Make(),
            1);
  ASSERT_EQ(loop.size(), 3);
  EXPECT_EQ(loop[2].output, 6);
  const auto drawn = AllOf(
      Maker("all_at_once {} requests: 3000 draw_rows: true lengths_from { "
            "file: \"v.csv\" }",
            folder)
          .Make());
  EXPECT_NEAR(MomentsOf(Inputs(drawn)).mean, 2, 0.05);
}

TEST(TraceReplay, HasThePrefixesAndConversationsOfEachTileApart) {
  const std::string row =
      "{\"chat_id\": 1, \"parent_chat_id\": -1, \"timestamp\": 0, "
      "\"input_length\": 32, \"output_length\": 2, \"hash_ids\": [5, 6]}\n";
  const std::string folder = Write("b.jsonl", row);
  const auto all =
      AllOf(Maker("trace { file: \"b.jsonl\" tile: 2 }", folder).Make());
  ASSERT_EQ(all.size(), 2);
  EXPECT_EQ(all[0].prefix, (std::vector<uint64_t>{5, 6}));
  EXPECT_EQ(all[0].chunk, 16);
  EXPECT_EQ(all[0].session, 0);
  EXPECT_EQ(all[1].session, 1);
  EXPECT_NE(all[1].prefix[0], 5);
}

TEST(TraceReplay, CountsWhatIsDropped) {
  const std::string folder =
      Write("burst.csv",
            "Timestamp,Request tokens,Response tokens\n5,472,18\n6,10,0\n");
  EXPECT_EQ(Maker("trace { file: \"burst.csv\" }", folder).dropped_rows(), 1);
}

TEST(TraceReplay, OfTheAzureConversationsHasTheirRate) {
  const char* set = std::getenv("ORRERY_DATA");
  const std::filesystem::path data = set != nullptr
                                         ? std::filesystem::path(set)
                                         : sim::DataPath("../shared/data");
  const std::string name = "AzureLLMInferenceTrace_conv.csv";
  if (!std::filesystem::exists(data / "traces" / name)) {
    GTEST_SKIP() << "no traces; set ORRERY_DATA to where they are";
  }
  const auto all = AllOf(Maker(absl::StrCat("trace { file: \"", name, "\" }"),
                               (data / "traces").string())
                             .Make());
  EXPECT_EQ(all.size(), 19366);
  EXPECT_NEAR(At(all.back()), 3501.7219370, 1e-9);
  EXPECT_NEAR(MomentsOf(Inputs(all)).mean, 1154.7, 0.1);
}

}  // namespace
}  // namespace scenarios
