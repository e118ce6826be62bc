// What a trace is written from: a simulated program, when its tasks ran, and
// what its labels stand for. trace_perfetto.h and trace_kineto.h write it.
//
//   TraceInputs inputs{.program = program, .timeline = timeline};
//   inputs.ranks = {{RankId{0}, 0, "rank 0 · stage 0", ledger.curve}};
//   inputs.notes[qkv] = {"gemm", {{"flops", 1.37e12}, {"bound_by",
//   "compute"}}};
//
// A note with any key becomes an argument of every slice of its label. The keys
// below mean something to the writers as well.
#ifndef SCENARIOS_TRACE_H_
#define SCENARIOS_TRACE_H_

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "sim/column.h"
#include "sim/engine.h"
#include "sim/ledger.h"
#include "sim/program.h"

namespace scenarios {

// The kind of a communication, as models::NameOf spells it: "all-reduce".
inline constexpr char kCollectiveNote[] = "collective";
inline constexpr char kAlgorithmNote[] = "algorithm";   // "ring", "tree", …
inline constexpr char kDTypeNote[] = "dtype";           // "bf16", …
inline constexpr char kBytesNote[] = "bytes";           // int64: of the message
inline constexpr char kGroupSizeNote[] = "group_size";  // int64: ranks

struct Note {
  std::string key;  // snake_case, with its unit if it has one
  std::variant<int64_t, double, std::string> value;
};

struct SliceNotes {
  std::string category;  // "gemm", "attention", "tp", …; may be empty
  std::vector<Note> notes;
};

struct TracedRank {
  sim::RankId rank;     // a row of the program, which may be folded
  uint32_t number = 0;  // the rank it stands for, of the unfolded program
  std::string name;     // "rank 12 · stage 1 · tp 4 · dp 0"
  std::vector<sim::MemoryPoint> memory;  // Ledger::curve; empty: no counters
};

// How arrows join the slices of one call on an axis.
enum class Arrow : uint8_t {
  kNone,
  kAmong,   // a collective: from each traced member to the next
  kLeave,   // a channel's sending end: to the slices of its receiving ends
  kArrive,  // a channel's receiving end
};

struct TraceInputs {
  const sim::Program& program;
  const sim::Timeline& timeline;
  // In the order they are shown. REQUIRES: each was recorded in the timeline;
  // numbers differ.
  std::vector<TracedRank> ranks = {};
  sim::Column<sim::LabelId, SliceNotes> notes = {};  // one for each label
  sim::Column<sim::AxisId, Arrow> arrows = {};  // one for each axis, or empty
  int64_t world_size = 1;                       // ranks of the unfolded program
  std::string device = {};  // of all of them: "NVIDIA H100 80GB HBM3"
};

// One end of an arrow, at a slice.
struct ArrowEnd {
  enum Side : uint8_t { kNone, kFirst, kMiddle, kLast };
  Side side = kNone;  // where the slice stands among those the arrow joins
  uint64_t id = 0;    // of the arrow: not 0, the same at all its slices
};

// Tells which slices arrows join, from one traced rank's view.
//
//   ArrowEnds ends(inputs);
//   ends.Start(rank);            // a row of inputs.ranks
//   for (const Task& task : …) ends.Next(task.axis);
//
// A program's rank that is traced under several numbers has arrows only at the
// first of them: which of the others met whom, a folded program cannot tell.
class ArrowEnds {
 public:
  explicit ArrowEnds(const TraceInputs& inputs);

  void Start(size_t rank);
  // Of the next task, in script order, on `axis`, which may be sim::kNoAxis.
  ArrowEnd Next(sim::AxisId axis);

 private:
  struct Seat {
    ArrowEnd::Side side = ArrowEnd::kNone;
    uint64_t group = 0;
  };
  size_t axes_;
  std::vector<Seat> seats_;      // by traced rank, then axis
  std::span<const Seat> here_;   // those of the rank that was started
  std::vector<uint32_t> calls_;  // made so far, by axis
};

}  // namespace scenarios

#endif  // SCENARIOS_TRACE_H_
