// The sections of an account, each a function that appends its rows.
//
//   AddParameters(question, &rows);  // section "parameters", a row a tensor
//
// To add a section: a function here, called in account.cc.
#ifndef MODELS_ACCOUNT_SECTIONS_H_
#define MODELS_ACCOUNT_SECTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "models/account.h"
#include "models/op_graph.h"

namespace models {

using AccountRows = std::vector<AccountRow>;

// account_work.cc
void AddParameters(const AccountQuestion& question, AccountRows* rows);
void AddOperators(const AccountQuestion& question, AccountRows* rows);
void AddFlops(const AccountQuestion& question, AccountRows* rows);

// account_memory.cc
void AddTrainingState(const AccountQuestion& question, AccountRows* rows);
void AddOptimizers(const AccountQuestion& question, AccountRows* rows);
void AddActivations(const AccountQuestion& question, AccountRows* rows);
void AddKvCache(const AccountQuestion& question, AccountRows* rows);

// account_rules.cc
void AddInference(const AccountQuestion& question, AccountRows* rows);
void AddCommunication(const AccountQuestion& question, AccountRows* rows);
void AddMachine(const AccountQuestion& question, AccountRows* rows);
void AddServingRules(const AccountQuestion& question, AccountRows* rows);

// Whether models/training_graph.h has the operators of this model.
bool HasGraph(const ModelSpec& model);

// Forward and backward of the whole model over one microbatch on one GPU, with
// the question's kernels and recomputation. REQUIRES: HasGraph(model).
OpGraph GraphOfWhole(const AccountQuestion& question);

// 4096 as "4,096".
std::string Grouped(int64_t number);
// "1 operator", "80 operators".
std::string Counted(int64_t number, absl::string_view noun);
// 1.5e9 as "1.500 GB"; MB from a million on, below that whole bytes.
std::string ReadableBytes(double bytes);

}  // namespace models

#endif  // MODELS_ACCOUNT_SECTIONS_H_
