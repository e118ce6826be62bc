#include "hardware/serving_cost.h"

#include <algorithm>
#include <numeric>

#include "hardware/collective_cost.h"
#include "hardware/gemm_cost.h"

namespace hardware {
namespace {

using models::Op;
using sim::StepWork;

int64_t PromptTokens(const StepWork& work) {
  int64_t tokens = 0;
  for (const sim::PrefillChunk& c : work.prefills) tokens += c.tokens;
  return tokens;
}

int64_t Sampled(const StepWork& work) {
  int64_t sampled = work.decode_tokens;  // a draft is checked token by token
  for (const sim::PrefillChunk& c : work.prefills) sampled += c.last ? 1 : 0;
  return sampled;
}

// The ranks of the first tensor-parallel group, and their like a stage later.
GroupShape ShapeOfRanks(const Cluster& cluster, int64_t first, int64_t count,
                        int64_t step, int groups) {
  std::vector<int> ranks;
  for (int64_t r = 0; r < count; ++r) {
    ranks.push_back(static_cast<int>(first + r * step));
  }
  return ShapeOf(cluster, ranks, groups);
}

}  // namespace

ServingCost::ServingCost(const models::ModelSpec& model,
                         const models::ServingSpec& spec, const CostModel& cost,
                         const Cluster& cluster, const EngineHost& host)
    : model_(model),
      spec_(spec),
      cost_(cost),
      cluster_(cluster),
      host_(host),
      group_(ShapeOfRanks(cluster, 0, spec.tensor, 1, 0)),
      kinds_(models::ServingLayerKinds(model, spec)) {
  // An engine's kernel that has no constants for this GPU is priced as vLLM's,
  // which is FlashAttention 2 or 3.
  const auto decode = models::DecodeAttention(model_, spec_, 0, 1, 128, 1);
  if (!cost_.Check(*decode.front().kernel()).ok()) {
    spec_.kernels.attention = models::AttentionFamily::kVllm;
    spec_.kernels.masked = false;
  }
  if (spec.pipeline > 1) {
    stage_group_ = ShapeOfRanks(cluster, 0, 2, spec.tensor,
                                static_cast<int>(spec.tensor));
  }
}

absl::Status ServingCost::Check() const {
  const StepWork work{.decodes = 1,
                      .decode_tokens = 1,
                      .decode_keys = 128,
                      .prefills = {{.tokens = 128, .keys = 128, .last = true}}};
  for (const models::ServingLayerKind& kind : kinds_) {
    std::vector<Op> ops = models::ServingLayer(model_, spec_, kind.layer, 64);
    const auto add = [&](std::vector<Op> more) {
      ops.insert(ops.end(), more.begin(), more.end());
    };
    add(models::DecodeAttention(model_, spec_, kind.layer, 1, 128, 1));
    add(models::PrefillAttention(model_, spec_, kind.layer, work.prefills));
    for (const Op& op : ops) {
      const models::Kernel* kernel = op.kernel();
      if (kernel == nullptr || std::holds_alternative<models::Quantise>(*kernel)) {
        continue;
      }
      const absl::Status status = cost_.Check(*kernel);
      if (!status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

double ServingCost::SecondsOf(const Op& op) const {
  if (const models::Collective* c = op.collective()) {
    const bool between = c->kind == models::CollectiveKind::kSendRecv;
    const sim::Duration time =
        PriceOf(*c, between ? stage_group_ : group_, cluster_).time;
    return std::max(0.0, sim::InSeconds(time) + host_.skew_seconds);
  }
  if (const auto* quantise = std::get_if<models::Quantise>(op.kernel())) {
    if (!Runs(cost_.calibration, *quantise)) return 0;  // its product does it
  }
  return sim::InSeconds(cost_.Of(*op.kernel()).time);
}

ServingCost::Sum ServingCost::SumOf(const std::vector<Op>& ops) const {
  Sum sum;
  for (const Op& op : ops) {
    const double seconds = SecondsOf(op);
    sum.seconds += seconds;
    if (seconds > 0) {
      sum.launches += op.kernel() ? models::LaunchesOf(*op.kernel()) : 1;
    }
  }
  return sum;
}

// Of one stage, but for attention and the head.
ServingCost::Sum ServingCost::Layers(int64_t tokens) const {
  Sum all = SumOf(models::ServingEnds(model_, spec_, tokens, 0));
  for (const models::ServingLayerKind& kind : kinds_) {
    const Sum one =
        SumOf(models::ServingLayer(model_, spec_, kind.layer, tokens));
    all.seconds += one.seconds * static_cast<double>(kind.count);
    all.launches += one.launches * kind.count;
  }
  if (spec_.pipeline > 1) {
    all.seconds += SecondsOf(
        {.work = models::StageMessage(model_, tokens), .name = "pp send"});
    ++all.launches;
  }
  return all;
}

const ServingCost::Sum& ServingCost::CachedLayers(int64_t tokens) {
  const auto [it, fresh] = layers_.try_emplace(tokens);
  if (fresh) it->second = Layers(tokens);
  return it->second;
}

const ServingCost::Sum& ServingCost::CachedHead(int64_t sampled) {
  const auto [it, fresh] = heads_.try_emplace(sampled);
  if (fresh) {
    const Sum with =
        SumOf(models::ServingEnds(model_, spec_, sampled, sampled));
    const Sum without = SumOf(models::ServingEnds(model_, spec_, sampled, 0));
    it->second = {with.seconds - without.seconds,
                  with.launches - without.launches};
  }
  return it->second;
}

ServingCost::Sum ServingCost::Attention(const StepWork& work) const {
  Sum all;
  for (const models::ServingLayerKind& kind : kinds_) {
    Sum one;
    if (work.decodes > 0) {
      one = SumOf(models::DecodeAttention(model_, spec_, kind.layer,
                                          work.decodes, work.decode_keys,
                                          work.decode_tokens));
    }
    if (!work.prefills.empty()) {
      const Sum prompts = SumOf(models::PrefillAttention(
          model_, spec_, kind.layer, work.prefills));
      one.seconds += prompts.seconds;
      one.launches += prompts.launches;
    }
    all.seconds += one.seconds * static_cast<double>(kind.count);
    all.launches += one.launches * kind.count;
  }
  return all;
}

// Keys and values from and to the host, whose PCIe link each rank has its own
// share of, and the drives of the server.
double ServingCost::MoveSeconds(const StepWork& work) const {
  if (!cluster_.host) return 0;
  const auto bytes = [&](int64_t tokens) {
    return static_cast<double>(
        (models::CacheBytesPerToken(model_, spec_) * tokens).count());
  };
  const double pcie =
      cluster_.host->pcie.count() / cluster_.host->gpus_per_pcie_switch;
  double seconds = bytes(std::max(work.from_host, work.to_host)) / pcie;
  if (work.from_disk > 0 && cluster_.host->disks > 0) {
    const double drives =
        cluster_.host->disk_read.count() * cluster_.host->disks;
    seconds += bytes(work.from_disk) * static_cast<double>(spec_.tensor) / drives;
  }
  return seconds;
}

int64_t ServingCost::Padded(const StepWork& work, int64_t tokens) const {
  const bool graph = host_.graphs == GraphUse::kAll ||
                     (host_.graphs == GraphUse::kDecode && work.prefills.empty());
  if (!graph) return 0;
  const auto size = std::lower_bound(host_.captured.begin(),
                                     host_.captured.end(), tokens);
  return size == host_.captured.end() ? 0 : *size;
}

sim::StepTime ServingCost::Of(const StepWork& work) {
  const int64_t tokens = work.decode_tokens + PromptTokens(work);
  const int64_t padded = Padded(work, tokens);
  const Sum layers = CachedLayers(padded > 0 ? padded : tokens);
  const int64_t sampled = Sampled(work);
  const Sum head = sampled > 0 ? CachedHead(sampled) : Sum{};
  const Sum attention = Attention(work);

  double stage = layers.seconds + attention.seconds + MoveSeconds(work);
  double last = head.seconds;
  if (padded == 0) {
    const double launch = sim::InSeconds(host_.launch);
    stage = std::max(stage, launch * static_cast<double>(layers.launches +
                                                         attention.launches));
    last = std::max(last, launch * static_cast<double>(head.launches));
  }
  const auto sequences =
      work.decodes + static_cast<int64_t>(work.prefills.size());
  sim::Duration each = host_.sequence;
  if (group_.ranks > 1) each += host_.ranks;
  const sim::Duration host = host_.step + each * sequences +
                             host_.prompt_token * PromptTokens(work);
  sim::StepTime time{.stage = sim::Seconds(stage), .last = sim::Seconds(last)};
  if (!host_.overlapped) {
    time.host = host;
  } else if (time.busy() < host) {
    time.stage = host - time.last;
  }
  return time;
}

std::vector<StepOp> ServingCost::Expand(const StepWork& work) const {
  std::vector<StepOp> ops;
  const int64_t tokens = work.decode_tokens + PromptTokens(work);
  const int64_t padded = Padded(work, tokens);
  const auto add = [&](const std::vector<Op>& more, int64_t times) {
    for (const Op& op : more) ops.push_back({op, times, SecondsOf(op)});
  };
  for (const models::ServingLayerKind& kind : kinds_) {
    std::vector<Op> layer = models::ServingLayer(model_, spec_, kind.layer,
                                                 padded > 0 ? padded : tokens);
    // Attention stands before what is made of it.
    auto behind = std::find_if(layer.begin(), layer.end(), [](const Op& op) {
      return op.name == "value up" || op.name == "attention out";
    });
    if (behind != layer.begin() && (behind - 1)->name == "quantise") --behind;
    const auto insert = [&](const std::vector<Op>& attention) {
      behind = layer.insert(behind, attention.begin(), attention.end()) +
               static_cast<std::ptrdiff_t>(attention.size());
    };
    if (work.decodes > 0) {
      insert(models::DecodeAttention(model_, spec_, kind.layer, work.decodes,
                                     work.decode_keys, work.decode_tokens));
    }
    if (!work.prefills.empty()) {
      insert(models::PrefillAttention(model_, spec_, kind.layer,
                                      work.prefills));
    }
    add(layer, kind.count);
  }
  add(models::ServingEnds(model_, spec_, padded > 0 ? padded : tokens, 0), 1);
  if (const int64_t sampled = Sampled(work); sampled > 0) {
    std::vector<Op> head =
        models::ServingEnds(model_, spec_, sampled, sampled);
    const size_t without =
        models::ServingEnds(model_, spec_, sampled, 0).size();
    head.erase(head.begin(),
               head.begin() + static_cast<std::ptrdiff_t>(without));
    add(head, 1);
  }
  return ops;
}

}  // namespace hardware
