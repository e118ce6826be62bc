// Writes the script of one pipeline stage: its passes in the schedule's order,
// each an instance of a chunk's graph, then the step graph.
#ifndef HARDWARE_SCRIPT_WRITER_H_
#define HARDWARE_SCRIPT_WRITER_H_

#include <span>
#include <vector>

#include "hardware/lowering.h"
#include "hardware/pricing.h"
#include "models/schedules/schedule.h"

namespace hardware {

class ScriptWriter {
 public:
  // `lane_of[1 + axis]` and `axis_of[axis]` are the program's rows; lane 0 is
  // the compute lane.
  struct Rows {
    std::array<sim::LaneId, models::kAxes + 1> lane_of{};
    std::array<sim::AxisId, models::kAxes> axis_of{};
  };

  ScriptWriter(const models::TrainingSpec& training,
               const models::StageGraph& graphs, const StageLabels& labels,
               const sim::Column<sim::LabelId, PricedOp>& ops,
               const Rows& rows);

  sim::Script Write(std::span<const models::Pass> passes) &&;

 private:
  void WriteResident();
  // A pass while it is written; of two that overlap, each stops where its
  // tokens travel between experts.
  struct Writing {
    models::Pass pass;
    size_t row = 0;                   // next op
    bool fresh = true;                // no compute task yet
    std::vector<sim::TaskId> task_of;  // by op
    std::vector<sim::TaskId> sent;
  };
  void WritePass(const models::Pass& pass);
  void WritePair(const models::Pass& one, const models::Pass& other);
  Writing Begin(const models::Pass& pass);
  // Writes ops until the pass ends or, if `turns`, tokens set out.
  void WriteOps(bool turns, Writing* writing);
  void WriteOpOf(Writing* writing);
  void End(Writing* writing);
  bool Done(const Writing& writing) const;
  void WriteStep();
  // Finds the passes of each chunk that come first and last.
  void FindEnds(std::span<const models::Pass> passes);
  bool Skipped(const models::Op& op, const models::Pass& pass) const;
  // Whether the host waits for this op of the pass because a layer ends there.
  bool EndsLayer(const models::OpGraph& graph, size_t row,
                 const models::Pass& pass) const;
  sim::TaskId WriteOp(const PricedOp& op, sim::LabelId label, int64_t pass,
                      bool ends_layer, std::span<const sim::TaskId> after);
  // What `op` of the pass waits for: ops of other lanes.
  void FindWaits(models::OpId op, const Writing& writing,
                 std::vector<sim::TaskId>* after) const;
  void WaitForBlockingMessages(const models::Op& op, const Writing& writing,
                               std::vector<sim::TaskId>* after) const;
  // The task that made what the chunk hands over, or what was handed to it.
  sim::TaskId HandedOver(models::OpId op, const Writing& writing);
  void WriteHandOver(models::OpId op, Writing* writing);
  void Allocate(sim::TaskId task, const models::Tensor& tensor,
                sim::BufferId* buffer);

  const models::TrainingSpec& training_;
  const models::StageGraph& graphs_;
  const StageLabels& labels_;
  const sim::Column<sim::LabelId, PricedOp>& ops_;
  const Rows& rows_;
  sim::Script script_;
  int64_t microbatches_;
  bool asynchronous_;  // no pass waits for messages of another

  // Whether a CUDA graph launches the op, and whether that graph begins here.
  bool InGraph(const models::Op& op) const;
  bool BeginsGraph(const models::Op& op);

  sim::Duration host_;      // host time since its last wait
  int32_t graph_layer_ = -1;  // whose graph was launched last in this pass
  bool graph_launched_ = false;  // that of the whole iteration
  uint32_t buffers_ = 0;    // allocated so far
  // Newest task of each lane, by row of lane_of; kNone before the first.
  std::array<sim::TaskId, models::kAxes + 1> newest_;
  std::vector<sim::TaskId> messages_;  // sent by the pass before
  // Of a chunk: its first forward pass and its last that makes weight
  // gradients, by microbatch.
  struct Ends {
    int64_t first = 0, last = 0;
  };
  std::vector<Ends> ends_;
  // By chunk and microbatch the buffers of its tensors, and the tasks of
  // input-gradient passes whose weight gradients are still to come.
  std::vector<std::vector<std::vector<sim::TaskId>>> unfinished_;
  std::vector<std::vector<std::vector<sim::BufferId>>> buffer_of_;
  // By microbatch: the task that made activations or gradients which the next
  // chunk of this rank takes over.
  std::vector<sim::TaskId> activations_, gradients_;
  // What was taken over since the newest task; the next one allocates it.
  struct Taken {
    const models::Tensor* tensor;
    sim::BufferId* buffer;
  };
  std::vector<Taken> taken_;
};

}  // namespace hardware

#endif  // HARDWARE_SCRIPT_WRITER_H_
