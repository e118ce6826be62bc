#include "hardware/script_writer.h"

#include <algorithm>
#include <utility>

namespace hardware {
namespace {

using models::Axis;
using models::Op;
using models::OpId;
using models::Pass;
using models::PassKind;
using models::Phase;
using models::When;
using sim::TaskId;

constexpr TaskId kNone{0xffffffff};

bool IsSend(const Op& op) {
  const models::Collective* c = op.collective();
  return c != nullptr &&
         (c->axis == Axis::kForwardOut || c->axis == Axis::kBackwardOut);
}

bool IsReceive(const Op& op) {
  const models::Collective* c = op.collective();
  return c != nullptr &&
         (c->axis == Axis::kForwardIn || c->axis == Axis::kBackwardIn);
}

bool IsHostWork(const Op& op) {
  return op.collective() != nullptr && models::IsOnHost(op.collective()->axis);
}

// A layer is done when its kernels and their tensor-parallel sums are.
bool IsOfItsLayer(const Op& op) {
  const models::Collective* c = op.collective();
  return c == nullptr || c->axis == Axis::kTensor;
}

}  // namespace

ScriptWriter::ScriptWriter(const models::TrainingSpec& training,
                           const models::StageGraph& graphs,
                           const StageLabels& labels,
                           const sim::Column<sim::LabelId, PricedOp>& ops,
                           const Rows& rows)
    : training_(training),
      graphs_(graphs),
      labels_(labels),
      ops_(ops),
      rows_(rows),
      microbatches_(training.microbatches()) {
  newest_.fill(kNone);
  for (const models::OpGraph& chunk : graphs.chunks) {
    task_of_.emplace_back(chunk.ops.size(), kNone);
    unfinished_.emplace_back(static_cast<size_t>(microbatches_));
    buffer_of_.emplace_back(static_cast<size_t>(microbatches_));
  }
}

sim::Script ScriptWriter::Write(std::span<const Pass> passes) && {
  FindEnds(passes);
  WriteResident();
  for (const Pass& pass : passes) WritePass(pass);
  WriteStep();
  return std::move(script_);
}

void ScriptWriter::WriteResident() {
  for (int holder = 0; holder < models::kHolders; ++holder) {
    const sim::Bytes bytes = graphs_.resident[static_cast<size_t>(holder)];
    if (bytes <= sim::Bytes(0)) continue;
    script_.memory.push_back({TaskId{0}, sim::AsId<sim::BufferId>(buffers_++),
                              bytes, static_cast<sim::HolderId>(holder)});
  }
}

void ScriptWriter::FindEnds(std::span<const Pass> passes) {
  ends_.assign(graphs_.chunks.size(), {.first = -1, .last = -1});
  for (const Pass& pass : passes) {
    Ends& ends = ends_[static_cast<size_t>(pass.chunk)];
    if (ends.first < 0) ends.first = pass.microbatch;
    if (models::GivesWeightGradient(pass.kind)) ends.last = pass.microbatch;
  }
}

bool ScriptWriter::Skipped(const Op& op, const Pass& pass) const {
  switch (pass.kind) {
    case PassKind::kForward:
      if (op.phase != Phase::kForward) return true;
      break;
    case PassKind::kBackward:
      if (op.phase != Phase::kBackward) return true;
      break;
    case PassKind::kInputGradient:
      if (op.phase != Phase::kBackward || op.weight_gradient) return true;
      break;
    case PassKind::kWeightGradient:
      if (!op.weight_gradient) return true;
      break;
  }
  const Ends& ends = ends_[static_cast<size_t>(pass.chunk)];
  return (op.when == When::kFirstMicrobatch && pass.microbatch != ends.first) ||
         (op.when == When::kLastMicrobatch && pass.microbatch != ends.last) ||
         (op.when == When::kAfterFirst && pass.microbatch == ends.first);
}

// Without overlap a stage stands still while messages travel: compute waits for
// what the pass before sent, and a receive is posted when that pass is done. An
// interleaved stage receives what it needs passes later, so its receives are
// posted ahead (Megatron buffers them likewise). Weight gradients of a split
// pass need no message, and run under those of the pass before.
void ScriptWriter::WaitForBlockingMessages(const Op& op, const Pass& pass,
                                           std::vector<TaskId>* after) const {
  const bool ahead = training_.split.virtual_stages > 1;
  if (training_.overlap.pipeline || pass.kind == PassKind::kWeightGradient ||
      (ahead && (training_.host.launch_blocking ||
                 training_.host.synchronise_layers))) {
    return;
  }
  const TaskId newest = newest_[0];
  if (IsReceive(op) && !ahead && newest != kNone) after->push_back(newest);
  if (op.kernel() != nullptr && fresh_pass_) {
    after->insert(after->end(), messages_.begin(), messages_.end());
  }
}

bool ScriptWriter::EndsLayer(const models::OpGraph& graph, size_t row,
                             const Pass& pass) const {
  const auto id = sim::AsId<OpId>(row);
  if (!training_.host.synchronise_layers || !IsOfItsLayer(graph.ops[id])) {
    return false;
  }
  for (++row; row < graph.ops.size(); ++row) {
    const Op& next = graph.ops[sim::AsId<OpId>(row)];
    if (!IsOfItsLayer(next) || Skipped(next, pass)) continue;
    return next.layer != graph.ops[id].layer;
  }
  return true;
}

bool ScriptWriter::InGraph(const Op& op) const {
  const models::Host& host = training_.host;
  return host.cuda_graphs &&
         (host.whole_iteration ? op.phase != Phase::kStep : op.layer >= 0);
}

bool ScriptWriter::BeginsGraph(const Op& op) {
  if (training_.host.whole_iteration) {
    return !std::exchange(graph_launched_, true);
  }
  return std::exchange(graph_layer_, op.layer) != op.layer;
}

TaskId ScriptWriter::WriteOp(const PricedOp& priced, sim::LabelId label,
                             int64_t pass, bool ends_layer,
                             std::span<const TaskId> after) {
  const Op& op = priced.op;
  const models::Host& host = training_.host;
  const int launches =
      op.kernel() == nullptr ? 1 : models::LaunchesOf(*op.kernel());
  if (!InGraph(op)) {
    host_ += sim::Microseconds(host.launch_microseconds * launches);
  } else if (BeginsGraph(op)) {
    host_ += sim::Microseconds(host.graph_microseconds);
  }
  host_ += sim::Microseconds(op.host_microseconds);
  const int stream = models::StreamOf(op);
  sim::Task task{.duration = priced.time,
                 .issue = host_,
                 .label = label,
                 .pass = static_cast<uint32_t>(pass),
                 .lane = rows_.lane_of[static_cast<size_t>(stream)]};
  if (const models::Collective* collective = op.collective()) {
    task.axis = rows_.axis_of[static_cast<size_t>(collective->axis)];
    task.takes_compute = priced.collective.takes_compute;
    task.takes_memory = priced.collective.takes_memory;
    task.use = priced.use;
  } else {
    task.bound = priced.bound == Bound::kMemory ? sim::Resource::kMemory
                                                : sim::Resource::kCompute;
  }
  // A blocked host could not post the receive that its peer's send waits for.
  task.host_sync =
      op.host_sync || ends_layer ||
      (host.launch_blocking && !IsSend(op) && !IsReceive(op));
  if (task.host_sync) host_ = sim::Duration(0);
  const TaskId id = script_.Append(task, after);
  newest_[static_cast<size_t>(stream)] = id;
  return id;
}

void ScriptWriter::Allocate(TaskId task, const models::Tensor& tensor,
                            sim::BufferId* buffer) {
  *buffer = sim::AsId<sim::BufferId>(buffers_++);
  script_.memory.push_back(
      {task, *buffer, tensor.bytes, static_cast<sim::HolderId>(tensor.holder)});
}

void ScriptWriter::FindWaits(const models::OpGraph& graph, OpId op,
                             const Pass& pass, std::vector<TaskId>* after) {
  const auto chunk = static_cast<size_t>(pass.chunk);
  const std::vector<TaskId>& before =
      unfinished_[chunk][static_cast<size_t>(pass.microbatch)];
  for (const OpId need : graph.needs[op]) {
    TaskId task = task_of_[chunk][sim::Row(need)];
    if (task == kNone && pass.kind == PassKind::kWeightGradient) {
      task = before[sim::Row(need)];
    }
    if (task != kNone &&
        models::StreamOf(graph.ops[need]) != models::StreamOf(graph.ops[op])) {
      after->push_back(task);
    }
  }
  WaitForBlockingMessages(graph.ops[op], pass, after);
}

void ScriptWriter::WritePass(const Pass& pass) {
  const auto chunk = static_cast<size_t>(pass.chunk);
  const auto microbatch = static_cast<size_t>(pass.microbatch);
  const models::OpGraph& graph = graphs_.chunks[chunk];
  const bool split = pass.kind == PassKind::kInputGradient ||
                     pass.kind == PassKind::kWeightGradient;
  const auto& frees = split ? graph.frees_split : graph.frees;
  std::vector<TaskId>& tasks = task_of_[chunk];
  std::vector<sim::BufferId>& buffers = buffer_of_[chunk][microbatch];
  buffers.resize(graph.tensors.size());
  std::vector<TaskId> after, sent;
  fresh_pass_ = true;
  graph_layer_ = -1;
  const models::Host& host = training_.host;
  if (!(host.cuda_graphs && host.whole_iteration) &&
      pass.kind != PassKind::kWeightGradient) {
    host_ += sim::Microseconds(host.pass_microseconds);
  }
  // Ops of the forward pass of this chunk are done: it ran earlier on this
  // rank.
  std::fill(tasks.begin(), tasks.end(), kNone);
  for (size_t row = 0; row < graph.ops.size(); ++row) {
    const auto id = sim::AsId<OpId>(row);
    const Op& op = graph.ops[id];
    if (Skipped(op, pass)) continue;
    after.clear();
    FindWaits(graph, id, pass, &after);
    const auto label =
        sim::AsId<sim::LabelId>(sim::Row(labels_.chunks[chunk]) + row);
    const TaskId task = WriteOp(ops_[label], label, pass.microbatch,
                                EndsLayer(graph, row, pass), after);
    tasks[row] = task;
    if (op.kernel() != nullptr) fresh_pass_ = false;
    if (IsSend(op)) sent.push_back(task);
    for (const models::TensorId tensor : graph.makes[id]) {
      Allocate(task, graph.tensors[tensor], &buffers[sim::Row(tensor)]);
    }
    for (const models::TensorId tensor : frees[id]) {
      script_.memory.push_back(
          {task, buffers[sim::Row(tensor)], sim::Bytes(0),
           static_cast<sim::HolderId>(graph.tensors[tensor].holder)});
    }
  }
  if (pass.kind != PassKind::kWeightGradient) messages_ = std::move(sent);
  if (models::GivesWeightGradient(pass.kind)) {
    std::vector<sim::BufferId>().swap(buffers);
    std::vector<TaskId>().swap(unfinished_[chunk][microbatch]);
  } else if (pass.kind == PassKind::kInputGradient) {
    unfinished_[chunk][microbatch] = tasks;
  }
}

// The step starts when every lane has drained: gradients are complete. The CPU
// updates when the last of them has left the device.
void ScriptWriter::WriteStep() {
  std::array<bool, models::kAxes + 1> started{};
  const auto drained = newest_;
  std::vector<TaskId> tasks(graphs_.step.ops.size(), kNone);
  std::vector<TaskId> after;
  TaskId reduction = kNone;  // newest communication of the step
  TaskId fetched = kNone;    // newest copy from the host
  TaskId left = kNone;       // … and to it
  for (size_t row = 0; row < graphs_.step.ops.size(); ++row) {
    const auto id = sim::AsId<OpId>(row);
    const Op& op = graphs_.step.ops[id];
    const auto stream = static_cast<size_t>(models::StreamOf(op));
    after.clear();
    if (!started[stream]) {
      started[stream] = true;
      for (size_t lane = 0; lane < drained.size(); ++lane) {
        if (lane != stream && drained[lane] != kNone) {
          after.push_back(drained[lane]);
        }
      }
    }
    // The host's work waits for what it needs alone.
    const bool host = IsHostWork(op);
    for (const OpId need : graphs_.step.needs[id]) {
      if (!host) break;
      const TaskId task = tasks[sim::Row(need)];
      if (script_.tasks[task].lane != rows_.lane_of[stream]) {
        after.push_back(task);
      }
    }
    if (host && op.collective()->axis == Axis::kCpu && left != kNone) {
      after.push_back(left);
    }
    // In order: the norm needs all sums, the gathering of weights the update.
    for (const TaskId newest : {reduction, newest_[0], fetched}) {
      if (host) break;
      if (newest != kNone &&
          script_.tasks[newest].lane != rows_.lane_of[stream]) {
        after.push_back(newest);
      }
    }
    std::sort(after.begin(), after.end());
    after.erase(std::unique(after.begin(), after.end()), after.end());
    const auto label = sim::AsId<sim::LabelId>(sim::Row(labels_.step) + row);
    tasks[row] = WriteOp(ops_[label], label, 0, false, after);
    if (op.collective() != nullptr && !host) reduction = tasks[row];
    if (host && op.collective()->axis == Axis::kToDevice) fetched = tasks[row];
    if (host && op.collective()->axis == Axis::kToHost) left = tasks[row];
  }
}

}  // namespace hardware
