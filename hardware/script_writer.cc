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
  return c != nullptr && models::Sends(c->axis);
}

bool IsReceive(const Op& op) {
  const models::Collective* c = op.collective();
  return c != nullptr && models::Receives(c->axis);
}

bool SendsTokens(const Op& op) {
  const models::Collective* c = op.collective();
  return c != nullptr && c->axis == Axis::kExpert;
}

// Which op of the pass is the last to read each tensor.
const sim::Runs<OpId, models::TensorId>& FreesIn(const Pass& pass,
                                                 const models::OpGraph& graph) {
  const bool split = pass.kind == PassKind::kInputGradient ||
                     pass.kind == PassKind::kWeightGradient;
  return split ? graph.frees_split : graph.frees;
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
      microbatches_(training.microbatches()),
      asynchronous_(training.overlap.pipeline || training.split.asynchronous()),
      activations_(static_cast<size_t>(microbatches_), kNone),
      gradients_(activations_) {
  newest_.fill(kNone);
  for (size_t chunk = 0; chunk < graphs.chunks.size(); ++chunk) {
    unfinished_.emplace_back(static_cast<size_t>(microbatches_));
    buffer_of_.emplace_back(static_cast<size_t>(microbatches_));
  }
}

sim::Script ScriptWriter::Write(std::span<const Pass> passes) && {
  FindEnds(passes);
  WriteResident();
  for (size_t i = 0; i < passes.size(); ++i) {
    if (passes[i].with_next && i + 1 < passes.size()) {
      WritePair(passes[i], passes[i + 1]);
      ++i;
    } else {
      WritePass(passes[i]);
    }
  }
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
void ScriptWriter::WaitForBlockingMessages(const Op& op, const Writing& writing,
                                           std::vector<TaskId>* after) const {
  const bool ahead = training_.split.virtual_stages > 1;
  if (asynchronous_ || writing.pass.kind == PassKind::kWeightGradient ||
      (ahead && (training_.host.launch_blocking ||
                 training_.host.synchronise_layers))) {
    return;
  }
  const TaskId newest = newest_[0];
  if (IsReceive(op) && !ahead && newest != kNone) after->push_back(newest);
  if (op.kernel() != nullptr && writing.fresh) {
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
  for (const Taken& taken : taken_) {
    Allocate(id, *taken.tensor, taken.buffer);
  }
  taken_.clear();
  return id;
}

void ScriptWriter::Allocate(TaskId task, const models::Tensor& tensor,
                            sim::BufferId* buffer) {
  *buffer = sim::AsId<sim::BufferId>(buffers_++);
  script_.memory.push_back(
      {task, *buffer, tensor.bytes, static_cast<sim::HolderId>(tensor.holder)});
}

void ScriptWriter::FindWaits(OpId op, const Writing& writing,
                             std::vector<TaskId>* after) const {
  const auto chunk = static_cast<size_t>(writing.pass.chunk);
  const models::OpGraph& graph = graphs_.chunks[chunk];
  const std::vector<TaskId>& before =
      unfinished_[chunk][static_cast<size_t>(writing.pass.microbatch)];
  const auto stream = static_cast<size_t>(models::StreamOf(graph.ops[op]));
  for (const OpId need : graph.needs[op]) {
    TaskId task = writing.task_of[sim::Row(need)];
    if (task == kNone && writing.pass.kind == PassKind::kWeightGradient) {
      task = before[sim::Row(need)];
    }
    if (task != kNone && script_.tasks[task].lane != rows_.lane_of[stream]) {
      after->push_back(task);
    }
  }
  WaitForBlockingMessages(graph.ops[op], writing, after);
}

TaskId ScriptWriter::HandedOver(OpId op, const Writing& writing) {
  const models::OpGraph& graph =
      graphs_.chunks[static_cast<size_t>(writing.pass.chunk)];
  auto& handed = graph.ops[op].phase == Phase::kForward ? activations_
                                                        : gradients_;
  TaskId& task = handed[static_cast<size_t>(writing.pass.microbatch)];
  TaskId made = kNone;
  for (const OpId need : graph.needs[op]) {
    const TaskId of_need = writing.task_of[sim::Row(need)];
    if (of_need != kNone && (made == kNone || made < of_need)) made = of_need;
  }
  if (made != kNone) task = made;
  return task;
}

// No task of its own: the task before frees what it was the last to need, the
// one behind allocates what it brings.
void ScriptWriter::WriteHandOver(OpId op, Writing* writing) {
  const auto chunk = static_cast<size_t>(writing->pass.chunk);
  const models::OpGraph& graph = graphs_.chunks[chunk];
  writing->task_of[sim::Row(op)] = HandedOver(op, *writing);
  std::vector<sim::BufferId>& buffers =
      buffer_of_[chunk][static_cast<size_t>(writing->pass.microbatch)];
  for (const models::TensorId tensor : graph.makes[op]) {
    taken_.push_back({&graph.tensors[tensor], &buffers[sim::Row(tensor)]});
  }
  for (const models::TensorId tensor : FreesIn(writing->pass, graph)[op]) {
    sim::BufferId* buffer = &buffers[sim::Row(tensor)];
    // A chunk without layers hands on what it took.
    if (std::erase_if(taken_, [&](const Taken& t) {
          return t.buffer == buffer;
        }) > 0) {
      continue;
    }
    script_.memory.push_back(
        {sim::AsId<TaskId>(script_.tasks.size() - 1), *buffer, sim::Bytes(0),
         static_cast<sim::HolderId>(graph.tensors[tensor].holder)});
  }
}

ScriptWriter::Writing ScriptWriter::Begin(const Pass& pass) {
  const models::OpGraph& graph =
      graphs_.chunks[static_cast<size_t>(pass.chunk)];
  graph_layer_ = -1;
  const models::Host& host = training_.host;
  if (!(host.cuda_graphs && host.whole_iteration) &&
      pass.kind != PassKind::kWeightGradient) {
    host_ += sim::Microseconds(host.pass_microseconds);
  }
  // Ops of the forward pass of this chunk are done: it ran earlier on this
  // rank.
  return {.pass = pass,
          .task_of = std::vector<TaskId>(graph.ops.size(), kNone),
          .sent = {}};
}

bool ScriptWriter::Done(const Writing& writing) const {
  return writing.row ==
         graphs_.chunks[static_cast<size_t>(writing.pass.chunk)].ops.size();
}

void ScriptWriter::WriteOpOf(Writing* writing) {
  const Pass& pass = writing->pass;
  const auto chunk = static_cast<size_t>(pass.chunk);
  const models::OpGraph& graph = graphs_.chunks[chunk];
  const auto id = sim::AsId<OpId>(writing->row);
  const Op& op = graph.ops[id];
  if (op.hand_over) return WriteHandOver(id, writing);
  std::vector<TaskId> after;
  FindWaits(id, *writing, &after);
  const auto label =
      sim::AsId<sim::LabelId>(sim::Row(labels_.chunks[chunk]) + writing->row);
  const TaskId task = WriteOp(ops_[label], label, pass.microbatch,
                              EndsLayer(graph, writing->row, pass), after);
  writing->task_of[writing->row] = task;
  if (op.kernel() != nullptr) writing->fresh = false;
  if (IsSend(op)) writing->sent.push_back(task);
  const auto& frees = FreesIn(pass, graph);
  std::vector<sim::BufferId>& buffers =
      buffer_of_[chunk][static_cast<size_t>(pass.microbatch)];
  for (const models::TensorId tensor : graph.makes[id]) {
    Allocate(task, graph.tensors[tensor], &buffers[sim::Row(tensor)]);
  }
  for (const models::TensorId tensor : frees[id]) {
    script_.memory.push_back(
        {task, buffers[sim::Row(tensor)], sim::Bytes(0),
         static_cast<sim::HolderId>(graph.tensors[tensor].holder)});
  }
}

void ScriptWriter::WriteOps(bool turns, Writing* writing) {
  const auto chunk = static_cast<size_t>(writing->pass.chunk);
  const models::OpGraph& graph = graphs_.chunks[chunk];
  buffer_of_[chunk][static_cast<size_t>(writing->pass.microbatch)].resize(
      graph.tensors.size());
  for (bool turn = false; !turn && !Done(*writing); ++writing->row) {
    const Op& op = graph.ops[sim::AsId<OpId>(writing->row)];
    if (Skipped(op, writing->pass)) continue;
    WriteOpOf(writing);
    turn = turns && SendsTokens(op);
  }
}

void ScriptWriter::End(Writing* writing) {
  const Pass& pass = writing->pass;
  const auto chunk = static_cast<size_t>(pass.chunk);
  const auto microbatch = static_cast<size_t>(pass.microbatch);
  if (pass.kind != PassKind::kWeightGradient) {
    messages_ = std::move(writing->sent);
  }
  if (models::GivesWeightGradient(pass.kind)) {
    std::vector<sim::BufferId>().swap(buffer_of_[chunk][microbatch]);
    std::vector<TaskId>().swap(unfinished_[chunk][microbatch]);
  } else if (pass.kind == PassKind::kInputGradient) {
    unfinished_[chunk][microbatch] = std::move(writing->task_of);
  }
}

void ScriptWriter::WritePass(const Pass& pass) {
  Writing writing = Begin(pass);
  WriteOps(false, &writing);
  End(&writing);
}

// Each pass computes while the other's tokens travel.
void ScriptWriter::WritePair(const Pass& one, const Pass& other) {
  Writing writings[] = {Begin(one), Begin(other)};
  while (!Done(writings[0]) || !Done(writings[1])) {
    for (Writing& writing : writings) WriteOps(true, &writing);
  }
  for (Writing& writing : writings) End(&writing);
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
    // What is sent on is for other stages.
    if (op.collective() != nullptr && !host && !IsSend(op)) {
      reduction = tasks[row];
    }
    if (host && op.collective()->axis == Axis::kToDevice) fetched = tasks[row];
    if (host && op.collective()->axis == Axis::kToHost) left = tasks[row];
  }
}

}  // namespace hardware
