// From `training { fp8 { … } }` to an Fp8Recipe, and whether it fits the rest.
//
//   // training.fp8.library: torchao has no BLOCKWISE; TRANSFORMER_ENGINE works
//   CheckFp8(training, inputs, file.At("training"))
#ifndef SCENARIOS_FP8_FIELDS_H_
#define SCENARIOS_FP8_FIELDS_H_

#include "absl/status/status.h"
#include "models/fp8_recipe.h"
#include "scenarios/inputs.h"
#include "scenarios/training.pb.h"
#include "sim/text_file.h"

namespace scenarios {

models::Fp8Recipe Fp8RecipeOf(const proto::Fp8& fp8);

// `field` is where `training` stands.
absl::Status CheckFp8(const proto::Training& training, const Inputs& inputs,
                      const sim::TextField& field);

}  // namespace scenarios

#endif  // SCENARIOS_FP8_FIELDS_H_
