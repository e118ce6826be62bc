// Whatever loading lets through runs: scenarios drawn at random, fields far
// apart, sizes small. A draw that is refused is drawn again.
#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "hardware/lowering.h"
#include "scenarios/breakdown.h"
#include "scenarios/load.h"
#include "scenarios/report.h"
#include "scenarios/run.h"
#include "scenarios/scenario_file.h"
#include "sim/engine.h"
#include "sim/program_check.h"

namespace scenarios {
namespace {

// std::mt19937_64 is the same everywhere; the distributions of std are not.
class Draw {
 public:
  explicit Draw(uint64_t seed) : engine_(seed) {}

  template <class T>
  T Of(std::initializer_list<T> choices) {
    return choices.begin()[engine_() % choices.size()];
  }
  // True once in `times`.
  bool Once(uint64_t times) { return engine_() % times == 0; }

  void Set(absl::string_view field, const char* value) {
    sets_.push_back(absl::StrCat(field, "=", value));
  }
  void Set(absl::string_view field, int64_t value) {
    sets_.push_back(absl::StrCat(field, "=", value));
  }
  void Flip(absl::string_view field) { Set(field, Once(2) ? "true" : "false"); }
  const std::vector<std::string>& sets() const { return sets_; }

 private:
  std::mt19937_64 engine_;
  std::vector<std::string> sets_;
};

void DrawModel(Draw& d) {
  if (d.Once(20)) {
    d.Set("model.linear_stack.layers", d.Of({1, 2, 4, 8}));
    d.Set("model.linear_stack.width", d.Of({1, 64, 256}));
    d.Set("model.linear_stack.outputs", d.Of({0, 10}));
    return;
  }
  const auto set = [&](absl::string_view field, auto value) {
    d.Set(absl::StrCat("model.transformer.", field), value);
  };
  const auto flip = [&](absl::string_view field) {
    d.Flip(absl::StrCat("model.transformer.", field));
  };
  set("layers", d.Of({1, 2, 4, 6, 12}));
  set("hidden", d.Of({48, 64, 192}));
  const int64_t heads = d.Of({1, 4, 6, 12, 12});
  set("heads", heads);
  if (d.Once(6)) {
    set("latent.q_lora_rank", d.Of({0, 24}));
    set("latent.kv_lora_rank", 16);
    set("latent.qk_nope_head_dim", d.Of({8, 20}));
    set("latent.qk_rope_head_dim", 8);
    set("latent.v_head_dim", d.Of({8, 16}));
  } else {
    set("head_dim", d.Of({8, 20, 64}));
    set("kv_heads", d.Of({int64_t{1}, heads, (heads + 1) / 2}));
  }
  set("ffn_hidden", d.Of({96, 384, 1200}));
  set("vocab", d.Of({7, 1000, 50257}));
  set("norm", d.Of({"LAYER_NORM", "RMS_NORM"}));
  set("norms_per_layer", d.Of({1, 2, 2, 4}));
  set("positions", d.Of({"NONE", "LEARNED", "ROTARY", "ALIBI"}));
  set("sliding_window", d.Of({0, 0, 1, 33, 5000}));
  if (d.Once(2)) set("embedding_dim", d.Of({16, 64}));
  for (const char* field :
       {"gated_mlp", "norm_bias", "final_norm", "embedding_norm", "qk_norm",
        "parallel_residual", "tied_embeddings", "qkv_bias", "lm_head_bias",
        "attention_out_bias", "mlp_bias"}) {
    flip(field);
  }
}

// The split, the batch and the cluster that it fills.
void DrawSplit(Draw& d) {
  const auto set = [&](absl::string_view field, auto value) {
    d.Set(absl::StrCat("training.parallel.", field), value);
  };
  const int64_t tensor = d.Of({1, 1, 2, 3, 4});
  const int64_t context = d.Of({1, 1, 1, 1, 2, 3});
  const int64_t pipeline = d.Of({1, 1, 2, 3, 4});
  const int64_t data = d.Of({1, 2, 3, 4});
  const int64_t chunks = pipeline > 1 ? d.Of({1, 1, 2, 3}) : 1;
  set("tensor", tensor);
  set("sequence", tensor > 1 ? d.Of({"false", "true"}) : "false");
  set("context", context);
  set("context_kind", d.Of({"P2P", "P2P", "ALL_GATHER", "A2A", "PYTORCH"}));
  set("pipeline", pipeline);
  set("virtual_stages", chunks);
  const char* schedule =
      chunks == 1   ? d.Of({"gpipe", "1f1b", "1f1b", "zb-h1", "zb-2p"})
      : chunks == 2 ? d.Of({"interleaved-1f1b", "breadth-first", "zb-v",
                            "dualpipe-v"})
                    : d.Of({"interleaved-1f1b", "breadth-first"});
  const bool dual = chunks == 1 && pipeline % 2 == 0 && d.Once(4);
  if (dual) schedule = "dualpipe";
  set("schedule", schedule);
  set("placement", d.Of({"EVEN", "FILL", "FILL", "COUNT_ENDS"}));
  const int64_t zero = d.Of({0, 1, 2, 3});
  set("zero", zero);
  if (zero > 0) set("shard_group", d.Of({0, 0, 1, 2}));

  const int64_t micro_batch = d.Of({1, 1, 2, 3});
  d.Set("training.micro_batch", micro_batch);
  d.Set("training.global_batch",
        micro_batch * data *
            (dual || schedule == std::string("dualpipe-v")
                 ? 2 * pipeline
                 : d.Of({int64_t{1}, pipeline, 2 * pipeline})));

  const int64_t gpus = tensor * context * pipeline * data;
  int64_t in_node = d.Of({1, 2, 3, 4, 6, 8});
  while (gpus % in_node != 0) --in_node;
  d.Set("cluster.preset", d.Of({"dgx-h100", "dgx-h100", "a100-pcie-4x"}));
  d.Set("cluster.gpus_per_node", in_node);
  d.Set("cluster.nodes", gpus / in_node);
}

void DrawTraining(Draw& d) {
  const auto set = [&](absl::string_view field, auto value) {
    d.Set(absl::StrCat("training.", field), value);
  };
  set("profile", d.Of({"megatron-core", "fsdp", "pytorch", "torchtitan",
                       "megatron-lm-2021", "megatron-deepspeed"}));
  set("sequence_length", d.Of({1, 17, 48, 96, 480}));
  set("precision", d.Of({"FP32", "TF32", "FP16", "BF16", "FP8"}));
  set("optimizer", d.Of({"SGD", "MOMENTUM", "ADAGRAD", "RMSPROP", "ADAM",
                         "ADAMW", "LAMB", "ADAM_8BIT", "ADAFACTOR", "LION",
                         "MUON"}));
  if (d.Once(3)) {
    set("optimizer_options.exp_avg", d.Of({"FP32", "BF16", "FP8"}));
    set("optimizer_options.exp_avg_sq", d.Of({"FP32", "BF16", "FP8"}));
    set("optimizer_options.main_params",
        d.Of({"FULL", "HALF", "REMAINDERS", "NONE"}));
  }
  if (d.Once(3)) {
    set("fp8.scaling", d.Of({"CASTS", "DELAYED", "CURRENT", "ROWWISE",
                             "BLOCKWISE"}));
    set("fp8.library", d.Of({"TRANSFORMER_ENGINE", "TORCHAO"}));
    set("fp8.first_bf16_layers", d.Of({0, 0, 1}));
    set("fp8.keep_transposes", d.Of({"true", "false"}));
  }
  const char* recompute = d.Of(
      {"NONE", "SELECTIVE", "OPERATORS", "FULL", "FULL", "MLA_UP_PROJECTION",
       "DOTS_EXCEPT_MLP"});
  set("recompute", recompute);
  if (recompute == std::string("FULL")) set("recompute_layers", d.Of({0, 1}));
  set("pad_vocab_to", d.Of({1, 128}));
  if (d.Once(5)) {
    set("sequences.uniform.most", d.Of({1, 12, 40}));
    set("sequences.packed", d.Of({"true", "true", "false"}));
  }
  set("kernels.attention", d.Of({"MATERIALISED", "FLASH_2", "CUDNN"}));
  set("kernels.dropout", d.Of({"0", "0.1"}));
  set("overlap.bucket_parameters", d.Of({1, 10'000, 40'000'000}));
  set("overlap.tensor_chunks", d.Of({1, 4, 7}));
  set("overlap.prefetch_layers", d.Of({0, 1, 2, 99}));
  for (const char* field :
       {"fp32_gradients", "fp32_grad_reduce", "fp8_param_gather",
        "gradient_clipping", "kernels.fused_norm", "kernels.fused_activation",
        "kernels.fused_rotary", "kernels.fused_residual",
        "kernels.fused_softmax", "kernels.fused_cross_entropy",
        "kernels.fused_optimizer", "overlap.grad_reduce",
        "overlap.param_gather", "overlap.tensor", "overlap.tensor_backward",
        "overlap.pipeline", "overlap.optimizer_post_validation",
        "overlap.reshard_after_forward", "host.cuda_graphs"}) {
    d.Flip(absl::StrCat("training.", field));
  }
  if (d.Once(8)) set("host.launch_blocking", "true");
  if (d.Once(4)) {
    set("host.cuda_graph_scope", d.Of({"LAYERS", "FULL_ITERATION"}));
    set("host.graph_us", d.Of({"0", "2.5"}));
    set("host.pass_us", d.Of({"0", "100"}));
    set("host.step_us", d.Of({"0", "5000"}));
  }
  if (d.Once(8)) set("host.synchronise_layers", "true");
  if (d.Once(3)) set("overlap.link_contention", "true");
}

struct Drawn {
  std::string text;  // the fields
  Inputs inputs;
};

// Nothing if the draw is not legal.
std::optional<Drawn> TryDraw(uint64_t seed) {
  Draw d(seed);
  DrawModel(d);
  DrawTraining(d);
  DrawSplit(d);
  const auto scenario = ParseScenario("drawn", "name: \"drawn\"\n", d.sets());
  if (!scenario.ok()) {
    ADD_FAILURE() << scenario.status();
    return std::nullopt;
  }
  absl::StatusOr<Inputs> inputs = InputsOf(*scenario);
  if (!inputs.ok()) return std::nullopt;
  return Drawn{absl::StrJoin(d.sets(), "\n"), *std::move(inputs)};
}

// 300 legal scenarios, always the same.
const std::vector<Drawn>& LegalScenarios() {
  static const auto* const kDrawn = [] {
    auto* drawn = new std::vector<Drawn>();
    for (uint64_t seed = 1; drawn->size() < 300 && seed < 3'000; ++seed) {
      if (auto one = TryDraw(seed)) drawn->push_back(*std::move(one));
    }
    return drawn;
  }();
  return *kDrawn;
}

TEST(LegalInputs, AreDrawnOfEveryKind) {
  const std::vector<Drawn>& drawn = LegalScenarios();
  ASSERT_EQ(drawn.size(), 300u);
  const auto count = [&](auto holds) {
    return std::count_if(drawn.begin(), drawn.end(), [&](const Drawn& d) {
      return holds(d.inputs.training);
    });
  };
  using models::TrainingSpec;
  EXPECT_GT(count([](const TrainingSpec& t) { return t.split.tensor > 1; }),
            20);
  EXPECT_GT(count([](const TrainingSpec& t) { return t.split.context > 1; }),
            5);
  EXPECT_GT(count([](const TrainingSpec& t) { return t.split.pipeline > 1; }),
            20);
  EXPECT_GT(
      count([](const TrainingSpec& t) { return t.split.virtual_stages > 1; }),
      2);
  EXPECT_GT(count([](const TrainingSpec& t) { return t.split.zero == 3; }), 20);
}

void PartsSumToTheStep(const Outcome& outcome) {
  for (const RecordedRank& rank : outcome.ranks) {
    sim::Duration sum;
    for (const sim::Duration part : BreakDown(outcome, rank).parts) {
      EXPECT_GE(part, sim::Duration(0));
      sum += part;
    }
    EXPECT_EQ(sum, outcome.step);
  }
}

void MemoryHoldsWhatStaysResident(const Outcome& outcome) {
  for (size_t stage = 0; stage < outcome.memory.size(); ++stage) {
    sim::Bytes resident, held;
    for (const sim::Bytes bytes : outcome.lowered.stages[stage].resident) {
      resident += bytes;
    }
    const sim::Ledger& ledger = outcome.memory[stage];
    for (const sim::Bytes bytes : ledger.held) held += bytes;
    EXPECT_GE(ledger.allocated.bytes, resident);
    EXPECT_GE(ledger.reserved.bytes, ledger.allocated.bytes);
    EXPECT_EQ(held, ledger.allocated.bytes);
  }
}

// Every rank simulated, to the picosecond.
void FoldsToTheSameTimes(const Outcome& outcome) {
  const sim::Program& whole = outcome.lowered.program;
  const sim::Timeline timeline = sim::Simulate(whole).value();
  EXPECT_EQ(timeline.makespan, outcome.timeline.makespan);
  for (size_t row = 0; row < whole.script.size(); ++row) {
    const auto rank = sim::AsId<sim::RankId>(row);
    const sim::RankId of_class = outcome.folding.folded[rank];
    EXPECT_TRUE(std::ranges::equal(timeline.start(rank),
                                   outcome.timeline.start(of_class)));
    EXPECT_TRUE(std::ranges::equal(timeline.finish(rank),
                                   outcome.timeline.finish(of_class)));
  }
}

TEST(LegalInputs, RunToASoundAnswer) {
  for (const Drawn& d : LegalScenarios()) {
    SCOPED_TRACE(d.text);
    const absl::StatusOr<Outcome> outcome = Execute(d.inputs);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    const absl::Status sound = sim::Check(outcome->lowered.program);
    ASSERT_TRUE(sound.ok()) << sound;
    PartsSumToTheStep(*outcome);
    MemoryHoldsWhatStaysResident(*outcome);
    FoldsToTheSameTimes(*outcome);
    const Report report = Summarize(d.inputs, *outcome);
    EXPECT_GT(report.step_seconds(), 0);
    EXPECT_LE(report.mfu(), 1);
    if (HasFailure()) return;
  }
}

// Tasks that do not slow each other make a max-plus system: what ends earlier
// delays nothing.
sim::Duration WithoutContention(const Inputs& inputs) {
  models::TrainingSpec training = inputs.training;
  training.overlap.link_contention = false;
  hardware::LoweredStep step = hardware::LowerTraining(
      inputs.model, training, inputs.cost, inputs.cluster);
  for (sim::Script& script : step.program.scripts) {
    for (sim::Task& task : script.tasks) {
      task.takes_compute = task.takes_memory = 0;
    }
  }
  return sim::Simulate(step.program).value().makespan;
}

TEST(LegalInputs, AreNeverSlowerOnAFasterGpu) {
  for (const Drawn& d : LegalScenarios()) {
    SCOPED_TRACE(d.text);
    Inputs faster = d.inputs;
    hardware::GpuSpec& gpu = faster.cost.gpu;
    for (sim::FlopsPerSecond& peak : gpu.peak) {
      peak = sim::FlopsPerSecond(peak.count() * 1.5);
    }
    gpu.memory_bandwidth =
        sim::BytesPerSecond(gpu.memory_bandwidth.count() * 1.5);
    EXPECT_LE(WithoutContention(faster), WithoutContention(d.inputs));
  }
}

}  // namespace
}  // namespace scenarios
