// A question small enough for tests: a GPT-2 on one DGX H100, split as asked.
#ifndef TESTS_SCENARIOS_SMALL_INPUTS_H_
#define TESTS_SCENARIOS_SMALL_INPUTS_H_

#include "models/load_model.h"
#include "scenarios/inputs.h"

namespace scenarios {

inline Inputs SmallInputs(const models::Split& split, int64_t microbatches) {
  Inputs inputs;
  inputs.name = "small";
  inputs.model = models::LoadModel("gpt2-medium").value();
  inputs.cost = hardware::CostModel::Load("h100-sxm-80gb").value();
  inputs.cluster = hardware::LoadCluster("dgx-h100").value();
  inputs.cluster.nodes = static_cast<int>((split.ranks() + 7) / 8);
  inputs.profile = "test";
  inputs.training.sequence_length = 1024;
  inputs.training.split = split;
  inputs.training.global_batch = microbatches * split.data;
  return inputs;
}

}  // namespace scenarios

#endif  // TESTS_SCENARIOS_SMALL_INPUTS_H_
