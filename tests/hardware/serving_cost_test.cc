// The time of steps: sums of their operators, beside the host, and never below
// what the hardware allows.
#include "hardware/serving_cost.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "hardware/cluster.h"
#include "models/load_model.h"

namespace hardware {
namespace {

using models::ModelSpec;
using models::ServingSpec;
using sim::InSeconds;
using sim::Microseconds;
using sim::Milliseconds;
using sim::StepTime;
using sim::StepWork;

template <class T>
T Must(absl::StatusOr<T> loaded) {
  EXPECT_TRUE(loaded.ok()) << loaded.status();
  return *std::move(loaded);
}

struct Deployment {
  const char* model;
  ServingSpec spec;
};

// Of dense and sparse models, on one rank and on several.
std::vector<Deployment> Deployments() {
  return {{"llama3-8b", {}},
          {"llama2-70b", {.tensor = 8}},
          {"llama2-70b", {.tensor = 4, .pipeline = 2}},
          {"llama2-70b",
           {.tensor = 8,
            .weights = models::WeightFormat::kFp8,
            .cache = models::DType::kFp8}},
          {"mixtral-8x7b", {.tensor = 2}},
          {"deepseek-v2-lite", {.tensor = 2, .expert = 2}}};
}

ServingCost CostOf(const Deployment& d, const EngineHost& host = {}) {
  const Cluster cluster = Must(LoadCluster("dgx-h100"));
  return ServingCost(Must(models::LoadModel(d.model)), d.spec,
                     Must(CostModel::Load("h100-sxm-80gb")), cluster, host);
}

StepWork Decode(int64_t sequences, int64_t keys_each) {
  return {.decodes = sequences,
          .decode_tokens = sequences,
          .decode_keys = sequences * keys_each};
}

StepWork Prompt(int64_t tokens) {
  return {.prefills = {{.tokens = tokens, .keys = tokens, .last = true}}};
}

StepWork Mixed() {
  StepWork work = Decode(64, 1000);
  work.prefills = {{.tokens = 300, .keys = 300, .last = true},
                   {.tokens = 100, .keys = 900}};
  return work;
}

double Busy(const StepTime& time) { return InSeconds(time.busy()); }

TEST(ServingCost, IsTheSumOfTheOperatorsThatItExpandsTo) {
  for (const Deployment& d : Deployments()) {
    if (d.spec.pipeline > 1) continue;  // whose message is beside them
    SCOPED_TRACE(absl::StrCat(d.model, " on ", d.spec.tensor));
    ServingCost cost = CostOf(d);
    ASSERT_TRUE(cost.Check().ok()) << cost.Check();
    for (const StepWork& work : {Decode(64, 1000), Prompt(500), Mixed()}) {
      double seconds = 0;
      for (const StepOp& op : cost.Expand(work)) {
        seconds += op.seconds * static_cast<double>(op.times);
      }
      EXPECT_NEAR(Busy(cost.Of(work)), seconds, 1e-9 * seconds + 1e-11);
    }
  }
}

TEST(ServingCost, IsRememberedRight) {
  ServingCost cost = CostOf({"llama3-8b", {}});
  const StepTime once = cost.Of(Mixed());
  cost.Of(Decode(7, 12));
  EXPECT_EQ(cost.Of(Mixed()).stage, once.stage);
  EXPECT_EQ(cost.Of(Mixed()).last, once.last);
}

TEST(ServingCost, ADecodingStepReadsAllWeightsAndKeys) {
  for (const Deployment& d : Deployments()) {
    if (std::string(d.model) == "mixtral-8x7b") continue;  // not all experts
    if (d.spec.expert > 1) continue;
    SCOPED_TRACE(absl::StrCat(d.model, " on ", d.spec.tensor));
    const ModelSpec model = Must(models::LoadModel(d.model));
    const CostModel gpu = Must(CostModel::Load("h100-sxm-80gb"));
    ServingCost cost = CostOf(d);
    for (const int64_t sequences : {1, 16, 256}) {
      // Weights but the embedding, of which rows are read; 16 bits each.
      const double table = 2.0 * static_cast<double>(model.vocab) *
                           static_cast<double>(model.hidden) /
                           static_cast<double>(d.spec.tensor);
      const auto weights =
          static_cast<double>(models::WeightBytes(model, d.spec).count());
      const double keys =
          static_cast<double>(
              models::CacheBytesPerToken(model, d.spec).count()) *
          static_cast<double>(sequences) * 2000;
      EXPECT_GE(Busy(cost.Of(Decode(sequences, 2000))),
                (weights - table + keys) / gpu.gpu.memory_bandwidth.count())
          << sequences;
    }
  }
}

TEST(ServingCost, MoreWorkIsNeverMuchCheaper) {
  // Kernels change with the size, and the next may be a few percent better.
  constexpr double kBetter = 0.93;
  for (const Deployment& d : Deployments()) {
    SCOPED_TRACE(absl::StrCat(d.model, " on ", d.spec.tensor));
    ServingCost cost = CostOf(d);
    double decode = 0, prompt = 0, keys = 0;
    for (int64_t n = 1; n <= 1024; n *= 2) {
      const double more = Busy(cost.Of(Decode(n, 500)));
      EXPECT_GE(more, kBetter * decode) << n << " sequences";
      decode = more;
      const double longer = Busy(cost.Of(Prompt(n * 8)));
      EXPECT_GE(longer, kBetter * prompt) << n * 8 << " tokens";
      prompt = longer;
      const double farther = Busy(cost.Of(Decode(32, n * 16)));
      EXPECT_GE(farther, kBetter * keys) << n * 16 << " keys";
      keys = farther;
    }
  }
}

TEST(ServingCost, FasterMemoryIsNeverSlower) {
  const Cluster cluster = Must(LoadCluster("dgx-h100"));
  const CostModel gpu = Must(CostModel::Load("h100-sxm-80gb"));
  CostModel faster = gpu;
  faster.gpu.memory_bandwidth =
      sim::BytesPerSecond(1.5 * gpu.gpu.memory_bandwidth.count());
  for (const Deployment& d : Deployments()) {
    const ModelSpec model = Must(models::LoadModel(d.model));
    ServingCost before(model, d.spec, gpu, cluster, {});
    ServingCost after(model, d.spec, faster, cluster, {});
    for (const StepWork& work : {Decode(64, 1000), Prompt(500), Mixed()}) {
      EXPECT_LE(Busy(after.Of(work)), Busy(before.Of(work))) << d.model;
    }
    EXPECT_LT(Busy(after.Of(Decode(16, 1000))),
              Busy(before.Of(Decode(16, 1000))))
        << d.model;
  }
}

TEST(ServingCost, GraphsPadToTheNextCapturedSize) {
  const EngineHost host{.launch = Milliseconds(1),
                        .graphs = GraphUse::kDecode,
                        .captured = {1, 8, 64}};
  ServingCost padded = CostOf({"llama3-8b", {}}, host);
  ServingCost plain = CostOf({"llama3-8b", {}});
  // Layers of 8 tokens, attention and head of 5: between 5 and 8 of all.
  const double five = Busy(padded.Of(Decode(5, 100)));
  EXPECT_GE(five, Busy(plain.Of(Decode(5, 100))));
  EXPECT_LE(five, Busy(plain.Of(Decode(8, 100))) * 1.001);
  EXPECT_EQ(padded.Of(Decode(8, 100)).stage, plain.Of(Decode(8, 100)).stage);
  // More than was captured, and prompts, are launched one by one: hundreds of
  // kernels of a millisecond.
  EXPECT_GT(Busy(padded.Of(Decode(65, 100))), 0.2);
  EXPECT_GT(Busy(padded.Of(Prompt(4))), 0.2);
  EngineHost all = host;
  all.graphs = GraphUse::kAll;
  EXPECT_LT(Busy(CostOf({"llama3-8b", {}}, all).Of(Prompt(4))), 0.02);
}

TEST(ServingCost, TheHostComesBeforeAStepOrBesideIt) {
  EngineHost host{.step = Milliseconds(2), .sequence = Microseconds(10)};
  const Deployment d{"llama3-8b", {}};
  const StepTime plain = CostOf(d).Of(Mixed());
  EXPECT_EQ(plain.host, sim::Duration(0));
  // 64 decodes and 2 prompts: 2000 + 66 * 10 us.
  const StepTime apart = CostOf(d, host).Of(Mixed());
  EXPECT_EQ(apart.host, Microseconds(2660));
  EXPECT_EQ(apart.busy(), plain.busy());
  // Beside the GPUs it counts only where they are done earlier.
  host.overlapped = true;
  const StepTime beside = CostOf(d, host).Of(Mixed());
  EXPECT_EQ(beside.host, sim::Duration(0));
  EXPECT_EQ(beside.busy(), plain.busy());
  host.step = Milliseconds(500);
  EXPECT_EQ(CostOf(d, host).Of(Mixed()).busy(), Microseconds(500'660));
}

TEST(ServingCost, OfAStageIsAboutAShareOfTheWhole) {
  const ServingSpec whole{.tensor = 4}, halves{.tensor = 4, .pipeline = 2};
  const StepTime one = CostOf({"llama2-70b", whole}).Of(Decode(32, 1000));
  const StepTime two = CostOf({"llama2-70b", halves}).Of(Decode(32, 1000));
  // 40 of 80 layers, and a message of 0.5 MB.
  EXPECT_NEAR(InSeconds(two.stage) / InSeconds(one.stage), 0.5, 0.03);
  EXPECT_EQ(two.last, one.last);
}

TEST(ServingCost, MovesFromTheHostTakeTheirTime) {
  ServingCost cost = CostOf({"llama2-70b", {.tensor = 8}});
  StepWork work = Decode(8, 1000);
  const double without = InSeconds(cost.Of(work).stage);
  work.from_host = 100'000;
  // 40,960 bytes of a token on each rank: 4.1 GB over 55.6 GB/s at most.
  EXPECT_GE(InSeconds(cost.Of(work).stage) - without, 4.096 / 55.7);
  work.from_host = 0;
  work.to_host = 100'000;
  EXPECT_GE(InSeconds(cost.Of(work).stage) - without, 4.096 / 55.7);
}

}  // namespace
}  // namespace hardware
