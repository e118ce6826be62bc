#include "tools/calibrate/fit.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <thread>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/message.h"
#include "scenarios/validation_report.h"
#include "tools/calibrate/constant.h"
#include "tools/calibrate/minimise.h"
#include "tools/calibrate/recipe.pb.h"

namespace tools {
namespace {

using google::protobuf::Message;
using Rows = std::vector<size_t>;

constexpr int kMostEvaluations = 1500;

// Worse than any price: of constants that the law refuses.
constexpr double kRefused = 1e6;

// To four digits: more would say that the data tell more.
double Rounded(double value) {
  if (value == 0) return 0;
  const double scale =
      std::pow(10, 3 - std::floor(std::log10(std::abs(value))));
  return std::round(value * scale) / scale;
}

std::unique_ptr<Message> CopyOf(const Message& message) {
  std::unique_ptr<Message> copy(message.New());
  copy->CopyFrom(message);
  return copy;
}

absl::StatusOr<std::vector<Variable>> VariablesOf(const proto::Recipe& recipe,
                                                  const Message& constants) {
  std::vector<Variable> variables;
  for (const auto& constant : recipe.constant()) {
    const absl::StatusOr<double> start =
        ReadConstant(constant.path(), constants);
    if (!start.ok()) return start.status();
    variables.push_back({*start, constant.least(), constant.most()});
  }
  return variables;
}

void SetAll(const proto::Recipe& recipe, std::span<const double> values,
            Message& constants) {
  for (int i = 0; i < recipe.constant_size(); ++i) {
    // The paths were read before: they lead somewhere.
    (void)SetConstant(recipe.constant(i).path(), values[static_cast<size_t>(i)],
                      constants);
  }
}

// Weighted: as often as the recipe says that each row counts.
double MeanLogError(const proto::Recipe& recipe, const FitProblem& problem,
                    const Rows& rows, const Message& constants) {
  const absl::StatusOr<std::vector<double>> priced =
      problem.price(constants, rows);
  if (!priced.ok()) return kRefused;
  double sum = 0, weights = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const double measured = problem.rows[rows[i]].measured;
    const bool counts_more =
        recipe.has_long_weight() && measured >= recipe.long_us();
    const double weight = counts_more ? recipe.long_weight() : 1;
    sum += weight * std::abs(std::log((*priced)[i] / measured));
    weights += weight;
  }
  return sum / weights;
}

// `start` with the constants that are best for `rows`.
std::unique_ptr<Message> Best(const proto::Recipe& recipe,
                              const FitProblem& problem, const Rows& rows,
                              std::span<const Variable> variables,
                              const Message& start) {
  std::unique_ptr<Message> constants = CopyOf(start);
  const Minimum minimum = Minimise(
      variables,
      [&](std::span<const double> values) {
        SetAll(recipe, values, *constants);
        return MeanLogError(recipe, problem, rows, *constants);
      },
      kMostEvaluations);
  std::vector<double> rounded;
  for (const double value : minimum.at) rounded.push_back(Rounded(value));
  SetAll(recipe, rounded, *constants);
  return constants;
}

// Rows to predict by constants fitted to `fitted`.
struct Split {
  Rows fitted, predicted;
};

// One split for each part; every row is predicted in the split of its part.
std::vector<Split> Leaving(std::span<const size_t> part_of_row, size_t parts) {
  std::vector<Split> splits(parts);
  for (size_t row = 0; row < part_of_row.size(); ++row) {
    for (size_t part = 0; part < parts; ++part) {
      Split& split = splits[part];
      (part == part_of_row[row] ? split.predicted : split.fitted)
          .push_back(row);
    }
  }
  return splits;
}

// Spreads names that resemble each other over the folds: FNV-1a.
uint64_t Hash(const std::string& text) {
  uint64_t hash = 14695981039346656037u;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  }
  return hash;
}

// The fold of each row: layouts, ordered by hash, are dealt in turn.
std::vector<size_t> FoldsOf(std::span<const FitRow> rows) {
  absl::btree_map<std::pair<uint64_t, std::string>, size_t> folds;
  for (const FitRow& row : rows) folds[{Hash(row.layout), row.layout}] = 0;
  size_t next = 0;
  for (auto& [layout, fold] : folds) fold = next++ % kFolds;
  std::vector<size_t> of_row;
  for (const FitRow& row : rows) {
    of_row.push_back(folds[{Hash(row.layout), row.layout}]);
  }
  return of_row;
}

