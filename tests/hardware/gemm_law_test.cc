#include "hardware/gemm_law.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "hardware/calibration.pb.h"
#include "sim/text_file.h"

namespace hardware {
namespace {

constexpr char kLaw[] =
    R"(gemm {
  family: "cutlass"
  launch_us: 2
  memory_latency_us: 1
  epilogue_us: 1
  turnover_us: 1
  wave_hardness: 0.5
  tensor_efficiency: 1
  l2_gb_per_s_per_sm: 100
  asynchronous_copies: true
  split { waves: 2 extra_us: 3 reduction_gb_per_s: 5000 }
  memory_efficiency: 0.8
  warm_miss: 0.5
  tile { m: 64 n: [128, 64] most_rows: 64 }
  tile { m: 128 n: [256] least_rows: 65 }
  quantise { launch_us: 2 gb_per_s_per_sm: 20 }
  provenance { table: "t" date: "2026-01-31" }
}
)";

// Reads every law of `text` into `laws`.
absl::Status Read(const std::string& text, GemmLaws& laws) {
  proto::Calibration message;
  const absl::StatusOr<sim::TextFile> file =
      sim::TextFile::Parse("t.textproto", text, &message);
  if (!file.ok()) return file.status();
  for (int i = 0; i < message.gemm_size(); ++i) {
    const absl::Status status = ReadGemmLaw(
        message.gemm(i), file->At("gemm").At(static_cast<size_t>(i)), laws);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// What reading the law says with `was` written as `is`.
std::string Problem(const std::string& was, const std::string& is) {
  GemmLaws laws;
  return std::string(
      Read(absl::StrReplaceAll(kLaw, {{was, is}}), laws).message());
}

TEST(GemmLaw, IsReadInSecondsAndBytes) {
  GemmLaws laws;
  const absl::Status status = Read(kLaw, laws);
  ASSERT_TRUE(status.ok()) << status;
  const GemmLaw& law = laws.of[models::GemmFamily::kCutlass];
  EXPECT_DOUBLE_EQ(law.launch_seconds, 2e-6);
  EXPECT_DOUBLE_EQ(law.reduction_rate, 5e12);
  EXPECT_DOUBLE_EQ(law.quantise_per_sm, 20e9);
  ASSERT_EQ(law.tiles.size(), 3);
  EXPECT_EQ(law.tiles[1].n, 64);
  EXPECT_EQ(law.tiles[1].most_rows, 64);
  EXPECT_EQ(law.tiles[2].least_rows, 65);
  EXPECT_EQ(law.tiles[2].most_rows, std::numeric_limits<double>::infinity());
  EXPECT_EQ(laws.of[models::GemmFamily::kCublas].launch_seconds, 0);
}

TEST(GemmLaw, SaysWhichConstantIsWrong) {
  EXPECT_EQ(Problem("wave_hardness: 0.5", "wave_hardness: 2"),
            "t.textproto:7:3: gemm[0].wave_hardness: 2 is out of range; write "
            "a number from 0 to 1");
  EXPECT_EQ(Problem("waves: 2", "waves: 9"),
            "t.textproto:11:11: gemm[0].split.waves: 9 is out of range; write "
            "a number from 1 to 8");
  EXPECT_EQ(Problem("\"cutlass\"", "\"deepgem\""),
            "t.textproto:2:3: gemm[0].family: \"deepgem\" is unknown; did you "
            "mean \"deepgemm\"?");
  EXPECT_EQ(Problem("[128, 64]", "[128, 0]"),
            "t.textproto:14:16: gemm[0].tile[0].n: 0 is out of range; write 1 "
            "to 1024");
  EXPECT_EQ(Problem("n: [256] ", ""),
            "t.textproto:15:3: gemm[0].tile[1].n: is missing; give at least "
            "one width");
}

TEST(GemmLaw, NeedsATileForEveryHeight) {
  EXPECT_EQ(Problem("least_rows: 65", "least_rows: 70"),
            "t.textproto:14:3: gemm[0].tile: no tile takes 65 rows; give one "
            "whose least_rows and most_rows hold it");
}

TEST(GemmLaw, IsGivenOnce) {
  GemmLaws laws;
  EXPECT_EQ(Read(absl::StrCat(kLaw, kLaw), laws).message(),
            "t.textproto:19:1: gemm[1]: is given twice; keep one");
}

}  // namespace
}  // namespace hardware
