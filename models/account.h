// The account of a model: parameters, FLOPs, bytes and memory, exact, with the
// rules of thumb beside them.
//
//   AccountQuestion q = QuestionAbout(*LoadModel("llama2-70b"));
//   std::vector<AccountRow> rows = Account(q);
//   AccountText(q, rows);  // a table a section: exact | rule of thumb | note
//
// To add a figure: a row in one of the account_*.cc files. Text, CSV and JSON
// walk the rows.
#ifndef MODELS_ACCOUNT_H_
#define MODELS_ACCOUNT_H_

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "models/model_spec.h"
#include "models/op.h"
#include "models/training.h"
#include "sim/units.h"

namespace models {

// What of a machine the rules of thumb ask for.
struct MachineRates {
  std::string name;
  sim::FlopsPerSecond peak;    // dense, in the precision of the question
  sim::BytesPerSecond memory;  // HBM of one GPU
  sim::Bytes capacity;         // of one GPU
  sim::BytesPerSecond link;    // of one GPU to its node, one direction
  double utilization = 0.5;    // MFU the rules assume, 0..1
};

struct AccountQuestion {
  ModelSpec model;
  TrainingSpec training;
  DType served = DType::kBf16;  // weights and KV cache
  double tokens = 0;            // to train on; 0: 20 for each parameter
  std::optional<MachineRates> machine;
};

// A microbatch of one sequence: the longest power of two of tokens up to 4096
// that the model takes. One GPU, BF16, AdamW.
AccountQuestion QuestionAbout(const ModelSpec& model);

struct AccountRow {
  std::string section;  // "parameters"
  std::string name;     // "attention.query.weight"
  std::string unit;     // "FLOPs", "bytes", "seconds", …; "": a count
  std::optional<double> exact;
  std::optional<double> rule;
  std::optional<double> bytes;  // operators: HBM traffic, read and written
  std::string note;  // formula of the rule, or what the figure is made of
};

// REQUIRES: the training's split divides the model.
std::vector<AccountRow> Account(const AccountQuestion& question);

std::string AccountText(const AccountQuestion& question,
                        std::span<const AccountRow> rows);
// Columns: section, name, unit, exact, rule, bytes, note.
std::string AccountCsv(std::span<const AccountRow> rows);
// {"model": …, "rows": [{"section": …, "name": …, …}, …]}
std::string AccountJson(const AccountQuestion& question,
                        std::span<const AccountRow> rows);

}  // namespace models

#endif  // MODELS_ACCOUNT_H_