// Predictions of every row that some split predicts; the rest stay 0.
std::vector<double> KeptOut(const proto::Recipe& recipe,
                            const FitProblem& problem,
                            std::span<const Split> splits,
                            std::span<const Variable> variables,
                            const Message& start) {
  std::vector<double> predictions(problem.rows.size());
  std::vector<std::jthread> threads;
  for (const Split& split : splits) {
    threads.emplace_back([&] {
      const std::unique_ptr<Message> constants =
          Best(recipe, problem, split.fitted, variables, start);
      const auto priced = problem.price(*constants, split.predicted);
      for (size_t i = 0; i < split.predicted.size(); ++i) {
        predictions[split.predicted[i]] = priced.value()[i];
      }
    });
  }
  threads.clear();  // joins
  return predictions;
}

FitError ErrorOf(const std::string& of, const FitProblem& problem,
                 std::span<const double> predictions, const Rows& rows) {
  std::vector<double> errors, sizes;
  FitError error{.of = of, .rows = static_cast<int64_t>(rows.size())};
  for (const size_t row : rows) {
    errors.push_back(predictions[row] / problem.rows[row].measured - 1);
    sizes.push_back(std::abs(errors.back()));
    error.mean_error += sizes.back() / static_cast<double>(rows.size());
  }
  error.p90_error = scenarios::Quantile(sizes, 0.9);
  error.low = scenarios::Quantile(errors, 0.1);
  error.high = scenarios::Quantile(errors, 0.9);
  return error;
}

// Errors by the name that `name_of` gives a row, in the order of names.
template <class NameOf>
std::vector<FitError> ErrorsBy(const FitProblem& problem,
                               std::span<const double> predictions,
                               NameOf name_of) {
  absl::btree_map<std::string, Rows> rows;
  for (size_t row = 0; row < problem.rows.size(); ++row) {
    rows[name_of(problem.rows[row])].push_back(row);
  }
  std::vector<FitError> errors;
  for (const auto& [name, each] : rows) {
    errors.push_back(ErrorOf(name, problem, predictions, each));
  }
  return errors;
}

// Which machine each row ran on, numbered in the order of their names.
std::pair<std::vector<size_t>, size_t> MachinesOf(
    std::span<const FitRow> rows) {
  absl::btree_map<std::string, size_t> machines;
  for (const FitRow& row : rows) machines[row.machine] = 0;
  size_t next = 0;
  for (auto& [name, number] : machines) number = next++;
  std::vector<size_t> of_row;
  for (const FitRow& row : rows) of_row.push_back(machines[row.machine]);
  return {of_row, machines.size()};
}

absl::Status CheckLayouts(const proto::Recipe& recipe,
                          const FitProblem& problem) {
  absl::btree_set<std::string> layouts;
  for (const FitRow& row : problem.rows) layouts.insert(row.layout);
  if (layouts.size() >= kFolds) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      recipe.name(), ": rows of only ", layouts.size(),
      " layouts (weight shapes, head layouts, widths, ...); measure at least ",
      kFolds, ", so that the fit can be checked on some it has not seen"));
}

}  // namespace

absl::StatusOr<Fitted> Fit(const proto::Recipe& recipe,
                           const FitProblem& problem, Message& constants) {
  absl::Status status = CheckLayouts(recipe, problem);
  if (!status.ok()) return status;
  const absl::StatusOr<std::vector<Variable>> variables =
      VariablesOf(recipe, constants);
  if (!variables.ok()) return variables.status();

  Rows all(problem.rows.size());
  for (size_t row = 0; row < all.size(); ++row) all[row] = row;
  Fitted fitted;
  const std::vector<double> kept_out =
      KeptOut(recipe, problem, Leaving(FoldsOf(problem.rows), kFolds),
              *variables, constants);
  fitted.kept_out = ErrorOf(recipe.name(), problem, kept_out, all);
  fitted.families =
      ErrorsBy(problem, kept_out, [](const FitRow& row) { return row.family; });
  const auto [machine_of_row, machines] = MachinesOf(problem.rows);
  if (machines > 1) {
    fitted.machines =
        ErrorsBy(problem,
                 KeptOut(recipe, problem, Leaving(machine_of_row, machines),
                         *variables, constants),
                 [](const FitRow& row) { return row.machine; });
  }
  const std::unique_ptr<Message> best =
      Best(recipe, problem, all, *variables, constants);
  fitted.in_sample =
      ErrorOf(recipe.name(), problem, problem.price(*best, all).value(), all);
  for (int i = 0; i < recipe.constant_size(); ++i) {
    const std::string& path = recipe.constant(i).path();
    fitted.constants.push_back({path,
                                (*variables)[static_cast<size_t>(i)].start,
                                ReadConstant(path, *best).value()});
  }
  constants.CopyFrom(*best);
  return fitted;
}

}  // namespace tools
