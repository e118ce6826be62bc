// Programs made up from a seed, for tests that compare two ways to run them.
//
//   Program program = RandomProgram(seed, {.contention = true});
//
// The same seed gives the same program on every compiler.
#ifndef TESTS_SIM_RANDOM_PROGRAM_H_
#define TESTS_SIM_RANDOM_PROGRAM_H_

#include <cstdint>

#include "sim/program.h"

namespace sim {

// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
class Dice {
 public:
  explicit Dice(uint64_t seed) : state_(seed) {}

  uint64_t Below(uint64_t n) {  // 0 .. n - 1; REQUIRES: n > 0
    state_ += 0x9e3779b97f4a7c15;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return (z ^ (z >> 31)) % n;
  }
  bool Chance(unsigned percent) { return Below(100) < percent; }

 private:
  uint64_t state_;
};

struct RandomProgramOptions {
  bool contention = true;  // communications take parts of the device
  bool host_syncs = true;  // some tasks hold up the host
  bool lost_call = false;  // one rank leaves one call out: most deadlock
  bool links = false;      // communications slow each other
};

// Three links, and eight uses of one to three of them.
void AddLinks(Dice& dice, Program& program);
// One of them, or at times none.
UseId AnyUse(Dice& dice, const Program& program);

// Up to six ranks, each with a script of its own: kernels on several lanes,
// communications in groups and in channels of two, waits, late launches. Times
// are small, so that many things happen at the same instant.
Program RandomProgram(uint64_t seed, const RandomProgramOptions& options);

// A pipeline of `pipeline` stages with a few microbatches, each stage `tensor`
// ranks wide, `data` times over: one script for each stage. Ranks are numbered
// tensor first, then data, then pipeline. Tensor groups meet after kernels,
// stages send to the next and, in a ring, the last to the first; data groups
// meet at the end, beside kernels that they slow.
struct Grid {
  uint32_t tensor = 1, pipeline = 1, data = 1;
  bool links = false;  // communications slow each other
};
Program RandomGridProgram(uint64_t seed, const Grid& grid);

}  // namespace sim

#endif  // TESTS_SIM_RANDOM_PROGRAM_H_
