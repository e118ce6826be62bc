// HBM traffic and state of the optimizers.
//
//   TrafficOf(training, Optimizer::kAdamW);  // BF16: reads 4 + 4 + 8 bytes a
//                                            // parameter, writes 4 + 8 + 2
//
// To add an optimizer: an enumerator and its bytes (training.{h,cc}), and its
// traffic here if it is not one pass over what it keeps.
#ifndef MODELS_OPTIMIZER_TRAFFIC_H_
#define MODELS_OPTIMIZER_TRAFFIC_H_

#include <cstdint>
#include <span>

#include "models/model_spec.h"
#include "models/rank_shape.h"
#include "models/training.h"
#include "sim/units.h"

namespace models {

// Bytes per parameter that an update reads and writes: gradient, master (or
// FP32 weights), moments; and the 16-bit weights it writes.
struct UpdateTraffic {
  int64_t read = 0, written = 0;
  int kernels = 1;
};
UpdateTraffic TrafficOf(const TrainingSpec& training, Optimizer optimizer);

// Transformer Engine's fused Adam updates FP32 copies of states that are kept
// in fewer bytes: made before it and stored back after it. Bytes per parameter;
// all zero where every state is FP32.
struct StateCopies {
  UpdateTraffic unscale, scale;
  int64_t held = 0;  // FP32 copies, while the update runs
};
StateCopies StateCopiesOf(const TrainingSpec& training, Optimizer optimizer);

// Bytes on a rank of `chunks` that StateBytes, which are the same for every
// parameter, leave out; ZeRO has divided them. Of Muon: the second moments of
// what AdamW updates. Of Adafactor: all of its state.
sim::Bytes FurtherStateBytes(const ModelSpec& model,
                             const TrainingSpec& training,
                             std::span<const Chunk> chunks);

// Of one GPU that holds the whole model, master weights left out.
sim::Bytes WholeStateBytes(const ModelSpec& model, Optimizer optimizer);

}  // namespace models

#endif  // MODELS_OPTIMIZER_TRAFFIC_H_
