#include "tools/calibrate/fit_tables.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "hardware/calibration.pb.h"
#include "scenarios/op_tables/op_tables.h"
#include "sim/csv_file.h"
#include "sim/data_path.h"
#include "sim/spelling.h"
#include "sim/text_file.h"
#include "tools/calibrate/calibration_text.h"
#include "tools/calibrate/constant.h"
#include "tools/calibrate/fit.h"
#include "tools/calibrate/fit_target.h"
#include "tools/calibrate/recipe.pb.h"

namespace tools {
namespace {

// Tables whose rows the constants of one kind of file price.
struct Kind {
  bool (*takes)(const sim::CsvFile& table);
  absl::StatusOr<FitTarget> (*target)(const FitQuestion& question,
                                      std::span<const sim::CsvFile> tables);
};
constexpr Kind kKinds[] = {
    {[](const sim::CsvFile& csv) {
       return scenarios::FindOpTable(csv) != nullptr;
     },
     OpsTarget},
};

const Kind* KindOf(const sim::CsvFile& csv) {
  for (const Kind& kind : kKinds) {
    if (kind.takes(csv)) return &kind;
  }
  return nullptr;
}

absl::StatusOr<FitTarget> TargetOf(const FitQuestion& question) {
  std::vector<sim::CsvFile> tables;
  const Kind* kind = nullptr;
  for (const std::string& path : question.tables) {
    absl::StatusOr<sim::CsvFile> csv = sim::CsvFile::Load(path);
    if (!csv.ok()) return csv.status();
    const Kind* its = KindOf(*csv);
    if (its == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, ":1:1: no law is fitted to a table with these columns; ",
          "README.md names those of every table"));
    }
    if (kind != nullptr && its != kind) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, ":1:1: its constants are in another file than those of ",
          question.tables.front(), "; fit one file at a time"));
    }
    kind = its;
    tables.push_back(*std::move(csv));
  }
  return kind->target(question, tables);
}

absl::StatusOr<proto::Recipes> LoadRecipes(
    const std::vector<std::string>& only) {
  proto::Recipes recipes;
  const absl::StatusOr<sim::TextFile> file = sim::TextFile::Load(
      sim::DataPath("tools/calibrate/recipes.textproto").string(), &recipes);
  if (!file.ok()) return file.status();
  std::vector<std::string> names;
  for (const proto::Recipe& recipe : recipes.recipe()) {
    names.push_back(recipe.name());
  }
  for (const std::string& name : only) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("--only: there is no recipe \"", name, "\"; ",
                     sim::Suggest(name, names, "recipes")));
  }
  return recipes;
}

std::string NamesOf(const std::vector<std::string>& paths) {
  std::vector<std::string> names;
  for (const std::string& path : paths) {
    names.push_back(std::filesystem::path(path).filename().string());
  }
  return absl::StrJoin(names, ", ");
}

std::string Percent(double share) {
  return absl::StrFormat("%.1f %%", 100 * share);
}

void SetResidual(const FitError& error,
                 hardware::proto::Provenance::Residual& residual) {
  const auto rounded = [](double share) {
    return std::round(share * 1e4) / 1e4;
  };
  residual.set_family(error.of);
  residual.set_rows(error.rows);
  residual.set_mape(rounded(error.mean_error));
  residual.set_p90(rounded(error.p90_error));
  residual.set_low(rounded(error.low));
  residual.set_high(rounded(error.high));
}

