#include "tools/calibrate/fit_tables.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "hardware/calibration.h"
#include "hardware/calibration.pb.h"
#include "hardware/cost_model.h"
#include "scenarios/op_tables/op_tables.h"
#include "scenarios/validate_ops.h"
#include "sim/data_path.h"
#include "sim/spelling.h"
#include "sim/text_file.h"
#include "tools/calibrate/calibration_text.h"
#include "tools/calibrate/constant.h"
#include "tools/calibrate/fit.h"
#include "tools/calibrate/recipe.pb.h"

namespace tools {
namespace {

using hardware::CostModel;
using hardware::GpuSpec;
using scenarios::MeasuredOp;

struct TableOp {
  std::string table;  // "gemm"
  MeasuredOp op;
};

absl::StatusOr<std::vector<TableOp>> ReadTables(
    const std::vector<std::string>& paths) {
  std::vector<TableOp> all;
  for (const std::string& path : paths) {
    const absl::StatusOr<sim::CsvFile> csv = sim::CsvFile::Load(path);
    if (!csv.ok()) return csv.status();
    const scenarios::OpTable* table = scenarios::FindOpTable(*csv);
    if (table == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, ":1:1: no law is fitted to a table with these columns; ",
          "scenarios/op_tables/op_tables.cc names those of every table"));
    }
    absl::StatusOr<std::vector<MeasuredOp>> ops = scenarios::ReadOps(*csv);
    if (!ops.ok()) return ops.status();
    for (MeasuredOp& op : *ops) {
      all.push_back({std::string(table->name), std::move(op)});
    }
  }
  return all;
}

// Constants and where they were read from: what a fit starts from.
struct Start {
  std::string name;
  hardware::proto::Calibration message;
  sim::TextFile file;
};

