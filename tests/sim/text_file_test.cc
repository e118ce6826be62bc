#include "sim/text_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tests/sim/text_file_test.pb.h"

namespace sim {
namespace {

namespace fs = std::filesystem;
using orrery::test::Scenario;

// Runs each test in an empty folder, so that paths are short and the same
// everywhere.
class TextFileTest : public testing::Test {
 protected:
  TextFileTest() : home_(fs::current_path()) {
    const std::string test =
        testing::UnitTest::GetInstance()->current_test_info()->name();
    folder_ =
        fs::path(testing::TempDir()) / (test + "." + std::to_string(getpid()));
    fs::create_directories(folder_);
    fs::current_path(folder_);
  }
  ~TextFileTest() override {
    fs::current_path(home_);
    fs::remove_all(folder_);
  }

  static void Write(const fs::path& path, const std::string& text) {
    if (path.has_parent_path()) fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }

  // Loads a file that must load.
  TextFile Load(const std::string& path,
                const std::vector<std::string>& sets = {}) {
    absl::StatusOr<TextFile> file = TextFile::Load(path, &scenario_, sets);
    EXPECT_TRUE(file.ok()) << file.status();
    return *std::move(file);
  }

  // The whole error of a file that must not load.
  static std::string Refusal(const std::string& path,
                             const std::vector<std::string>& sets = {}) {
    Scenario scenario;
    return std::string(
        TextFile::Load(path, &scenario, sets).status().message());
  }

  std::string Text() const { return scenario_.ShortDebugString(); }

  Scenario scenario_;

