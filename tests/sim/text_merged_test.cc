// Files made of several messages of one file: TextFile::Merged.
#include <gtest/gtest.h>

#include <string>

#include "sim/text_file.h"
#include "tests/sim/text_file_test.pb.h"

namespace sim {
namespace {

using TestRun = orrery::test::Run;
using orrery::test::Scenario;

constexpr char kText[] =
    "run {\n"
    "  name: \"base\"\n"
    "  training { micro_batch: 1 global_batch: 8 }\n"
    "  layers: [1, 2, 3]\n"
    "}\n"
    "run {\n"
    "  training { micro_batch: 2 parallel { tensor: 4 } }\n"
    "  layers: 9\n"
    "}\n";

class Merged : public testing::Test {
 protected:
  Merged()
      : file_(TextFile::Parse("a.textproto", kText, &scenario_).value()),
        merged_(Merge()) {}

  TextFile Merge() {
    const TextFile::Part parts[] = {{"run[0]", &scenario_.run(0)},
                                    {"run[1]", &scenario_.run(1)}};
    return file_.Merged(parts, &run_);
  }

  Scenario scenario_;
  TextFile file_;
  TestRun run_;
  TextFile merged_;
};

TEST_F(Merged, ScalarsReplaceMessagesMergeAndListsReplace) {
  EXPECT_EQ(run_.name(), "base");
  EXPECT_EQ(run_.training().micro_batch(), 2u);
  EXPECT_EQ(run_.training().global_batch(), 8);
  EXPECT_EQ(run_.training().parallel().tensor(), 4);
  ASSERT_EQ(run_.layers_size(), 1);
  EXPECT_EQ(run_.layers(0), 9);
}

TEST_F(Merged, FieldsStandWhereTheyWereGivenAndAreNamedAsTheLastPart) {
  EXPECT_EQ(merged_.Error("name", "is dull").message(),
            "a.textproto:2:3: run[1].name: is dull");
  EXPECT_EQ(merged_.Error("training.micro_batch", "is odd").message(),
            "a.textproto:7:14: run[1].training.micro_batch: is odd");
  EXPECT_EQ(merged_.Error("layers", "are few").message(),
            "a.textproto:8:3: run[1].layers: are few");
  EXPECT_FALSE(merged_.At("layers").At(1).IsSet());  // of the replaced list
  // Not given: the message around it; of the outermost, where that stands.
  EXPECT_EQ(merged_.Error("training.sequence_length", "is missing").message(),
            "a.textproto:7:3: run[1].training.sequence_length: is missing");
  EXPECT_EQ(merged_.Error("", "is empty").message(),
            "a.textproto:6:1: run[1]: is empty");
}

TEST_F(Merged, TakesSetsLikeAnyFile) {
  ASSERT_TRUE(merged_.Set("training.micro_batch=4", &run_).ok());
  EXPECT_EQ(run_.training().micro_batch(), 4u);
  EXPECT_EQ(merged_.At("training.micro_batch").Origin(), "--set");
}

}  // namespace
}  // namespace sim
