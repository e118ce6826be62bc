// From the fields of `serving` to what engines and their prices are made of.
//
//   models::ServingSpec spec = ServingSpecOf(serving, serving.parallel());
//
// To add a choice of an engine: a field in engine.proto and a line here.
#ifndef SCENARIOS_SERVING_FIELDS_H_
#define SCENARIOS_SERVING_FIELDS_H_

#include "hardware/serving_cost.h"
#include "models/serving.h"
#include "scenarios/serving.pb.h"
#include "scenarios/serving_inputs.h"
#include "sim/serving/fleet.h"
#include "sim/serving/policy.h"

namespace scenarios {

models::ServingSpec ServingSpecOf(const proto::Serving& serving,
                                  const proto::ServingParallel& parallel);
sim::EnginePolicy PolicyOf(const proto::Serving& serving);
// Times of the host are those of a thread of speed 1 (Cluster::cpu_speed).
hardware::EngineHost EngineHostOf(const proto::EngineProcess& process,
                                  double cpu_speed);
sim::RouterKind RouterOf(proto::Serving::Router router);
Objective ObjectiveOf(const proto::Slo& slo);

// How the memory of each GPU is used, and how many blocks of cache there are.
EngineMemory MemoryOf(const proto::Serving& serving, const ServingPool& pool);

}  // namespace scenarios

#endif  // SCENARIOS_SERVING_FIELDS_H_
