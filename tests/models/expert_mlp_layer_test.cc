#include <map>
#include <string>

#include "gtest/gtest.h"
#include "models/expert_split.h"
#include "models/load_model.h"
#include "models/operator_totals.h"
#include "models/parameters.h"
#include "models/training_graph.h"

namespace models {
namespace {

ModelSpec Load(const char* name) { return *LoadModel(name); }

TrainingSpec Plain() {
  TrainingSpec t;
  t.sequence_length = 4096;
  t.pad_vocab_to = 1;
  return t;
}

// Of one layer of experts, one rank.
OpGraph Layer(const ModelSpec& model, const TrainingSpec& training,
              size_t part = 0) {
  return BuildChunk(model, training,
                    {.first_layer = model.layers - 1, .layers = 1}, part);
}

std::map<std::string, Collective> Exchanges(const OpGraph& graph) {
  std::map<std::string, Collective> found;
  for (const Op& op : graph.ops) {
    const Collective* c = op.collective();
    if (c != nullptr && c->axis == Axis::kExpert) {
      found.emplace(std::string(op.name), *c);
    }
  }
  return found;
}

TEST(ExpertMlp, MultipliesAsTheClosedFormForwardAndBackward) {
  for (const char* name : {"mixtral-8x7b", "qwen3-30b-a3b", "qwen2-57b-a14b",
                           "deepseek-v2-lite"}) {
    const ModelSpec model = Load(name);
    const TrainingSpec training = Plain();
    double forward = 0, backward = 0;
    for (const OperatorTotal& t : TotalsOf(BuildChunk(
             model, training, ChunksOf(model, training.split)[0][0]))) {
      if (t.name.find("expert") == std::string::npos &&
          t.name.find("router") == std::string::npos) {
        continue;
      }
      (t.phase == Phase::kForward ? forward : backward) +=
          t.matrix_flops.count();
    }
    double closed = 0;
    for (const ProductTotal& p : ProductsOf(model, 1, 4096, true)) {
      const bool gate = p.name.find("shared_expert_gate") != std::string::npos;
      if (gate || (p.name.find("expert layer: experts.") == std::string::npos &&
                   p.name.find("router") == std::string::npos &&
                   p.name.find("shared_expert") == std::string::npos)) {
        continue;
      }
      closed += p.forward.count();
    }
    EXPECT_DOUBLE_EQ(forward, closed) << name;
    EXPECT_DOUBLE_EQ(backward, 2 * closed) << name;
  }
}

TEST(ExpertMlp, RanksTogetherHoldTheModelAndCopiesOfWhatIsNotDivided) {
  for (const char* name : {"mixtral-8x7b", "qwen3-30b-a3b", "deepseek-v3"}) {
    const ModelSpec model = Load(name);
    const int64_t whole =
        RankShape(model, Plain()).LayerParameters(model.layers - 1).expert;
    for (const int64_t ep : {1, 2, 4, 8}) {
      for (const int64_t etp : {1, 2, 4}) {
        TrainingSpec t = Plain();
        t.split = {.data = ep * etp, .expert = ep, .expert_tensor = etp};
        const RankShape rank(model, t);
        EXPECT_EQ(rank.expert_layer.expert * ep * etp, whole)
            << name << " " << ep << " " << etp;
        EXPECT_EQ(t.split.expert_copies(), 1);
      }
    }
    EXPECT_EQ(RankShape(model, Plain())
                  .ParametersOf(ChunksOf(model, {})[0][0])
                  .total(),
              CountParameters(model).total)
        << name;
  }
}

TEST(ExpertMlp, WithoutExpertParallelismNothingIsExchanged) {
  TrainingSpec t = Plain();
  t.split = {.data = 8};
  EXPECT_TRUE(Exchanges(Layer(Load("mixtral-8x7b"), t)).empty());
}

TEST(ExpertMlp, DispatchAndCombineCarryEachTokenToEachOfItsExperts) {
  TrainingSpec t = Plain();
  t.split = {.data = 8, .expert = 8};
  const auto exchanges = Exchanges(Layer(Load("mixtral-8x7b"), t));
  // 4096 tokens, 2 experts each, 4096 columns of 2 bytes.
  for (const char* name :
       {"dispatch", "combine", "dispatch gradients", "combine gradients"}) {
    EXPECT_EQ(exchanges.at(name).kind, CollectiveKind::kAllToAll) << name;
    EXPECT_EQ(exchanges.at(name).bytes, sim::Bytes(4096 * 2 * 4096 * 2))
        << name;
  }
}

TEST(ExpertMlp, TheAllGatherDispatcherGathersTokensAndReducesSums) {
  TrainingSpec t = Plain();
  t.split = {.data = 8, .expert = 8};
  t.experts.dispatcher = TokenDispatcher::kAllGather;
  const auto exchanges = Exchanges(Layer(Load("mixtral-8x7b"), t));
  EXPECT_EQ(exchanges.at("dispatch").kind, CollectiveKind::kAllGather);
  EXPECT_EQ(exchanges.at("combine").kind, CollectiveKind::kReduceScatter);
  // All tokens of 8 ranks.
  EXPECT_EQ(exchanges.at("combine").bytes, sim::Bytes(8 * 4096 * 4096 * 2));
}

TEST(ExpertMlp, DeepEpSendsATokenWithItsChoice) {
  TrainingSpec t = Plain();
  t.split = {.data = 8, .expert = 8};
  t.experts.dispatcher = TokenDispatcher::kDeepEp;
  const auto exchanges = Exchanges(Layer(Load("mixtral-8x7b"), t));
  ASSERT_TRUE(exchanges.at("dispatch").exchange.has_value());
  EXPECT_EQ(exchanges.at("dispatch").exchange->tokens, 4096);
  EXPECT_EQ(exchanges.at("combine").exchange->direction,
            ExpertDirection::kCombine);
}

TEST(ExpertSplit, TokensInAreTokensOutOverAllRanksOfAGroup) {
  const ModelSpec model = Load("qwen3-30b-a3b");
  for (const ExpertBalance balance :
       {ExpertBalance::kBalanced, ExpertBalance::kPowerLaw,
        ExpertBalance::kGiven}) {
    for (const int64_t ep : {1, 2, 16, 64}) {
      TrainingSpec t = Plain();
      t.split = {.data = 64, .expert = ep};
      t.experts.balance = balance;
      for (int64_t e = 0; e < 128; ++e) {
        t.experts.histogram.push_back(1 + e % 7);
      }
      const ExpertSplit split(model, t);
      int64_t rows = 0, ranks = 0;
      for (size_t part = 0; part < split.parts(); ++part) {
        rows += split.part(part).computed * split.part(part).ranks;
        ranks += split.part(part).ranks;
      }
      EXPECT_EQ(ranks, ep);
      EXPECT_EQ(rows, 4096 * 8 * ep) << ep;
      EXPECT_EQ(split.sent(), 4096 * 8);
    }
  }
}

TEST(ExpertSplit, OnlyRanksThatDifferAreParts) {
  TrainingSpec t = Plain();
  t.split = {.data = 8, .expert = 8};
  const ModelSpec model = Load("mixtral-8x7b");
  EXPECT_EQ(ExpertSplit(model, t).parts(), 1u);
  t.experts.balance = ExpertBalance::kGiven;
  t.experts.histogram = {20, 10, 10, 10, 10, 10, 5, 5};
  const ExpertSplit split(model, t);
  ASSERT_EQ(split.parts(), 3u);
  // 8 ranks · 4096 tokens · 2 choices = 65,536 rows: 20, 10 and 5 of 80.
  EXPECT_EQ(split.part(0).computed, 16384);
  EXPECT_EQ(split.part(1).computed, 8192);
  EXPECT_EQ(split.part(1).ranks, 5);
  EXPECT_EQ(split.part(2).computed, 4096);
  EXPECT_EQ(split.PartOf(7), 2u);
}

TEST(ExpertSplit, CapacityDropsWhatIsTooMuchAndPadsWhatIsTooLittle) {
  TrainingSpec t = Plain();
  t.split = {.data = 8, .expert = 8};
  t.experts.balance = ExpertBalance::kGiven;
  t.experts.histogram = {20, 10, 10, 10, 10, 10, 5, 5};
  t.experts.capacity_factor = 1;
  const ModelSpec model = Load("mixtral-8x7b");
  // A rank's capacity for an expert is 4096 · 2 / 8 = 1024, of 8 ranks 8192.
  const ExpertSplit drops(model, t);
  EXPECT_EQ(drops.part(drops.PartOf(0)).computed, 8192);
  EXPECT_EQ(drops.part(drops.PartOf(7)).computed, 4096);
  // 6 · 8192 + 2 · 4096 rows over 8 ranks.
  EXPECT_EQ(drops.sent(), 7168);
  t.experts.pad_to_capacity = true;
  const ExpertSplit padded(model, t);
  EXPECT_EQ(padded.parts(), 1u);
  EXPECT_EQ(padded.part(0).computed, 8192);
  EXPECT_EQ(padded.sent(), 8192);
}

TEST(ExpertMlp, PaddedExpertsNeedNoWordFromTheHost) {
  TrainingSpec t = Plain();
  t.split = {.data = 8, .expert = 8};
  const auto waits = [&] {
    int count = 0;
    for (const Op& op : Layer(Load("mixtral-8x7b"), t).ops) {
      count += op.host_sync ? 1 : 0;
    }
    return count;
  };
  EXPECT_EQ(waits(), 1);
  t.experts.capacity_factor = 1;
  t.experts.pad_to_capacity = true;
  EXPECT_EQ(waits(), 0);
}

}  // namespace
}  // namespace models
