#include "scenarios/breakdown.h"

#include <algorithm>
#include <vector>

namespace scenarios {
namespace {

using hardware::Category;
using hardware::PricedOp;
using sim::Duration;
using sim::Instant;

struct PartRow {
  absl::string_view name, definition;
};
constexpr PartRow kRows[kParts] = {
    {"gemm", "matrix products, alone on the device"},
    {"attention", "fused attention kernels"},
    {"memory_bound", "norms, activations, residuals, casts, embedding, loss"},
    {"optimizer", "gradient norm, clipping and parameter update"},
    {"slowed", "kernels take longer while communication runs beside them"},
    {"exposed_tp", "tensor-parallel communication that no kernel hides"},
    {"exposed_cp", "context-parallel communication that no kernel hides"},
    {"exposed_ep", "tokens on their way to experts and back, not hidden"},
    {"exposed_dp", "gradient and weight communication that no kernel hides"},
    {"exposed_pp", "pipeline messages that no kernel hides"},
    {"exposed_host", "copies, the CPU and drives that no kernel hides"},
    {"launch", "the device waits for the host to launch a kernel"},
    {"bubble", "the device waits for other ranks"},
};

Part PartOf(Category category) {
  switch (category) {
    case Category::kGemm:
      return Part::kGemm;
    case Category::kAttention:
      return Part::kAttention;
    case Category::kMemoryBound:
      return Part::kMemoryBound;
    case Category::kOptimizer:
      return Part::kOptimizer;
    case Category::kTensor:
      return Part::kTensor;
    case Category::kContext:
      return Part::kContext;
    case Category::kExpert:
      return Part::kExpert;
    case Category::kData:
      return Part::kData;
    case Category::kPipeline:
      return Part::kPipeline;
    case Category::kOffload:
      return Part::kOffload;
  }
  return Part::kBubble;
}

// A communication while it runs.
struct Running {
  Instant start, finish;
  Part part;
  Duration alone;  // what it takes when nobody slows it
};

class Partition {
 public:
  Partition(const Outcome& outcome, const RecordedRank& rank)
      : ops_(outcome.lowered.ops),
        script_(outcome.program().scripts[outcome.program().script[rank.rank]]),
        start_(outcome.timeline.start(rank.rank)),
        finish_(outcome.timeline.finish(rank.rank)),
        begin_(rank.begin),
        end_(rank.begin + outcome.step),
        links_(outcome.program().uses.size() > 0) {
    for (size_t row = 0; row < script_.tasks.size(); ++row) {
      const PricedOp& op = OpOf(row);
      if (!hardware::IsCommunication(op.category)) continue;
      if (finish_[row] > start_[row]) {
        running_.push_back({start_[row], finish_[row], PartOf(op.category),
                            links_ ? op.time : finish_[row] - start_[row]});
      }
    }
    std::sort(
        running_.begin(), running_.end(),
        [](const Running& a, const Running& b) { return a.start < b.start; });
  }

  Breakdown Run() && {
    Instant at = begin_;
    Instant host{};  // when the host last began to run ahead
    for (size_t row = 0; row < script_.tasks.size(); ++row) {
      const sim::Task& task = script_.tasks[sim::AsId<sim::TaskId>(row)];
      const PricedOp& op = OpOf(row);
      if (!hardware::IsCommunication(op.category)) {
        Gap(at, start_[row], host + task.issue);
        Kernel(op, finish_[row] - start_[row]);
        at = finish_[row];
      }
      if (task.host_sync) host = finish_[row];
    }
    Gap(at, end_, at);
    return breakdown_;
  }

 private:
  const PricedOp& OpOf(size_t row) const {
    return ops_[script_.tasks[sim::AsId<sim::TaskId>(row)].label];
  }

  void Kernel(const PricedOp& op, Duration took) {
    breakdown_.parts[PartOf(op.category)] += op.time;
    breakdown_.parts[Part::kSlowed] += took - op.time;
    if (op.op.recompute) breakdown_.recompute += op.time;
  }

  // Splits [from, to) at the starts and ends of communications.
  void Gap(Instant from, Instant to, Instant launched) {
    // Gaps come in order, so what ended before this one ended for good.
    while (first_ < running_.size() && running_[first_].finish <= from) {
      ++first_;
    }
    Instant at = from;
    while (at < to) {
      const Running* last = nullptr;
      Instant next = to;
      for (size_t i = first_; i < running_.size(); ++i) {
        const Running& c = running_[i];
        if (c.start >= to) break;
        if (c.finish <= at || c.finish > to) continue;
        if (c.start > at) {
          next = std::min(next, c.start);
          break;
        }
        if (last == nullptr || c.finish > last->finish) last = &c;
      }
      if (last != nullptr) {
        breakdown_.parts[last->part] += last->finish - at;
        breakdown_.shared_links +=
            last->finish -
            std::clamp(last->start + last->alone, at, last->finish);
        at = last->finish;
        continue;
      }
      const Instant host = std::clamp(launched, at, next);
      breakdown_.parts[Part::kLaunch] += host - at;
      breakdown_.parts[Part::kBubble] += next - host;
      at = next;
    }
  }

  const sim::Column<sim::LabelId, PricedOp>& ops_;
  const sim::Script& script_;
  std::span<const Instant> start_, finish_;
  Instant begin_, end_;
  bool links_;                    // communications share links
  std::vector<Running> running_;  // by start
  size_t first_ = 0;
  Breakdown breakdown_;
};

}  // namespace

absl::string_view NameOf(Part part) {
  return kRows[static_cast<size_t>(part)].name;
}

absl::string_view DefinitionOf(Part part) {
  return kRows[static_cast<size_t>(part)].definition;
}

Breakdown BreakDown(const Outcome& outcome, const RecordedRank& rank) {
  return Partition(outcome, rank).Run();
}

}  // namespace scenarios
