#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/scenarios/problem.h"

namespace scenarios {
namespace {

// What loading says of a Mistral 7B on eight H100 with these fields changed,
// after the place; empty if it is legal.
std::string Problem(const std::vector<std::string>& sets) {
  return ProblemOf(
      {"model.preset=mistral-7b", "cluster.preset=dgx-h100",
       "training.sequence_length=8192", "training.global_batch=8"},
      sets);
}

TEST(TrainingChecks, ContextParallelRanksPassKeysOrGatherThem) {
  EXPECT_EQ(Problem({}), "");
  // Mistral's windows are 4,096 tokens; it has 32 heads and 8 key-value heads.
  EXPECT_EQ(Problem({"training.parallel.context=2"}),
            "training.parallel.context_kind: P2P passes whole chunks, which "
            "the model's 4096-token windows do not need; ALL_GATHER and A2A "
            "work");
  for (const char* kind : {"ALL_GATHER", "A2A"}) {
    EXPECT_EQ(Problem({"training.parallel.context=2",
                       absl::StrCat("training.parallel.context_kind=", kind)}),
              "");
  }
  EXPECT_EQ(
      Problem({"training.parallel.context=2", "training.sequence_length=4096"}),
      "");
  EXPECT_EQ(Problem({"training.parallel.context=2",
                     "training.kernels.attention=MATERIALISED"}),
            "training.parallel.context: passes keys around fused attention "
            "kernels; set kernels.attention to one of those, or context: 1");
}

TEST(TrainingChecks, ExchangedHeadsMustDivide) {
  EXPECT_EQ(
      Problem({"training.parallel.context=4", "training.parallel.tensor=2",
               "training.parallel.context_kind=A2A"}),
      "");
  EXPECT_EQ(
      Problem({"training.parallel.context=2", "training.parallel.tensor=4",
               "training.parallel.context_kind=A2A",
               "model.transformer.kv_heads=4"}),
      "training.parallel.context_kind: A2A divides the heads among 2 ranks, "
      "but tensor 4 leaves 8 query and 1 key-value heads; at most 1 works");
  EXPECT_EQ(Problem({"training.parallel.context=8",
                     "training.parallel.context_kind=A2A_P2P",
                     "training.parallel.context_inner=3"}),
            "training.parallel.context_inner: 3 must lie between 1 and "
            "context, 8, and divide it; A2A or P2P alone need none");
  EXPECT_EQ(Problem({"training.parallel.context_inner=2"}),
            "training.parallel.context_inner: is of context_kind A2A_P2P; set "
            "that, or leave it out");
}

TEST(TrainingChecks, PackedSequencesFitARowAndTheirRing) {
  const std::string row = "training.sequence_length=4096";
  EXPECT_EQ(Problem({"training.sequences.length=512"}), "");
  EXPECT_EQ(Problem({"training.sequences.packed=true"}),
            "training.sequences: needs either length or uniform; e.g. length: "
            "[512, 2048], or uniform { most: 2048 }");
  EXPECT_EQ(Problem({"training.sequences.uniform.least=5"}),
            "training.sequences.uniform.most: is missing; give the tokens of "
            "the longest sequence");
  EXPECT_EQ(Problem({"training.sequences.uniform.least=5",
                     "training.sequences.uniform.most=4"}),
            "training.sequences.uniform.least: 5 is more than most, 4");
  EXPECT_EQ(Problem({"training.sequences.length=9000"}),
            "training.sequences: the longest has 9000 tokens and a row "
            "(sequence_length) 8192; shorter ones, or a longer row, work");
  EXPECT_EQ(Problem({"training.sequences.length=512",
                     "training.sequences.packed=false",
                     "training.sequences.fill=0.5"}),
            "training.sequences.fill: is of packed rows; set packed: true, or "
            "leave it out");
  EXPECT_EQ(Problem({"training.sequences.length=512",
                     "training.kernels.attention=MATERIALISED"}),
            "training.kernels.attention: materialised scores have no blocks of "
            "packed sequences; fused kernels do, or sequences.packed: false");
  EXPECT_EQ(Problem({row, "training.sequences.length=510",
                     "training.parallel.context=2"}),
            "training.sequences.length: each sequence is cut in 2 x context = "
            "4 pieces, which do not divide 510; padded to 512 it would");
  EXPECT_EQ(Problem({row, "training.sequences.length=512",
                     "training.parallel.context=2",
                     "training.parallel.context_kind=A2A"}),
            "training.parallel.context_kind: A2A does not take packed "
            "sequences; P2P does");
}

TEST(TrainingChecks, OnlyLatentAttentionHasUpProjectionsToRecompute) {
  EXPECT_EQ(Problem({"training.recompute=MLA_UP_PROJECTION"}),
            "training.recompute: MLA_UP_PROJECTION needs a model with latent "
            "attention; NONE, SELECTIVE, OPERATORS and FULL work");
}

TEST(TrainingChecks, ADividedVocabularyNeedsPlain1F1BAndTheLastStagesHead) {
  const std::string row = "training.parallel.vocabulary=ONE_BARRIER";
  EXPECT_EQ(Problem({row}),
            "training.parallel.vocabulary: needs schedule 1f1b on several "
            "stages; ON_ENDS works");
  EXPECT_EQ(Problem({row, "training.parallel.pipeline=4"}), "");
  EXPECT_EQ(Problem({row, "training.parallel.pipeline=4",
                     "model.preset=llama3-8b",
                     "model.transformer.mtp_layers=1"}),
            "training.parallel.vocabulary: the layers that predict further "
            "tokens read the whole head on the last stage; ON_ENDS works");
}

}  // namespace
}  // namespace scenarios
