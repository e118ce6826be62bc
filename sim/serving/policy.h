// How an inference engine picks the work of its next step.
//
//   EnginePolicy vllm{.max_num_seqs = 256, .max_num_batched_tokens = 8192};
//   EnginePolicy orca{.batching = Batching::kMixed, .chunked_prefill = false,
//                     .reservation = Reservation::kOutput};
//
// The engines' rules are combinations of these: vLLM V1 and Sarathi-Serve mix
// and chunk; vLLM V0 puts prompts first; TensorRT-LLM mixes, and reserves what
// a request may generate (GUARANTEED_NO_EVICT) or does not (MAX_UTILIZATION);
// FasterTransformer is static.
#ifndef SIM_SERVING_POLICY_H_
#define SIM_SERVING_POLICY_H_

#include <cstdint>
#include <vector>

namespace sim {

enum class Batching : uint8_t {
  // A batch starts when the one before is done, and stays: a sequence that has
  // ended is computed on until the longest has.
  kStatic,
  // A step computes prompts, as long as some wait and find room, or else the
  // next token of every sequence.
  kPrefillFirst,
  // A step computes the next token of every sequence, and prompts with what is
  // left of its tokens.
  kMixed,
};

// Room for keys and values that a request takes when it starts.
enum class Reservation : uint8_t {
  kAsNeeded,  // of the tokens computed next; more as it grows
  kOutput,    // of all that it may generate, so that it is never put aside
};

// What becomes of a sequence for which there is no room any more, the last in
// turn of all that run: it waits, and its keys and values …
enum class Preemption : uint8_t {
  kRecompute,  // … are dropped and computed again
  kSwap,       // … go to host memory and come back
};

// Of every step, a draft of so many tokens is verified.
struct Speculation {
  // The chance that the i-th token of a draft is right, given that those before
  // it are; empty: no drafts.
  std::vector<double> acceptance = {};
  int64_t tokens() const { return static_cast<int64_t>(acceptance.size()); }
};

struct EnginePolicy {
  Batching batching = Batching::kMixed;
  bool chunked_prefill = true;            // prompts may be cut to fill a step
  int64_t max_num_seqs = 256;             // in a step, over all microbatches
  int64_t max_num_batched_tokens = 8192;  // in a step
  int64_t longest_chunk = 0;  // tokens of one prompt in a step, cut; 0: any
  int64_t max_model_len = 0;  // prompt and answer; 0: what fits
  Reservation reservation = Reservation::kAsNeeded;
  Preemption preemption = Preemption::kRecompute;
  // Blocks, of all, that stay free when a request starts beside others: vLLM V0
  // keeps 0.01.
  double watermark = 0;
  bool by_priority = false;  // else first come, first served
  // Stops at the first token, and hands the keys and values on.
  bool prefill_only = false;
  Speculation speculation = {};
  uint64_t seed = 1;  // of which drafts are right
  // Steps in flight, each with sequences of its own: the pipeline stages.
  int microbatches = 1;
};

}  // namespace sim

#endif  // SIM_SERVING_POLICY_H_
