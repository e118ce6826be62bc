// Sections of the account: inference, communication, and what a machine makes
// of it by rule of thumb.
#include <cstdint>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "models/account.h"
#include "models/account_sections.h"
#include "models/data_parallel.h"
#include "models/op.h"
#include "models/op_graph.h"
#include "models/operator_totals.h"
#include "models/parameters.h"
#include "models/rank_shape.h"
#include "models/rules_of_thumb.h"
#include "models/training.h"
#include "models/training_graph.h"

namespace models {
namespace {

constexpr double kSecondsPerHour = 3600;
constexpr double kTokensPerParameter = 20;  // Hoffmann et al. 2022, Table 3

AccountRow Row(std::string section, std::string name, std::string unit,
               std::optional<double> exact, std::optional<double> rule,
               std::string note) {
  return {.section = std::move(section),
          .name = std::move(name),
          .unit = std::move(unit),
          .exact = exact,
          .rule = rule,
          .bytes = {},
          .note = std::move(note)};
}

int64_t RanksOn(Axis axis, const Split& split) {
  switch (axis) {
    case Axis::kTensor:
      return split.tensor;
    case Axis::kContext:
      return split.ring_ranks();
    case Axis::kContextHeads:
      return split.head_ranks();
    case Axis::kData:
      return split.copies() * split.data * split.context;
    case Axis::kShard:
      return split.shard_group > 0 ? split.shard_group
                                   : split.copies() * split.data * split.context;
    case Axis::kReplicate:
      return split.copies() * split.data * split.context / split.shard_group;
    case Axis::kModel:
      return split.tensor * split.pipeline / split.copies();
    case Axis::kSecondShard:
      return split.second_shard;
    case Axis::kShardNear:
      return NearRanks(split);
    case Axis::kShardFar:
      return ShardRanks(split) / NearRanks(split);
    case Axis::kStage:
      return split.stage_ranks();
    default:
      return 2;  // neighbours of a pipeline, its two ends
  }
}

// Bytes a rank sends: a ring passes 2(n-1)/n of an all-reduce's buffer, (n-1)/n
// of what is gathered or scattered, all of a message.
double RingTraffic(const Collective& collective, const Split& split) {
  const auto bytes = static_cast<double>(collective.bytes.count());
  const double share = RingAllReduceShare(RanksOn(collective.axis, split));
  switch (collective.kind) {
    case CollectiveKind::kAllReduce:
      return share * bytes;
    case CollectiveKind::kAllGather:
    case CollectiveKind::kReduceScatter:
    case CollectiveKind::kAllToAll:
      return share / 2 * bytes;
    case CollectiveKind::kBroadcast:
    case CollectiveKind::kSendRecv:
    case CollectiveKind::kCopy:
    case CollectiveKind::kHostWork:
    case CollectiveKind::kDiskRead:
    case CollectiveKind::kDiskWrite:
      return bytes;
  }
  return bytes;
}

struct Traffic {
  int64_t operations = 0;
  double payload = 0, sent = 0;  // bytes
  bool in_node = false;          // tensor-parallel ranks share one
};

void Count(const OpGraph& graph, const Split& split,
           std::map<std::string, Traffic>* traffic) {
  for (const Op& op : graph.ops) {
    const Collective* c = op.collective();
    if (c == nullptr) continue;
    Traffic& t = (*traffic)[absl::StrCat(NameOf(c->axis), ": ", op.name)];
    ++t.operations;
    t.in_node = c->axis == Axis::kTensor;
    t.payload += static_cast<double>(c->bytes.count());
    t.sent += RingTraffic(*c, split);
  }
}

}  // namespace

// Of the first pipeline stage: one microbatch, and the step after the last.
void AddCommunication(const AccountQuestion& question, AccountRows* rows) {
  if (!HasGraph(question.model)) return;
  const TrainingSpec& training = question.training;
  const StageGraph stage = BuildStage(
      question.model, training, ChunksOf(question.model, training.split)[0]);
  std::map<std::string, Traffic> microbatch, step;
  for (const OpGraph& chunk : stage.chunks) {
    Count(chunk, training.split, &microbatch);
  }
  Count(stage.step, training.split, &step);
  const auto add = [&](const char* section,
                       const std::map<std::string, Traffic>& traffic) {
    for (const auto& [name, t] : traffic) {
      rows->push_back(
          Row(section, name, "bytes", t.sent, {},
              absl::StrFormat("%s on %s", Counted(t.operations, "operation"),
                              ReadableBytes(t.payload))));
      if (!question.machine || !t.in_node) continue;
      rows->push_back(Row(section, absl::StrCat(name, ", at its rate"),
                          "seconds", {},
                          t.sent / question.machine->link.count(),
                          "rule: bytes / the link's bytes per second"));
    }
  };
  add("sent by a rank in rings, last microbatch of the first stage",
      microbatch);
  add("sent by a rank in rings, after the last microbatch", step);
}

void AddInference(const AccountQuestion& question, AccountRows* rows) {
  const ModelSpec& model = question.model;
  const TrainingSpec& t = question.training;
  const int64_t batch = t.micro_batch, length = t.sequence_length;
  const Parameters parameters = CountParameters(model);
  const auto active = static_cast<double>(parameters.active);
  const auto add = [&](std::string name, std::string unit, double exact,
                       double rule, std::string note) {
    rows->push_back(Row("inference", std::move(name), std::move(unit), exact,
                        rule, std::move(note)));
  };
  const double prefill =
      SumOf(ProductsOf(model, batch, length, true)).forward.count();
  const auto tokens = static_cast<double>(batch * length);
  add(absl::StrCat("prefill of ", batch, " x ", length, " tokens"), "FLOPs",
      prefill, ForwardFlops(active, tokens).count(), "rule: 2·P·D");
  const DecodeWork decode = DecodeWorkOf(model, batch, length, question.served);
  add(absl::StrCat("decode step, ", Counted(batch, "sequence"), " at ", length),
      "FLOPs", decode.flops.count(),
      ForwardFlops(active, static_cast<double>(batch)).count(),
      "rule: 2·P a sequence");
  const auto bytes =
      static_cast<double>((decode.weights + decode.kv_cache).count());
  const double weights =
      static_cast<double>(BytesOf(question.served, parameters.active).count());
  add("  its HBM traffic", "bytes", bytes, weights,
      absl::StrFormat(
          "weights %s, KV cache %s; rule: the weights once",
          ReadableBytes(static_cast<double>(decode.weights.count())),
          ReadableBytes(static_cast<double>(decode.kv_cache.count()))));
  add("  its arithmetic intensity", "FLOPs/byte", decode.intensity(),
      static_cast<double>(batch), "rule: 1 a sequence in 16 bits");
  if (!question.machine) return;
  const MachineRates& machine = *question.machine;
  const auto gpus = t.split.tensor;
  add(absl::StrCat("prefill on ", Counted(gpus, "GPU")), "seconds",
      prefill / (static_cast<double>(gpus) * machine.peak.count()),
      TrainingSeconds(ForwardFlops(active, tokens), gpus, machine.peak,
                      machine.utilization),
      absl::StrFormat("at peak; rule: 2·P·D at %.0f %% of it",
                      100 * machine.utilization));
  const double rate = static_cast<double>(gpus) * machine.memory.count();
  add(absl::StrCat("decode step on ", Counted(gpus, "GPU")), "seconds",
      bytes / rate, weights / rate,
      "HBM traffic at full bandwidth; launches come on top");
}

void AddMachine(const AccountQuestion& question, AccountRows* rows) {
  const MachineRates& machine = *question.machine;
  const TrainingSpec& t = question.training;
  const int64_t gpus = t.split.ranks();
  const Parameters parameters = CountParameters(question.model);
  const auto active = static_cast<double>(parameters.active);
  const double tokens =
      question.tokens > 0 ? question.tokens : kTokensPerParameter * active;
  const std::string section =
      absl::StrCat("rules on ", gpus, " x ", machine.name);
  const double per_token =
      3 *
      SumOf(ProductsOf(question.model, t.micro_batch, t.sequence_length, true,
                       t.sequences))
          .forward.count() /
      static_cast<double>(t.micro_batch * t.sequence_length);
  const auto hours = [&](sim::Flops flops) {
    return TrainingSeconds(flops, gpus, machine.peak, machine.utilization) /
           kSecondsPerHour;
  };
  rows->push_back(Row(section, "FLOPs per byte at the ridge", "FLOPs/byte", {},
                      RidgePoint(machine.peak, machine.memory),
                      "peak / HBM bandwidth; below it memory is the bound"));
  rows->push_back(Row(
      section, absl::StrFormat("hours for %.3g tokens", tokens), "hours",
      hours(sim::Flops(per_token * tokens)),
      hours(TrainingFlops(active, tokens)),
      absl::StrFormat("at MFU %.2f%s; rule: 6·P·D / (GPUs · peak · MFU)",
                      machine.utilization,
                      question.tokens > 0 ? "" : ", 20 tokens a parameter")));
  for (const int64_t bytes : {16, 18}) {
    rows->push_back(
        Row(section, "largest model, activations left out", "parameters", {},
            LargestModel(gpus, machine.capacity, static_cast<double>(bytes)),
            absl::StrFormat("GPUs · capacity / %d B", bytes)));
  }
}

void AddServingRules(const AccountQuestion&, AccountRows* rows) {
  struct Draft {
    double accept_rate;
    int64_t drafted;
  };
  for (const Draft& d : {Draft{0.6, 4}, Draft{0.8, 4}, Draft{0.9, 8}}) {
    rows->push_back(
        Row("speculative decoding",
            absl::StrFormat("%d drafted, %.0f %% accepted", d.drafted,
                            100 * d.accept_rate),
            "tokens", {}, TokensPerVerification(d.accept_rate, d.drafted),
            "(1 - a^(g+1)) / (1 - a) a pass, less the draft's cost"));
  }
}

}  // namespace models
