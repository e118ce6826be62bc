#include "scenarios/host_memory.h"

#include <algorithm>
#include <vector>

namespace scenarios {
namespace {

// Activations that a rank of the script has in host memory at most.
sim::Bytes ActivationsOf(const Outcome& outcome, const sim::Script& script) {
  sim::Bytes held, peak;
  for (const sim::Task& task : script.tasks) {
    const models::Collective* c =
        outcome.lowered.ops[task.label].op.collective();
    if (c == nullptr) continue;
    held += c->host_held;
    peak = std::max(peak, held);
  }
  return peak;
}

}  // namespace

HostUse HostUseOf(const Inputs& inputs, const Outcome& outcome) {
  HostUse fullest;
  if (!inputs.training.offload.any()) return fullest;
  const sim::Program& program = outcome.lowered.program;
  std::vector<HostUse> each;  // of a rank, by script
  for (size_t script = 0; script < program.scripts.size(); ++script) {
    const models::OffDevice& off = outcome.lowered.stages[script].off_device;
    each.push_back(
        {.memory = off.host +
                   ActivationsOf(outcome,
                                 program.scripts[sim::AsId<sim::ScriptId>(script)]),
         .disk = off.disk});
  }
  const auto per_node = static_cast<size_t>(inputs.cluster.gpus_per_node);
  for (size_t first = 0; first < program.script.size(); first += per_node) {
    HostUse node;
    const size_t end = std::min(first + per_node, program.script.size());
    for (size_t rank = first; rank < end; ++rank) {
      const size_t script =
          sim::Row(program.script[sim::AsId<sim::RankId>(rank)]);
      node.memory += each[script].memory;
      node.disk += each[script].disk;
    }
    fullest.memory = std::max(fullest.memory, node.memory);
    fullest.disk = std::max(fullest.disk, node.disk);
  }
  return fullest;
}

bool HostFits(const Inputs& inputs, const Outcome& outcome) {
  const HostUse use = HostUseOf(inputs, outcome);
  const sim::Bytes disk = inputs.cluster.host
                              ? inputs.cluster.host->disk_capacity
                              : sim::Bytes(0);
  return use.memory <= inputs.cluster.host_memory && use.disk <= disk;
}

}  // namespace scenarios
