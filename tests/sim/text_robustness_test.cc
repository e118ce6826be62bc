// Whatever bytes a file holds, loading it returns: with a message whose every
// field has a place, or with one line that says what is wrong.
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "sim/csv_file.h"
#include "sim/text_file.h"
#include "tests/sim/text_file_test.pb.h"

namespace sim {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using orrery::test::Scenario;

constexpr char kScenario[] = R"(# A bit of everything.
name: "two " 'halves'  layers: 0x10;
training {
	sequence_length: 8192, micro_batch: 2  precision: BF16
  parallel < tensor: 8 sequence: false >
}
run: [{ name: "p“" layers: [1, -2, 3] }, { training { global_batch: 7 } }]
run { layers: 4 layers: 5 layers: [] }
precisions: [FP8, FP32]  precisions: BF16
rates { key: "k.[0]" value: 1.5e3 }  rates { value: 2. key: "m" }
chip { hbm_gb_per_s: 3350 inner { tdp_watts: 7e2 inner { } } }
)";

constexpr char kTable[] =
    "gpu,batch,\"a \"\"note\"\"\"\r\nh100,8,\"x, y\nz\"\r\n\r\na100,,\"\"\n";

// The parser skips a reserved field by rules of its own.
constexpr char kReserved[] =
    "batch { a: [1, { b: - 2 }] [c.d] <> e { f: \"g\" } }\n";

// Any draw of mt19937_64 is the same in every library.
class Mutator {
 public:
  explicit Mutator(uint64_t seed) : random_(seed) {}

  // The text with one or two edits: a byte changed, put in or left out; a
  // piece copied elsewhere; the end cut off.
  std::string Mutate(std::string text) {
    for (size_t edits = 1 + Below(2); edits > 0 && !text.empty(); --edits) {
      const size_t at = Below(text.size());
      switch (Below(6)) {
        case 0:
          text[at] = static_cast<char>(Below(256));
          break;
        case 1:
          text[at] = kTelling[Below(kTelling.size())];
          break;
        case 2:
          text.insert(at, 1, kTelling[Below(kTelling.size())]);
          break;
        case 3:
          text.erase(at, 1 + Below(8));
          break;
        case 4:
          text.insert(Below(text.size()), text.substr(at, Below(40)));
          break;
        case 5:
          if (Below(4) == 0) text.resize(at);
          break;
      }
    }
    return text;
  }

 private:
  static constexpr absl::string_view kTelling = "{}[]<>:,;#\"'\\\n\t -.0x_e";

  size_t Below(size_t n) { return static_cast<size_t>(random_() % n); }

  std::mt19937_64 random_;
};

// Expects each field that `message` holds to have been given somewhere.
void ExpectPlaces(const Message& message, const TextField& at) {
  const Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const TextField here = at.At(field->name());
    EXPECT_TRUE(here.IsSet()) << here.path();
    if (field->is_map()) continue;
    const bool holder = field->message_type() != nullptr;
    if (!field->is_repeated()) {
      if (holder) ExpectPlaces(reflection.GetMessage(message, field), here);
      continue;
    }
    const int size = reflection.FieldSize(message, field);
    for (int i = 0; i < size; ++i) {
      const TextField element = here.At(static_cast<size_t>(i));
      EXPECT_TRUE(element.IsSet()) << element.path();
      if (!holder) continue;
      ExpectPlaces(reflection.GetRepeatedMessage(message, field, i), element);
    }
    EXPECT_FALSE(here.At(static_cast<size_t>(size)).IsSet()) << here.path();
  }
}

TEST(TextRobustness, AMutatedFileLoadsWithPlacesOrIsRefusedInOneLine) {
  int loaded = 0;
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    const std::string text = Mutator(seed).Mutate(
        seed % 4 == 0 ? absl::StrCat(kReserved, kScenario) : kScenario);
    SCOPED_TRACE(absl::StrCat("seed ", seed, ":\n", text));
    Scenario scenario;
    const absl::StatusOr<TextFile> file =
        TextFile::Parse("a.textproto", text, &scenario);
    if (file.ok()) {
      ++loaded;
      ExpectPlaces(scenario, file->At(""));
    } else {
      const absl::string_view error = file.status().message();
      EXPECT_TRUE(absl::StartsWith(error, "a.textproto:")) << error;
      EXPECT_EQ(error.find('\n'), error.npos) << error;
      EXPECT_EQ(error.find('\0'), error.npos) << error;
    }
    if (HasFailure()) break;
  }
  // Both outcomes are common: a mutation may fall into a comment or a value.
  EXPECT_GT(loaded, 400);
  EXPECT_LT(loaded, 3600);
}

TEST(TextRobustness, AMutatedSetIsTakenOrRefusedInOneLine) {
  const std::string sets[] = {"training.parallel={ tensor: 4 }",
                              "run[1].layers=[1, 2, 3]", "name=\"x\"",
                              "training.precision=BF16"};
  Scenario scenario;
  absl::StatusOr<TextFile> file =
      TextFile::Parse("a.textproto", kScenario, &scenario);
  ASSERT_TRUE(file.ok()) << file.status();
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    const std::string set = Mutator(seed).Mutate(sets[seed % 4]);
    SCOPED_TRACE(absl::StrCat("seed ", seed, ": ", set));
    const std::string before = scenario.SerializeAsString();
    const absl::Status status = file->Set(set, &scenario);
    if (!status.ok()) {
      EXPECT_EQ(scenario.SerializeAsString(), before);
      EXPECT_TRUE(absl::StartsWith(status.message(), "--set "));
    }
    ExpectPlaces(scenario, file->At(""));
    if (HasFailure()) break;
  }
}

TEST(TextRobustness, AMutatedTableIsReadOrRefusedInOneLine) {
  int loaded = 0;
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    const absl::StatusOr<CsvFile> file =
        CsvFile::Parse("a.csv", Mutator(seed).Mutate(kTable));
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    if (!file.ok()) {
      EXPECT_TRUE(absl::StartsWith(file.status().message(), "a.csv:"));
      continue;
    }
    ++loaded;
    for (size_t row = 0; row < file->rows(); ++row) {
      EXPECT_EQ(file->Text(row, CsvColumn{0}).find('\0'),
                absl::string_view::npos);
    }
  }
  EXPECT_GT(loaded, 400);
}

}  // namespace
}  // namespace sim
