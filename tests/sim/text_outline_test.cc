#include "sim/text_outline.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "tests/sim/text_file_test.pb.h"

namespace sim {
namespace {

// One line per row: path begin value end token.
std::string Dump(absl::string_view text) {
  const TextOutline outline(text, *orrery::test::Scenario::descriptor());
  std::string dump;
  const auto point = [](TextPoint at) {
    return absl::StrCat(at.line, ":", at.column);
  };
  for (const TextRow& row : outline.rows()) {
    absl::StrAppend(&dump, row.path, " ", point(row.begin), " ",
                    point(row.value), " ",
                    row.end.column == 0 ? "cut" : point(row.end),
                    row.token.empty() ? "" : " ", row.token, "\n");
  }
  return dump;
}

TEST(TextOutline, HasARowForEachMention) {
  EXPECT_EQ(Dump("name: \"a\" 'b'\n"
                 "training { parallel: < tensor: - 8 > }"),
            "name 1:1 1:7 1:14 \"a\" 'b'\n"
            "training 2:1 2:10 2:39\n"
            "training.parallel 2:12 2:22 2:37\n"
            "training.parallel.tensor 2:24 2:32 2:35 -8\n");
}

TEST(TextOutline, HasARowForAListAndOneForEachElement) {
  EXPECT_EQ(Dump("precisions: [FP8, BF16], precisions: FP32; precisions: []"),
            "precisions 1:1 1:13 1:24\n"
            "precisions[0] 1:14 1:14 1:17 FP8\n"
            "precisions[1] 1:19 1:19 1:23 BF16\n"
            "precisions[2] 1:26 1:38 1:42 FP32\n"
            "precisions 1:44 1:56 1:58\n");
}

TEST(TextOutline, NamesEntriesOfAMapByTheirKeys) {
  EXPECT_EQ(Dump("rates { value: 1 key: 'k' } rates: [{ key: \"m\" }]"),
            "rates[\"k\"] 1:1 1:7 1:28\n"
            "rates[\"k\"].value 1:9 1:16 1:17 1\n"
            "rates[\"k\"].key 1:18 1:23 1:26 'k'\n"
            "rates 1:29 1:36 1:50\n"
            "rates[\"m\"] 1:37 1:37 1:49\n"
            "rates[\"m\"].key 1:39 1:44 1:47 \"m\"\n");
}

TEST(TextOutline, EndsWhereATextGoesWrong) {
  EXPECT_EQ(Dump("layers: 3 layerz { tensor = 8 } layers: 4"),
            "layers 1:1 1:9 1:10 3\n"
            "layerz 1:11 1:18 cut\n"
            "layerz.tensor 1:20 1:27 cut\n");
}

TEST(TextOutline, FindsTheFieldAroundAPointAndTheOneBeforeIt) {
  // 1        10        20        30
  // training { micro_batch: 2 } layers: 3
  const TextOutline outline("training { micro_batch: 2 } layers: 3",
                            *orrery::test::Scenario::descriptor());
  EXPECT_EQ(outline.Around({1, 25}), 1);   // the 2
  EXPECT_EQ(outline.Around({1, 26}), 0);   // behind it
  EXPECT_EQ(outline.Around({1, 28}), -1);  // between the fields
  EXPECT_EQ(outline.Before({1, 1}), -1);
  EXPECT_EQ(outline.Before({1, 12}), 0);  // micro_batch begins there
  EXPECT_EQ(outline.Before({1, 28}), 1);
  EXPECT_EQ(outline.Before(outline.end()), 2);
}

}  // namespace
}  // namespace sim
