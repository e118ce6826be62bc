// Bytes a parameter takes while it is trained, by precision strategy and by
// optimizer.
//
//   TrainingStates()[1].bytes();  // 16-bit weights and gradients, FP32 master
//                                 // and moments: 2 + 4 + 2 + 8 = 16
//
// To add a strategy: a row of the table in training_state.cc.
#ifndef MODELS_TRAINING_STATE_H_
#define MODELS_TRAINING_STATE_H_

#include <cstdint>
#include <span>

#include "models/training.h"

namespace models {

// Bytes per parameter of a training run with Adam.
struct TrainingState {
  const char* name;
  int64_t weights;  // that the matrix products read
  int64_t master;   // FP32 copy; 0: there is none
  int64_t gradients;
  int64_t moments;  // both
  const char* note;

  int64_t bytes() const { return weights + master + gradients + moments; }
};

std::span<const TrainingState> TrainingStates();

// Bytes of `state` per parameter on each of `ranks` ranks as the ZeRO paper
// divides them: stage 1 master weights and moments, 2 also gradients, 3 also
// weights (Rajbhandari et al. 2020, section 5). REQUIRES: 0 <= zero <= 3.
double ZeroBytes(const TrainingState& state, int zero, int64_t ranks);

// Every optimizer, in the order of the enum.
std::span<const Optimizer> Optimizers();

// Bytes of optimizer state that every parameter has, master weights left out.
int64_t OptimizerBytes(Optimizer optimizer);

}  // namespace models

#endif  // MODELS_TRAINING_STATE_H_
