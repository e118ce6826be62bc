#include "models/schedules/plan_check.h"

#include <array>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace models {
namespace {

constexpr absl::string_view kKinds[] = {"F", "BW", "B", "W"};

template <class... Words>
absl::Status Error(const Words&... words) {
  return absl::InvalidArgumentError(absl::StrCat(words...));
}

std::string Place(int64_t stage, size_t position) {
  return absl::StrCat("stage ", stage, ", position ", position + 1);
}

// One stage: each pass once, forward before backward before weights.
class StageCheck {
 public:
  StageCheck(const Pipeline& pipeline, int64_t stage)
      : pipeline_(pipeline), stage_(stage) {}

  absl::Status Run(const std::vector<Pass>& passes) {
    for (size_t at = 0; at < passes.size(); ++at) {
      for (const auto& status : {InRange(passes[at], at), Add(passes[at], at)}) {
        if (!status.ok()) return status;
      }
    }
    return Complete();
  }

 private:
  absl::Status InRange(const Pass& pass, size_t at) const {
    if (pass.chunk < 0 || pass.chunk >= pipeline_.chunks) {
      return Error(Place(stage_, at), ": ", TextOf(pass), ": chunk ",
                   pass.chunk, " is none of 0 to ", pipeline_.chunks - 1);
    }
    const int64_t first = FirstMicrobatch(
        pipeline_, {.stage = stage_, .chunk = pass.chunk});
    const int64_t end = first + MicrobatchesOf(pipeline_);
    if (pass.microbatch < first || pass.microbatch >= end) {
      return Error(Place(stage_, at), ": ", TextOf(pass), ": microbatch ",
                   pass.microbatch, " is none of ", first, " to ", end - 1,
                   ", those of the chunk");
    }
    return absl::OkStatus();
  }

  absl::Status Add(const Pass& pass, size_t at) {
    const auto known = done_.find(KeyOf(pass, pass.kind));
    if (known != done_.end()) {
      return Error(Place(stage_, at), ": ", TextOf(pass),
                   " again; it is at position ", known->second + 1, ", too");
    }
    for (const PassKind other : NotWith(pass.kind)) {
      const auto there = done_.find(KeyOf(pass, other));
      if (there == done_.end()) continue;
      return Error(Place(stage_, at), ": ", TextOf(pass), " and ",
                   Other(pass, other), " at position ", there->second + 1,
                   "; a backward pass is whole or split");
    }
    const std::optional<PassKind> needs = Needs(pass.kind);
    if (needs && !done_.count(KeyOf(pass, *needs))) {
      return Error(Place(stage_, at), ": ", TextOf(pass), " before its ",
                   Other(pass, *needs));
    }
    done_.emplace(KeyOf(pass, pass.kind), at);
    return absl::OkStatus();
  }

  absl::Status Complete() const {
    for (int64_t chunk = 0; chunk < pipeline_.chunks; ++chunk) {
      const int64_t first =
          FirstMicrobatch(pipeline_, {.stage = stage_, .chunk = chunk});
      for (int64_t i = 0; i < MicrobatchesOf(pipeline_); ++i) {
        const Pass pass{.chunk = chunk, .microbatch = first + i};
        const auto has = [&](PassKind kind) {
          return done_.count(KeyOf(pass, kind)) > 0;
        };
        const auto lacks = [&](PassKind kind, absl::string_view more) {
          return Error("stage ", stage_, ": ", Other(pass, kind),
                       " is missing", more);
        };
        if (!has(PassKind::kForward)) return lacks(PassKind::kForward, "");
        if (has(PassKind::kBackward)) continue;
        if (!has(PassKind::kInputGradient)) {
          return lacks(PassKind::kBackward, ", whole or as B and W");
        }
        if (!has(PassKind::kWeightGradient)) {
          return lacks(PassKind::kWeightGradient, "");
        }
      }
    }
    return absl::OkStatus();
  }

