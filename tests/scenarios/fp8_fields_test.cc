#include "scenarios/fp8_fields.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/scenarios/problem.h"

namespace scenarios {
namespace {

// What loading says, after the place; empty if it is legal.
std::string Problem(const std::vector<std::string>& sets) {
  return ProblemOf(
      {"model.preset=llama3-8b", "cluster.preset=dgx-h100",
       "training.sequence_length=4096", "training.global_batch=8"},
      sets);
}

TEST(Fp8Fields, RecipesAreOfPrecisionFp8) {
  EXPECT_EQ(Problem({"training.precision=FP8", "training.fp8.scaling=BLOCKWISE",
                     "training.fp8.first_bf16_layers=1"}),
            "");
  EXPECT_EQ(Problem({"training.fp8.scaling=DELAYED"}),
            "training.fp8: is of precision FP8; set that, or leave it out");
}

TEST(Fp8Fields, LibrariesHaveTheirRecipes) {
  EXPECT_EQ(Problem({"training.precision=FP8", "training.fp8.scaling=DELAYED",
                     "training.fp8.library=TORCHAO"}),
            "training.fp8.library: torchao has no DELAYED; TRANSFORMER_ENGINE "
            "works");
  EXPECT_EQ(Problem({"training.precision=FP8", "training.fp8.scaling=ROWWISE"}),
            "training.fp8.library: Transformer Engine has no ROWWISE; TORCHAO "
            "works");
}

TEST(Fp8Fields, LayersInBf16AreTheModels) {
  EXPECT_EQ(Problem({"training.precision=FP8",
                     "training.fp8.first_bf16_layers=30",
                     "training.fp8.last_bf16_layers=3"}),
            "training.fp8.last_bf16_layers: 3 and first_bf16_layers, 30, are "
            "more than the model's 32 layers; at most 2 would");
}

}  // namespace
}  // namespace scenarios