// Writes where the constants come from into the law's provenance.
absl::Status SetProvenance(const proto::Recipe& recipe, const Fitted& fitted,
                           const FitProblem& problem,
                           const FitQuestion& question,
                           google::protobuf::Message& constants) {
  const auto law = FindMessage(recipe.law() + ".provenance", constants);
  if (!law.ok()) return law.status();
  auto& provenance = dynamic_cast<hardware::proto::Provenance&>(**law);
  absl::btree_set<std::string> machines;
  for (const FitRow& row : problem.rows) machines.insert(row.machine);
  provenance.Clear();
  provenance.set_table(absl::StrCat(NamesOf(question.tables), ": ",
                                    recipe.table(), ", ",
                                    absl::StrJoin(recipe.family(), ", "),
                                    recipe.source().empty() ? "" : " of ",
                                    absl::StrJoin(recipe.source(), ", "), "; ",
                                    absl::StrJoin(machines, ", ")));
  provenance.set_rows(static_cast<int64_t>(problem.rows.size()));
  provenance.set_date(question.date);
  provenance.set_method(absl::StrCat(
      "orrery fit: least mean |log(predicted / measured)|, subplex",
      recipe.has_long_weight()
          ? absl::StrCat("; rows of ", recipe.long_us(), " us and more count ",
                         recipe.long_weight(), " times")
          : ""));
  provenance.set_error(
      absl::StrCat("cross-validated, ", kFolds, " folds by layout: MAPE ",
                   Percent(fitted.kept_out.mean_error), ", p90 ",
                   Percent(fitted.kept_out.p90_error), "; in sample MAPE ",
                   Percent(fitted.in_sample.mean_error)));
  for (const std::string& machine : machines) provenance.add_gpu(machine);
  for (const FitError& error : fitted.families) {
    SetResidual(error, *provenance.add_residual());
  }
  for (const FitError& error : fitted.machines) {
    SetResidual(error, *provenance.add_left_out());
  }
  return absl::OkStatus();
}

std::string ErrorLine(const std::string& name, const FitError& error) {
  return absl::StrFormat(
      "  %-36s %6d rows  MAPE %6s  p90 %6s  80 %% within "
      "%+.1f to %+.1f %%\n",
      name, error.rows, Percent(error.mean_error), Percent(error.p90_error),
      100 * error.low, 100 * error.high);
}

std::string ReportOf(const proto::Recipe& recipe, const Fitted& fitted) {
  std::string text = absl::StrCat(recipe.name(), "\n");
  text += ErrorLine("in sample", fitted.in_sample);
  text += ErrorLine(absl::StrCat("kept out, ", kFolds, " folds by layout"),
                    fitted.kept_out);
  if (fitted.families.size() > 1) {
    for (const FitError& error : fitted.families) {
      text += ErrorLine("  " + error.of, error);
    }
  }
  for (const FitError& error : fitted.machines) {
    text += ErrorLine(error.of + " from the others", error);
  }
  for (const FittedConstant& constant : fitted.constants) {
    absl::StrAppendFormat(&text, "  %-48s %9.4g -> %.4g\n", constant.path,
                          constant.before, constant.after);
  }
  return text + "\n";
}

bool Asked(const FitQuestion& question, const proto::Recipe& recipe) {
  return question.only.empty() ||
         std::find(question.only.begin(), question.only.end(), recipe.name()) !=
             question.only.end();
}

}  // namespace

bool Named(const google::protobuf::RepeatedPtrField<std::string>& names,
           const std::string& name) {
  return names.empty() ||
         std::find(names.begin(), names.end(), name) != names.end();
}

absl::StatusOr<FitAnswer> FitTables(const FitQuestion& question) {
  const absl::StatusOr<FitTarget> target = TargetOf(question);
  if (!target.ok()) return target.status();
  const absl::StatusOr<proto::Recipes> recipes = LoadRecipes(question.only);
  if (!recipes.ok()) return recipes.status();
  FitAnswer answer;
  for (const proto::Recipe& recipe : recipes->recipe()) {
    if (!Asked(question, recipe)) continue;
    const FitProblem problem = target->problem(recipe);
    if (problem.rows.empty()) continue;
    const absl::StatusOr<Fitted> fitted =
        Fit(recipe, problem, *target->constants);
    if (!fitted.ok()) return fitted.status();
    const absl::Status status =
        SetProvenance(recipe, *fitted, problem, question, *target->constants);
    if (!status.ok()) return status;
    answer.report += ReportOf(recipe, *fitted);
  }
  if (answer.report.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        NamesOf(question.tables), ": no row is one that a recipe fits for ",
        target->name, "; see tools/calibrate/recipes.textproto and --gpu"));
  }
  answer.calibration = CalibrationText(*target->constants);
  return answer;
}

}  // namespace tools
