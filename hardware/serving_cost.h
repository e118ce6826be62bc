// What a step of an inference engine takes on its GPUs and its host.
//
//   ServingCost cost(llama2_70b, spec, *CostModel::Load("h100-sxm-80gb"), dgx,
//                    {.step = Microseconds(800)});
//   cost.Of({.decodes = 64, .decode_tokens = 64, .decode_keys = 65536}).stage;
//   cost.Expand(work);  // the operators behind it, each with its time
//
// The products of a step depend on its number of tokens alone, so each number is
// priced once; attention is priced for every step. With CUDA graphs a step of
// decoding is padded to a captured size; a step without a graph takes at least
// as long as the host takes to launch its kernels.
#ifndef HARDWARE_SERVING_COST_H_
#define HARDWARE_SERVING_COST_H_

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "hardware/cluster.h"
#include "hardware/cost_model.h"
#include "hardware/group_shape.h"
#include "models/model_spec.h"
#include "models/serving.h"
#include "sim/serving/step.h"

namespace hardware {

// Where steps without a CUDA graph occur.
enum class GraphUse : uint8_t {
  kNone,      // every step is launched kernel by kernel
  kDecode,    // steps with prompts are
  kAll,       // no step is, up to the largest captured size
};

// The process around the model.
struct EngineHost {
  sim::Duration step = {};      // of each step: scheduling, inputs, outputs …
  sim::Duration sequence = {};  // … and for each sequence in it
  sim::Duration ranks = {};     // of a sequence more, if there are several GPUs
  sim::Duration prompt_token = {};  // of each token of a prompt
  sim::Duration launch = {};    // of one kernel outside a graph
  double skew_seconds = 0;      // of ranks that come to a collective
  // The host prepares the next step while the GPUs work on this one.
  bool overlapped = false;
  GraphUse graphs = GraphUse::kNone;
  std::vector<int64_t> captured = {};  // tokens, ascending
};

// An operator of a step, how often it runs in a row, and the time of one.
struct StepOp {
  models::Op op;
  int64_t times = 1;
  double seconds = 0;
};

class ServingCost {
 public:
  // REQUIRES: Check is ok. Borrows nothing.
  ServingCost(const models::ModelSpec& model, const models::ServingSpec& spec,
              const CostModel& cost, const Cluster& cluster,
              const EngineHost& host);

  // Whether the GPU runs every kernel of a step; else what it lacks.
  absl::Status Check() const;

  // Not for several threads at once: it remembers.
  sim::StepTime Of(const sim::StepWork& work);

  // What the stage with most to do runs, in order; `Of` sums it.
  std::vector<StepOp> Expand(const sim::StepWork& work) const;

 private:
  struct Sum {
    double seconds = 0;
    int64_t launches = 0;
  };
  double SecondsOf(const models::Op& op) const;
  Sum SumOf(const std::vector<models::Op>& ops) const;
  Sum Layers(int64_t tokens) const;
  Sum Attention(const sim::StepWork& work) const;
  const Sum& CachedLayers(int64_t tokens);
  const Sum& CachedHead(int64_t sampled);
  double MoveSeconds(const sim::StepWork& work) const;
  int64_t Padded(const sim::StepWork& work, int64_t tokens) const;

  models::ModelSpec model_;
  models::ServingSpec spec_;
  CostModel cost_;
  Cluster cluster_;
  EngineHost host_;
  GroupShape group_;         // of tensor-parallel ranks
  GroupShape stage_group_;   // of two neighbours in the pipeline
  std::vector<models::ServingLayerKind> kinds_ = {};
  absl::flat_hash_map<int64_t, Sum> layers_, heads_;
};

}  // namespace hardware

#endif  // HARDWARE_SERVING_COST_H_
