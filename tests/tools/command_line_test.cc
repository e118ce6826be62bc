// The program as a shell sees it: what goes to stdout, what to stderr, and the
// exit code.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "sim/read_text.h"

namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

struct Ran {
  int code = -1;
  std::string out, err;
};

Ran Orrery(const std::string& arguments) {
  const std::string folder = testing::TempDir();
  const std::string out = folder + "out", err = folder + "err";
  const int status = std::system(
      absl::StrCat(ORRERY_PROGRAM, " ", arguments, " >", out, " 2>", err)
          .c_str());
  const auto text = [](const std::string& path) {
    return std::filesystem::file_size(path) == 0 ? std::string()
                                                 : sim::ReadText(path).value();
  };
  return {WEXITSTATUS(status), text(out), text(err)};
}

TEST(CommandLine, AnAnswerGoesToStdoutAndNothingToStderr) {
  const Ran ran = Orrery("run gpt2-1xa100");
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.out, StartsWith("GPT-2 small on one A100\n"));
  EXPECT_EQ(ran.err, "");
}

TEST(CommandLine, BadInputIsExitCode1WithItsReasonOnStderr) {
  const Ran ran = Orrery("run gpt2-1xa100 --set training.micro_batch=7");
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, EndsWith("training.global_batch: 480 is not a multiple "
                                "of micro_batch 7 x data 1 = 7; 476 or 483 "
                                "would\n"));
}

TEST(CommandLine, BadUsageIsExitCode2) {
  EXPECT_EQ(Orrery("").code, 2);
  EXPECT_EQ(Orrery("run").code, 2);
  EXPECT_EQ(Orrery("run gpt2-1xa100 --format yaml").code, 2);
  const Ran ran = Orrery("rum gpt2-1xa100");
  EXPECT_EQ(ran.code, 2);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.err, "there is no command \"rum\"; did you mean \"run\"?\n");
}

TEST(CommandLine, FlagsSayWhatTheyTake) {
  const auto first_line = [](const std::string& arguments) {
    const Ran ran = Orrery(arguments);
    EXPECT_EQ(ran.code, 2) << arguments;
    EXPECT_EQ(ran.out, "");
    return ran.err.substr(0, ran.err.find('\n'));
  };
  EXPECT_EQ(first_line("run gpt2-1xa100 --trace step.txt"),
            "--trace: step.txt is of no known format; name it .pftrace, .json "
            "or .json.gz");
  EXPECT_EQ(first_line("run gpt2-1xa100 --trace-ranks 0"),
            "--trace-ranks requires --trace");
  EXPECT_EQ(first_line("run gpt2-1xa100 --layer 3"),
            "--layer requires --dump-graph");
  EXPECT_EQ(first_line("run ''"), "SCENARIO: is empty; give a file or a name");
  EXPECT_EQ(first_line("compare gpt2-1xa100"),
            "SCENARIO: At least 2 required but received 1");
}

TEST(CommandLine, ASuiteIsValidatedComparedAndRunByTheNameOfARun) {
  const std::string suite = testing::TempDir() + "s.textproto";
  std::ofstream(suite) << "defaults {\n  model { preset: \"gpt2\" }\n"
                          "  cluster { preset: \"dgx-a100-40gb\" }\n"
                          "  training { sequence_length: 1024 global_batch: 64 }\n"
                          "  measured { step_seconds: 1 source: \"a test\" }\n"
                          "}\n"
                          "run { name: \"one\" }\n"
                          "run { name: \"two\" training { micro_batch: 2 } }\n";
  const Ran table = Orrery("validate --format csv " + suite);
  EXPECT_EQ(table.code, 0) << table.err;
  EXPECT_THAT(table.out, HasSubstr("\n2,two,step_seconds,1,"));
  EXPECT_THAT(Orrery("compare --format csv " + suite).out,
              HasSubstr("scenario,,one,two\n"));
  EXPECT_THAT(Orrery("run " + suite + ":two").out, HasSubstr("of 2\n"));
  const Ran whole = Orrery("run " + suite);
  EXPECT_EQ(whole.code, 1);
  EXPECT_THAT(whole.err, HasSubstr("is a suite of 2 runs; name one, as in "));
  EXPECT_THAT(Orrery("validate --by gpu " + suite).err,
              EndsWith("is a suite and has no column \"gpu\"; leave out "
                       "--by\n"));
}

TEST(CommandLine, ALayerThatIsNotThereIsRefused) {
  const Ran ran = Orrery(absl::StrCat("run gpt2-1xa100 --dump-graph ",
                                      testing::TempDir(), "g.dot --layer 12"));
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.err,
            "--layer: there is no layer 12 in the first model chunk; 0 to 11 "
            "work, or -1 for all\n");
}

TEST(CommandLine, AnAnswerThatCannotBeWrittenIsAFailure) {
  if (!std::filesystem::exists("/dev/full")) {
    GTEST_SKIP() << "there is no /dev/full";
  }
  const int status = std::system(
      absl::StrCat(ORRERY_PROGRAM, " list schedules >/dev/full 2>/dev/null")
          .c_str());
  EXPECT_EQ(WEXITSTATUS(status), 1);
}

TEST(CommandLine, APlanThatDoesNotFitIsExitCode3AndStillAnAnswer) {
  const Ran ran = Orrery("run gpt2-1xa100 --set training.micro_batch=480");
  EXPECT_EQ(ran.code, 3);
  EXPECT_THAT(ran.out, HasSubstr("DOES NOT FIT"));
  EXPECT_EQ(ran.err, "");
}

