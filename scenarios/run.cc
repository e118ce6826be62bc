#include "scenarios/run.h"

#include <algorithm>
#include <set>
#include <span>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"

namespace scenarios {
namespace {

// CUDA context, cuBLAS handles and kernels of PyTorch on a data-centre GPU:
// nvidia-smi shows 450-550 MiB before the first tensor (PyTorch forum and
// issue tracker reports for A100 and H100, CUDA 11-12).
constexpr sim::Bytes kContextBytes = sim::MiB(500);

// NCCL allocates for each communicator and channel one 4 MiB Simple buffer and
// the LL and LL128 buffers beside it (NCCL_BUFFSIZE default; src/init.cc of
// NCCL 2.18): about 10 MiB for each peer of a ring direction; 16 channels.
constexpr sim::Bytes kCommunicatorBytes = sim::MiB(160);

sim::Bytes CommunicatorBytes(const hardware::LoweredStep& lowered) {
  // Both ends of a pipeline's channels share one communicator.
  std::set<models::Axis> communicators;
  for (const models::Axis axis : lowered.axes) {
    if (models::IsOnHost(axis)) continue;
    const bool channel = models::Sends(axis) || models::Receives(axis);
    communicators.insert(channel ? models::Axis::kForwardIn : axis);
  }
  return kCommunicatorBytes * static_cast<int64_t>(communicators.size());
}

std::vector<RecordedRank> RecordedOf(const Outcome& outcome) {
  std::vector<RecordedRank> ranks;
  const sim::Program& program = outcome.program();
  std::vector<uint32_t> of_script(program.scripts.size(), 0);
  for (const sim::ScriptId script : program.script) {
    ++of_script[sim::Row(script)];
  }
  for (size_t row = 0; row < program.script.size(); ++row) {
    const auto rank = sim::AsId<sim::RankId>(row);
    if (outcome.timeline.start(rank).empty()) continue;
    const size_t script = sim::Row(program.script[rank]);
    ranks.push_back(
        {.rank = rank,
         .number = static_cast<int64_t>(
             outcome.folded ? sim::Row(outcome.folding.representative[rank])
                            : row),
         .stage = outcome.lowered.kinds[script].stage,
         .script = script,
         .stands_for = outcome.folded ? outcome.folding.multiplicity[rank]
                                      : of_script[script],
         .begin = {}});
  }
  return ranks;
}

// Where stages do not meet between two steps, a rank's step begins with its
// first kernel and ends with its last task but what it sends to stages that are
// not so far. The next step is this one, later by the time of the rank that
// takes longest: then no rank is asked to begin it before it is done.
void FindStep(Outcome* outcome) {
  const sim::Program& program = outcome->program();
  for (RecordedRank& rank : outcome->ranks) {
    const sim::Script& script = program.scripts[program.script[rank.rank]];
    const std::span<const sim::Instant> start =
        outcome->timeline.start(rank.rank);
    const std::span<const sim::Instant> finish =
        outcome->timeline.finish(rank.rank);
    bool begun = false;
    for (size_t row = 0; row < script.tasks.size(); ++row) {
      const sim::Task& task = script.tasks[sim::AsId<sim::TaskId>(row)];
      const models::Collective* collective =
          outcome->lowered.ops[task.label].op.collective();
      if (collective == nullptr && !begun) {
        rank.begin = start[row];
        begun = true;
      }
      if (collective != nullptr && models::Sends(collective->axis)) continue;
      outcome->step = std::max(outcome->step, finish[row] - rank.begin);
    }
  }
}

// Stages run one after another at worst, each kernel slowed by what runs beside
// it: 2^60 ps is 13 days, an eighth of what the clock holds.
constexpr double kMostSeconds = 0x1p60 * 1e-12;

// Whether the clock holds every operator, and all of them in a row.
absl::Status CheckClock(const Inputs& inputs,
                        const hardware::LoweredStep& lowered) {
  const auto microbatches = static_cast<double>(inputs.training.microbatches());
  double seconds = 0;
  for (const hardware::PricedOp& op : lowered.ops) {
    if (op.time > sim::kLongestTask) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "%s: takes %.3g hours at layer %d, and an operator may take %.3g; a "
          "shorter sequence_length or a smaller micro_batch would do",
          op.op.name, sim::InSeconds(op.time) / 3600, op.op.layer,
          sim::InSeconds(sim::kLongestTask) / 3600));
    }
    const bool once = op.op.when != models::When::kAlways ||
                      op.op.phase == models::Phase::kStep;
    seconds += sim::InSeconds(op.time) * (once ? 1 : microbatches);
  }
  if (seconds <= kMostSeconds) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat(
      "training.global_batch: the step takes up to %.3g days over all stages, "
      "and %.3g can be simulated; fewer sequences or more GPUs would do",
      seconds / 86400, kMostSeconds / 86400));
}

}  // namespace

absl::StatusOr<Outcome> Execute(const Inputs& inputs,
                                const RunOptions& options) {
  Outcome outcome{
      .lowered = hardware::LowerTraining(inputs.model, inputs.training,
                                         inputs.cost, inputs.cluster),
      .folding = {},
      .folded = !options.unfold,
      .timeline = {},
      .step = {},
      .ranks = {},
      .memory = {},
      .context = kContextBytes,
      .communicators = {}};
  const absl::Status clock = CheckClock(inputs, outcome.lowered);
  if (!clock.ok()) return clock;
  if (outcome.folded) outcome.folding = sim::Fold(outcome.lowered.program);
  absl::StatusOr<sim::Timeline> timeline = sim::Simulate(
      outcome.program(), outcome.folded ? sim::Record::kEveryRank
                                        : sim::Record::kFirstOfEachScript);
  if (!timeline.ok()) return timeline.status();
  outcome.timeline = *std::move(timeline);
  outcome.ranks = RecordedOf(outcome);
  if (inputs.training.overlap.optimizer_post_validation) {
    FindStep(&outcome);
  } else {
    outcome.step = outcome.timeline.makespan;
  }
  const sim::Program& program = outcome.lowered.program;
  for (const sim::Script& script : program.scripts) {
    outcome.memory.push_back(sim::Replay(script, program.holders.size(),
                                         {.curve = options.memory_curve}));
  }
  outcome.communicators = CommunicatorBytes(outcome.lowered);
  return outcome;
}

}  // namespace scenarios
