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

#include "absl/status/statusor.h"
#include "models/account.h"

namespace scenarios {

// `name` is a model of the zoo, a config.json, a scenario's file or one of the
// library. A model that can only be counted (experts, latent attention) is
// asked about with the question's own batch and no split; a scenario without
// training or cluster likewise lacks these. --set needs a scenario.
absl::StatusOr<models::AccountQuestion> QuestionFor(
    const std::string& name, std::span<const std::string> sets);

}  // namespace scenarios

#endif  // SCENARIOS_ACCOUNT_H_