TEST(CommandLine, JsonIsJsonAndCsvHasOneColumnForEachScenario) {
  const Ran json = Orrery("run gpt2-1xa100 --format json");
  const auto report = nlohmann::json::parse(json.out);
  EXPECT_GT(report["step_seconds"].get<double>(), 0);
  const Ran csv = Orrery("compare gpt2-1xa100 gpt2-xl-8xa100 --format csv");
  EXPECT_EQ(csv.code, 0);
  EXPECT_THAT(csv.out, StartsWith("figure,unit,GPT-2 small on one A100,"));
}

TEST(CommandLine, CapacityIsALoadOrAReasonWhyThereIsNone) {
  const std::string file = testing::TempDir() + "capacity.textproto";
  std::ofstream(file) << "model { preset: \"gpt2\" }\n"
                         "cluster { preset: \"dgx-h100\" }\n"
                         "serving {\n"
                         "  workload { poisson { requests_per_second: 10 }\n"
                         "    requests: 1000\n"
                         "    input { fixed: 256 } output { fixed: 32 } }\n"
                         "  slo { ttft_ms: 200 tpot_ms: 20 }\n}\n";
  const std::string ask = "capacity --requests 200 --tolerance 0.1 " + file;
  const Ran load = Orrery(ask);
  EXPECT_EQ(load.code, 0) << load.err;
  EXPECT_THAT(load.out, HasSubstr("\nhighest load: "));
  const auto json =
      nlohmann::json::parse(Orrery(ask + " --format json").out);
  EXPECT_GT(json["load"].get<double>(), 10);
  EXPECT_THAT(Orrery(ask + " --format csv").out,
              HasSubstr("\ntried.beyond.load,,"));
  EXPECT_THAT(Orrery(ask + " --load 10").out,
              HasSubstr("fewest GPUs for 10 requests/s: 1, of 1 engine\n"));
  const Ran none =
      Orrery(ask + " --set 'serving.slo=[{ ttft_ms: 0.001 }]'");
  EXPECT_EQ(none.code, 3);
  EXPECT_THAT(none.out, HasSubstr("highest load: none meets the objectives\n"));
  EXPECT_THAT(none.out, HasSubstr("  limit: TTFT: "));
  EXPECT_EQ(Orrery(ask + " --load 1 --compare").code, 2);
  const Ran bad = Orrery("capacity gpt2-1xa100");
  EXPECT_EQ(bad.code, 1);
  EXPECT_THAT(bad.err, HasSubstr("serving: is missing; capacity is a question "
                                 "about serving\n"));
}

TEST(CommandLine, HelpAndVersionAreAnswers) {
  EXPECT_THAT(Orrery("--version").out, StartsWith("orrery "));
  const Ran help = Orrery("run --help");
  EXPECT_EQ(help.code, 0);
  // Every figure is defined there.
  EXPECT_THAT(help.out, HasSubstr("mfu"));
}

TEST(CommandLine, AModelOrAScenarioIsAccountedFor) {
  EXPECT_THAT(Orrery("account gpt2").out, HasSubstr("124,439,808"));
  EXPECT_EQ(Orrery("account gpt2-1xa100 --format csv").code, 0);
  const Ran mixture = Orrery("account mixtral-8x7b");
  EXPECT_EQ(mixture.code, 0);
  const Ran unknown = Orrery("account gpt22");
  EXPECT_EQ(unknown.code, 1);
  EXPECT_EQ(unknown.err,
            "gpt22: no such file, model or scenario; did you mean \"gpt2\"?\n");
}

TEST(CommandLine, FilesAreWrittenBesideTheAnswer) {
  const std::string folder = testing::TempDir();
  const Ran ran = Orrery(absl::StrCat("run gpt2-1xa100 --trace ", folder,
                                      "t.json --dump-graph ", folder, "g.dot"));
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(sim::ReadText(folder + "g.dot").value(), StartsWith("digraph"));
  EXPECT_TRUE(nlohmann::json::parse(sim::ReadText(folder + "t.json").value())
                  .contains("traceEvents"));
  const Ran nowhere = Orrery("run gpt2-1xa100 --dump-graph /nowhere/g.dot");
  EXPECT_EQ(nowhere.code, 1);
  EXPECT_EQ(nowhere.err,
            "/nowhere/g.dot: cannot write: No such file or directory\n");
}

TEST(CommandLine, ValidateAnswersPrograms) {
  const std::string table = testing::TempDir() + "gemm.csv";
  std::ofstream(table) << "gpu,dtype,m,n,k,time_us,source,framework,"
                          "act_quant_included,l2\n"
                          "h100,bf16,4096,4096,4096,178,lab,x,0,cold\n"
                          "h100,fp7,4096,4096,4096,178,lab,x,0,cold\n";
  const Ran ran = Orrery("validate " + table + " --format json --by gpu");
  EXPECT_EQ(ran.code, 0);
  const auto json = nlohmann::json::parse(ran.out);
  EXPECT_EQ(json["groups"][0]["group"], "h100");
  EXPECT_EQ(json["groups"][0]["modelled"], 1);
  EXPECT_EQ(json["rows"][0]["measured"], 178.0);
  EXPECT_EQ(json["rows"][1]["reason"], "no law prices fp7 GEMMs");
}

TEST(CommandLine, ValidateRefusesATableWithoutRows) {
  const std::string table = testing::TempDir() + "empty.csv";
  std::ofstream(table) << "run_id,cluster,hidden,iteration_ms\n";
  EXPECT_EQ(Orrery("validate " + table).err,
            table +
                ":1:1: the table has no row below the names of its "
                "columns\n");
}

TEST(CommandLine, ValidateRefusesATableItDoesNotKnow) {
  const Ran ran = Orrery("validate /nowhere/runs.csv");
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr("/nowhere/runs.csv"));
}

}  // namespace
