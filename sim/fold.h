// Folding: ranks that provably do the same thing at the same time are simulated
// once.
//
// Two ranks are the same if they run the same script and, on every axis, meet
// as many ranks of each kind. That is the coarsest equitable partition of the
// ranks, found by refinement: start from the scripts, split while some group
// tells members of a class apart. A task's times depend only on the script, on
// when the groups' members arrive and on what else crosses their links, which
// is what they themselves do; so ranks of one class have equal timelines, and
// the quotient program computes them with one rank per class.
//
//   Llama-3-405B on 16,384 GPUs, TP8 PP16 DP128: 16 classes.
#ifndef SIM_FOLD_H_
#define SIM_FOLD_H_

#include "sim/column.h"
#include "sim/program.h"

namespace sim {

struct Folding {
  Program program;                        // one rank per class
  Column<RankId, RankId> folded;          // original rank -> its class
  Column<RankId, RankId> representative;  // class -> lowest original rank
  Column<RankId, uint32_t> multiplicity;  // class -> original ranks it is
};

// REQUIRES: Check(program) is ok. Then Check(folding.program) is, too.
// Cost: O(ranks · axes · log) for each round of splitting, of which a symmetric
// program needs two: 16,384 ranks with seven axes take 3 ms.
Folding Fold(const Program& program);

}  // namespace sim

#endif  // SIM_FOLD_H_