  using Key = std::tuple<PassKind, int64_t, int64_t>;
  static Key KeyOf(const Pass& pass, PassKind kind) {
    return {kind, pass.chunk, pass.microbatch};
  }
  static std::string Other(Pass pass, PassKind kind) {
    pass.kind = kind;
    return TextOf(pass);
  }
  static std::vector<PassKind> NotWith(PassKind kind) {
    if (kind == PassKind::kForward) return {};
    if (kind != PassKind::kBackward) return {PassKind::kBackward};
    return {PassKind::kInputGradient, PassKind::kWeightGradient};
  }
  static std::optional<PassKind> Needs(PassKind kind) {
    if (kind == PassKind::kForward) return std::nullopt;
    return kind == PassKind::kWeightGradient ? PassKind::kInputGradient
                                             : PassKind::kForward;
  }

  const Pipeline& pipeline_;
  int64_t stage_;
  std::map<Key, size_t> done_;  // and where
};

// All stages: runs what can run until nothing can.
class Run {
 public:
  Run(const Plan& plan, const Pipeline& pipeline)
      : plan_(plan),
        pipeline_(pipeline),
        parts_(PartsOf(pipeline)),
        next_(plan.size(), 0) {}

  absl::Status Check() {
    for (bool moved = true; moved;) {
      moved = false;
      for (size_t stage = 0; stage < plan_.size(); ++stage) {
        while (Step(stage)) moved = true;
      }
    }
    for (size_t stage = 0; stage < plan_.size(); ++stage) {
      if (next_[stage] < plan_[stage].size()) return Ring(stage);
    }
    return absl::OkStatus();
  }

 private:
  // A pass of another chunk that this one's data comes from, and its stage.
  struct Source {
    int64_t stage;
    Pass pass;
  };

  std::optional<Source> SourceOf(size_t stage, const Pass& pass) const {
    if (pass.kind == PassKind::kWeightGradient) return std::nullopt;
    const bool forward = pass.kind == PassKind::kForward;
    const Seat seat{.stage = static_cast<int64_t>(stage), .chunk = pass.chunk};
    const int64_t part = PartAt(pipeline_, seat) + (forward ? -1 : 1);
    if (part < 0 || part >= parts_) return std::nullopt;
    const Seat from = Neighbour(pipeline_, seat, forward ? -1 : 1);
    return Source{from.stage, {.kind = pass.kind,
                               .chunk = from.chunk,
                               .microbatch = pass.microbatch}};
  }

  bool IsDone(const Source& source) const {
    const bool forward = source.pass.kind == PassKind::kForward;
    return done_.count({forward, source.stage, source.pass.chunk,
                        source.pass.microbatch}) > 0;
  }

  // Passes that run together start together.
  size_t EndOfTurn(size_t stage) const {
    const std::vector<Pass>& passes = plan_[stage];
    size_t end = next_[stage] + 1;
    while (end < passes.size() && passes[end - 1].with_next) ++end;
    return end;
  }

  bool Step(size_t stage) {
    const std::vector<Pass>& passes = plan_[stage];
    if (next_[stage] == passes.size()) return false;
    const size_t end = EndOfTurn(stage);
    for (size_t at = next_[stage]; at < end; ++at) {
      const std::optional<Source> source = SourceOf(stage, passes[at]);
      if (source && !IsDone(*source)) return false;
    }
    for (size_t at = next_[stage]; at < end; ++at) {
      const Pass& pass = passes[at];
      if (pass.kind == PassKind::kWeightGradient) continue;
      done_.emplace(pass.kind == PassKind::kForward,
                    static_cast<int64_t>(stage), pass.chunk, pass.microbatch);
    }
    next_[stage] = end;
    return true;
  }

