#include "scenarios/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "scenarios/answer.h"
#include "scenarios/load.h"
#include "scenarios/report.h"
#include "scenarios/run.h"

namespace scenarios {
namespace {

using testing::HasSubstr;

std::string Explained(const std::string& name,
                      const std::vector<std::string>& sets = {}) {
  return Explain(ReadScenario(name, sets).value()).value();
}

// The line that begins with `field`, blanks squeezed.
std::string LineOf(const std::string& text, const std::string& field) {
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<std::string> parts =
        absl::StrSplit(line, ' ', absl::SkipEmpty());
    const std::string words = absl::StrJoin(parts, " ");
    if (absl::StartsWith(words, absl::StrCat(field, ":"))) return words;
  }
  return "";
}

TEST(Explain, SaysWhereEachValueComesFromAndItsUnit) {
  const std::string text =
      Explained("llama3-70b-64xh100", {"training.micro_batch=2"});
  EXPECT_EQ(LineOf(text, "micro_batch"), "micro_batch: 2 # sequences; --set");
  EXPECT_EQ(LineOf(text, "sequence_length"),
            "sequence_length: 8192 # tokens; "
            "scenarios/library/llama3-70b-64xh100.textproto:9");
  EXPECT_THAT(LineOf(text, "attention"),
              HasSubstr("# scenarios/profiles/megatron-core.textproto:"));
  EXPECT_THAT(LineOf(text, "hidden"),
              HasSubstr("hidden: 8192 # models/zoo/llama3-70b.textproto:"));
  EXPECT_THAT(LineOf(text, "nic_gbit_per_s"),
              HasSubstr("# hardware/clusters/dgx-h100.textproto:"));
  EXPECT_EQ(LineOf(text, "optimizer"), "optimizer: ADAMW # default");
  EXPECT_EQ(LineOf(text, "head_dim"), "head_dim: 128 # hidden / heads");
  EXPECT_EQ(LineOf(text, "data"),
            "data: 2 # replicas; GPUs / (tensor x context x pipeline)");
}

TEST(Explain, AnInheritedFieldNamesTheIncludedFile) {
  EXPECT_EQ(LineOf(Explained("llama3-8b-128xh100-fp8"), "micro_batch"),
            "micro_batch: 2 # sequences; "
            "scenarios/library/llama3-8b-8xh100-fsdp2.textproto:11");
}

// What was printed, loaded as a file of its own, asks the same question.
TEST(Explain, PrintsAScenarioWithTheSameAnswer) {
  for (const std::string name :
       {"llama3-8b-8xh100-fsdp2", "gpt2-xl-8xa100", "linear-stack-1xa100",
        "llama2-7b-128xa100-hsdp", "llama2-13b-gpipe-4xa100"}) {
    const auto answer = [](const absl::StatusOr<ScenarioFile>& file) {
      const Inputs inputs = InputsOf(file.value()).value();
      return ToText(Summarize(inputs, Execute(inputs).value()));
    };
    EXPECT_EQ(answer(ParseScenario("explained.textproto", Explained(name))),
              answer(ReadScenario(name)))
        << name;
  }
}

TEST(Explain, FailsWhereLoadingFails) {
  const std::vector<std::string> sets = {"training.parallel.tensor=6"};
  const absl::Status status =
      Explain(ReadScenario("llama3-70b-64xh100", sets).value()).status();
  EXPECT_EQ(status.message(),
            "--set training.parallel.tensor=6: training.parallel.tensor: 6 "
            "does not divide the model's 64 heads; 1, 2, 4, 8, 16, 32 or 64 "
            "would");
}

}  // namespace
}  // namespace scenarios
