#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/match.h"
#include "hardware/calibration.h"
#include "hardware/calibration.pb.h"
#include "hardware/cost_model.h"
#include "scenarios/op_tables/op_tables.h"
#include "scenarios/validate_ops.h"
#include "sim/text_file.h"
#include "tools/calibrate/fit_target.h"
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
    std::span<const sim::CsvFile> tables) {
  std::vector<TableOp> all;
  for (const sim::CsvFile& csv : tables) {
    absl::StatusOr<std::vector<MeasuredOp>> ops = scenarios::ReadOps(csv);
    if (!ops.ok()) return ops.status();
    for (MeasuredOp& op : *ops) {
      all.push_back(
          {std::string(scenarios::FindOpTable(csv)->name), std::move(op)});
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

// Which rows a fit takes, by their machine.
class Machines {
 public:
  Machines(const std::vector<std::string>& gpus, std::string calibration)
      : gpus_(gpus), calibration_(std::move(calibration)) {}

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
  std::vector<std::string> gpus_;
  std::string calibration_;
  absl::btree_map<std::string, absl::StatusOr<GpuSpec>> specs_;
};

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

// The calibration to refine: that of the first row's GPU, unless asked.
absl::StatusOr<std::string> StartOf(const FitQuestion& question,
                                    const std::vector<TableOp>& ops) {
  if (!question.start.empty() || ops.empty()) return question.start;
  const absl::StatusOr<GpuSpec> gpu = hardware::LoadGpu(ops.front().op.gpu);
  if (!gpu.ok()) return gpu.status();
  return gpu->calibration;
}

}  // namespace

absl::StatusOr<FitTarget> OpsTarget(const FitQuestion& question,
                                    std::span<const sim::CsvFile> tables) {
  absl::StatusOr<std::vector<TableOp>> ops = ReadTables(tables);
  if (!ops.ok()) return ops.status();
  const absl::StatusOr<std::string> name = StartOf(question, *ops);
  if (!name.ok()) return name.status();
  absl::StatusOr<Start> loaded = LoadStart(*name);
  if (!loaded.ok()) return loaded.status();
  // Recipes that come later are priced by what earlier ones gave: by the
  // message that the target holds.
  FitTarget target{.name = loaded->name,
                   .constants = std::make_unique<hardware::proto::Calibration>(
                       loaded->message),
                   .problem = {}};
  auto* message =
      static_cast<hardware::proto::Calibration*>(target.constants.get());
  target.problem = [ops = *std::move(ops), start = *std::move(loaded), message,
                    machines = Machines(question.gpus, target.name)](
                       const proto::Recipe& recipe) mutable {
    start.message = *message;
    return ProblemOf(recipe, start, ops, machines);
  };
  return target;
}

}  // namespace tools