  // From stage to the stage it waits for, until one comes again.
  absl::Status Ring(size_t stage) const {
    std::vector<size_t> chain;
    std::vector<std::string> words;
    std::set<size_t> seen;
    while (seen.insert(stage).second) {
      size_t at = next_[stage];
      std::optional<Source> source;
      for (; at < EndOfTurn(stage); ++at) {
        source = SourceOf(stage, plan_[stage][at]);
        if (source && !IsDone(*source)) break;
      }
      const Pass& pass = plan_[stage][at];
      chain.push_back(stage);
      words.push_back(absl::StrCat(Place(static_cast<int64_t>(stage), at), ": ",
                                   TextOf(pass), " waits for stage ",
                                   source->stage, "'s ",
                                   TextOf(AsPlanned(*source))));
      stage = static_cast<size_t>(source->stage);
    }
    std::string text = "the passes wait for each other: ";
    bool in_ring = false;
    for (size_t i = 0; i < chain.size(); ++i) {
      in_ring = in_ring || chain[i] == stage;
      if (!in_ring) continue;
      absl::StrAppend(&text, words[i], i + 1 < chain.size() ? "; " : "");
    }
    return absl::InvalidArgumentError(text);
  }

  // The same pass as its stage's plan calls it: whole or split.
  Pass AsPlanned(const Source& source) const {
    for (const Pass& pass : plan_[static_cast<size_t>(source.stage)]) {
      const bool same_way = (pass.kind == PassKind::kForward) ==
                            (source.pass.kind == PassKind::kForward);
      if (same_way && pass.kind != PassKind::kWeightGradient &&
          pass.chunk == source.pass.chunk &&
          pass.microbatch == source.pass.microbatch) {
        return pass;
      }
    }
    return source.pass;
  }

  const Plan& plan_;
  const Pipeline& pipeline_;
  int64_t parts_;
  std::vector<size_t> next_;  // by stage
  // Forward or not, stage, chunk, microbatch.
  std::set<std::tuple<bool, int64_t, int64_t, int64_t>> done_;
};

// Messages between two stages keep their order: what one stage sends first the
// other must take first.
class Order {
 public:
  Order(const Plan& plan, const Pipeline& pipeline)
      : plan_(plan), pipeline_(pipeline) {}

  absl::Status Check() {
    for (size_t stage = 0; stage < plan_.size(); ++stage) {
      for (const Pass& pass : plan_[stage]) Send(stage, pass);
    }
    for (size_t stage = 0; stage < plan_.size(); ++stage) {
      for (size_t at = 0; at < plan_[stage].size(); ++at) {
        const absl::Status status = Take(stage, at);
        if (!status.ok()) return status;
      }
    }
    return absl::OkStatus();
  }

 private:
  // Sender, receiver, way of the data, forward or not.
  using Channel = std::tuple<int64_t, int64_t, bool, bool>;
  struct Message {
    int64_t chunk, microbatch;  // chunk of the receiver
    friend bool operator==(const Message&, const Message&) = default;
  };

  void Send(size_t stage, const Pass& pass) {
    if (pass.kind == PassKind::kWeightGradient) return;
    const bool forward = pass.kind == PassKind::kForward;
    const Seat seat{.stage = static_cast<int64_t>(stage), .chunk = pass.chunk};
    const int64_t to = PartAt(pipeline_, seat) + (forward ? 1 : -1);
    if (to < 0 || to >= PartsOf(pipeline_)) return;
    const Seat next = Neighbour(pipeline_, seat, forward ? 1 : -1);
    sent_[{seat.stage, next.stage, FlowsUp(pipeline_, seat), forward}]
        .push_back({next.chunk, pass.microbatch});
  }

