#include "models/account.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "models/account_sections.h"
#include "models/model_spec.h"
#include "models/rank_shape.h"
#include "models/training_graph.h"

namespace models {

AccountQuestion QuestionAbout(const ModelSpec& model) {
  constexpr int64_t kLongest = 4096;
  AccountQuestion question;
  question.model = model;
  int64_t sequence = 1;
  const int64_t longest =
      model.linear_stack ? kLongest : std::min(model.max_positions, kLongest);
  while (2 * sequence <= longest) sequence *= 2;
  question.training.sequence_length = sequence;
  question.training.pad_vocab_to = 1;
  return question;
}

bool HasGraph(const ModelSpec& model) {
  return model.embedding_dim == 0;
}

OpGraph GraphOfWhole(const AccountQuestion& question) {
  TrainingSpec alone = question.training;
  alone.pad_vocab_to *= alone.split.tensor;
  alone.split = {};
  alone.global_batch = alone.micro_batch;
  return BuildChunk(question.model, alone,
                    ChunksOf(question.model, alone.split)[0][0]);
}

std::vector<AccountRow> Account(const AccountQuestion& question) {
  AccountRows rows;
  AddParameters(question, &rows);
  AddOperators(question, &rows);
  AddFlops(question, &rows);
  AddTrainingState(question, &rows);
  AddOptimizers(question, &rows);
  AddActivations(question, &rows);
  AddCommunication(question, &rows);
  if (!question.model.linear_stack) {
    AddKvCache(question, &rows);
    AddInference(question, &rows);
    AddServingRules(question, &rows);
  }
  if (question.machine) AddMachine(question, &rows);
  return rows;
}

}  // namespace models
