#include "scenarios/serving_checks.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace scenarios {
namespace {

using proto::Serving;

std::string Divisors(int64_t number, int64_t most) {
  std::vector<int64_t> divisors;
  for (int64_t d = 1; d <= std::min(number, most); ++d) {
    if (number % d == 0) divisors.push_back(d);
  }
  return absl::StrJoin(divisors, ", ");
}

absl::Status CheckSplit(const proto::ServingParallel& p,
                        const models::ModelSpec& model,
                        const sim::TextField& place) {
  if (!p.data_parallel_attention() && model.heads % p.tensor() != 0) {
    return place.At("parallel.tensor")
        .Error(absl::StrCat(p.tensor(), " does not divide the model's ",
                            model.heads, " heads; ", Divisors(model.heads, 64),
                            " would"));
  }
  if (!p.data_parallel_attention() && model.kv_heads % p.tensor() != 0 &&
      p.tensor() % model.kv_heads != 0) {
    return place.At("parallel.tensor")
        .Error(absl::StrCat(p.tensor(),
                            " neither divides nor is a multiple of the model's ",
                            model.kv_heads, " key-value heads; ",
                            Divisors(model.kv_heads, 64), " would"));
  }
  if (p.pipeline() > model.layers) {
    return place.At("parallel.pipeline")
        .Error(absl::StrCat(p.pipeline(), " stages are more than the model's ",
                            model.layers, " layers; fewer would do"));
  }
  if (!p.expert()) return absl::OkStatus();
  if (!model.experts) {
    return place.At("parallel.expert")
        .Error("the model has no experts; leave it out");
  }
  if (model.experts->count % p.tensor() != 0) {
    return place.At("parallel.expert")
        .Error(absl::StrCat(
            "tensor ", p.tensor(), " does not divide the model's ",
            model.experts->count, " experts; ",
            Divisors(model.experts->count, 64), " would"));
  }
  return absl::OkStatus();
}

absl::Status CheckSpeculation(const Serving& s, const sim::TextField& place) {
  if (!s.has_speculative()) return absl::OkStatus();
  const proto::Speculative& spec = s.speculative();
  if (spec.acceptance_size() == 0) {
    return place.At("speculative.acceptance")
        .Error("is missing; e.g. acceptance: [0.8, 0.7, 0.6], what drafts of "
               "this model are worth");
  }
  const bool model = spec.method() == proto::Speculative::DRAFT_MODEL;
  if (model != spec.has_draft_model()) {
    return place.At("speculative.draft_model")
        .Error(model ? "is missing; method DRAFT_MODEL needs one, e.g. { "
                       "preset: \"llama3.2-1b\" }"
                     : "is there, and the method has none of its own; set "
                       "method: DRAFT_MODEL or leave it out");
  }
  return absl::OkStatus();
}

absl::Status CheckSteps(const Serving& s, const sim::TextField& place) {
  const bool mixed = s.engine().batching() == proto::Engine::MIXED;
  if (mixed && s.max_num_batched_tokens() < s.max_num_seqs()) {
    return place.At("max_num_batched_tokens")
        .Error(absl::StrCat(s.max_num_batched_tokens(),
                            " is fewer than the ", s.max_num_seqs(),
                            " sequences of a step (max_num_seqs), each of "
                            "which may need one; ",
                            s.max_num_seqs(), " or more would do"));
  }
  if (s.engine().batching() == proto::Engine::STATIC &&
      s.parallel().pipeline() > 1) {
    return place.At("parallel.pipeline")
        .Error("static batches have no microbatches for stages; 1 would do");
  }
  for (int i = 0; i < s.slo_size(); ++i) {
    const proto::Slo& slo = s.slo(i);
    if (!slo.has_ttft_ms() && !slo.has_tpot_ms() && !slo.has_e2e_ms()) {
      return place.At("slo").At(static_cast<size_t>(i))
          .Error("sets no objective; give ttft_ms, tpot_ms or e2e_ms");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckServing(const Serving& settings,
                          const models::ModelSpec& model,
                          const sim::TextField& place) {
  if (model.linear_stack) {
    return place.Error(
        "the model is a stack of linear layers, which generates no tokens; a "
        "Transformer would do");
  }
  for (const absl::Status& status :
       {CheckSplit(settings.parallel(), model, place),
        CheckSpeculation(settings, place), CheckSteps(settings, place)}) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckFleet(const Serving& serving,
                        std::span<const ServingPool> pools,
                        const hardware::proto::Cluster& cluster,
                        const sim::TextField& place) {
  int64_t engines = 0, gpus = 0;
  for (size_t i = 0; i < pools.size(); ++i) {
    const ServingPool& pool = pools[i];
    engines += pool.replicas;
    if (!serving.pool_size() || !serving.pool(static_cast<int>(i)).has_cluster()) {
      gpus += pool.gpus() * pool.replicas;
    }
    const auto of = [&](sim::Role role) {
      return std::any_of(pools.begin(), pools.end(), [&](const ServingPool& p) {
        return p.model_index == pool.model_index && p.role == role;
      });
    };
    const bool prefill = of(sim::Role::kPrefill), decode = of(sim::Role::kDecode);
    if (prefill != decode) {
      return place.At("pool").At(i).Error(absl::StrCat(
          "its model has engines for ", prefill ? "prompts" : "decoding",
          " only; add a pool with role: ", prefill ? "DECODE" : "PREFILL"));
    }
  }
  const int64_t there = static_cast<int64_t>(cluster.nodes()) *
                        pools.front().cluster.gpus_per_node;
  if (cluster.has_nodes() && gpus > there) {
    return place.At("replicas").Error(absl::StrCat(
        "the engines take ", gpus, " GPUs, and the cluster's ",
        cluster.nodes(), " servers have ", there,
        "; fewer replicas, or leave out cluster.nodes"));
  }
  if (serving.has_autoscale()) {
    const proto::Autoscale& a = serving.autoscale();
    if (!a.has_target_outstanding()) {
      return place.At("autoscale.target_outstanding")
          .Error("is missing; the requests that each engine should have, e.g. "
                 "16");
    }
    if (a.has_max_replicas() && a.max_replicas() < a.min_replicas()) {
      return place.At("autoscale.max_replicas")
          .Error(absl::StrCat(a.max_replicas(), " is below min_replicas, ",
                              a.min_replicas(), "; that or more would do"));
    }
  }
  uint32_t models = 0;
  for (const ServingPool& pool : pools) {
    models = std::max(models, pool.model_index + 1);
  }
  const auto sum = [](double a, double b) { return a + b; };
  if (serving.model_share_size() > 0 &&
      (serving.model_share_size() != static_cast<int>(models) ||
       std::accumulate(serving.model_share().begin(),
                       serving.model_share().end(), 0.0, sum) <= 0)) {
    return place.At("model_share")
        .Error(absl::StrCat("needs one share for each of the ", models,
                            " models of the pools, not all 0; e.g. [",
                            models == 1 ? "1" : "0.7, 0.3", "]"));
  }
  for (int i = 0; i < serving.outage_size(); ++i) {
    if (serving.outage(i).replica() < engines) continue;
    return place.At("outage").At(static_cast<size_t>(i)).Error(absl::StrCat(
        "there is no engine ", serving.outage(i).replica(), "; 0 to ",
        engines - 1, " are there"));
  }
  return absl::OkStatus();
}

}  // namespace scenarios