  absl::Status Take(size_t stage, size_t at) {
    const Pass& pass = plan_[stage][at];
    if (pass.kind == PassKind::kWeightGradient) return absl::OkStatus();
    const bool forward = pass.kind == PassKind::kForward;
    const Seat seat{.stage = static_cast<int64_t>(stage), .chunk = pass.chunk};
    const int64_t from = PartAt(pipeline_, seat) + (forward ? -1 : 1);
    if (from < 0 || from >= PartsOf(pipeline_)) return absl::OkStatus();
    const int64_t sender = Neighbour(pipeline_, seat, forward ? -1 : 1).stage;
    if (sender == seat.stage) return absl::OkStatus();
    const Channel channel{sender, seat.stage, FlowsUp(pipeline_, seat),
                          forward};
    const Message& first = sent_[channel][taken_[channel]++];
    if (first == Message{pass.chunk, pass.microbatch}) return absl::OkStatus();
    return Error(Place(seat.stage, at), ": ", TextOf(pass),
                 " takes its data before ",
                 TextOf({.kind = pass.kind,
                         .chunk = first.chunk,
                         .microbatch = first.microbatch}),
                 ", which stage ", sender,
                 " sends first; messages keep their order");
  }

  const Plan& plan_;
  const Pipeline& pipeline_;
  std::map<Channel, std::vector<Message>> sent_;
  std::map<Channel, size_t> taken_;
};

absl::StatusOr<Pass> ParsePass(absl::string_view text) {
  Pass pass;
  absl::string_view rest = text;
  bool known = false;
  for (const PassKind kind : {PassKind::kBackward, PassKind::kForward,
                              PassKind::kInputGradient,
                              PassKind::kWeightGradient}) {
    if (absl::ConsumePrefix(&rest, kKinds[static_cast<size_t>(kind)])) {
      pass.kind = kind;
      known = true;
      break;
    }
  }
  const std::vector<absl::string_view> numbers = absl::StrSplit(rest, '.');
  if (!known || numbers.size() > 2 ||
      !absl::SimpleAtoi(numbers[0], &pass.microbatch) ||
      (numbers.size() == 2 && !absl::SimpleAtoi(numbers[1], &pass.chunk))) {
    return Error("\"", text,
                 "\" is no pass; F, BW, B or W, a microbatch and a chunk would "
                 "be, e.g. F3.0");
  }
  return pass;
}

}  // namespace

std::string TextOf(const Pass& pass) {
  return absl::StrCat(kKinds[static_cast<size_t>(pass.kind)], pass.microbatch,
                      ".", pass.chunk);
}

std::string TextOf(const std::vector<Pass>& passes) {
  std::string text;
  for (size_t i = 0; i < passes.size(); ++i) {
    if (i > 0) text += passes[i - 1].with_next ? "+" : " ";
    text += TextOf(passes[i]);
  }
  return text;
}

absl::StatusOr<std::vector<Pass>> ParsePasses(absl::string_view text) {
  std::vector<Pass> passes;
  for (const absl::string_view turn :
       absl::StrSplit(text, absl::ByAnyChar(" \n\t"), absl::SkipEmpty())) {
    for (const absl::string_view word : absl::StrSplit(turn, '+')) {
      const absl::StatusOr<Pass> pass = ParsePass(word);
      if (!pass.ok()) {
        return Error("position ", passes.size() + 1, ": ",
                     pass.status().message());
      }
      passes.push_back(*pass);
      passes.back().with_next = true;
    }
    passes.back().with_next = false;
  }
  return passes;
}

absl::Status CheckPlan(const Plan& plan, const Pipeline& pipeline) {
  if (static_cast<int64_t>(plan.size()) != pipeline.stages) {
    return Error(plan.size(), " lists of passes for ", pipeline.stages,
                 " stages; give one each");
  }
  for (size_t stage = 0; stage < plan.size(); ++stage) {
    const absl::Status status =
        StageCheck(pipeline, static_cast<int64_t>(stage)).Run(plan[stage]);
    if (!status.ok()) return status;
  }
  const absl::Status status = Run(plan, pipeline).Check();
  if (!status.ok()) return status;
  return Order(plan, pipeline).Check();
}

}  // namespace models
