// What keeps a fleet from a load: the objective that is missed most, and why.
//
//   Limit limit = LimitOf(inputs, probe);  // {kTtft, kQueue}
//   DescribeLimit(limit, inputs, probe);
//   // "TTFT: requests wait for a first step 92 % of it; engines are busy 99 %"
//
// To add a cause: a row in Cause, where LimitOf finds it, its name and its
// words in the .cc.
#ifndef SCENARIOS_BINDING_LIMIT_H_
#define SCENARIOS_BINDING_LIMIT_H_

#include <string>

#include "scenarios/load_probe.h"
#include "scenarios/serving_inputs.h"

namespace scenarios {

// What is missed.
enum class Miss : uint8_t {
  kNone,
  kMemory,    // an engine has no room for its cache
  kRefused,   // requests are too long, or queues full
  kUnstable,  // the queue grows without end
  kTtft,
  kTpot,
  kE2e,
};

// What makes late requests late.
enum class Cause : uint8_t {
  kNone,
  kCompute,       // they wait, and engines have no more steps to give
  kCache,         // they wait, and the key-value cache is full
  kSequences,     // they wait, and max_num_seqs run
  kPrefill,       // their own prompts
  kBatch,         // steps with so many sequences
  kInterference,  // others' prompts in their steps
  kPreemption,
  kTransfer,      // of keys and values, or the wait for room there
};

struct Limit {
  Miss miss = Miss::kNone;
  Cause cause = Cause::kNone;
  friend bool operator==(const Limit&, const Limit&) = default;
};

// Of a probe that does not meet; of one that does, the limit is none.
Limit LimitOf(const ServingInputs& inputs, const Probe& probe);
// {kMemory} if it is.
Limit MemoryLimitOf(const ServingInputs& inputs);

std::string NameOf(Miss miss);    // "ttft"
std::string NameOf(Cause cause);  // "compute"
// With the numbers that show it. `probe` is what LimitOf was given.
std::string DescribeLimit(const Limit& limit, const ServingInputs& inputs,
                          const Probe& probe);

}  // namespace scenarios

#endif  // SCENARIOS_BINDING_LIMIT_H_
