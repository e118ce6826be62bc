// The engines of a trace of serving: a process for each, and in it the threads
//
//   steps        one for each microbatch, a slice for each step: "decode 64",
//                "prefill 2048 + decode 61"
//   operators    below it, where they were asked for (step_operators.h)
//   network      keys and values that it sends or receives, with an arrow from
//                the one slice to the other
//   service      a slice while it is up
//
// and the counters "running", "waiting" (requests), "KV blocks used" and "KV
// blocks cached" (held for requests to come), as steps leave them. A step that
// an outage cuts off is not shown.
#ifndef SCENARIOS_ENGINE_TRACKS_H_
#define SCENARIOS_ENGINE_TRACKS_H_

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "scenarios/serving_inputs.h"
#include "scenarios/serving_tracks.h"
#include "scenarios/step_operators.h"
#include "sim/serving/fleet.h"

namespace scenarios {

// Steps that run at some instant of it are expanded.
struct OperatorWindow {
  sim::Instant from = {}, to = {};
};

class EngineTracks {
 public:
  EngineTracks(const ServingInputs& inputs,
               const std::optional<OperatorWindow>& window,
               ServingTracks* tracks);

  // As sim::Listeners. `add` may give the end of the step's slice more.
  void Steps(const sim::StepRecord& step,
             const std::function<void(EventBytes*)>& add);
  void Moves(const sim::TransferRecord& transfer);
  void Switches(uint32_t engine, sim::Instant at, bool up);
  void Ends(sim::Instant at);

 private:
  static constexpr size_t kCounters = 4;
  struct Engine {
    uint64_t process = 0;  // its track; the others follow
    size_t pool = 0;
    bool described = false, network = false, up = false;
    std::vector<bool> operators = {};  // by microbatch: there is such a thread
    std::array<int64_t, kCounters> counted = {-1, -1, -1, -1};
  };

  Engine& At(uint32_t row);
  void Describe(uint32_t row, Engine* engine);
  std::string NameOf(uint32_t row, const Engine& engine) const;
  int32_t PidOf(uint32_t row) const;
  uint64_t StepTrack(const Engine& engine, int microbatch) const;
  uint64_t NetworkTrack(uint32_t row);
  void WriteArguments(const Engine& engine, const sim::StepWork& work);
  void WriteOperators(const sim::StepRecord& step, Engine* engine);
  void WriteCounters(const sim::StepRecord& step, Engine* engine);
  void WriteMove(uint64_t track, const sim::TransferRecord& transfer,
                 bool sends, uint64_t arrow);

  const ServingInputs& inputs_;
  const std::optional<OperatorWindow> window_;
  ServingTracks& tracks_;
  int32_t pids_ = 10;            // from one engine's to the next
  std::vector<size_t> pool_of_;  // by engine; those that start later: the first
  std::vector<sim::Bytes> key_bytes_;     // by pool: of one token, on a GPU
  std::vector<StepOperators> operators_;  // by pool, if there is a window
  std::vector<Engine> engines_;
};

}  // namespace scenarios

#endif  // SCENARIOS_ENGINE_TRACKS_H_
