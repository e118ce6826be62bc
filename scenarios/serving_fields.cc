#include "scenarios/serving_fields.h"

#include <algorithm>

namespace scenarios {
namespace {

using models::AllReduceLibrary;
using models::AttentionFamily;
using models::ExpertKernels;
using models::GemmFamily;
using models::PointwiseFamily;
using models::WeightFormat;
using proto::EngineKernels;
using proto::EngineProcess;
using proto::Serving;

WeightFormat FormatOf(Serving::Quantization quantization) {
  switch (quantization) {
    case Serving::NONE:
      return WeightFormat::k16Bit;
    case Serving::FP8:
      return WeightFormat::kFp8;
    case Serving::FP8_BLOCK:
      return WeightFormat::kFp8Blocks;
    case Serving::INT8:
      return WeightFormat::kInt8;
    case Serving::INT8_WEIGHTS:
      return WeightFormat::kInt8Weights;
    case Serving::INT4_WEIGHTS:
      return WeightFormat::kInt4Weights;
  }
  return WeightFormat::k16Bit;
}

AttentionFamily AttentionOf(EngineKernels::Attention attention) {
  switch (attention) {
    case EngineKernels::VLLM:
      return AttentionFamily::kVllm;
    case EngineKernels::SGLANG:
      return AttentionFamily::kSglang;
    case EngineKernels::TENSORRT_LLM:
    case EngineKernels::TENSORRT_LLM_MASKED:
      return AttentionFamily::kTensorRtLlm;
  }
  return AttentionFamily::kVllm;
}

PointwiseFamily PointwiseOf(EngineKernels::Pointwise pointwise) {
  switch (pointwise) {
    case EngineKernels::PYTORCH:
      return PointwiseFamily::kPyTorch;
    case EngineKernels::VLLM_2024:
      return PointwiseFamily::kVllm2024;
    case EngineKernels::VLLM_NOW:
      return PointwiseFamily::kVllm;
    case EngineKernels::TENSORRT:
      return PointwiseFamily::kTensorRtLlm;
  }
  return PointwiseFamily::kVllm;
}

ExpertKernels ExpertsOf(EngineKernels::Experts experts) {
  switch (experts) {
    case EngineKernels::TRITON:
      return ExpertKernels::kTriton;
    case EngineKernels::CUTLASS_EXPERTS:
      return ExpertKernels::kCutlass;
    case EngineKernels::SEQUENTIAL:
      return ExpertKernels::kSequential;
  }
  return ExpertKernels::kTriton;
}

AllReduceLibrary AllReduceOf(EngineKernels::AllReduce all_reduce) {
  switch (all_reduce) {
    case EngineKernels::NCCL:
      return AllReduceLibrary::kNccl;
    case EngineKernels::VLLM_CUSTOM:
      return AllReduceLibrary::kVllm;
    case EngineKernels::SGLANG_CUSTOM:
      return AllReduceLibrary::kSglang;
    case EngineKernels::TENSORRT_CUSTOM:
      return AllReduceLibrary::kTensorRtLlm;
  }
  return AllReduceLibrary::kNccl;
}

models::ServingKernels KernelsOf(const EngineKernels& k) {
  return {.gemm = k.gemm() == EngineKernels::CUBLAS ? GemmFamily::kCublas
                                                    : GemmFamily::kCublas2024,
          .fp8 = k.fp8_gemm() == EngineKernels::CUTLASS ? GemmFamily::kCutlass
                                                        : GemmFamily::kCublas,
          .blocks = k.block_gemm() == EngineKernels::DEEPGEMM
                        ? GemmFamily::kDeepGemm
                        : GemmFamily::kTensorRtLlmBlocks,
          .attention = AttentionOf(k.attention()),
          .masked = k.attention() == EngineKernels::TENSORRT_LLM_MASKED,
          .pointwise = PointwiseOf(k.pointwise()),
          .experts = ExpertsOf(k.experts()),
          .all_reduce = AllReduceOf(k.all_reduce()),
          .fused_quantise = k.fused_quantize(),
          .fused_rotary = k.fused_rotary(),
          .sampling_passes = static_cast<int>(k.sampling_passes())};
}

// 1, 2, 4, then by 8 up to 256 and by 16 beyond (vLLM's VllmConfig,
// cudagraph_capture_sizes).
std::vector<int64_t> CapturedUpTo(int64_t largest) {
  std::vector<int64_t> sizes;
  for (int64_t n = 1; n <= largest; n += n < 4 ? n : n < 8 ? 4 : n < 256 ? 8 : 16) {
    sizes.push_back(n);
  }
  return sizes;
}

std::optional<double> SecondsIf(bool set, double ms) {
  return set ? std::optional<double>(ms * 1e-3) : std::nullopt;
}

}  // namespace

models::ServingSpec ServingSpecOf(const Serving& serving,
                                  const proto::ServingParallel& parallel) {
  models::ServingSpec spec{
      .tensor = parallel.tensor(),
      .pipeline = parallel.pipeline(),
      .expert = parallel.expert() ? parallel.tensor() : 1,
      .data_parallel_attention = parallel.data_parallel_attention(),
      .weights = FormatOf(serving.quantization()),
      .cache = serving.kv_cache_dtype() == Serving::FP8_CACHE
                   ? models::DType::kFp8
                   : models::DType::kBf16,
      .kernels = KernelsOf(serving.engine().kernels())};
  if (serving.has_lora()) {
    spec.adapters = serving.lora().max_loras();
    spec.adapter_rank = serving.lora().max_lora_rank();
  }
  return spec;
}

sim::EnginePolicy PolicyOf(const Serving& serving) {
  using proto::Engine;
  const Engine& engine = serving.engine();
  sim::EnginePolicy policy{
      .batching = engine.batching() == Engine::STATIC ? sim::Batching::kStatic
                  : engine.batching() == Engine::PREFILL_FIRST
                      ? sim::Batching::kPrefillFirst
                      : sim::Batching::kMixed,
      .chunked_prefill = serving.enable_chunked_prefill(),
      .max_num_seqs = serving.max_num_seqs(),
      .max_num_batched_tokens = serving.max_num_batched_tokens(),
      .longest_chunk = serving.long_prefill_token_threshold(),
      .max_model_len = serving.max_model_len(),
      .reservation = engine.capacity() == Engine::GUARANTEED_NO_EVICT
                         ? sim::Reservation::kOutput
                         : sim::Reservation::kAsNeeded,
      .preemption = engine.preemption() == Engine::SWAP
                        ? sim::Preemption::kSwap
                        : sim::Preemption::kRecompute,
      .watermark = engine.watermark(),
      .by_priority = serving.priority_scheduling()};
  if (serving.has_speculative()) {
    const proto::Speculative& s = serving.speculative();
    for (int64_t i = 0; i < s.num_speculative_tokens(); ++i) {
      const int last = s.acceptance_size() - 1;
      policy.speculation.acceptance.push_back(
          s.acceptance(std::min(static_cast<int>(i), last)));
    }
  }
  return policy;
}

hardware::EngineHost EngineHostOf(const EngineProcess& p, double cpu_speed) {
  const auto host = [&](double us) { return sim::Microseconds(us / cpu_speed); };
  return {.step = host(p.step_us()),
          .sequence = host(p.sequence_us()),
          .ranks = host(p.ranks_sequence_us()),
          .prompt_token = host(p.prompt_token_us()),
          .launch = host(p.launch_us()),
          .skew_seconds = p.skew_us() * 1e-6,
          .overlapped = p.overlapped(),
          .graphs = p.graphs() == EngineProcess::NONE
                        ? hardware::GraphUse::kNone
                    : p.graphs() == EngineProcess::DECODE
                        ? hardware::GraphUse::kDecode
                        : hardware::GraphUse::kAll,
          .captured = CapturedUpTo(p.largest_graph())};
}

sim::RouterKind RouterOf(Serving::Router router) {
  switch (router) {
    case Serving::ROUND_ROBIN:
      return sim::RouterKind::kRoundRobin;
    case Serving::LEAST_OUTSTANDING:
      return sim::RouterKind::kLeastOutstanding;
    case Serving::POWER_OF_TWO:
      return sim::RouterKind::kPowerOfTwo;
    case Serving::PREFIX_AWARE:
      return sim::RouterKind::kPrefixAware;
  }
  return sim::RouterKind::kLeastOutstanding;
}

Objective ObjectiveOf(const proto::Slo& slo) {
  return {.name = slo.name(),
          .ttft_seconds = SecondsIf(slo.has_ttft_ms(), slo.ttft_ms()),
          .tpot_seconds = SecondsIf(slo.has_tpot_ms(), slo.tpot_ms()),
          .e2e_seconds = SecondsIf(slo.has_e2e_ms(), slo.e2e_ms()),
          .attainment = slo.attainment(),
          .share = slo.share(),
          .priority = static_cast<int>(slo.priority())};
}

EngineMemory MemoryOf(const Serving& serving, const ServingPool& pool) {
  const auto gib = [](double n) {
    return sim::Bytes(static_cast<int64_t>(n * 0x1p30));
  };
  const proto::EngineMemory& m = serving.engine().memory();
  EngineMemory memory{
      .capacity = pool.cost.gpu.memory_capacity,
      .weights = models::WeightBytes(pool.model, pool.spec),
      .activations = models::StepActivationBytes(
          pool.model, pool.spec, pool.policy.max_num_batched_tokens,
          std::min(pool.policy.max_num_seqs,
                   pool.policy.max_num_batched_tokens)),
      .overhead = gib(m.overhead_gib())};
  if (pool.draft) {
    memory.weights += models::WeightBytes(*pool.draft, pool.spec);
  }
  const double share = serving.gpu_memory_utilization();
  const sim::Bytes beside =
      memory.weights + memory.activations + memory.overhead;
  const auto part = [&](sim::Bytes bytes) {
    return sim::Bytes(
        static_cast<int64_t>(static_cast<double>(bytes.count()) * share));
  };
  const sim::Bytes cache = m.share() == proto::EngineMemory::OF_TOTAL
                               ? part(memory.capacity) - beside
                               : part(memory.capacity - beside);
  sim::Bytes token = models::CacheBytesPerToken(pool.model, pool.spec);
  if (pool.draft) token += models::CacheBytesPerToken(*pool.draft, pool.spec);
  const sim::Bytes block = token * serving.block_size();
  memory.blocks = std::max<int64_t>(0, cache.count() / block.count());
  memory.cache = block * memory.blocks;
  if (memory.blocks == 0) memory.missing = block - cache;
  return memory;
}

}  // namespace scenarios
