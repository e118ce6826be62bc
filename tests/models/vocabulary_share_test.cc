#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "models/load_model.h"
#include "models/rank_shape.h"
#include "models/schedules/plan_check.h"
#include "models/schedules/vocabulary_plan.h"
#include "models/training_graph.h"

namespace models {
namespace {

TEST(VocabularyPlan, StagesMeetInOneOrderAndHoldOneMoreForEachBarrier) {
  for (const int64_t barriers : {1, 2}) {
    for (const int64_t p : {2, 4, 8}) {
      for (const int64_t m : {1, 5, 32}) {
        SCOPED_TRACE(absl::StrCat(barriers, " barriers, ", p, " stages, ", m));
        const Plan plan =
            PlanVocabulary({.stages = p, .microbatches = m}, barriers);
        for (int64_t stage = 0; stage < p; ++stage) {
          const std::vector<Pass>& passes = plan[static_cast<size_t>(stage)];
          EXPECT_EQ(static_cast<int64_t>(passes.size()), 4 * m);
          int64_t met = 0, held = 0, most = 0;
          for (const Pass& pass : passes) {
            const bool forward = pass.kind == PassKind::kForward;
            if (pass.chunk == 1) {
              // S0, S1 T0, S2 T1, …, the last T.
              const bool last = met == 2 * m - 1;
              EXPECT_EQ(forward, met == 0 || (met % 2 == 1 && !last));
              EXPECT_EQ(pass.microbatch, last      ? m - 1
                                         : forward ? (met + 1) / 2
                                                   : met / 2 - 1);
              ++met;
            } else {
              held += forward ? 1 : -1;
            }
            most = std::max(most, held);
          }
          EXPECT_LE(most, std::min(m, p - stage + barriers));
        }
      }
    }
  }
}

TEST(VocabularyPlan, TheLastStagesGradientsFollowItsShare) {
  // F0 and F1 go to all: S0, S1, then T0, and its backward pass.
  const Plan plan = PlanVocabulary({.stages = 2, .microbatches = 2}, 2);
  EXPECT_EQ(TextOf(plan[1]), "F0.0 F1.0 F0.1 F1.1 BW0.1 BW1.1 BW0.0 BW1.0");
}

TEST(VocabularyShare, IsAnEqualPartOfBothTables) {
  const ModelSpec model = LoadModel("gpt3-175b").value();
  TrainingSpec training;
  training.split = {.pipeline = 8, .vocabulary = VocabularySplit::kTwoBarriers};
  training.pad_vocab_to = 1;
  const auto stages = ChunksOf(model, training.split);
  const RankShape shape(model, training);
  for (const auto& chunks : stages) {
    ASSERT_EQ(chunks.size(), 2u);
    EXPECT_FALSE(chunks[0].embedding || chunks[0].head);
    // Tokens and positions; the tied head is the same table.
    EXPECT_EQ(shape.ParametersOf(chunks[1]).total(),
              (shape.embedding_parameters + shape.head_parameters + 7) / 8);
  }
}

TEST(VocabularyShare, LogitsOfAllStagesAreThoseOfTheModel) {
  const ModelSpec model = LoadModel("gpt3-175b").value();
  for (const VocabularySplit kind :
       {VocabularySplit::kTwoBarriers, VocabularySplit::kOneBarrier}) {
    TrainingSpec training;
    training.split = {.pipeline = 8, .vocabulary = kind};
    const OpGraph graph =
        BuildChunk(model, training, ChunksOf(model, training.split)[7][1]);
    // 2·tokens·hidden·V/8 three times: logits, their gradients of inputs and of
    // weights.
    double flops = 0;
    for (const Op& op : graph.ops) {
      if (op.kernel() != nullptr) {
        flops += MatrixFlops(*op.kernel(), false).count();
      }
    }
    const RankShape shape(model, training);
    EXPECT_DOUBLE_EQ(flops, 3 * 2.0 * 2048 * static_cast<double>(model.hidden) *
                                static_cast<double>((shape.vocab + 7) / 8));
  }
}

}  // namespace
}  // namespace models
