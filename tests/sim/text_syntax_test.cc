#include "sim/text_syntax.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "sim/text_file.h"
#include "tests/sim/text_file_test.pb.h"

namespace sim {
namespace {

using orrery::test::Scenario;

// The whole error of reading `text` as a.textproto; "" if it reads well.
std::string Refusal(const std::string& text) {
  Scenario scenario;
  const absl::StatusOr<TextFile> file =
      TextFile::Parse("a.textproto", text, &scenario);
  return std::string(file.status().message());
}

TEST(TextSyntax, AnUnknownFieldIsNamedAtItsNameWithTheNearestField) {
  EXPECT_EQ(Refusal("name: \"x\"\nlayerz: 3\n"),
            "a.textproto:2:1: layerz: no such field; did you mean "
            "\"layers\"?");
  EXPECT_EQ(Refusal("training {\n  parallel { tensr: 8 }\n}\n"),
            "a.textproto:2:14: training.parallel.tensr: no such field; did "
            "you mean \"tensor\"?");
}

TEST(TextSyntax, AFieldThatBelongsFurtherInIsNamedWithItsPath) {
  EXPECT_EQ(Refusal("micro_batch: 2\n"),
            "a.textproto:1:1: micro_batch: no such field; did you mean "
            "\"training.micro_batch\"?");
}

TEST(TextSyntax, AFieldLikeNoOtherIsAnsweredWithTheFieldsThereAre) {
  EXPECT_EQ(Refusal("run { frequency: 3 }"),
            "a.textproto:1:7: run[0].frequency: no such field; known fields "
            "are name, training, layers");
}

TEST(TextSyntax, AReservedFieldIsAsUnknownAsAnyOther) {
  EXPECT_EQ(Refusal("name: \"x\" batch: 3"),
            "a.textproto:1:11: batch: no longer a field; leave it out");
}

TEST(TextSyntax, ABadEnumValueIsNamedWhereItStandsWithThoseThatAreGood) {
  EXPECT_EQ(Refusal("training {\n  precision: BF17\n  global_batch: 8\n}"),
            "a.textproto:2:14: training.precision: no value BF17; did you "
            "mean BF16? valid values are FP32, BF16, FP8");
  EXPECT_EQ(Refusal("precisions: [FP8, INT4]"),
            "a.textproto:1:19: precisions[1]: no value INT4; valid values are "
            "FP32, BF16, FP8");
}

TEST(TextSyntax, ABadEnumValueIsNotSoughtInComments) {
  EXPECT_EQ(Refusal("training { precision: BF17  # BF17\n}"),
            "a.textproto:1:23: training.precision: no value BF17; did you "
            "mean BF16? valid values are FP32, BF16, FP8");
}

TEST(TextSyntax, AnEnumValueIsGivenByName) {
  EXPECT_EQ(Refusal("training { precision: 2 }"),
            "a.textproto:1:23: training.precision: no value 2; valid values "
            "are FP32, BF16, FP8");
  EXPECT_EQ(Refusal("training { precision: 99 }"),
            "a.textproto:1:23: training.precision: no value 99; valid values "
            "are FP32, BF16, FP8");
  EXPECT_EQ(Refusal("training { precision: \"BF16\" }"),
            "a.textproto:1:23: training.precision: expected one of FP32, "
            "BF16, FP8, got \"BF16\"");
}

TEST(TextSyntax, AFieldGivenTwiceIsNamedWithTheLineOfTheFirst) {
  EXPECT_EQ(Refusal("name: \"x\"\nlayers: 3\nname: \"y\"\n"),
            "a.textproto:3:1: name: already given at line 1; keep one of "
            "them");
  EXPECT_EQ(Refusal("training { }\ntraining { }"),
            "a.textproto:2:1: training: already given at line 1; keep one of "
            "them");
}

TEST(TextSyntax, AMapKeyGivenTwiceIsNamed) {
  EXPECT_EQ(Refusal("rates { key: \"a.b\" value: 1 }\n"
                    "rates { value: 2 key: 'a.b' }"),
            "a.textproto:2:1: rates[\"a.b\"]: already given at line 1; keep "
            "one of them");
}

TEST(TextSyntax, TwoMembersOfAOneofExcludeEachOther) {
  EXPECT_EQ(Refusal("preset: \"x\"\nchip { tdp_watts: 700 }"),
            "a.textproto:2:1: chip: cannot stand beside preset, given at line "
            "1; keep one of them");
}

TEST(TextSyntax, AValueOfTheWrongTypeIsAnsweredWithTheRightOne) {
  EXPECT_EQ(Refusal("layers: three"),
            "a.textproto:1:9: layers: expected a whole number, got three");
  EXPECT_EQ(Refusal("layers: 1.5"),
            "a.textproto:1:9: layers: expected a whole number, got 1.5");
  EXPECT_EQ(Refusal("name: 3"),
            "a.textproto:1:7: name: expected text in quotes, got 3");
  EXPECT_EQ(Refusal("chip { tdp_watts: \"700\" }"),
            "a.textproto:1:19: chip.tdp_watts: expected a number, got "
            "\"700\"");
  EXPECT_EQ(Refusal("training { micro_batch: -1 }"),
            "a.textproto:1:25: training.micro_batch: expected a whole number "
            "from 0 up, got -");
  EXPECT_EQ(Refusal("training { parallel { sequence: yes } }"),
            "a.textproto:1:33: training.parallel.sequence: expected true or "
            "false, got yes");
  EXPECT_EQ(Refusal("training { parallel { sequence: 2 } }"),
            "a.textproto:1:33: training.parallel.sequence: expected true or "
            "false, got 2");
  EXPECT_EQ(Refusal("training: 3"),
            "a.textproto:1:11: training: expected \"{\", got \"3\"");
  EXPECT_EQ(Refusal("run { layers: [1, 2, x] }"),
            "a.textproto:1:22: run[0].layers[2]: expected a whole number, got "
            "x");
}

TEST(TextSyntax, AnIntegerOutOfRangeIsAnsweredWithTheRange) {
  EXPECT_EQ(Refusal("layers: 99999999999"),
            "a.textproto:1:9: layers: 99999999999 is out of range; the "
            "largest is 2147483647");
  EXPECT_EQ(Refusal("layers: -99999999999"),
            "a.textproto:1:10: layers: -99999999999 is out of range; the "
            "smallest is -2147483648");
}

TEST(TextSyntax, NumbersAreFinite) {
  EXPECT_EQ(Refusal("chip { hbm_gb_per_s: nan }"),
            "a.textproto:1:22: chip.hbm_gb_per_s: nan is not finite; write a "
            "number, as 1.5e12");
  EXPECT_EQ(Refusal("chip { hbm_gb_per_s: -inf }"),
            "a.textproto:1:22: chip.hbm_gb_per_s: -inf is not finite; write a "
            "number, as 1.5e12");
  EXPECT_EQ(Refusal("chip { hbm_gb_per_s: 1e400 }"),
            "a.textproto:1:22: chip.hbm_gb_per_s: 1e400 is not finite; write "
            "a number, as 1.5e12");
  // The largest float is 3.4e38.
  EXPECT_EQ(Refusal("chip { tdp_watts: 1e39 }"),
            "a.textproto:1:19: chip.tdp_watts: 1e39 is not finite; write a "
            "number, as 1.5e12");
  EXPECT_EQ(Refusal("chip { hbm_gb_per_s: 1e39 tdp_watts: 7.f }"), "");
}

TEST(TextSyntax, PunctuationIsNamedWhereItIsMissing) {
  EXPECT_EQ(Refusal("layers 3\n"),
            "a.textproto:1:8: layers: expected \":\", got \"3\"");
  EXPECT_EQ(Refusal("layers = 3\n"),
            "a.textproto:1:8: layers: expected \":\", got \"=\"");
  EXPECT_EQ(Refusal("run { layers: [1 2] }"),
            "a.textproto:1:18: run[0].layers: expected \",\" or \"]\", got "
            "\"2\"");
  EXPECT_EQ(Refusal("training { global_batch: 3 >"),
            "a.textproto:1:28: training: expected \"}\", got \">\"");
  EXPECT_EQ(Refusal("layers: 3 }"),
            "a.textproto:1:11: expected the name of a field, got }");
  EXPECT_EQ(Refusal("12: 3"),
            "a.textproto:1:1: expected the name of a field, got 12");
}

TEST(TextSyntax, AQuoteThatDoesNotCloseIsNamedAtTheEndOfItsLine) {
  EXPECT_EQ(Refusal("name: \"abc\nlayers: 3\n"),
            "a.textproto:1:11: name: the quote is not closed on its line; "
            "close it");
  EXPECT_EQ(Refusal("layers: 3 name: 'abc"),
            "a.textproto:1:21: name: the quote is not closed on its line; "
            "close it");
}

TEST(TextSyntax, ABraceThatDoesNotCloseIsNamedWithItsLine) {
  EXPECT_EQ(Refusal("name: \"x\"\ntraining {\n  global_batch: 3\n"),
            "a.textproto:4:1: training: the text ends inside this message, "
            "opened at line 2; close it with }");
  EXPECT_EQ(Refusal("run { layers: [1, 2"),
            "a.textproto:1:20: run[0].layers: expected \",\" or \"]\", got "
            "the end of the text");
  EXPECT_EQ(Refusal("layers:"),
            "a.textproto:1:8: layers: expected a whole number, got the end of "
            "the text");
}

TEST(TextSyntax, OfSeveralErrorsTheFirstIsTold) {
  EXPECT_EQ(Refusal("layerz: 1\nnaame: 2\nfoo: 3"),
            "a.textproto:1:1: layerz: no such field; did you mean "
            "\"layers\"?");
}

TEST(TextSyntax, LettersOutsideAsciiStandInQuotesAndCommentsOnly) {
  EXPECT_EQ(Refusal("name: “x”"),
            "a.textproto:1:7: name: “ stands outside quotes, where only ASCII "
            "will do");
  EXPECT_EQ(Refusal("name: \"“x”\"  # “x”"), "");
  EXPECT_EQ(Refusal("name: \"a\\xff\""),
            "a.textproto:1:7: name: \"a\\xff\" is not UTF-8 text; escape "
            "whole letters, as \\u00e9");
  EXPECT_EQ(Refusal("name: \"a\\0b\""),
            "a.textproto:1:7: name: \"a\\0b\" is not UTF-8 text; escape "
            "whole letters, as \\u00e9");
}

TEST(TextSyntax, ColumnsCountATabAsOne) {
  EXPECT_EQ(Refusal("training {\n\t\tprecision: BF17\n}"),
            "a.textproto:2:14: training.precision: no value BF17; did you "
            "mean BF16? valid values are FP32, BF16, FP8");
}

TEST(TextSyntax, MessagesNestAsDeepAsTheLimitAndNoDeeper) {
  const auto nested = [](int depth) {
    std::string text = "chip {";
    for (int i = 1; i < depth; ++i) text += "inner {";
    return text + std::string(static_cast<size_t>(depth), '}');
  };
  EXPECT_EQ(Refusal(nested(64)), "");
  // The brace one too deep is at column 6 of chip { + 64 x 7 of inner { = 454.
  for (const int depth : {65, 100'000}) {
    const std::string refusal = Refusal(nested(depth));
    EXPECT_TRUE(absl::StartsWith(refusal, "a.textproto:1:454: chip.inner."));
    EXPECT_TRUE(absl::EndsWith(refusal, ": messages nest more than 64 deep"));
  }
  // Reserved fields are skipped by another path of the parser.
  EXPECT_NE(Refusal("batch: " + std::string(100'000, '[')), "");
}

TEST(TextSyntax, EveryOtherFormIsRead) {
  Scenario scenario;
  const absl::StatusOr<TextFile> file = TextFile::Parse("a.textproto", R"(
    # proto-file: tests/sim/text_file_test.proto
    name: "two " 'halves', layers: 0x10;
    training < parallel: { sequence: 0 } >
    run: [{ layers: [1, 2] }, { layers: 3 layers: 4 }]
    run { layers: [] }
  )",
                                                        &scenario);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(scenario.ShortDebugString(),
            "name: \"two halves\" layers: 16 training { parallel { sequence: "
            "false } } run { layers: 1 layers: 2 } run { layers: 3 layers: 4 } "
            "run { }");
}

}  // namespace
}  // namespace sim
