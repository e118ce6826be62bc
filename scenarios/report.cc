#include "scenarios/report.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "hardware/law_errors.h"
#include "models/parameters.h"
#include "scenarios/breakdown.h"
#include "scenarios/host_memory.h"
#include "scenarios/ways_out.h"

namespace scenarios {
namespace {

double Count(int64_t n) { return static_cast<double>(n); }

// Dense peak that utilisation is measured against: the tensor cores' at the
// precision of the linear layers.
double PeakFlops(const Inputs& inputs) {
  using models::DType;
  DType dtype = DType::kBf16;
  switch (inputs.training.precision) {
    case models::Precision::kFp32:
      dtype = DType::kFp32;
      break;
    case models::Precision::kTf32:
      dtype = DType::kTf32;
      break;
    case models::Precision::kFp16:
      dtype = DType::kFp16;
      break;
    case models::Precision::kBf16:
      break;
    case models::Precision::kFp8:
      dtype = DType::kFp8;
      break;
  }
  return inputs.cost.gpu.peak[dtype].count();
}

void SummarizeSpeed(const Inputs& inputs, const Outcome& outcome,
                    Report* report) {
  const double seconds = sim::InSeconds(outcome.step);
  const auto gpus = Count(inputs.training.split.ranks());
  const double tokens =
      Count(inputs.training.global_batch) *
      Count(inputs.training.sequence_length) *
      inputs.training.sequences.Useful(inputs.training.sequence_length);
  const double peak = PeakFlops(inputs);
  const double model = outcome.lowered.model_flops.count() / seconds / gpus;
  const double hardware =
      outcome.lowered.hardware_flops.count() / seconds / gpus;
  report->set_step_seconds(seconds);
  report->set_tokens_per_second(tokens / seconds);
  report->set_tokens_per_second_per_gpu(tokens / seconds / gpus);
  report->set_tflops_per_second_per_gpu(model * 1e-12);
  report->set_peak_tflops_per_second(peak * 1e-12);
  report->set_mfu(model / peak);
  report->set_hfu(hardware / peak);
}

std::string Ends(const std::vector<models::Chunk>& chunks) {
  std::vector<std::string> ends;
  for (const models::Chunk& chunk : chunks) {
    if (chunk.embedding) ends.push_back("embedding");
    if (chunk.head) ends.push_back("head");
    if (chunk.vocabulary) ends.push_back("vocabulary share");
  }
  return absl::StrJoin(ends, ", ");
}

// Parts of the step, mean over all ranks, and each stage's.
void SummarizeParts(const Inputs& inputs, const Outcome& outcome,
                    Report* report) {
  const auto chunks = models::ChunksOf(inputs.model, inputs.training.split);
  const models::RankShape shape(inputs.model, inputs.training);
  sim::Column<Part, double> total(kParts, 0.0);
  double recompute = 0, shared_links = 0, ranks = 0;
  for (const RecordedRank& rank : outcome.ranks) {
    const Breakdown breakdown = BreakDown(outcome, rank);
    const double weight = rank.stands_for;
    ranks += weight;
    double busy = 0, exposed = 0;
    for (int row = 0; row < kParts; ++row) {
      const auto part = static_cast<Part>(row);
      const double seconds = sim::InSeconds(breakdown.parts[part]);
      total[part] += seconds * weight;
      if (part <= Part::kSlowed) busy += seconds;
      if (part > Part::kSlowed && part < Part::kBubble) exposed += seconds;
    }
    recompute += sim::InSeconds(breakdown.recompute) * weight;
    shared_links += sim::InSeconds(breakdown.shared_links) * weight;
    const auto stage = static_cast<size_t>(rank.stage);
    StageOfPipeline* row = report->add_stages();
    row->set_stage(rank.stage);
    row->set_ranks(rank.stands_for);
    int64_t layers = 0;
    double parameters = 0;
    for (const models::Chunk& chunk : chunks[stage]) {
      layers += chunk.layers;
      parameters += Count(shape.ParametersOf(chunk).total());
    }
    row->set_layers(layers);
    row->set_ends(Ends(chunks[stage]));
    row->set_parameters(parameters);
    row->set_busy_seconds(busy);
    row->set_exposed_seconds(exposed);
    row->set_bubble_seconds(sim::InSeconds(breakdown.parts[Part::kBubble]));
    row->set_peak_gib(sim::InGiB(PeakOf(outcome, rank.script)));
  }
  const double step = report->step_seconds();
  for (int row = 0; row < kParts; ++row) {
    const auto part = static_cast<Part>(row);
    PartOfStep* line = report->add_parts();
    line->set_part(std::string(NameOf(part)));
    line->set_seconds(total[part] / ranks);
    line->set_share(total[part] / ranks / step);
  }
  report->set_recompute_seconds(recompute / ranks);
  if (outcome.program().uses.size() > 0) {
    report->mutable_links()->set_slowed_seconds(shared_links / ranks);
  }
}

// The widest spread of the matrix products of the step, if all have one.
void SummarizeSpread(const Inputs& inputs, const Outcome& outcome,
                     Report* report) {
  std::optional<hardware::Spread> widest;
  for (const hardware::PricedOp& op : outcome.lowered.ops) {
    const models::Kernel* kernel = op.op.kernel();
    const auto* gemm =
        kernel == nullptr ? nullptr : std::get_if<models::Gemm>(kernel);
    if (gemm == nullptr) continue;
    const auto spread = inputs.cost.calibration.gemm.of[gemm->family].errors.Of(
        models::NameOf(gemm->dtype), inputs.cost.gpu.name);
    if (!spread) return;
    widest = widest ? hardware::Wider(*widest, *spread) : *spread;
  }
  if (!widest) return;
  report->mutable_gemm_spread()->set_low(widest->low);
  report->mutable_gemm_spread()->set_high(widest->high);
}

void SummarizeMemory(const Inputs& inputs, const Outcome& outcome,
                     Memory* memory) {
  size_t fullest = 0;
  for (size_t script = 0; script < outcome.memory.size(); ++script) {
    if (PeakOf(outcome, script) > PeakOf(outcome, fullest)) fullest = script;
  }
  const sim::Ledger& ledger = outcome.memory[fullest];
  const sim::Program& program = outcome.program();
  memory->set_capacity_gib(sim::InGiB(inputs.cost.gpu.memory_capacity));
  memory->set_peak_gib(sim::InGiB(PeakOf(outcome, fullest)));
  memory->set_allocated_gib(sim::InGiB(ledger.allocated.bytes));
  memory->set_reserved_gib(sim::InGiB(ledger.reserved.bytes));
  memory->set_context_gib(sim::InGiB(outcome.context));
  memory->set_communicators_gib(sim::InGiB(outcome.communicators));
  memory->set_stage(outcome.lowered.kinds[fullest].stage);
  for (const RecordedRank& rank : outcome.ranks) {
    if (rank.script != fullest) continue;
    const sim::Script& script = program.scripts[program.script[rank.rank]];
    const sim::TaskId task = ledger.allocated.task;
    memory->set_rank(rank.number);
    if (script.tasks.empty()) break;
    memory->set_moment(absl::StrCat(program.labels[script.tasks[task].label],
                                    ", microbatch ", script.tasks[task].pass));
    memory->set_moment_seconds(sim::InSeconds(
        outcome.timeline.start(rank.rank)[sim::Row(task)].since_start));
    break;
  }
  for (size_t holder = 0; holder < program.holders.size(); ++holder) {
    const auto id = sim::AsId<sim::HolderId>(holder);
    if (ledger.held[id] <= sim::Bytes(0)) continue;
    HeldMemory* held = memory->add_held();
    held->set_name(program.holders[id]);
    held->set_gib(sim::InGiB(ledger.held[id]));
  }
  for (const sim::LiveBuffer& buffer : ledger.largest) {
    HeldMemory* largest = memory->add_largest();
    largest->set_name(program.holders[buffer.holder]);
    largest->set_gib(sim::InGiB(buffer.bytes));
  }
}

void SummarizeHost(const Inputs& inputs, const Outcome& outcome,
                   HostOfServer* host) {
  const HostUse use = HostUseOf(inputs, outcome);
  host->set_memory_capacity_gib(sim::InGiB(inputs.cluster.host_memory));
  host->set_memory_gib(sim::InGiB(use.memory));
  host->set_disk_capacity_gib(sim::InGiB(inputs.cluster.host->disk_capacity));
  host->set_disk_gib(sim::InGiB(use.disk));
}

constexpr double kSecondsPerDay = 86400, kSecondsPerHour = 3600;

// The compute-optimal model of a budget: C = 6 N D with D = 20 N (Hoffmann et
// al. 2022, approach 1 and table 3), at this run's FLOP/s.
void SummarizeHorizon(const Inputs& inputs, Report* report) {
  const Horizon& asked = inputs.horizon;
  HorizonOfRun* horizon = report->mutable_horizon();
  const double gpus = Count(report->gpus());
  if (asked.tokens) {
    const double seconds = *asked.tokens / report->tokens_per_second();
    const double hours = gpus * seconds / kSecondsPerHour;
    horizon->set_tokens(*asked.tokens);
    horizon->set_steps(seconds / report->step_seconds());
    horizon->set_days(seconds / kSecondsPerDay);
    horizon->set_gpu_hours(hours);
    horizon->set_usd(hours * asked.gpu_hour_usd.value_or(0));
    horizon->set_energy_mwh(hours * inputs.cost.gpu.power_watts *
                            asked.power_usage_effectiveness * 1e-6);
  }
  if (asked.budget_usd && asked.gpu_hour_usd) {
    const double gpu_seconds =
        *asked.budget_usd / *asked.gpu_hour_usd * kSecondsPerHour;
    const double flops =
        gpu_seconds * report->tflops_per_second_per_gpu() * 1e12;
    horizon->set_budget_tokens(gpu_seconds *
                               report->tokens_per_second_per_gpu());
    horizon->set_compute_optimal_parameters(std::sqrt(flops / 120));
  }
}

void SummarizeMeasured(const Measured& measured, Report* report) {
  if (!measured.step_seconds && !measured.tokens_per_second_per_gpu) return;
  MeasuredRun* run = report->mutable_measured();
  // Tokens of a step per GPU over the rate.
  run->set_step_seconds(measured.step_seconds
                            ? *measured.step_seconds
                            : report->tokens_per_second_per_gpu() *
                                  report->step_seconds() /
                                  *measured.tokens_per_second_per_gpu);
  run->set_error(report->step_seconds() / run->step_seconds() - 1);
  run->set_source(measured.source);
}

}  // namespace

sim::Bytes PeakOf(const Outcome& outcome, size_t script) {
  return outcome.memory[script].allocated.bytes + outcome.context +
         outcome.communicators;
}

bool Fits(const Inputs& inputs, const Outcome& outcome) {
  for (size_t script = 0; script < outcome.memory.size(); ++script) {
    if (PeakOf(outcome, script) > inputs.cost.gpu.memory_capacity) return false;
  }
  return HostFits(inputs, outcome);
}

// "cp 8", "cp 8 all-gather", "cp 2 a2a x 4 p2p".
std::string ContextText(const models::Split& split) {
  switch (split.context_kind) {
    case models::ContextKind::kP2p:
      return absl::StrCat("cp ", split.context);
    case models::ContextKind::kAllGather:
      return absl::StrCat("cp ", split.context, " all-gather");
    case models::ContextKind::kAllToAll:
      return absl::StrCat("cp ", split.context, " a2a");
    case models::ContextKind::kHybrid:
      return absl::StrCat("cp ", split.head_ranks(), " a2a x ",
                          split.ring_ranks(), " p2p");
    case models::ContextKind::kPyTorch:
      return absl::StrCat("cp ", split.context, " pytorch");
  }
  return "";
}

std::string DescribeSplit(const models::Split& split) {
  std::vector<std::string> parts;
  if (split.tensor > 1) {
    parts.push_back(
        absl::StrCat("tp ", split.tensor, split.sequence ? " sp" : ""));
  }
  if (split.context > 1) parts.push_back(ContextText(split));
  if (split.pipeline > 1) {
    parts.push_back(absl::StrCat("pp ", split.pipeline,
                                 split.virtual_stages > 1
                                     ? absl::StrCat(" x ", split.virtual_stages)
                                     : "",
                                 " ", split.schedule));
  }
  parts.push_back(absl::StrCat("dp ", split.data));
  if (split.expert > 1) parts.push_back(absl::StrCat("ep ", split.expert));
  if (split.expert > 1 && split.parts_of_expert() != split.tensor) {
    parts.push_back(absl::StrCat("etp ", split.parts_of_expert()));
  }
  if (split.zero > 0) parts.push_back(absl::StrCat("zero ", split.zero));
  if (split.zero > 0 && split.shard_group > 0) {
    parts.push_back(absl::StrCat("shards of ", split.shard_group));
  }
  if (split.second_shard > 1) {
    parts.push_back(absl::StrCat("hpZ ", split.second_shard));
  }
  if (split.quantized_weights) parts.push_back("qwZ");
  if (split.quantized_gradients) parts.push_back("qgZ");
  return absl::StrJoin(parts, " · ");
}

std::string DescribeBatch(const models::TrainingSpec& training) {
  const models::Sequences& s = training.sequences;
  return absl::StrCat(
      training.global_batch, s.given() ? " rows of " : " sequences of ",
      training.sequence_length, " tokens, ", training.microbatches(),
      " microbatches of ", training.micro_batch,
      s.given()
          ? absl::StrFormat("; sequences of %.0f tokens, %s, %.0f %% padding",
                            s.Mean(), s.packed ? "packed" : "one a row",
                            100 * (1 - s.Useful(training.sequence_length)))
          : "");
}

// "BF16, ADAMW, recompute NONE", and the adapters if they alone train.
std::string DescribePrecision(const Inputs& inputs) {
  const models::TrainingSpec& training = inputs.training;
  std::string text =
      absl::StrCat(models::NameOf(training.precision), ", ",
                   models::NameOf(training.optimizer), ", recompute ",
                   models::NameOf(training.recompute));
  if (!training.lora.on()) return text;
  models::TrainingSpec alone = training;
  alone.split = {};
  const double trained = Count(inputs.model.layers *
                               models::RankShape(inputs.model, alone).adapters);
  absl::StrAppendFormat(&text, ", LoRA rank %d (%.2f million parameters)%s",
                        training.lora.rank, trained * 1e-6,
                        training.lora.nf4 ? " beside NF4 weights" : "");
  return text;
}

Report Summarize(const Inputs& inputs, const Outcome& outcome) {
  Report report;
  report.set_scenario(inputs.name);
  report.set_model(inputs.model.name);
  report.set_parameters(Count(models::CountParameters(inputs.model).total));
  report.set_cluster(
      absl::StrCat(inputs.cluster.name, " x ", inputs.cluster.nodes));
  report.set_gpu(inputs.cost.gpu.name);
  report.set_gpus(inputs.training.split.ranks());
  report.set_profile(inputs.profile);
  report.set_split(DescribeSplit(inputs.training.split));
  report.set_batch(DescribeBatch(inputs.training));
  report.set_precision(DescribePrecision(inputs));
  report.set_fits(Fits(inputs, outcome));
  SummarizeSpeed(inputs, outcome, &report);
  SummarizeParts(inputs, outcome, &report);
  SummarizeSpread(inputs, outcome, &report);
  SummarizeMemory(inputs, outcome, report.mutable_memory());
  if (inputs.training.offload.any()) {
    SummarizeHost(inputs, outcome, report.mutable_host());
  }
  SummarizeHorizon(inputs, &report);
  if (inputs.measured) SummarizeMeasured(*inputs.measured, &report);
  if (!report.fits()) {
    for (WayOut& way : WaysOut(inputs)) *report.add_ways_out() = std::move(way);
  }
  report.set_simulated_ranks(outcome.program().script.size());
  report.set_completions(outcome.timeline.completions);
  return report;
}

}  // namespace scenarios
