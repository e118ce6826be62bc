#include "scenarios/trace_of_run.h"

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace scenarios {
namespace {

using hardware::PricedOp;
using models::Axis;

absl::string_view NameOf(hardware::Bound bound) {
  switch (bound) {
    case hardware::Bound::kCompute:
      return "compute";
    case hardware::Bound::kMemory:
      return "memory";
    case hardware::Bound::kLaunch:
      return "launch";
  }
  return "";
}

absl::string_view NameOf(models::Phase phase) {
  constexpr absl::string_view kNames[] = {"forward", "backward", "step"};
  return kNames[static_cast<size_t>(phase)];
}

SliceNotes NotesOf(const PricedOp& op) {
  SliceNotes notes{.category = std::string(hardware::NameOf(op.category)),
                   .notes = {}};
  const auto add = [&](const char* key, auto value) {
    notes.notes.push_back({key, value});
  };
  add("phase", std::string(NameOf(op.op.phase)));
  if (op.op.layer >= 0) add("layer", static_cast<int64_t>(op.op.layer));
  if (op.op.recompute) add("recompute", std::string("yes"));
  add("alone_us", sim::InMicroseconds(op.time));
  add(kBytesNote, op.bytes.count());
  if (const models::Collective* collective = op.op.collective()) {
    add(kCollectiveNote, std::string(models::NameOf(collective->kind)));
    add(kAlgorithmNote, std::string(op.collective.algorithm));
    add("protocol", std::string(op.collective.protocol));
    add(kDTypeNote, std::string(models::NameOf(collective->dtype)));
    add(kGroupSizeNote, static_cast<int64_t>(op.group.ranks));
    add("nodes", static_cast<int64_t>(op.group.nodes));
  } else {
    add("kernel", models::Dump(*op.op.kernel()));
    add("flops", op.flops.count());
    add("bound_by", std::string(NameOf(op.bound)));
  }
  return notes;
}

Arrow ArrowOf(Axis axis) {
  if (models::Sends(axis)) return Arrow::kLeave;
  return models::Receives(axis) ? Arrow::kArrive : Arrow::kAmong;
}

std::string RankName(const Outcome& outcome, int64_t number) {
  const hardware::RankPlace p = outcome.lowered.grid.Place(number);
  const hardware::ExpertPlace at = outcome.lowered.grid.ExpertPlaceOf(number);
  const int64_t e = outcome.lowered.grid.expert_ranks();
  return absl::StrCat("rank ", number, " · stage ", p.stage, " · tp ", p.tensor,
                      p.context > 0 ? absl::StrCat(" · cp ", p.context) : "",
                      " · dp ", p.data,
                      e > 1 ? absl::StrCat(" · ep ", at.expert) : "");
}

TracedRank Traced(const Outcome& outcome, const RecordedRank& shown,
                  int64_t number) {
  return {.rank = shown.rank,
          .number = static_cast<uint32_t>(number),
          .name = RankName(outcome, number),
          .memory = outcome.memory[shown.script].curve};
}

}  // namespace

absl::StatusOr<TraceInputs> TraceOf(const Inputs& inputs,
                                    const Outcome& outcome,
                                    std::span<const int64_t> ranks) {
  TraceInputs trace{.program = outcome.program(), .timeline = outcome.timeline};
  trace.world_size = outcome.lowered.grid.ranks();
  trace.device = inputs.cost.gpu.name;
  for (const PricedOp& op : outcome.lowered.ops) {
    trace.notes.Append(NotesOf(op));
  }
  for (const Axis axis : outcome.lowered.axes) {
    trace.arrows.Append(ArrowOf(axis));
  }
  if (ranks.empty()) {
    for (const RecordedRank& rank : outcome.ranks) {
      trace.ranks.push_back(Traced(outcome, rank, rank.number));
    }
    return trace;
  }
  std::set<int64_t> named;
  for (const int64_t number : ranks) {
    if (!named.insert(number).second) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--trace-ranks: rank ", number, " is named twice; once would do"));
    }
    if (number < 0 || number >= trace.world_size) {
      return absl::InvalidArgumentError(
          absl::StrCat("--trace-ranks: there is no rank ", number,
                       "; the run has ranks 0 to ", trace.world_size - 1));
    }
    const auto id = sim::AsId<sim::RankId>(static_cast<size_t>(number));
    const size_t script = sim::Row(outcome.lowered.program.script[id]);
    for (const RecordedRank& rank : outcome.ranks) {
      const bool same = outcome.folded
                            ? outcome.folding.folded[id] == rank.rank
                            : rank.script == script;
      if (!same) continue;
      trace.ranks.push_back(Traced(outcome, rank, number));
      break;
    }
  }
  return trace;
}

}  // namespace scenarios