 private:
  fs::path home_;
  fs::path folder_;
};

std::string Message(const absl::Status& status) {
  return std::string(status.message());
}

constexpr char kTraining[] =
    "name: \"x\"\n"                           // 1
    "training {\n"                            // 2
    "  micro_batch: 2\n"                      // 3
    "  parallel { tensor: 8 pipeline: 7 }\n"  // 4
    "}\n"                                     // 5
    "run: [{ layers: [4,\n"                   // 6
    "                 6] },\n"                // 7
    "      { name: \"y\" }]\n"                // 8
    "run { layers: 9 }\n"                     // 9
    "rates { key: \"a.b\" value: 1 }\n";      // 10

TEST_F(TextFileTest, AnErrorStandsWhereItsFieldDoes) {
  Write("a.textproto", kTraining);
  const TextFile file = Load("a.textproto");
  EXPECT_EQ(Message(file.Error("training.parallel.pipeline",
                               "7 does not divide the model's 80 layers; 1, 2, "
                               "4, 5 and 8 do")),
            "a.textproto:4:24: training.parallel.pipeline: 7 does not divide "
            "the model's 80 layers; 1, 2, 4, 5 and 8 do");
}

TEST_F(TextFileTest, AnErrorOfAnUnsetFieldStandsWhereTheNearestMessageDoes) {
  Write("a.textproto", kTraining);
  const TextFile file = Load("a.textproto");
  EXPECT_EQ(Message(file.Error("training.parallel.sequence", "is missing")),
            "a.textproto:4:3: training.parallel.sequence: is missing");
  EXPECT_EQ(file.At("training.precision").Place(), "a.textproto:2:1");
  EXPECT_EQ(file.At("run[1].training.precision").Place(), "a.textproto:8:7");
  EXPECT_EQ(Message(file.Error("chip.tdp_watts", "is missing")),
            "a.textproto:1:1: chip.tdp_watts: is missing");
}

TEST_F(TextFileTest, AnErrorOfTheWholeFileNamesNoField) {
  Write("a.textproto", kTraining);
  EXPECT_EQ(Message(Load("a.textproto").Error("", "has no model; give one")),
            "a.textproto:1:1: has no model; give one");
}

TEST_F(TextFileTest, ElementsOfListsAndMapsHavePlacesOfTheirOwn) {
  Write("a.textproto", kTraining);
  const TextFile file = Load("a.textproto");
  EXPECT_EQ(file.At("run").Place(), "a.textproto:6:1");
  EXPECT_EQ(file.At("run[0]").Place(), "a.textproto:6:7");
  EXPECT_EQ(file.At("run[0].layers").Place(), "a.textproto:6:9");
  EXPECT_EQ(file.At("run[0].layers[0]").Place(), "a.textproto:6:18");
  EXPECT_EQ(file.At("run[0].layers[1]").Place(), "a.textproto:7:18");
  EXPECT_EQ(file.At("run[1].name").Place(), "a.textproto:8:9");
  EXPECT_EQ(file.At("run[2].layers[0]").Place(), "a.textproto:9:7");
  EXPECT_EQ(file.At("run[2].layers").Place(), "a.textproto:9:7");
  EXPECT_EQ(file.At("rates[\"a.b\"].value").Place(), "a.textproto:10:20");
  EXPECT_EQ(file.At("rates[\"c\"]").Place(), "a.textproto:10:1");
}

TEST_F(TextFileTest, AFieldHandedOnKnowsItsPath) {
  Write("a.textproto", kTraining);
  const TextFile file = Load("a.textproto");
  const TextField run = file.At("run").At(0);
  EXPECT_EQ(run.At("layers").At(1).path(), "run[0].layers[1]");
  EXPECT_EQ(Message(run.At("layers").At(1).Error("6 is odd; no, it is not")),
            "a.textproto:7:18: run[0].layers[1]: 6 is odd; no, it is not");
  EXPECT_EQ(file.At("").At("training").At("parallel.tensor").path(),
            "training.parallel.tensor");
}

TEST_F(TextFileTest, OriginTellsWhatIsSetAndWhere) {
  Write("a.textproto", kTraining);
  const TextFile file = Load("a.textproto", {"training.global_batch=8"});
  EXPECT_EQ(file.At("training.micro_batch").Origin(), "a.textproto:3");
  EXPECT_EQ(file.At("training.global_batch").Origin(), "--set");
  EXPECT_EQ(file.At("training").Origin(), "a.textproto:2");
  EXPECT_EQ(file.At("training.precision").Origin(), "");
  EXPECT_TRUE(file.At("training.global_batch").IsSet());
  EXPECT_FALSE(file.At("training.precision").IsSet());
  EXPECT_FALSE(file.At("run[3]").IsSet());
}

// ------------------------------------------------------------- odd files

TEST_F(TextFileTest, AFileThatIsNotThereIsRefusedWithTheNearestName) {
  EXPECT_EQ(Refusal("nope.textproto"),
            "nope.textproto: cannot read; there is no such file");
  Write("lib/llama3-8b.textproto", "name: \"x\"");
  EXPECT_EQ(Refusal("lib/lama3-8b.textproto"),
            "lib/lama3-8b.textproto: cannot read; there is no such file; did "
            "you mean \"llama3-8b.textproto\"?");
  EXPECT_EQ(Refusal("bil/x.textproto"),
            "bil/x.textproto: cannot read; there is no folder bil");
}

TEST_F(TextFileTest, AFolderIsRefused) {
  fs::create_directory("lib");
  EXPECT_EQ(Refusal("lib"), "lib: is a folder; name a file in it");
}

TEST_F(TextFileTest, AFileWithoutFieldsIsRefused) {
  for (const char* text : {"", "\n", "# later\n", "\xEF\xBB\xBF"}) {
    Write("a.textproto", text);
    EXPECT_EQ(Refusal("a.textproto"),
              "a.textproto:1:1: no field is given; the file is empty or all "
              "comments");
  }
}

TEST_F(TextFileTest, ABinaryFileIsRefused) {
  Write("a.out", std::string("\x7F"
                             "ELF\2\1\1\0",
                             8));
  EXPECT_EQ(Refusal("a.out"),
            "a.out: is binary (it has a NUL byte); give a UTF-8 text file");
  Write("a.textproto", "name: \"x\"\nname: \"\xff\"");
  EXPECT_EQ(Refusal("a.textproto"),
            "a.textproto:2:8: byte 0xff is not UTF-8; save the file as UTF-8");
}

TEST_F(TextFileTest, AByteOrderMarkAndCarriageReturnsDoNotCount) {
  Write("a.textproto", "\xEF\xBB\xBFname: \"x\"\r\nlayerz: 3\r\n");
  EXPECT_EQ(Refusal("a.textproto"),
            "a.textproto:2:1: layerz: no such field; did you mean "
            "\"layers\"?");
  Write("b.textproto", "\xEF\xBB\xBFname: \"x\"\r\nlayers: 3\r\n");
  EXPECT_EQ(Load("b.textproto").At("name").Place(), "b.textproto:1:1");
  EXPECT_EQ(Text(), "name: \"x\" layers: 3");
}

TEST_F(TextFileTest, ALoadThatFailsLeavesTheMessageAsItWas) {
  scenario_.set_name("before");
  Write("a.textproto", "layers: 3 layerz: 3");
  EXPECT_FALSE(TextFile::Load("a.textproto", &scenario_).ok());
  Write("b.textproto", "layers: 3");
  EXPECT_FALSE(
      TextFile::Load("b.textproto", &scenario_, {{"layers=4", "layers=x"}})
          .ok());
  EXPECT_EQ(Text(), "name: \"before\"");
}

// --------------------------------------------------------------- include

TEST_F(TextFileTest, AnIncludedFileComesFirstAndEachFieldKeepsItsFile) {
  Write("lib/base.textproto",
        "layers: 80\n"
        "training { micro_batch: 1 parallel { tensor: 8 } }\n");
  Write("a.textproto",
        "include: \"lib/base.textproto\"\n"
        "training { micro_batch: 2 }\n");
  const TextFile file = Load("a.textproto");
  EXPECT_EQ(Text(),
            "include: \"lib/base.textproto\" layers: 80 training { "
            "micro_batch: 2 parallel { tensor: 8 } }");
  EXPECT_EQ(file.At("layers").Place(), "lib/base.textproto:1:1");
  EXPECT_EQ(file.At("training.micro_batch").Place(), "a.textproto:2:12");
  EXPECT_EQ(Message(file.Error("training.parallel.tensor", "8 is too many")),
            "lib/base.textproto:2:38: training.parallel.tensor: 8 is too many");
  EXPECT_EQ(file.At("training.parallel.sequence").Place(),
            "lib/base.textproto:2:27");
  EXPECT_EQ(file.At("layers").Origin(), "lib/base.textproto:1");
}

TEST_F(TextFileTest, FilesAreIncludedInTheirOrderAndBesideTheirIncluder) {
  Write("lib/one.textproto", "name: \"one\" layers: 1 preset: \"one\"");
  Write("lib/both.textproto",
        "include: [\"one.textproto\", \"../two.textproto\"]");
  Write("two.textproto", "name: \"two\" layers: 2");
  Write("a.textproto", "include: \"lib/both.textproto\" name: \"a\"");
  const TextFile file = Load("a.textproto");
  EXPECT_EQ(Text(),
            "include: \"lib/both.textproto\" name: \"a\" layers: 2 preset: "
            "\"one\"");
  EXPECT_EQ(file.At("layers").Origin(), "two.textproto:1");
  EXPECT_EQ(file.At("preset").Origin(), "lib/one.textproto:1");
}

TEST_F(TextFileTest, AListReplacesTheIncludedOne) {
  Write("base.textproto",
        "precisions: [FP32, BF16] run { name: \"p\" } run { name: \"q\" }\n"
        "rates { key: \"k\" value: 1 }");
  Write("a.textproto",
        "include: \"base.textproto\"\n"
        "precisions: FP8 run { layers: [7] } rates { key: \"m\" value: 2 }");
  const TextFile file = Load("a.textproto");
  EXPECT_EQ(Text(),
            "include: \"base.textproto\" run { layers: 7 } precisions: FP8 "
            "rates { key: \"m\" value: 2 }");
  EXPECT_EQ(file.At("run[0].name").Origin(), "");
  EXPECT_EQ(file.At("run[1]").Origin(), "");
  EXPECT_EQ(file.At("precisions[1]").Origin(), "");
  EXPECT_EQ(file.At("rates[\"k\"]").Origin(), "");
}

TEST_F(TextFileTest, AnEmptyListReplacesTheIncludedOne) {
  Write("base.textproto", "precisions: [FP32, BF16] layers: 3");
  Write("a.textproto", "include: \"base.textproto\" precisions: []");
  const TextFile file = Load("a.textproto");
  EXPECT_EQ(Text(), "include: \"base.textproto\" layers: 3");
  EXPECT_EQ(file.At("precisions").Origin(), "a.textproto:1");
}

TEST_F(TextFileTest, AScalarReplacesTheIncludedOneEvenByItsDefault) {
  Write("base.textproto", "layers: 80");
  Write("a.textproto", "include: \"base.textproto\" layers: 0");
  EXPECT_EQ(Load("a.textproto").At("layers").Origin(), "a.textproto:1");
  EXPECT_EQ(scenario_.layers(), 0);
}

TEST_F(TextFileTest, AMemberOfAOneofReplacesTheIncludedOther) {
  Write("base.textproto", "chip { tdp_watts: 700 }");
  Write("a.textproto", "include: \"base.textproto\" preset: \"h100\"");
  const TextFile file = Load("a.textproto");
  EXPECT_EQ(Text(), "include: \"base.textproto\" preset: \"h100\"");
  EXPECT_FALSE(file.At("chip").IsSet());
  EXPECT_FALSE(file.At("chip.tdp_watts").IsSet());
}

TEST_F(TextFileTest, AnErrorInAnIncludedFileNamesThatFile) {
  Write("lib/base.textproto", "\nlayerz: 80");
  Write("a.textproto", "include: \"lib/base.textproto\"");
  EXPECT_EQ(Refusal("a.textproto"),
            "lib/base.textproto:2:1: layerz: no such field; did you mean "
            "\"layers\"?");
}

TEST_F(TextFileTest, AFileToIncludeThatIsNotThereIsNamedWhereItIsIncluded) {
  Write("base.textproto", "layers: 80");
  Write("a.textproto",
        "include: \"base.textproto\"\ninclude: \"bas.textproto\"");
  EXPECT_EQ(Refusal("a.textproto"),
            "a.textproto:2:10: include[1]: bas.textproto: cannot read; there "
            "is no such file; did you mean \"base.textproto\"?");
}

TEST_F(TextFileTest, FilesThatIncludeEachOtherAreRefusedWithTheChain) {
  Write("a.textproto", "include: \"lib/b.textproto\"");
  Write("lib/b.textproto", "include: [\n  \"../lib/c.textproto\"]");
  Write("lib/c.textproto", "include: \"../a.textproto\"");
  EXPECT_EQ(Refusal("a.textproto"),
            "lib/c.textproto:1:10: include[0]: the files include each other: "
            "a.textproto -> lib/b.textproto -> lib/c.textproto -> "
            "a.textproto; leave one out");
  Write("d.textproto", "include: \"d.textproto\"");
  EXPECT_EQ(Refusal("./d.textproto"),
            "./d.textproto:1:10: include[0]: the files include each other: "
            "./d.textproto -> d.textproto; leave one out");
}

TEST_F(TextFileTest, AFileMayBeIncludedTwiceIfNotByItself) {
  Write("base.textproto", "layers: 80");
  Write("b.textproto", "include: \"base.textproto\"");
  Write("c.textproto", "include: \"base.textproto\" name: \"c\"");
  Write("a.textproto", "include: [\"b.textproto\", \"c.textproto\"]");
  EXPECT_EQ(Load("a.textproto").At("layers").Origin(), "base.textproto:1");
  EXPECT_EQ(scenario_.layers(), 80);
}

}  // namespace
}  // namespace sim
