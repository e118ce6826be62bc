// 1F1B whose stages divide the embedding and the head (Yeung et al. 2024,
// arXiv:2411.05288): beside its own passes every stage runs two short ones for
// each microbatch, of a chunk more than it has layers' chunks.
//
//   S  forward pass of that chunk: logits of a share of the vocabulary, once the
//      last stage has sent its output to all
//   T  backward pass: their gradients
//
// All stages meet behind S, and with two barriers behind T; then the last
// stage's backward pass begins. Stages run S and T in one order, S0, S1 T0,
// S2 T1, …, so that their collectives meet, and so that a microbatch's second
// meeting is its successor's first.
#ifndef MODELS_SCHEDULES_VOCABULARY_PLAN_H_
#define MODELS_SCHEDULES_VOCABULARY_PLAN_H_

#include <cstdint>

#include "models/schedules/schedule.h"

namespace models {

// Made by simulation, F 10, BW 20, S and T 3 units of time, and 2 until stages
// have met: what is ready runs, the vocabulary's passes first, for which all
// stages wait, then forward passes, for which it waits. A stage holds as
// many microbatches as in 1F1B and one more for each barrier (section 5).
// REQUIRES: one chunk a stage; barriers is 1 or 2.
Plan PlanVocabulary(const Pipeline& pipeline, int64_t barriers);

}  // namespace models

#endif  // MODELS_SCHEDULES_VOCABULARY_PLAN_H_
