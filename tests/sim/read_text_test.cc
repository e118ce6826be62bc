#include "sim/read_text.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sim {
namespace {

TEST(ReadText, GivesTheWholeFileBack) {
  const std::filesystem::path path =
      std::filesystem::path(testing::TempDir()) / "read_text_test.txt";
  // More than one block of the reader's 65,536 bytes.
  const std::string text(200'001, 'x');
  std::ofstream(path, std::ios::binary) << "\xEF\xBB\xBF" << text << "\r\n";
  const absl::StatusOr<std::string> read = ReadText(path.string());
  std::filesystem::remove(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, text + "\r\n");
}

TEST(ReadText, SaysWhyAFileThatIsThereCannotBeRead) {
  const std::filesystem::path path =
      std::filesystem::path(testing::TempDir()) / "read_text_test.loop";
  std::filesystem::create_symlink(path, path);
  const absl::StatusOr<std::string> read = ReadText(path.string());
  std::filesystem::remove(path);
  EXPECT_EQ(read.status().message(),
            path.string() + ": cannot read; Too many levels of symbolic links");
}

TEST(AsText, NamesThePlaceOfAByteThatIsNotUtf8) {
  EXPECT_EQ(AsText("a", "\xE9").status().message(),
            "a:1:1: byte 0xe9 is not UTF-8; save the file as UTF-8");
  EXPECT_EQ(AsText("a", "“x”\nab\x80").status().message(),
            "a:2:3: byte 0x80 is not UTF-8; save the file as UTF-8");
}

TEST(Utf8Prefix, AllowsTheLeastAndTheMostOfEachLength) {
  for (const absl::string_view text :
       {"\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF",
        "\xEE\x80\x80", "\xEF\xBF\xBF", "\xF0\x90\x80\x80",
        "\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(Utf8Prefix(text), text.size());
  }
}

TEST(Utf8Prefix, StopsAtStrayCutOverlongAndSurrogateBytes) {
  for (const absl::string_view bad :
       {"\x80", "\xC2", "\xC2z", "\xE0\xA0", "\xF0\x90\x80", "\xC1\xBF",
        "\xE0\x9F\xBF", "\xF0\x8F\xBF\xBF", "\xED\xA0\x80", "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80", "\xFF"}) {
    EXPECT_EQ(Utf8Prefix("ab" + std::string(bad)), 2);
  }
}

}  // namespace
}  // namespace sim
