#include "scenarios/list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace scenarios {
namespace {

using testing::HasSubstr;

TEST(List, EveryKindHasItemsALineEach) {
  for (const std::string& kind : ListKinds()) {
    const absl::StatusOr<std::string> text = List(kind);
    ASSERT_TRUE(text.ok()) << kind << ": " << text.status();
    EXPECT_FALSE(text->empty()) << kind;
    EXPECT_EQ(text->back(), '\n') << kind;
  }
}

TEST(List, ShowsWhatTellsItemsApart) {
  // 70,553,706,496 parameters.
  EXPECT_THAT(*List("models"),
              HasSubstr("llama3-70b                     70.554 "
                        "B parameters,  80 layers of  8192\n"));
  EXPECT_THAT(*List("clusters"),
              HasSubstr("dgx-h100                     8 x h100-sxm-80gb, "
                        "network 8 x 400 Gb/s\n"));
}

TEST(List, AnUnknownKindAsksForTheNearest) {
  EXPECT_EQ(List("gpu").status().message(),
            "list: there is no kind \"gpu\"; did you mean \"gpus\"?");
}

}  // namespace
}  // namespace scenarios
