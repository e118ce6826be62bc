// Which rank of a pipeline holds which part of the model.
//
//   4 stages        kRing, 2 chunks   kVee      kBidirectional
//   stage 0         parts 0 4         0 7       0 3
//   stage 1         parts 1 5         1 6       1 2
//   stage 2         parts 2 6         2 5       1 2
//   stage 3         parts 3 7         3 4       0 3
//
// A part is a run of layers; data flows through the parts in their order. It
// flows down where the next part lies on the next stage, and up where it lies
// on the stage before. To add one: a row in each function of placement.cc.
#ifndef MODELS_SCHEDULES_PLACEMENT_H_
#define MODELS_SCHEDULES_PLACEMENT_H_

#include <cstdint>

namespace models {

enum class Placement : uint8_t {
  kRing,  // part c lies on stage c % stages
  kVee,   // down the stages, then up again
  // Two copies of the model: one's data flows down the stages, the other's up.
  // Chunk 0 of a stage is the part nearer to the embedding, so that both stages
  // that hold the same two parts call them by the same numbers.
  kBidirectional,
};

struct Pipeline {
  int64_t stages = 1;
  int64_t chunks = 1;  // parts that a stage holds
  int64_t microbatches = 1;
  Placement placement = Placement::kRing;
};

// A part on the stage that holds it.
struct Seat {
  int64_t stage = 0;
  int64_t chunk = 0;  // of this stage
  friend bool operator==(const Seat&, const Seat&) = default;
};

// How many parts the data flows through.
int64_t PartsOf(const Pipeline& pipeline);
// 2 where there are two copies of the model, else 1.
int64_t CopiesOf(Placement placement);
int64_t PartAt(const Pipeline& pipeline, Seat seat);
// Whether data flows towards lower stages there.
bool FlowsUp(const Pipeline& pipeline, Seat seat);
// Where data goes from `seat` (step +1) or comes from (step -1).
// REQUIRES: there is such a part.
Seat Neighbour(const Pipeline& pipeline, Seat seat, int step);
// Whether the chunk's microbatches are numbered from 0, or are the second half
// of them (those of the copy whose data flows up), and how many it has.
int64_t FirstMicrobatch(const Pipeline& pipeline, Seat seat);
int64_t MicrobatchesOf(const Pipeline& pipeline);

}  // namespace models

#endif  // MODELS_SCHEDULES_PLACEMENT_H_
