// What frameworks copy around data-parallel collectives, and in which type
// gradients leave the backward pass.
#include <gtest/gtest.h>

#include "models/training_graph.h"

namespace models {
namespace {

// One layer of GPT-2's shape: 12 x 768^2 = 7,077,888 parameters in products
// and 4 x 768 in norms; a table of 50304 x 768 = 38,633,472 for tokens,
// another for logits, and 2 x 768 in the last norm.
ModelSpec OneLayer() {
  ModelSpec model;
  model.layers = 1;
  model.hidden = 768;
  model.heads = model.kv_heads = 12;
  model.head_dim = 64;
  model.ffn_hidden = 3072;
  model.vocab = 50304;
  model.positions = Positions::kRotary;
  return model;
}
constexpr int64_t kLayer = 12 * 768 * 768 + 4 * 768;
constexpr int64_t kEnds = 2 * 50304 * 768 + 2 * 768;

TrainingSpec Training(Split split) {
  TrainingSpec training;
  training.sequence_length = 1024;
  training.split = split;
  training.global_batch = split.data;
  return training;
}

OpGraph Whole(const TrainingSpec& training) {
  return BuildChunk(OneLayer(), training,
                    ChunksOf(OneLayer(), training.split)[0][0]);
}

struct Copies {
  int64_t read = 0, written = 0;
  friend bool operator==(const Copies&, const Copies&) = default;
};

Copies CopiesOf(const OpGraph& graph, absl::string_view name) {
  Copies copies;
  for (const Op& op : graph.ops) {
    if (op.name != name) continue;
    const Work work = WorkOf(*op.kernel());
    copies.read += work.read.count();
    copies.written += work.written.count();
  }
  return copies;
}

TEST(GradientCopies, GatheredWeightsAreReadAndWrittenOnceForEachCopy) {
  TrainingSpec training = Training({.data = 4, .zero = 3});
  EXPECT_EQ(CopiesOf(Whole(training), "unpack weights"), Copies());
  training.kernels.gather_copies = 1;
  // Two bytes each: the layer for both passes, the ends once.
  constexpr int64_t kGathered = 2 * (2 * kLayer + kEnds);
  EXPECT_EQ(CopiesOf(Whole(training), "unpack weights"),
            (Copies{kGathered, kGathered}));
  // Kept after the forward pass, nothing is gathered again.
  training.overlap.reshard_after_forward = false;
  EXPECT_EQ(CopiesOf(Whole(training), "unpack weights"),
            (Copies{2 * (kLayer + kEnds), 2 * (kLayer + kEnds)}));
  // One byte each.
  training.precision = Precision::kFp8;
  training.fp8_param_gather = true;
  EXPECT_EQ(CopiesOf(Whole(training), "unpack weights"),
            (Copies{kLayer + kEnds, kLayer + kEnds}));
}

TEST(GradientCopies, GradientsArePackedOnceHoweverTheyAreReduced) {
  for (const int zero : {0, 1, 2, 3}) {
    TrainingSpec training = Training({.data = 4, .zero = zero});
    training.overlap.bucket_parameters = 1'000'000;
    training.kernels.reduce_copy_bytes = 12;
    // Six bytes read, six written.
    EXPECT_EQ(CopiesOf(Whole(training), "pack gradients"),
              (Copies{6 * (kLayer + kEnds), 6 * (kLayer + kEnds)}))
        << "zero " << zero;
    training.split.data = 1;
    training.global_batch = 1;
    EXPECT_EQ(CopiesOf(Whole(training), "pack gradients"), Copies());
  }
}

TEST(GradientCopies, LateReductionsWaitForThem) {
  TrainingSpec training = Training({.data = 4});
  training.overlap.grad_reduce = false;
  training.kernels.reduce_copy_bytes = 12;
  const Chunk chunk = ChunksOf(OneLayer(), training.split)[0][0];
  const OpGraph step = BuildStep(OneLayer(), training, {&chunk, 1});
  EXPECT_EQ(CopiesOf(step, "pack gradients"),
            (Copies{6 * (kLayer + kEnds), 6 * (kLayer + kEnds)}));
  int reductions = 0;
  for (size_t row = 0; row < step.ops.size(); ++row) {
    const OpId op = sim::AsId<OpId>(row);
    if (step.ops[op].name != "reduce gradients") continue;
    ++reductions;
    ASSERT_EQ(step.needs[op].size(), 1u);
    EXPECT_EQ(step.ops[step.needs[op].front()].name, "pack gradients");
  }
  // 84,349,440 parameters in buckets of 40 million.
  EXPECT_EQ(reductions, 3);
}

// The product that makes the gradient of the MLP's first weight, 768 x 3072.
struct Gradient {
  DType type;
  bool accumulate;
  int64_t held;  // bytes of its own
  friend bool operator==(const Gradient&, const Gradient&) = default;
};

Gradient UpGradient(const OpGraph& graph) {
  Gradient gradient{};
  for (size_t row = 0; row < graph.ops.size(); ++row) {
    const OpId op = sim::AsId<OpId>(row);
    if (graph.ops[op].name != "mlp up wgrad") continue;
    const Gemm& gemm = std::get<Gemm>(*graph.ops[op].kernel());
    gradient.type = gemm.output;
    gradient.accumulate = gemm.accumulate;
    for (const TensorId made : graph.makes[op]) {
      gradient.held += graph.tensors[made].bytes.count();
    }
  }
  return gradient;
}

TEST(GradientCopies, ShardedGradientsLeaveIn16BitsAndAreNotSummedBefore) {
  for (const int zero : {2, 3}) {
    TrainingSpec training = Training({.data = 4, .zero = zero});
    training.global_batch = 8;  // two microbatches
    training.fp32_gradients = true;
    EXPECT_EQ(UpGradient(Whole(training)),
              (Gradient{DType::kBf16, false, 2 * 768 * 3072}));
    // Alone, a rank has nobody to divide them with.
    training.split.data = 1;
    EXPECT_EQ(UpGradient(Whole(training)), (Gradient{DType::kFp32, true, 0}));
  }
}

}  // namespace
}  // namespace models
