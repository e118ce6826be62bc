#include "scenarios/answer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/str_split.h"
#include "scenarios/figures.h"
#include "scenarios/report.h"
#include "scenarios/run.h"
#include "small_inputs.h"
#include "tests/scenarios/figure_keys.h"

namespace scenarios {
namespace {

Report Small(const models::Split& split) {
  const Inputs inputs = SmallInputs(split, 4);
  return Summarize(inputs, Execute(inputs).value());
}

TEST(Figures, EveryFieldOfAReportHasExactlyOneRow) {
  const std::set<std::string> fields =
      FigureKeysOf(*Report::descriptor());
  std::set<std::string> rows;
  for (const FigureRow& row : FigureRows()) {
    EXPECT_TRUE(rows.insert(std::string(row.key)).second) << row.key;
    EXPECT_FALSE(row.meaning.empty()) << row.key;
  }
  EXPECT_EQ(rows, fields);
}

TEST(Answer, JsonAndCsvHoldTheSameNumbers) {
  const Report report = Small({.pipeline = 2});
  const auto json = nlohmann::json::parse(ToJson(report));
  EXPECT_EQ(json["step_seconds"].get<double>(), report.step_seconds());
  EXPECT_EQ(json["stages"].size(), 2u);
  const google::protobuf::Message* reports[] = {&report};
  bool found = false;
  for (const absl::string_view line : absl::StrSplit(ToCsv(reports), '\n')) {
    const std::vector<std::string> cells = absl::StrSplit(line, ',');
    if (cells[0] != "step_seconds") continue;
    found = true;
    EXPECT_EQ(cells[1], "s");
    EXPECT_NEAR(std::stod(cells[2]), report.step_seconds(),
                report.step_seconds() * 1e-5);
  }
  EXPECT_TRUE(found);
}

TEST(Answer, CompareTellsWhatDiffersFirst) {
  const Report two = Small({.data = 2}), four = Small({.data = 4});
  const google::protobuf::Message* reports[] = {&two, &four};
  const std::string text = CompareText(reports);
  const size_t rest = text.find("what does not");
  EXPECT_LT(text.find("step_seconds"), rest);
  EXPECT_LT(text.find("gpus"), rest);
  EXPECT_GT(text.find("model   "), rest);
  // Twice the GPUs: a ratio of 2.000 in the second column.
  EXPECT_NE(text.find("4 (x2.000)"), std::string::npos);
}

TEST(Answer, TextSaysWhatDoesNotFitAndByHowMuch) {
  Inputs inputs = SmallInputs({}, 1);
  inputs.cost.gpu.memory_capacity = sim::GiB(4);
  const Report report = Summarize(inputs, Execute(inputs).value());
  const std::string text = ToText(report);
  EXPECT_NE(text.find("DOES NOT FIT"), std::string::npos);
  EXPECT_NE(text.find("GiB over"), std::string::npos);
}

}  // namespace
}  // namespace scenarios