absl::StatusOr<Start> LoadStart(const std::string& calibration) {
  const std::string path = hardware::CalibrationPath(calibration);
  hardware::proto::Calibration message;
  absl::StatusOr<sim::TextFile> file = sim::TextFile::Load(path, &message);
  if (!file.ok()) return file.status();
  Start start{std::filesystem::path(path).stem().string(), std::move(message),
              *std::move(file)};
  const absl::StatusOr<hardware::Calibration> whole =
      hardware::CalibrationOf(start.name, start.message, start.file.At(""));
  if (!whole.ok()) return whole.status();
  return start;
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

// Which rows a fit takes, by their machine.
class Machines {
 public:
  Machines(const FitQuestion& question, const std::string& calibration)
      : gpus_(question.gpus), calibration_(calibration) {}

  // The datasheet of a GPU whose rows count; null if they do not.
  const GpuSpec* Find(const std::string& gpu) {
    auto found = specs_.find(gpu);
    if (found == specs_.end()) {
      found = specs_.emplace(gpu, hardware::LoadGpu(gpu)).first;
    }
    if (!found->second.ok()) return nullptr;
    const GpuSpec& spec = *found->second;
    const bool taken = gpus_.empty() ? spec.calibration == calibration_
                                     : std::find(gpus_.begin(), gpus_.end(),
                                                 gpu) != gpus_.end();
    return taken ? &spec : nullptr;
  }

 private:
  const std::vector<std::string>& gpus_;
  const std::string& calibration_;
  absl::btree_map<std::string, absl::StatusOr<GpuSpec>> specs_;
};

bool Named(const google::protobuf::RepeatedPtrField<std::string>& names,
           const std::string& name) {
  return names.empty() ||
         std::find(names.begin(), names.end(), name) != names.end();
}

bool Takes(const proto::Recipe& recipe, const TableOp& each) {
  if (recipe.table() != each.table || !each.op.skipped.empty() ||
      !each.op.scored || !Named(recipe.family(), each.op.family)) {
    return false;
  }
  if (recipe.source().empty()) return true;
  for (const std::string& part : recipe.source()) {
    if (absl::StrContains(each.op.source, part)) return true;
  }
  return false;
}

// The rows of a recipe that the start's constants price, and how.
FitProblem ProblemOf(const proto::Recipe& recipe, const Start& start,
                     const std::vector<TableOp>& ops, Machines& machines) {
  std::vector<std::pair<MeasuredOp, GpuSpec>> rows;
  const hardware::Calibration before =
      *hardware::CalibrationOf(start.name, start.message, start.file.At(""));
  FitProblem problem;
  for (const TableOp& each : ops) {
    if (!Takes(recipe, each)) continue;
    const GpuSpec* gpu = machines.Find(each.op.gpu);
    if (gpu == nullptr) continue;
    if (!scenarios::PriceUs(CostModel{*gpu, before, 1}, each.op).ok()) continue;
    rows.emplace_back(each.op, *gpu);
    problem.rows.push_back(
        {each.op.time_us, each.op.family, each.op.layout, each.op.gpu});
  }
  problem.price = [rows = std::move(rows), place = start.file.At(""),
                   name = start.name](const google::protobuf::Message& message,
                                      std::span<const size_t> wanted)
      -> absl::StatusOr<std::vector<double>> {
    const absl::StatusOr<hardware::Calibration> calibration =
        hardware::CalibrationOf(
            name, dynamic_cast<const hardware::proto::Calibration&>(message),
            place);
    if (!calibration.ok()) return calibration.status();
    CostModel model{{}, *calibration, 1};
    std::vector<double> prices;
    for (const size_t row : wanted) {
      if (model.gpu.name != rows[row].second.name) {
        model.gpu = rows[row].second;
      }
      const absl::StatusOr<double> us =
          scenarios::PriceUs(model, rows[row].first);
      if (!us.ok()) return us.status();
      prices.push_back(*us);
    }
    return prices;
  };
  return problem;
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
                           const FitQuestion& question, Start& start) {
  const auto law = FindMessage(recipe.law() + ".provenance", start.message);
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
  provenance.set_method(
      "orrery fit: least mean |log(predicted / measured)|, subplex");
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

}  // namespace

absl::StatusOr<FitAnswer> FitTables(const FitQuestion& question) {
  const absl::StatusOr<std::vector<TableOp>> ops = ReadTables(question.tables);
  if (!ops.ok()) return ops.status();
  const absl::StatusOr<proto::Recipes> recipes = LoadRecipes(question.only);
  if (!recipes.ok()) return recipes.status();
  std::string name = question.start;
  if (name.empty() && !ops->empty()) {
    const absl::StatusOr<GpuSpec> gpu = hardware::LoadGpu(ops->front().op.gpu);
    if (!gpu.ok()) return gpu.status();
    name = gpu->calibration;
  }
  absl::StatusOr<Start> start = LoadStart(name);
  if (!start.ok()) return start.status();
  Machines machines(question, start->name);
  FitAnswer answer;
  for (const proto::Recipe& recipe : recipes->recipe()) {
    const bool asked = question.only.empty() ||
                       std::find(question.only.begin(), question.only.end(),
                                 recipe.name()) != question.only.end();
    if (!asked) continue;
    const FitProblem problem = ProblemOf(recipe, *start, *ops, machines);
    if (problem.rows.empty()) continue;
    const absl::StatusOr<Fitted> fitted = Fit(recipe, problem, start->message);
    if (!fitted.ok()) return fitted.status();
    const absl::Status status =
        SetProvenance(recipe, *fitted, problem, question, *start);
    if (!status.ok()) return status;
    answer.report += ReportOf(recipe, *fitted);
  }
  if (answer.report.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        NamesOf(question.tables), ": no row is one that a recipe fits for ",
        start->name, "; see tools/calibrate/recipes.textproto and --gpu"));
  }
  answer.calibration = CalibrationText(start->message);
  return answer;
}

}  // namespace tools
