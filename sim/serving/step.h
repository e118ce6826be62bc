// One step of an engine: what is computed, and how long that takes. The
// simulation of serving knows a machine by this alone.
//
//   StepWork w{.decodes = 64, .decode_tokens = 64, .decode_keys = 64 * 1024};
//   cost(w).stage;  // 12 ms, say; hardware/serving_cost.h gives such a function
#ifndef SIM_SERVING_STEP_H_
#define SIM_SERVING_STEP_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "sim/units.h"

namespace sim {

// Part of a prompt.
struct PrefillChunk {
  int64_t tokens = 0;
  int64_t keys = 0;   // that its last token sees: those before it and itself
  bool last = false;  // gives the first token of the answer
  int64_t request = -1;  // its id; no cost depends on it
};

struct StepWork {
  int64_t decodes = 0;        // sequences that get further tokens
  int64_t decode_tokens = 0;  // computed for them: more, where drafts are checked
  int64_t decode_keys = 0;    // that these sequences see, all together
  std::vector<PrefillChunk> prefills = {};
  // Tokens whose keys and values move first.
  int64_t from_host = 0, from_disk = 0, to_host = 0;

  bool empty() const { return decodes == 0 && prefills.empty(); }
};

struct StepTime {
  Duration stage = {};  // of each pipeline stage …
  Duration last = {};   // … and of the last one more: the head
  Duration host = {};   // before and behind them, with the GPUs of this step idle

  Duration busy() const { return stage + last; }  // of one stage that is all
};

using StepCost = std::function<StepTime(const StepWork&)>;

}  // namespace sim

#endif  // SIM_SERVING_STEP_H_
