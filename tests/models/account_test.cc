#include "models/account.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "models/load_model.h"
#include "models/model_spec.h"
#include "models/parameters.h"
#include "nlohmann/json.hpp"
#include "sim/csv_file.h"
#include "sim/units.h"

namespace models {
namespace {

using ::testing::HasSubstr;

// The one row of a section (by how it begins) and name.
AccountRow Find(const std::vector<AccountRow>& rows, absl::string_view section,
                absl::string_view name) {
  std::vector<AccountRow> found;
  for (const AccountRow& row : rows) {
    if (absl::StartsWith(row.section, section) && row.name == name) {
      found.push_back(row);
    }
  }
  EXPECT_EQ(found.size(), 1u) << section << ", " << name;
  return found.empty() ? AccountRow() : found[0];
}

AccountQuestion About(absl::string_view name) {
  return QuestionAbout(*LoadModel(name));
}

MachineRates Machine() {
  return {.name = "gpu",
          .peak = sim::TeraFlopsPerSecond(1000),
          .memory = sim::GBps(2000),
          .capacity = sim::Bytes(80'000'000'000),
          .link = sim::GBps(500),
          .utilization = 0.5};
}

TEST(Account, OfEveryModelAddsUp) {
  for (const std::string& name : ZooModels()) {
    const AccountQuestion question = About(name);
    std::map<std::string, double> flops, bytes;  // of operators, by section
    double parameters = 0;
    for (const AccountRow& row : Account(question)) {
      EXPECT_TRUE(row.exact || row.rule) << name << ": " << row.name;
      if (absl::StrContains(row.name, ": ") && row.section == "parameters") {
        parameters += *row.exact;
      }
      if (!absl::StartsWith(row.section, "operators")) continue;
      if (row.name == "sum") {
        EXPECT_EQ(flops[row.section], *row.exact) << name << row.section;
        EXPECT_EQ(bytes[row.section], *row.bytes) << name << row.section;
      }
      flops[row.section] += *row.exact;
      bytes[row.section] += *row.bytes;
    }
    EXPECT_EQ(parameters,
              static_cast<double>(CountParameters(question.model).total))
        << name;
  }
}

TEST(Account, PutsTheRuleBesideTheExactFigure) {
  const std::vector<AccountRow> rows = Account(About("gpt2"));
  const AccountRow total = Find(rows, "parameters", "total");
  EXPECT_EQ(total.exact, 124'439'808);
  // 12 · 12 · 768² + 50257 · 768.
  EXPECT_EQ(total.rule, 84'934'656 + 38'597'376);
  const AccountRow token =
      Find(rows, "FLOPs of matrix products", "forward, a token");
  EXPECT_EQ(token.rule, 2 * 124'439'808.0);
  // 2 · (84,934,656 + 38,597,376), and attention to (1024 + 1) / 2 keys:
  // 12 · 4 · 768 · 512.5.
  EXPECT_EQ(token.exact, 247'064'064 + 18'892'800);
  const AccountRow whole = Find(rows, "FLOPs of matrix products",
                                "training, a token, attention whole");
  // 3 · (247,064,064 + 12 · 4 · 768 · 1024): Megatron's formula is exact.
  EXPECT_EQ(whole.exact, 3 * (247'064'064 + 37'748'736.0));
  EXPECT_DOUBLE_EQ(*whole.rule, *whole.exact);
}

TEST(Account, OfTrainingFollowsTheSplit) {
  AccountQuestion question = About("llama3-8b");
  question.training.split.data = 4;
  question.training.split.zero = 1;
  question.training.global_batch = 8;
  question.machine = Machine();
  const std::vector<AccountRow> rows = Account(question);
  // 8,030,261,248 parameters: 2 + 4 bytes, and 12 / 4.
  const AccountRow rank =
      Find(rows, "training state", "this run, on its fullest rank");
  EXPECT_EQ(rank.exact, 8'030'261'248 * (2 + 4 + 3.0));
  EXPECT_EQ(rank.rule, rank.exact);
  // 8 sequences of 4096: 6 · P · D.
  EXPECT_EQ(Find(rows, "FLOPs", "a step of 8 sequences").rule,
            6 * 8'030'261'248.0 * 8 * 4096);
  // 20 tokens a parameter on 4 GPUs at half of 1e15 FLOP/s.
  const AccountRow hours =
      Find(rows, "rules on 4 x gpu", "hours for 1.61e+11 tokens");
  EXPECT_DOUBLE_EQ(*hours.rule, 6 * 8'030'261'248.0 * 20 * 8'030'261'248.0 /
                                    (4 * 0.5e15) / 3600);
}

TEST(Account, OfTensorParallelismTimesItsTrafficOnTheLink) {
  AccountQuestion question = About("gpt2-medium");
  question.training.split.tensor = 2;
  question.machine = Machine();
  const std::vector<AccountRow> rows = Account(question);
  const AccountRow sent = Find(rows, "sent by a rank", "tp: tp all-reduce");
  // Forward and backward two in each of 24 layers and one around the
  // embedding or the logits, each of 1024 · 1024 · 2 bytes, 2(n-1)/n = 1.
  EXPECT_EQ(sent.exact, (4 * 24 + 2) * 2 * 1024 * 1024);
  EXPECT_EQ(Find(rows, "sent by a rank", "tp: tp all-reduce, at its rate").rule,
            *sent.exact / 500e9);
}

TEST(Account, OfExpertsCountsTheRowsThatTheyMultiply) {
  const std::vector<AccountRow> rows = Account(About("qwen3-30b-a3b"));
  EXPECT_EQ(Find(rows, "parameters", "of these, active for one token").exact,
            3'353'032'704);
  // 48 layers, 8 experts of 2048 · 768, up and gate, 4096 tokens.
  EXPECT_EQ(Find(rows, "operators, forward", "experts up").exact,
            2.0 * 4096 * 48 * 8 * 2048 * 2 * 768);
}

TEST(Account, OfALinearStackIsCountedByHand) {
  AccountQuestion question = About("deep-linear");
  question.training.micro_batch = question.training.global_batch = 2;
  question.training.sequence_length = 1;
  question.training.precision = Precision::kFp32;
  question.training.optimizer = Optimizer::kAdaGrad;
  const std::vector<AccountRow> rows = Account(question);
  // 6·B·P = 432, less 2·B·D² = 64 for the first layer's input.
  const AccountRow step = Find(rows, "FLOPs", "a step of 2 sequences");
  EXPECT_EQ(step.rule, 432);
  EXPECT_EQ(step.exact, 432 - 64);
  // 4 · (36 + 36 + 36), and 16 activations.
  EXPECT_EQ(Find(rows, "training state", "this run, on its fullest rank").exact,
            432);
  EXPECT_EQ(
      Find(rows, "activations", "a microbatch, first stage, this run").exact,
      64);
}

TEST(AccountText, IsATableForEachSection) {
  AccountQuestion question;
  question.model.name = "tiny";
  question.training.sequence_length = 8;
  const std::vector<AccountRow> rows = {
      {"parameters", "total", "", 1234567, 1.2e6, {}, "rule: 12·L·h²"},
      {"parameters", "head", "", 12, {}, {}, ""},
      {"operators", "qkv", "FLOPs", 8.5e12, {}, 2.5e9, "80 operators"},
      {"time", "decode", "seconds", 0.0051, 5e-6, {}, ""},
  };
  EXPECT_EQ(AccountText(question, rows),
            "tiny: 1 x 8 tokens a microbatch\n"
            "\n"
            "parameters\n"
            "             exact       rule\n"
            "  total  1,234,567  1,200,000  rule: 12·L·h²\n"
            "  head          12          -\n"
            "\n"
            "operators\n"
            "         FLOPs     bytes\n"
            "  qkv  8.5e+12  2.500 GB  80 operators\n"
            "\n"
            "time\n"
            "             exact      rule\n"
            "  decode  5.100 ms  5.000 us\n");
}

TEST(AccountCsv, HoldsEveryDigit) {
  const std::vector<AccountRow> rows = {
      {"parameters", "total", "", 405'853'388'800, 0.1, {}, "a, b"}};
  EXPECT_EQ(AccountCsv(rows),
            "section,name,unit,exact,rule,bytes,note\n"
            "parameters,total,,405853388800,0.1,,\"a, b\"\n");
}

TEST(AccountCsv, AndJsonHaveARowForEachFigure) {
  const AccountQuestion question = About("deepseek-v2-lite");
  const std::vector<AccountRow> rows = Account(question);
  const auto csv = sim::CsvFile::Parse("account.csv", AccountCsv(rows));
  ASSERT_TRUE(csv.ok()) << csv.status();
  EXPECT_EQ(csv->rows(), rows.size());
  const auto json = nlohmann::json::parse(AccountJson(question, rows));
  EXPECT_EQ(json["model"], "deepseek-v2-lite");
  ASSERT_EQ(json["rows"].size(), rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(json["rows"][i]["name"], rows[i].name);
    EXPECT_EQ(json["rows"][i].value("exact", -1.0), rows[i].exact.value_or(-1));
  }
}

}  // namespace
}  // namespace models
