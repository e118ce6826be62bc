#include "sim/csv_file.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace sim {
namespace {

CsvFile Parse(const std::string& text) {
  absl::StatusOr<CsvFile> file = CsvFile::Parse("a.csv", text);
  EXPECT_TRUE(file.ok()) << file.status();
  return *std::move(file);
}

// The whole error of a table that must not be read.
std::string Refusal(const std::string& text) {
  return std::string(CsvFile::Parse("a.csv", text).status().message());
}

// The whole error of a cell that is not what it is read as.
template <class T>
std::string Error(const absl::StatusOr<T>& cell) {
  return std::string(cell.status().message());
}

constexpr CsvColumn kFirst{0}, kSecond{1};

TEST(CsvFile, CellsAreFoundByRowAndColumn) {
  const CsvFile file = Parse("gpu,batch\nh100,8\na100,16\n");
  EXPECT_EQ(file.names(), (std::vector<std::string>{"gpu", "batch"}));
  EXPECT_EQ(file.rows(), 2);
  const absl::StatusOr<CsvColumn> batch = file.Column("batch");
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(*file.Integer(1, *batch), 16);
  EXPECT_EQ(file.Text(1, kFirst), "a100");
  EXPECT_EQ(file.Place(1, *batch), "a.csv:3:6");
}

TEST(CsvFile, AQuotedCellHoldsCommasQuotesAndLineBreaks) {
  const CsvFile file =
      Parse("note,batch\n\"a, \"\"b\"\"\nc\",8\n\"\",\"9\"\nd,\n");
  EXPECT_EQ(file.rows(), 3);
  EXPECT_EQ(file.Text(0, kFirst), "a, \"b\"\nc");
  // The first cell takes lines 2 and 3, whose third letter is the comma.
  EXPECT_EQ(file.Place(0, kSecond), "a.csv:3:4");
  EXPECT_TRUE(file.IsEmpty(1, kFirst));
  EXPECT_EQ(*file.Integer(1, kSecond), 9);
  EXPECT_TRUE(file.IsEmpty(2, kSecond));
  EXPECT_EQ(file.Place(1, kSecond), "a.csv:4:4");
}

TEST(CsvFile, AQuoteInsideAnUnquotedCellIsALetter) {
  EXPECT_EQ(Parse("disk\n3.5\" disk\n").Text(0, kFirst), "3.5\" disk");
}

TEST(CsvFile, EveryKindOfLineEndIsRead) {
  for (const char* text : {"a,b\n1,2\n", "a,b\r\n1,2\r\n", "a,b\n1,2",
                           "\xEF\xBB\xBF"
                           "a,b\r\n\r\n1,2",
                           "\n\na,b\n1,2\n\n"}) {
    const CsvFile file = Parse(text);
    EXPECT_EQ(file.names(), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(file.rows(), 1);
    EXPECT_EQ(file.Text(0, kSecond), "2");
  }
}

TEST(CsvFile, AHeaderAloneHasNoRows) {
  EXPECT_EQ(Parse("a,\"b\n\",c").rows(), 0);
}

TEST(CsvFile, AMissingColumnIsAnsweredWithTheNearest) {
  const CsvFile file = Parse("\ngpu,batch\nh100,8\n");
  EXPECT_EQ(Error(file.Column("bacth")),
            "a.csv:2:1: there is no column \"bacth\"; did you mean "
            "\"batch\"?");
  EXPECT_EQ(Error(file.Column("seconds")),
            "a.csv:2:1: there is no column \"seconds\"; known columns are "
            "gpu, batch");
  EXPECT_EQ(file.FindColumn("seconds"), std::nullopt);
  EXPECT_EQ(file.FindColumn("batch"), kSecond);
}

TEST(CsvFile, ANumberIsFinite) {
  const CsvFile file = Parse("s\n1.5e3\n-2\n\n inf\nnan\n1e999\nx\n\"\"\n");
  EXPECT_EQ(*file.Number(0, kFirst), 1500);
  EXPECT_EQ(*file.Number(1, kFirst), -2);
  EXPECT_EQ(Error(file.Number(2, kFirst)),
            "a.csv:5:1: s: \" inf\" is not a number; write one, as 12.5");
  EXPECT_FALSE(file.Number(3, kFirst).ok());
  EXPECT_FALSE(file.Number(4, kFirst).ok());
  EXPECT_FALSE(file.Number(5, kFirst).ok());
  EXPECT_EQ(Error(file.Number(6, kFirst)),
            "a.csv:9:1: s: \"\" is not a number; write one, as 12.5");
}

TEST(CsvFile, AnIntegerIsWholeHoweverItIsWritten) {
  const CsvFile file =
      Parse("n\n64862437376\n8.0\n15e12\n-3\n8.5\n9223372036854775807\n1e19\n");
  EXPECT_EQ(*file.Integer(0, kFirst), 64'862'437'376);
  EXPECT_EQ(*file.Integer(1, kFirst), 8);
  EXPECT_EQ(*file.Integer(2, kFirst), 15'000'000'000'000);
  EXPECT_EQ(*file.Integer(3, kFirst), -3);
  EXPECT_EQ(Error(file.Integer(4, kFirst)),
            "a.csv:6:1: n: \"8.5\" is not a whole number; write one, as 12");
  EXPECT_EQ(*file.Integer(5, kFirst), INT64_MAX);
  EXPECT_FALSE(file.Integer(6, kFirst).ok());
}

TEST(CsvFile, ACountIsInItsRangeAndAPositiveNumberAboveZero) {
  const CsvFile file = Parse("n\n8\n0\n9\n-0.5\n");
  EXPECT_EQ(*file.Count(0, kFirst, 8), 8);
  EXPECT_EQ(Error(file.Count(1, kFirst, 8)),
            "a.csv:3:1: n: 0 is out of range; write 1 to 8");
  EXPECT_EQ(Error(file.Count(2, kFirst, 8)),
            "a.csv:4:1: n: 9 is out of range; write 1 to 8");
  EXPECT_EQ(*file.Positive(0, kFirst), 8);
  EXPECT_EQ(Error(file.Positive(3, kFirst)),
            "a.csv:5:1: n: -0.5 is not above 0; write a number that is");
}

TEST(CsvFile, AFlagIsTrueOrFalse) {
  const CsvFile file = Parse("on\n1\n0\ntrue\nfalse\nyes\n");
  EXPECT_TRUE(*file.Flag(0, kFirst));
  EXPECT_FALSE(*file.Flag(1, kFirst));
  EXPECT_TRUE(*file.Flag(2, kFirst));
  EXPECT_FALSE(*file.Flag(3, kFirst));
  EXPECT_EQ(Error(file.Flag(4, kFirst)),
            "a.csv:6:1: on: \"yes\" is neither 0 nor 1; write 0 or 1");
}

TEST(CsvFile, ACallersErrorNamesTheCell) {
  EXPECT_EQ(Parse("gpu,tp\nh100,3\n").Error(0, kSecond, "3 is odd").message(),
            "a.csv:2:6: tp: 3 is odd");
}

TEST(CsvFile, ABrokenTableIsRefusedWhereItBreaks) {
  EXPECT_EQ(Refusal(""),
            "a.csv:1:1: the table is empty; its first row names the columns");
  EXPECT_EQ(Refusal("\n\r\n"),
            "a.csv:1:1: the table is empty; its first row names the columns");
  EXPECT_EQ(Refusal("a,b\n1,2\n3\n"),
            "a.csv:3:1: the row has 1 cells; the header names 2 columns");
  EXPECT_EQ(Refusal("a,b\n1,2,\n"),
            "a.csv:2:1: the row has 3 cells; the header names 2 columns");
  EXPECT_EQ(Refusal("a,b,a\n"),
            "a.csv:1:5: column \"a\" is named twice; rename one");
  EXPECT_EQ(Refusal("a,,b\n"),
            "a.csv:1:3: a column has no name; name each column");
  EXPECT_EQ(Refusal("a,b\n1,\"2\n3,4\n"),
            "a.csv:2:3: the quote is never closed; end the cell with \"");
  EXPECT_EQ(Refusal("a,b\n1,\"2\"3\n"),
            "a.csv:2:3: text follows the closing quote; write a quote inside "
            "a quoted cell as \"\"");
  EXPECT_EQ(Refusal("a\n1\n\xE9\n"),
            "a.csv:3:1: byte 0xe9 is not UTF-8; save the file as UTF-8");
}

TEST(CsvFile, AFileThatIsNotThereIsRefused) {
  EXPECT_EQ(Error(CsvFile::Load("no/such.csv")),
            "no/such.csv: cannot read; there is no folder no");
}

TEST(CsvLine, QuotesOnlyWhatNeedsIt) {
  EXPECT_EQ(CsvLine(std::vector<std::string>{"a", "", "b c", "d,e", "f\"g\"",
                                             "h\ni"}),
            "a,,b c,\"d,e\",\"f\"\"g\"\"\",\"h\ni\"\n");
}

TEST(CsvLine, IsReadBackAsItWas) {
  const std::vector<std::vector<std::string>> rows = {
      {""}, {"x"}, {"\""}, {","}, {"\r\n"}, {" a "}, {"\"\",\""}};
  std::string text = CsvLine(std::vector<std::string>{"column"});
  for (const auto& row : rows) absl::StrAppend(&text, CsvLine(row));
  const CsvFile file = Parse(text);
  ASSERT_EQ(file.rows(), rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(file.Text(i, kFirst), rows[i][0]);
  }
}

}  // namespace
}  // namespace sim
