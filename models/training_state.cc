#include "models/training_state.h"

#include <cstdint>
#include <span>

#include "models/training.h"

namespace models {
namespace {

constexpr TrainingState kStates[] = {
    {"FP32", 4, 0, 4, 8, "all in FP32"},
    {"16-bit, 16-bit gradients", 2, 4, 2, 8,
     "FP16 or BF16 mixed; ZeRO paper's 16 B (Rajbhandari et al. 2020)"},
    {"16-bit, FP32 gradients", 2, 4, 4, 8,
     "Megatron-LM accumulates gradients in FP32"},
    {"16-bit, FP32 gradients, 8-bit Adam", 2, 4, 4, 2,
     "one byte a moment (Dettmers et al. 2022)"},
    {"16-bit, 16-bit gradients, 8-bit Adam", 2, 4, 2, 2,
     "one byte a moment (Dettmers et al. 2022)"},
    {"FP8 weights and gradients", 1, 4, 1, 8, "experimental"},
    {"16-bit throughout", 2, 0, 2, 4,
     "no master copy, 16-bit moments: not what frameworks do by default"},
};

constexpr Optimizer kOptimizers[] = {Optimizer::kSgd,     Optimizer::kMomentum,
                                     Optimizer::kAdaGrad, Optimizer::kRmsProp,
                                     Optimizer::kAdam,    Optimizer::kAdamW,
                                     Optimizer::kLamb,    Optimizer::kAdam8bit,
                                     Optimizer::kMuon,    Optimizer::kAdafactor,
                                     Optimizer::kLion};

}  // namespace

std::span<const TrainingState> TrainingStates() { return kStates; }

double ZeroBytes(const TrainingState& state, int zero, int64_t ranks) {
  const auto share = [&](int64_t bytes, bool divided) {
    return static_cast<double>(bytes) /
           static_cast<double>(divided ? ranks : 1);
  };
  return share(state.weights, zero >= 3) + share(state.gradients, zero >= 2) +
         share(state.master + state.moments, zero >= 1);
}

std::span<const Optimizer> Optimizers() { return kOptimizers; }

int64_t OptimizerBytes(Optimizer optimizer) {
  TrainingSpec training;
  training.optimizer = optimizer;
  return StateBytesOf(training).optimizer;
}

}  // namespace models
