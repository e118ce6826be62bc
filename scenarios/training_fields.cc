#include "scenarios/training_fields.h"

#include <algorithm>
#include <vector>

#include "models/schedules/plan_check.h"
#include "scenarios/expert_fields.h"
#include "scenarios/fp8_fields.h"
#include "scenarios/lora_fields.h"
#include "scenarios/offload_fields.h"
#include "scenarios/optimizer_fields.h"

namespace scenarios {
namespace {

models::Precision PrecisionOf(const proto::Training& t) {
  switch (t.precision()) {
    case proto::Training::FP32:
      return models::Precision::kFp32;
    case proto::Training::TF32:
      return models::Precision::kTf32;
    case proto::Training::FP16:
      return models::Precision::kFp16;
    case proto::Training::BF16:
      return models::Precision::kBf16;
    case proto::Training::FP8:
      return models::Precision::kFp8;
  }
  return models::Precision::kBf16;
}

models::Recompute RecomputeOf(const proto::Training& t) {
  switch (t.recompute()) {
    case proto::Training::NONE:
      return models::Recompute::kNone;
    case proto::Training::SELECTIVE:
      return models::Recompute::kSelective;
    case proto::Training::OPERATORS:
      return models::Recompute::kOperators;
    case proto::Training::FULL:
      return models::Recompute::kFull;
    case proto::Training::MLA_UP_PROJECTION:
      return models::Recompute::kLatentUp;
    case proto::Training::DOTS_EXCEPT_MLP:
      return models::Recompute::kDotsExceptMlp;
  }
  return models::Recompute::kNone;
}

models::KernelChoices KernelsOf(const proto::Kernels& k) {
  models::KernelChoices kernels{
      .fused_attention = k.attention() != proto::Kernels::MATERIALISED,
      .fused_norm = k.fused_norm(),
      .fused_activation = k.fused_activation(),
      .fused_rotary = k.fused_rotary(),
      .fused_residual = k.fused_residual(),
      .fused_softmax = k.fused_softmax(),
      .fused_cross_entropy = k.fused_cross_entropy(),
      .fp32_logits = k.fp32_logits(),
      .fused_optimizer = k.fused_optimizer(),
      .fused_gradient_sum = k.fused_gradient_sum(),
      .gather_copies = k.gather_copies(),
      .reduce_copy_bytes = k.reduce_copy_bytes(),
      .dropout = k.dropout()};
  for (const auto& [name, family] : kAttentionFamilies) {
    if (name == k.attention()) kernels.attention = family;
  }
  return kernels;
}

models::BackwardPrefetch BackwardPrefetchOf(const proto::Overlap& o) {
  switch (o.backward_prefetch()) {
    case proto::Overlap::BACKWARD_PRE:
      return models::BackwardPrefetch::kPre;
    case proto::Overlap::BACKWARD_POST:
      return models::BackwardPrefetch::kPost;
    case proto::Overlap::NO_PREFETCH:
      return models::BackwardPrefetch::kNone;
  }
  return models::BackwardPrefetch::kPre;
}

models::Overlap OverlapOf(const proto::Overlap& o) {
  return {.grad_reduce = o.grad_reduce(),
          .param_gather = o.param_gather(),
          .grad_scatter = o.grad_scatter(),
          .bucket_parameters = o.bucket_parameters(),
          .tensor = o.tensor(),
          .tensor_chunks = o.tensor_chunks(),
          .tensor_backward = o.tensor_backward(),
          .pipeline = o.pipeline(),
          .optimizer_post_validation = o.optimizer_post_validation(),
          .delay_weight_gradients = o.delay_weight_gradients(),
          .pipeline_scatter = o.pipeline_scatter(),
          .prefetch_layers = o.prefetch_layers(),
          .forward_prefetch_layers = o.has_forward_prefetch_layers()
                                         ? o.forward_prefetch_layers()
                                         : -1,
          .backward_prefetch = BackwardPrefetchOf(o),
          .limit_all_gathers = o.limit_all_gathers(),
          .prefetch_bucket = o.stage3_prefetch_bucket_size(),
          .max_live_parameters = o.stage3_max_live_parameters(),
          .reshard_after_forward = o.reshard_after_forward(),
          .shared_expert = o.shared_expert(),
          .link_contention = o.link_contention()};
}

// Layers of each chunk; empty where they divide evenly, and where no count of
// layers would do, which CheckTraining says.
std::vector<int64_t> ChunkLayers(const proto::Parallel& p, int64_t layers) {
  if (p.chunk_layers_size() > 0) {
    return {p.chunk_layers().begin(), p.chunk_layers().end()};
  }
  const int64_t chunks = p.pipeline() * p.virtual_stages();
  if (chunks > layers + 2) return {};
  if (p.placement() == proto::Parallel::COUNT_ENDS && chunks > 1) {
    std::vector<int64_t> counts(static_cast<size_t>(chunks),
                                (layers + 2) / chunks);
    --counts.front();
    --counts.back();
    return counts;
  }
  if (p.placement() != proto::Parallel::FILL || layers % chunks == 0) return {};
  const int64_t most = (layers + chunks - 1) / chunks;
  std::vector<int64_t> counts;
  for (int64_t left = layers; counts.size() < static_cast<size_t>(chunks);) {
    counts.push_back(std::min(most, left));
    left -= counts.back();
  }
  return counts;
}

models::ContextKind ContextKindOf(const proto::Parallel& p) {
  switch (p.context_kind()) {
    case proto::Parallel::P2P:
      return models::ContextKind::kP2p;
    case proto::Parallel::ALL_GATHER:
      return models::ContextKind::kAllGather;
    case proto::Parallel::A2A:
      return models::ContextKind::kAllToAll;
    case proto::Parallel::A2A_P2P:
      return models::ContextKind::kHybrid;
    case proto::Parallel::PYTORCH:
      return models::ContextKind::kPyTorch;
  }
  return models::ContextKind::kP2p;
}

// Empty where a list does not parse, which CheckTraining says.
models::Plan TableOf(const proto::Parallel& p) {
  models::Plan plan;
  for (const std::string& text : p.schedule_table()) {
    const auto passes = models::ParsePasses(text);
    plan.push_back(passes.ok() ? *passes : std::vector<models::Pass>());
  }
  return plan;
}

models::Placement TablePlacementOf(const proto::Parallel& p) {
  switch (p.schedule_placement()) {
    case proto::Parallel::RING:
      return models::Placement::kRing;
    case proto::Parallel::VEE:
      return models::Placement::kVee;
    case proto::Parallel::BIDIRECTIONAL:
      return models::Placement::kBidirectional;
  }
  return models::Placement::kRing;
}

models::VocabularySplit VocabularyOf(const proto::Parallel& p) {
  switch (p.vocabulary()) {
    case proto::Parallel::ON_ENDS:
      return models::VocabularySplit::kNone;
    case proto::Parallel::TWO_BARRIERS:
      return models::VocabularySplit::kTwoBarriers;
    case proto::Parallel::ONE_BARRIER:
      return models::VocabularySplit::kOneBarrier;
  }
  return models::VocabularySplit::kNone;
}

models::Split SplitOf(const proto::Parallel& p, int64_t layers, int64_t gpus) {
  const int64_t replica = p.tensor() * p.context() * p.pipeline();
  models::Split split{.tensor = p.tensor(),
                      .sequence = p.sequence(),
                      .context = p.context(),
                      .context_kind = ContextKindOf(p),
                      .context_inner = p.context_inner(),
                      .pipeline = p.pipeline(),
                      .virtual_stages = p.virtual_stages(),
                      .schedule = p.has_schedule()         ? p.schedule()
                                  : p.virtual_stages() > 1 ? "interleaved-1f1b"
                                                           : "1f1b",
                      .schedule_table = TableOf(p),
                      .table_placement = TablePlacementOf(p),
                      .vocabulary = VocabularyOf(p),
                      .chunk_layers = ChunkLayers(p, layers),
                      .data = p.has_data() ? p.data() : gpus / replica,
                      .zero = p.zero(),
                      .shard_group = p.shard_group(),
                      .second_shard = p.zero_hpz_partition_size(),
                      .quantized_weights = p.zero_quantized_weights(),
                      .quantized_gradients = p.zero_quantized_gradients(),
                      .expert = p.expert(),
                      .expert_tensor = p.expert_tensor()};
  if (split.shard_group == split.copies() * split.data * split.context) {
    split.shard_group = 0;
  }
  return split;
}

}  // namespace

models::TrainingSpec TrainingSpecOf(const proto::Training& t, int64_t layers,
                                    int64_t gpus) {
  return {.sequence_length = t.sequence_length(),
          .global_batch = t.global_batch(),
          .micro_batch = t.micro_batch(),
          .precision = PrecisionOf(t),
          .fp32_gradients = t.fp32_gradients(),
          .fp32_grad_reduce = t.fp32_grad_reduce(),
          .fp8_param_gather = t.fp8_param_gather(),
          .fp8 = Fp8RecipeOf(t.fp8()),
          .lora = LoraSpecOf(t),
          .optimizer = OptimizerOf(t),
          .optimizer_options = OptimizerOptionsOf(t.optimizer_options()),
          .gradient_clipping = t.gradient_clipping(),
          .recompute = RecomputeOf(t),
          .recompute_layers = t.recompute_layers(),
          .split = SplitOf(t.parallel(), layers, gpus),
          .kernels = KernelsOf(t.kernels()),
          .overlap = OverlapOf(t.overlap()),
          .experts = ExpertOptionsOf(t.experts()),
          .host = {.launch_microseconds = t.host().launch_us(),
                   .cuda_graphs = t.host().cuda_graphs(),
                   .whole_iteration = t.host().cuda_graph_scope() ==
                                      proto::Host::FULL_ITERATION,
                   .graph_microseconds = t.host().graph_us(),
                   .pass_microseconds = t.host().pass_us(),
                   .step_microseconds = t.host().step_us(),
                   .launch_blocking = t.host().launch_blocking(),
                   .synchronise_layers = t.host().synchronise_layers()},
          .offload = OffloadOf(t.offload()),
          .sequences = SequencesOf(t.sequences(), t.parallel().context()),
          .pad_vocab_to = t.pad_vocab_to()};
}

}  // namespace scenarios
