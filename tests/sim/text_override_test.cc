#include "sim/text_override.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "sim/text_file.h"
#include "tests/sim/text_file_test.pb.h"

namespace sim {
namespace {

using orrery::test::Scenario;

constexpr char kScenario[] =
    "name: \"x\"\n"
    "training { micro_batch: 1 parallel { tensor: 8 pipeline: 2 } }\n"
    "run { name: \"p\" layers: [1, 2] }\n"
    "run { name: \"q\" }\n"
    "preset: \"h100\"\n";

// The scenario above after each of `sets`; the error, if one is refused.
std::string After(const std::vector<std::string>& sets) {
  Scenario scenario;
  const absl::StatusOr<TextFile> file =
      TextFile::Parse("a.textproto", kScenario, &scenario, sets);
  return file.ok() ? scenario.ShortDebugString()
                   : std::string(file.status().message());
}

// What replaces the first "from" in the scenario's text.
std::string WithChange(const std::string& from, const std::string& to) {
  std::string text =
      "name: \"x\" training { micro_batch: 1 parallel { tensor: 8 pipeline: 2 "
      "} } run { name: \"p\" layers: 1 layers: 2 } run { name: \"q\" } preset: "
      "\"h100\"";
  const size_t at = text.find(from);
  EXPECT_NE(at, text.npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(TextOverride, AScalarIsReplaced) {
  EXPECT_EQ(After({"training.micro_batch=2"}),
            WithChange("micro_batch: 1", "micro_batch: 2"));
  EXPECT_EQ(After({" training.micro_batch = 2 "}),
            WithChange("micro_batch: 1", "micro_batch: 2"));
  EXPECT_EQ(After({"training.micro_batch=0"}),
            WithChange("micro_batch: 1 ", ""));
  EXPECT_EQ(After({"training.precision=BF16"}),
            WithChange("micro_batch: 1", "micro_batch: 1 precision: BF16"));
}

TEST(TextOverride, TheLastOfSeveralStands) {
  EXPECT_EQ(After({"name=y", "training.micro_batch=2", "name=z"}),
            WithChange("name: \"x\" training { micro_batch: 1",
                       "name: \"z\" training { micro_batch: 2"));
}

TEST(TextOverride, TextNeedsNoQuotes) {
  for (const char* set : {"name=llama3 70b", "name=\"llama3 70b\"",
                          "name='llama3 70b'", "name = llama3 70b "}) {
    EXPECT_EQ(After({set}), WithChange("\"x\"", "\"llama3 70b\"")) << set;
  }
  EXPECT_EQ(After({"name=a=b # \"c\" \\d"}),
            WithChange("\"x\"", "\"a=b # \\\"c\\\" \\\\d\""));
  EXPECT_EQ(After({"name="}), WithChange("name: \"x\" ", ""));
}

TEST(TextOverride, TruthHasTwoSpellings) {
  for (const char* yes : {"true", "1"}) {
    EXPECT_EQ(After({std::string("training.parallel.sequence=") + yes}),
              WithChange("pipeline: 2", "pipeline: 2 sequence: true"));
  }
  for (const char* no : {"false", "0"}) {
    EXPECT_EQ(After({std::string("training.parallel.sequence=") + no}),
              WithChange("pipeline: 2", "pipeline: 2 sequence: false"));
  }
}

TEST(TextOverride, AMessageIsMerged) {
  EXPECT_EQ(After({"training.parallel={ tensor: 4 sequence: true }"}),
            WithChange("tensor: 8 pipeline: 2",
                       "tensor: 4 pipeline: 2 sequence: true"));
}

TEST(TextOverride, AListIsReplaced) {
  EXPECT_EQ(After({"run[0].layers=[7, 8, 9]"}),
            WithChange("layers: 1 layers: 2", "layers: 7 layers: 8 layers: 9"));
  EXPECT_EQ(After({"run[0].layers=7"}),
            WithChange("layers: 1 layers: 2", "layers: 7"));
  EXPECT_EQ(After({"run[0].layers=[]"}),
            WithChange(" layers: 1 layers: 2", ""));
  EXPECT_EQ(After({"run={ layers: 3 }"}),
            WithChange("run { name: \"p\" layers: 1 layers: 2 } run { name: "
                       "\"q\" }",
                       "run { layers: 3 }"));
}

TEST(TextOverride, AMapIsReplaced) {
  EXPECT_EQ(After({"rates={ key: \"k\" value: 1 }",
                   "rates=[{ key: \"m\" value: 2 }]"}),
            WithChange("preset:", "rates { key: \"m\" value: 2 } preset:"));
}

TEST(TextOverride, AnElementsFieldIsReplaced) {
  EXPECT_EQ(
      After({"run[1].training.global_batch=5"}),
      WithChange("name: \"q\"", "name: \"q\" training { global_batch: 5 }"));
}

TEST(TextOverride, AMemberOfAOneofReplacesTheOther) {
  EXPECT_EQ(After({"chip.hbm_gb_per_s=3350"}),
            WithChange("preset: \"h100\"", "chip { hbm_gb_per_s: 3350 }"));
}

TEST(TextOverride, AnErrorStandsAtTheSet) {
  Scenario scenario;
  absl::StatusOr<TextFile> file =
      TextFile::Parse("a.textproto", kScenario, &scenario,
                      {{"training.parallel={ tensor: 3 }",
                        "chip.inner.tdp_watts=5", "run[1].layers=[4, 5]"}});
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(
      file->Error("training.parallel.tensor", "3 does not divide 8").message(),
      "--set training.parallel={ tensor: 3 }: training.parallel.tensor: "
      "3 does not divide 8");
  EXPECT_EQ(file->At("training.parallel.pipeline").Origin(), "a.textproto:2");
  EXPECT_EQ(file->At("chip.inner").Origin(), "--set");
  EXPECT_EQ(file->At("chip.inner.hbm_gb_per_s").Place(),
            "--set chip.inner.tdp_watts=5");
  EXPECT_EQ(file->At("preset").Origin(), "");
  EXPECT_EQ(file->At("run[1].layers[1]").Origin(), "--set");
  EXPECT_EQ(file->At("run[1].name").Origin(), "a.textproto:4");
}

TEST(TextOverride, ASetThatFailsChangesNothing) {
  Scenario scenario;
  absl::StatusOr<TextFile> file =
      TextFile::Parse("a.textproto", kScenario, &scenario);
  ASSERT_TRUE(file.ok());
  const std::string before = scenario.ShortDebugString();
  EXPECT_FALSE(file->Set("chip.hbm_gb_per_s=x", &scenario).ok());
  EXPECT_EQ(scenario.ShortDebugString(), before);
  EXPECT_FALSE(file->At("chip").IsSet());
  EXPECT_TRUE(file->Set("layers=3", &scenario).ok());
  EXPECT_EQ(file->At("layers").Origin(), "--set");
}

struct Refused {
  const char* set;
  const char* error;
};

TEST(TextOverride, WhatCannotBeSetIsRefusedInOneLine) {
  const Refused cases[] = {
      {"training.micro_bath=2",
       "training.micro_bath: no such field; did you mean \"micro_batch\"?"},
      {"micro_batch=2",
       "micro_batch: no such field; did you mean \"training.micro_batch\"?"},
      {"training.micro_batch",
       "not an assignment; write it as "
       "training.micro_batch=2"},
      {"=2", "not an assignment; write it as training.micro_batch=2"},
      {"training.micro_batch=",
       "training.micro_batch: has no value; it takes a whole number from 0 up"},
      {"training.micro_batch=two",
       "training.micro_batch: expected a whole number from 0 up, got two"},
      {"training.micro_batch=2 global_batch: 3",
       "training.global_batch: is a second field; give it a --set of its own"},
      {"training.micro_batch=2 }",
       "training.micro_batch: expected the name of a field, got }"},
      {"training.precision=BF17",
       "training.precision: no value BF17; did you mean BF16? valid values "
       "are FP32, BF16, FP8"},
      {"training.parallel={ tensr: 4 }",
       "training.parallel.tensr: no such field; did you mean \"tensor\"?"},
      {"training.parallel={ tensor: 4",
       "training.parallel: the text ends inside this message, opened at line "
       "1; close it with }"},
      {"training.parallel=8", "training.parallel: expected \"{\", got \"8\""},
      {"training..micro_batch=2",
       "training.: no such field; known fields are sequence_length, "
       "global_batch, micro_batch, precision, parallel"},
      {"name.first=x",
       "name: has no fields of its own; it takes text in quotes"},
      {"name[0]=x", "name[0]: is not a list; leave out the [index]"},
      {"run.name=x", "run: is a list; name one element, as in run[0]"},
      {"rates[0].value=2", "rates[0]: is a map; give it as a whole"},
      {"run[2].name=x", "run[2]: the last element is run[1]"},
      {"run[x].name=x", "run[x]: has a bad index; write it as in list[0]"},
      {"run[1].training[0]=x",
       "run[1].training[0]: is not a list; leave out the [index]"},
      {"run[0].layers[1]=3",
       "run[0].layers[1]: one element cannot be replaced; set the whole list, "
       "as in layers=[ … ]"},
      {"run[0].layers=[1",
       "run[0].layers: expected \",\" or \"]\", got the end of the text"},
      {"run[0].layers=1 2",
       "run[0].layers: expected \",\" or \"]\", got \"2\""},
      {"include=b.textproto",
       "include: only files include files; write it in one"},
  };
  for (const Refused& refused : cases) {
    EXPECT_EQ(After({refused.set}),
              std::string("--set ") + refused.set + ": " + refused.error);
  }
}

TEST(TextOverride, AnEmptyListHasNoElementToSet) {
  Scenario scenario;
  EXPECT_EQ(TextFile::Parse("a.textproto", "name: \"x\"", &scenario,
                            {{"run[0].name=y"}})
                .status()
                .message(),
            "--set run[0].name=y: run[0]: the list is empty; set run={ … }");
}

}  // namespace
}  // namespace sim
