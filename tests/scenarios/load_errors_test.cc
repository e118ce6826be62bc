// What a scenario file can get wrong, and the whole of what is said about it.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "scenarios/load.h"

namespace scenarios {
namespace {

// A scenario that loads: 64 H100, tensor 8 x pipeline 4 x data 2.
constexpr char kGood[] =
    "model { preset: \"llama3-70b\" }\n"
    "cluster { preset: \"dgx-h100\" nodes: 8 }\n"
    "training {\n"
    "  sequence_length: 8192 global_batch: 512\n"
    "  parallel { tensor: 8 pipeline: 4 }\n"
    "}\n";

std::string MessageOf(const std::string& text) {
  const absl::StatusOr<ScenarioFile> file = ParseScenario("a.textproto", text);
  if (!file.ok()) return std::string(file.status().message());
  const absl::StatusOr<Inputs> inputs = InputsOf(*file);
  return inputs.ok() ? "loads" : std::string(inputs.status().message());
}

// The good scenario with `was` replaced.
std::string With(const std::string& was, const std::string& is) {
  return absl::StrReplaceAll(kGood, {{was, is}});
}

struct Case {
  std::string text, message;
};

void Expect(const std::vector<Case>& cases) {
  for (const Case& c : cases) EXPECT_EQ(MessageOf(c.text), c.message);
}

TEST(LoadErrors, NoneInAGoodScenario) { EXPECT_EQ(MessageOf(kGood), "loads"); }

TEST(LoadErrors, UnknownNamesAskForTheNearest) {
  Expect({
      {With("tensor: 8", "tensr: 8"),
       "a.textproto:5:14: training.parallel.tensr: no such field; did you mean "
       "\"tensor\"?"},
      {With("512", "512 precision: BF17"),
       "a.textproto:4:54: training.precision: no value BF17; did you mean "
       "BF16? valid values are FP32, TF32, FP16, BF16, FP8"},
      {With("llama3-70b", "llama3-70"),
       "a.textproto:1:9: model.preset: there is no model \"llama3-70\" in the "
       "zoo; did you mean \"llama3-70b\"?"},
      {With("dgx-h100", "dgx-h10"),
       "a.textproto:2:11: cluster.preset: no cluster is called \"dgx-h10\"; "
       "did you mean \"dgx-h100\"?"},
      {With("training {", "training { profile: \"megatron-cor\""),
       "a.textproto:3:12: training.profile: there is no profile "
       "\"megatron-cor\"; did you mean \"megatron-core\"?"},
      {With("pipeline: 4", "pipeline: 4 schedule: \"1f2b\""),
       "a.textproto:5:36: training.parallel.schedule: there is no schedule "
       "\"1f2b\"; did you mean \"1f1b\"?"},
  });
}

TEST(LoadErrors, MissingPartsShowWhatToWrite) {
  Expect({
      {With("model { preset: \"llama3-70b\" }", ""),
       "a.textproto:1:1: model: is missing; e.g. model { preset: \"gpt2\" }"},
      {With("cluster { preset: \"dgx-h100\" nodes: 8 }", ""),
       "a.textproto:1:1: cluster: is missing; e.g. cluster { preset: "
       "\"dgx-h100\" }"},
      {"model { preset: \"gpt2\" } cluster { preset: \"dgx-h100\" }",
       "a.textproto:1:1: training: is missing; give at least sequence_length "
       "and global_batch"},
      {With("sequence_length: 8192", ""),
       "a.textproto:3:1: training.sequence_length: is missing; give the tokens "
       "of a sequence, e.g. 4096"},
      {With("global_batch: 512", ""),
       "a.textproto:3:1: training.global_batch: is missing; give the sequences "
       "of a step, e.g. 512"},
  });
}

TEST(LoadErrors, NumbersOutOfRangeSayTheRange) {
  Expect({
      {With("512", "512 micro_batch: 0"),
       "a.textproto:4:43: training.micro_batch: 0 is below 1; "
       "1 to 1000000000 works"},
      {With("pipeline: 4", "pipeline: 4 zero: 5"),
       "a.textproto:5:36: training.parallel.zero: 5 is above 3; 0 to 3 works"},
      {With("parallel {", "host { launch_us: 0 } parallel {"),
       "a.textproto:5:10: training.host.launch_us: 0 is not above 0; more than "
       "0, at most 10000, works"},
  });
}

TEST(LoadErrors, TensorParallelismDividesHeadsAndSequence) {
  Expect({
      {With("tensor: 8", "tensor: 6"),
       "a.textproto:5:14: training.parallel.tensor: 6 does not divide the "
       "model's 64 heads; 1, 2, 4, 8, 16, 32 or 64 would"},
      {absl::StrReplaceAll(
           kGood, {{"llama3-70b", "qwen2-7b"}, {"tensor: 8", "tensor: 7"}}),
       "a.textproto:5:14: training.parallel.tensor: 7 and the model's 4 "
       "key-value heads do not divide each other; 1, 2 or 4 would"},
      {With("tensor: 8", "sequence: true"),
       "a.textproto:5:14: training.parallel.sequence: needs tensor above 1; "
       "set tensor, or sequence: false"},
      {With("preset: \"llama3-70b\"", "linear_stack { layers: 4 width: 64 }"),
       "a.textproto:5:14: training.parallel.tensor: a linear stack has no "
       "heads to divide; 1 works"},
      {absl::StrReplaceAll(kGood,
                           {{"8192", "8190"}, {"tensor: 8", "context: 8"}}),
       "a.textproto:5:14: training.parallel.context: twice 8 does not divide "
       "the sequence_length of 8190; a sequence_length of 8192 would"},
  });
}

TEST(LoadErrors, TheSplitFillsTheClusterAndTheBatch) {
  Expect({
      {With("pipeline: 4", "pipeline: 5"),
       "a.textproto:5:3: training.parallel: tensor 8 x context 1 x pipeline 5 "
       "= 40 does not divide the cluster's 64 GPUs; 1, 2, 4, 8, 16, 32 or 64 "
       "would"},
      {With("pipeline: 4", "pipeline: 4 data: 4"),
       "a.textproto:5:36: training.parallel.data: tensor 8 x context 1 x "
       "pipeline 4 x data 4 = 128 GPUs, but the cluster has 64; data 2 would, "
       "or leave it out"},
      {With("512", "511"),
       "a.textproto:4:25: training.global_batch: 511 is not a multiple of "
       "micro_batch 1 x data 2 = 2; 510 or 512 would"},
      {With("tensor: 8 pipeline: 4", "zero: 3 shard_group: 7"),
       "a.textproto:5:22: training.parallel.shard_group: 7 does not divide the "
       "64 data-parallel ranks; 1, 2, 4, 8, 16, 32 or 64 would"},
      {With("tensor: 8 pipeline: 4", "zero: 0 shard_group: 8"),
       "a.textproto:5:22: training.parallel.shard_group: needs zero 1, 2 or 3: "
       "with zero 0 nothing is sharded"},
  });
}

TEST(LoadErrors, ThePipelineDividesTheLayers) {
  Expect({
      {With("tensor: 8 pipeline: 4", "pipeline: 64"),
       "a.textproto:5:14: training.parallel.pipeline: 64 does not divide the "
       "model's 80 layers; 1, 2, 4, 5, 8, 10, 16, 20, 40 or 80 would (or set "
       "placement or chunk_layers)"},
      {With("pipeline: 4", "pipeline: 4 virtual_stages: 3"),
       "a.textproto:5:36: training.parallel.virtual_stages: 3 chunks in 4 "
       "stages do not divide the model's 80 layers; 1, 2, 4, 5, 10 or 20 would "
       "(or set placement or chunk_layers)"},
      {With("pipeline: 4", "pipeline: 4 placement: COUNT_ENDS"),
       "a.textproto:5:36: training.parallel.placement: pipeline 4 x "
       "virtual_stages 1 does not divide the model's 80 layers and 2 for "
       "embedding and head; give chunk_layers"},
      {With("pipeline: 4", "pipeline: 4 chunk_layers: [20, 20, 20]"),
       "a.textproto:5:36: training.parallel.chunk_layers: 3 numbers for "
       "pipeline 4 x virtual_stages 1 = 4 chunks; give one each"},
      {With("pipeline: 4", "pipeline: 4 chunk_layers: [20, 20, 20, 19]"),
       "a.textproto:5:36: training.parallel.chunk_layers: sum to 79, but the "
       "model has 80 layers; give them all"},
  });
}

TEST(LoadErrors, SchedulesFitTheirChunksAndMicrobatches) {
  Expect({
      {With("pipeline: 4", "pipeline: 4 schedule: \"interleaved-1f1b\""),
       "a.textproto:5:36: training.parallel.schedule: interleaved-1f1b needs "
       "virtual_stages above 1; set virtual_stages or leave schedule out"},
      {With("pipeline: 4", "pipeline: 4 virtual_stages: 5 schedule: \"1f1b\""),
       "a.textproto:5:54: training.parallel.schedule: 1f1b has one chunk in a "
       "stage; set virtual_stages or leave schedule out"},
      {With("pipeline: 4", "virtual_stages: 5"),
       "a.textproto:5:24: training.parallel.virtual_stages: needs pipeline "
       "above 1; set pipeline, or 1 works"},
      {absl::StrReplaceAll(
           kGood,
           {{"pipeline: 4", "pipeline: 4 virtual_stages: 5"}, {"512", "6"}}),
       "a.textproto:4:25: training.global_batch: 6 makes 3 microbatches, and "
       "interleaving needs a multiple of pipeline, 4; 8 would"},
      {With("pipeline: 4",
            "pipeline: 4 virtual_stages: 4 schedule: \"zb-v\""),
       "a.textproto:5:36: training.parallel.virtual_stages: zb-v has two chunks "
       "in a stage; 2 works"},
      {absl::StrReplaceAll(
           kGood,
           {{"pipeline: 4", "pipeline: 4 schedule: \"dualpipe\""}, {"512", "8"}}),
       "a.textproto:4:25: training.global_batch: 8 makes 4 microbatches, and "
       "dualpipe needs 2 for each of 4 stages, 8; 16 would"},
      {absl::StrReplaceAll(
           kGood,
           {{"pipeline: 4", "pipeline: 4 schedule: \"dualpipe\""},
            {"512", "18"}}),
       "a.textproto:4:25: training.global_batch: 18 makes 9 microbatches, and "
       "dualpipe sends half of them each way, an even number; 20 would"},
      {With("pipeline: 4", "pipeline: 1 schedule: \"dualpipe\""),
       "a.textproto:5:24: training.parallel.pipeline: 1 stages are an odd "
       "number, and dualpipe gives the layers of each to the one opposite, too; "
       "2 would"},
  });
}

TEST(LoadErrors, ATableOfPassesRunsToItsEnd) {
  const auto table = [](absl::string_view lists) {
    return absl::StrReplaceAll(
        kGood, {{"pipeline: 4", absl::StrCat("pipeline: 2 schedule: \"table\" ",
                                             "schedule_table: [", lists, "]")},
                {"512", "8"}});
  };
  // Two microbatches: 8 sequences over four replicas.
  const std::string at = "a.textproto:5:54: training.parallel.schedule_table: ";
  Expect({
      {With("pipeline: 4", "pipeline: 4 schedule_table: \"F0\""),
       "a.textproto:5:36: training.parallel.schedule_table: needs schedule: "
       "\"table\"; 1f1b orders the passes itself"},
      {table("\"F0 F1 BW0 BW1\""),
       at + "1 lists of passes for 2 stages; give one each"},
      {table("\"F0 F1 BW0 BW1\", \"F0 G1\""),
       at + "stage 1, position 2: \"G1\" is no pass; F, BW, B or W, a "
            "microbatch and a chunk would be, e.g. F3.0"},
      {table("\"F0 F1 BW0 BW1\", \"F0 BW0 F1 B1\""),
       at + "stage 1: W1.0 is missing"},
      {table("\"F0 BW0 F1 BW1\", \"F0 F1 BW0 BW1\""),
       at + "the passes wait for each other: stage 0, position 2: BW0.0 waits "
            "for stage 1's BW0.0; stage 1, position 2: F1.0 waits for stage "
            "0's F1.0"},
  });
}

TEST(LoadErrors, RecomputedLayersNeedFullRecomputation) {
  Expect({
      {With("512", "512 recompute_layers: 3"),
       "a.textproto:4:43: training.recompute_layers: needs recompute: FULL; "
       "the other ways have no layers to choose"},
      {With("512", "512 recompute: FULL recompute_layers: 81"),
       "a.textproto:4:59: training.recompute_layers: 81 is more than the "
       "model's 80 layers; 0 recomputes them all"},
  });
}

TEST(LoadErrors, TheGpuRunsThePrecisionAndTheAttention) {
  Expect({
      {absl::StrReplaceAll(kGood, {{"dgx-h100", "dgx-a100-80gb"},
                                   {"512", "512 precision: FP8"}}),
       "a.textproto:4:43: training.precision: a100-sxm-80gb has no fp8 tensor "
       "cores; it supports fp32, tf32, fp16, bf16, int8, int4"},
      {absl::StrReplaceAll(kGood, {{"dgx-h100", "dgx-a100-80gb"},
                                   {"parallel {",
                                    "kernels { attention: FLASH_3 } "
                                    "parallel {"}}),
       "a.textproto:5:13: training.kernels.attention: no fa3 attention kernel "
       "is calibrated for a100-sxm-80gb; MATERIALISED, FLASH_1, TRITON, "
       "FLASH_2, CUDNN work"},
  });
}

TEST(LoadErrors, SequencesBeyondTheLearnedPositions) {
  Expect({
      {With("llama3-70b", "gpt2"),
       "a.textproto:4:3: training.sequence_length: 8192 is more than the "
       "model's 1024 learned positions; at most that many work"},
  });
}

TEST(LoadErrors, HorizonAndMeasuredFiguresComeWithTheirCompany) {
  const std::string good = kGood;
  Expect({
      {good + "horizon { budget_usd: 1e6 }",
       "a.textproto:7:11: horizon.budget_usd: needs the price of a GPU; set "
       "gpu_hour_usd, e.g. 2.5"},
      {good + "horizon { tokens: 0 }",
       "a.textproto:7:11: horizon.tokens: 0 is below 1; 1 to 1e+18 works"},
      {good + "measured { source: \"x\" }",
       "a.textproto:7:1: measured: needs one figure: step_seconds or "
       "tokens_per_second_per_gpu"},
      {good + "measured { step_seconds: 3 }",
       "a.textproto:7:1: measured: needs a source: paper and table, or file "
       "and row"},
  });
}

}  // namespace
}  // namespace scenarios
