#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "scenarios/field_checks.h"
#include "scenarios/workload.h"
#include "sim/text_file.h"

namespace scenarios {
namespace {

// The whole error of a workload that must not be made; empty if it is legal.
// Files are those of the test's folder, which errors call ".".
std::string Problem(const std::string& text) {
  proto::Workload workload;
  const absl::StatusOr<sim::TextFile> file =
      sim::TextFile::Parse("w", text, &workload);
  if (!file.ok()) return std::string(file.status().message());
  const absl::Status ranges = CheckRanges(
      workload, "", [&](absl::string_view path, absl::string_view problem) {
        return file->Error(path, problem);
      });
  if (!ranges.ok()) return std::string(ranges.message());
  std::string message(WorkloadOf(workload, file->At(""), testing::TempDir())
                          .status()
                          .message());
  const std::string folder = testing::TempDir();
  for (size_t at = message.find(folder); at != std::string::npos;
       at = message.find(folder)) {
    message.replace(at, folder.size(), folder.back() == '/' ? "./" : ".");
  }
  return message;
}

void Write(const std::string& name, const std::string& text) {
  std::ofstream(testing::TempDir() + "/" + name) << text;
}

constexpr char kLengths[] = " input { fixed: 8 } output { fixed: 7 } ";

std::string With(const std::string& text) { return text + kLengths; }

constexpr char kVidur[] =
    "arrived_at,num_prefill_tokens,num_decode_tokens\n10,1,4\n11,2,5\n";

TEST(WorkloadErrors, ArrivalsAreNeededOnce) {
  EXPECT_EQ(Problem(With("requests: 3")),
            "w:1:1: does not say when requests arrive; poisson, gamma, "
            "constant, closed_loop, all_at_once or trace works");
  EXPECT_EQ(Problem(With("poisson {} requests: 3")),
            "w:1:1: poisson.requests_per_second: is missing; give the mean "
            "rate of arrivals, e.g. 4");
  EXPECT_EQ(Problem(With("closed_loop {} requests: 3")),
            "w:1:1: closed_loop.concurrency: is missing; give the number of "
            "users, e.g. 64");
  EXPECT_EQ(Problem(With("constant { requests_per_second: 0 }")),
            "w:1:12: constant.requests_per_second: 0 is not above 0; more than "
            "0, at most 1000000, works");
}

TEST(WorkloadErrors, ACountOrADurationIsNeeded) {
  EXPECT_EQ(Problem(With("poisson { requests_per_second: 1 }")),
            "w:1:1: requests: is missing; give how many arrive, or "
            "duration_seconds");
  EXPECT_EQ(Problem(With("poisson { requests_per_second: 1 } "
                         "duration_seconds: 5")),
            "");
  EXPECT_EQ(Problem(With("all_at_once {} duration_seconds: 5")),
            "w:1:1: requests: is missing; give how many arrive");
  EXPECT_EQ(Problem(With("poisson { requests_per_second: 1e-3 }\n"
                         "requests: 1000000")),
            "w:2:1: requests: 1000000 take 9.99999e+08 s to arrive, and the "
            "clock holds 9e+06; fewer, or duration_seconds, work");
}

TEST(WorkloadErrors, LengthsAreNeededAndFit) {
  const std::string all = "all_at_once {} requests: 3\n";
  EXPECT_EQ(Problem(all + "output { fixed: 1 }"),
            "w:1:1: input: is missing; say how long, e.g. { fixed: 1024 }");
  EXPECT_EQ(Problem(all + "input {} output { fixed: 1 }"),
            "w:2:1: input: is empty; fixed, uniform, log_normal or empirical "
            "works");
  const auto Input = [&](const std::string& input) {
    return Problem(
        absl::StrCat(all, "output { fixed: 1 } input {\n", input, "}"));
  };
  EXPECT_EQ(Input("fixed: 0"),
            "w:3:1: input.fixed: 0 is below 1; 1 to 1073741824 works");
  EXPECT_EQ(Input("uniform {}"),
            "w:3:1: input.uniform.most: is missing; give the longest length");
  EXPECT_EQ(Input("uniform { least: 9 most: 8 }"),
            "w:3:20: input.uniform.most: 8 is below least, 9; 9 or more works");
  EXPECT_EQ(Input("log_normal { sigma: 1 }"),
            "w:3:1: input.log_normal.mean: is missing; give the mean length");
  EXPECT_EQ(Input("log_normal { mean: 9 }"),
            "w:3:1: input.log_normal: does not say how wide it is; sigma or "
            "p99 works");
  EXPECT_EQ(Input("log_normal { mean: 9 sigma: 1 p99: 20 }"),
            "w:3:1: input.log_normal: sigma and p99 both say how wide it is; "
            "one of them works");
  for (const char* p99 : {"9", "140"}) {
    EXPECT_EQ(Input(absl::StrCat("log_normal { mean: 9 p99: ", p99, " }")),
              absl::StrCat("w:3:22: input.log_normal.p99: ", p99,
                           " is not above the mean, 9, and at most 14.9 times "
                           "it; 18 works"));
  }
  EXPECT_EQ(Input("log_normal { mean: 9.5 sigma: 1 most: 9 }"),
            "w:3:33: input.log_normal.most: 9 is below the mean, 9.5; 10 or "
            "more works");
}

TEST(WorkloadErrors, ColumnsOfLengthsAreCounts) {
  Write("lengths.csv", "tokens,none\n5,0\n");
  Write("empty.csv", "tokens\n");
  const auto Input = [](const std::string& empirical) {
    return Problem(
        absl::StrCat("all_at_once {} requests: 3 output { fixed: 1 }"
                     " input {\nempirical { ",
                     empirical, " } }"));
  };
  EXPECT_EQ(Input("file: \"lengths.csv\" column: \"tokens\""), "");
  EXPECT_EQ(Input("column: \"tokens\""),
            "w:2:1: input.empirical.file: is missing; name a CSV file");
  EXPECT_EQ(Input("file: \"lengths.csv\""),
            "w:2:1: input.empirical.column: is missing; name a column of the "
            "file");
  EXPECT_EQ(Input("file: \"length.csv\" column: \"tokens\""),
            "w:2:13: input.empirical.file: there is no file ./length.csv; name "
            "one from the scenario's folder");
  EXPECT_EQ(Input("file: \"lengths.csv\" column: \"token\""),
            "./lengths.csv:1:1: there is no column \"token\"; did you mean "
            "\"tokens\"?");
  EXPECT_EQ(Input("file: \"lengths.csv\" column: \"none\""),
            "./lengths.csv:2:3: none: 0 is out of range; write 1 to "
            "1073741824");
  EXPECT_EQ(Input("file: \"empty.csv\" column: \"tokens\""),
            "w:2:13: input.empirical.file: ./empty.csv has no rows; one or "
            "more works");
}

TEST(WorkloadErrors, ATraceHasWhatTheRestWouldSay) {
  Write("v.csv", kVidur);
  Write("lengths_only.csv", "num_prefill_tokens,num_decode_tokens\n1,4\n");
  Write("bad.csv", absl::StrCat(kVidur, "12,0,5\n"));
  const std::string trace = "trace { file: \"v.csv\" }\n";
  EXPECT_EQ(Problem(trace), "");
  EXPECT_EQ(Problem(trace + "requests: 2"), "");
  EXPECT_EQ(Problem("trace {}"), "w:1:1: trace.file: is missing; name a trace");
  EXPECT_EQ(Problem("trace { file: \"u.csv\" }"),
            "w:1:9: trace.file: there is no file ./u.csv; name one from the "
            "scenario's folder");
  EXPECT_EQ(Problem("trace { file: \"bad.csv\" }"),
            "./bad.csv:4:4: num_prefill_tokens: 0 is out of range; write 1 to "
            "1073741824");
  EXPECT_EQ(Problem("trace { file: \"lengths_only.csv\" }"),
            "w:1:1: trace: lengths_only.csv has lengths without times; set "
            "rate_per_second, or name it in lengths_from");
  EXPECT_EQ(Problem(trace + "input { fixed: 1 }"),
            "w:2:1: input: lengths are those of v.csv; leave one of them out");
  EXPECT_EQ(Problem(trace + "requests: 3"),
            "w:2:1: requests: 3 are more than the 2 of the trace; as many "
            "work, or set trace.tile");
  EXPECT_EQ(Problem("trace { file: \"v.csv\" time_scale: 2\n"
                    "rate_per_second: 1 }"),
            "w:1:23: trace.time_scale: rate_per_second replaces the times it "
            "would scale; leave one of them out");
  EXPECT_EQ(Problem("trace { file: \"v.csv\" time_scale: 1e8 }"),
            "w:1:1: trace: the last request arrives after 1e+08 s, and the "
            "clock holds 9e+06; set most_rows, or lower time_scale or tile");
  EXPECT_EQ(Problem(trace + "turns { most: 2 new_input { fixed: 1 } }"),
            "w:2:1: turns: requests of a trace are not continued; leave it "
            "out, or give input and output instead");
}

TEST(WorkloadErrors, LengthsFromATraceLeaveItsTimes) {
  Write("v.csv", kVidur);
  const std::string all = "all_at_once {}\n";
  EXPECT_EQ(Problem(all + "lengths_from { file: \"v.csv\" }"), "");
  EXPECT_EQ(Problem(all + "lengths_from { file: \"v.csv\" time_scale: 2 }"),
            "w:2:30: lengths_from.time_scale: times count for nothing where "
            "lengths alone are taken; leave it out");
  EXPECT_EQ(Problem("trace { file: \"v.csv\" }\nlengths_from { file: \"v.csv\" "
                    "}"),
            "w:2:1: lengths_from: trace has lengths, too; leave one of them "
            "out");
  EXPECT_EQ(Problem(With(all + "draw_rows: true requests: 3")),
            "w:2:1: draw_rows: there are no rows to draw; lengths_from has "
            "some");
}

TEST(WorkloadErrors, PrefixesAndTurnsAreWhole) {
  Write("m.jsonl",
        "{\"timestamp\": 0, \"input_length\": 9, \"output_length\": 5, "
        "\"hash_ids\": [7]}\n");
  const std::string all = With("all_at_once {} requests: 3") + "\n";
  EXPECT_EQ(Problem(all + "prefix_groups: 2"),
            "w:2:1: prefix_groups: groups differ by their shared prefix, and "
            "there is none; set shared_prefix_tokens, or leave it out");
  EXPECT_EQ(Problem("trace { file: \"m.jsonl\" } shared_prefix_tokens: 4"),
            "w:1:27: shared_prefix_tokens: the trace says which prefixes are "
            "shared; leave it out");
  EXPECT_EQ(Problem(all + "turns { new_input { fixed: 1 } }"),
            "w:2:1: turns.most: is missing; give the most requests of a "
            "conversation");
  EXPECT_EQ(Problem(all + "turns { least: 3 most: 2 new_input { fixed: 1 } }"),
            "w:2:18: turns.most: 2 is below least, 3; 3 or more works");
  EXPECT_EQ(Problem(all + "turns { most: 2 }"),
            "w:2:1: turns.new_input: is missing; say how long, e.g. { fixed: "
            "64 }");
}

}  // namespace
}  // namespace scenarios
