// What `orrery account` is asked about: a model, or a scenario's model,
// training and GPU.
//
//   QuestionFor("llama2-70b", {});             // of the zoo
//   QuestionFor("hub/config.json", {});        // of Hugging Face
//   QuestionFor("llama3-70b-64xh100", {"training.micro_batch=2"});
#ifndef SCENARIOS_ACCOUNT_H_
#define SCENARIOS_ACCOUNT_H_

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/account.h"

namespace scenarios {

// `name` is a model of the zoo, a config.json, a scenario's file or one of the
// library. A model that can only be counted (experts, latent attention) is
// asked about with the question's own batch and no split; a scenario without
// training or cluster likewise lacks these. --set needs a scenario.
absl::StatusOr<models::AccountQuestion> QuestionFor(
    const std::string& name, std::span<const std::string> sets);

// What the simulator says of a scenario, beside the rule of thumb: step, MFU,
// bubble, time for the question's tokens. Empty for a model, and for a scenario
// that can only be counted.
// REQUIRES: `question` is QuestionFor(name, sets).
std::vector<models::AccountRow> SimulatedRows(
    const std::string& name, std::span<const std::string> sets,
    const models::AccountQuestion& question);

}  // namespace scenarios

#endif  // SCENARIOS_ACCOUNT_H_
