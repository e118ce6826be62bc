#include "models/schedules/placement.h"

#include <algorithm>
#include <cassert>

namespace models {

int64_t CopiesOf(Placement placement) {
  return placement == Placement::kBidirectional ? 2 : 1;
}

int64_t PartsOf(const Pipeline& pipeline) {
  return pipeline.stages * pipeline.chunks / CopiesOf(pipeline.placement);
}

int64_t PartAt(const Pipeline& pipeline, Seat seat) {
  const int64_t mirrored = pipeline.stages - 1 - seat.stage;
  switch (pipeline.placement) {
    case Placement::kRing:
      return seat.chunk * pipeline.stages + seat.stage;
    case Placement::kVee:
      return seat.chunk == 0 ? seat.stage : pipeline.stages + mirrored;
    case Placement::kBidirectional:
      return seat.chunk == 0 ? std::min(seat.stage, mirrored)
                             : std::max(seat.stage, mirrored);
  }
  return 0;
}

bool FlowsUp(const Pipeline& pipeline, Seat seat) {
  switch (pipeline.placement) {
    case Placement::kRing:
      return false;
    case Placement::kVee:
      return seat.chunk == 1;
    case Placement::kBidirectional:
      return PartAt(pipeline, seat) != seat.stage;
  }
  return false;
}

Seat Neighbour(const Pipeline& pipeline, Seat seat, int step) {
  const int64_t part = PartAt(pipeline, seat) + step;
  assert(part >= 0 && part < PartsOf(pipeline));
  const int64_t stages = pipeline.stages;
  switch (pipeline.placement) {
    case Placement::kRing:
      return {.stage = part % stages, .chunk = part / stages};
    case Placement::kVee:
      return {.stage = part < stages ? part : 2 * stages - 1 - part,
              .chunk = part < stages ? 0 : 1};
    case Placement::kBidirectional:
      return {.stage = FlowsUp(pipeline, seat) ? stages - 1 - part : part,
              .chunk = part < stages - 1 - part ? 0 : 1};
  }
  return {};
}

int64_t MicrobatchesOf(const Pipeline& pipeline) {
  return pipeline.microbatches / CopiesOf(pipeline.placement);
}

int64_t FirstMicrobatch(const Pipeline& pipeline, Seat seat) {
  const bool second = pipeline.placement == Placement::kBidirectional &&
                      FlowsUp(pipeline, seat);
  return second ? MicrobatchesOf(pipeline) : 0;
}

}  // namespace models
