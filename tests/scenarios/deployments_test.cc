#include "scenarios/deployments.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "scenarios/capacity_report.h"

namespace scenarios {
namespace {

std::string FileWith(const std::string& more) {
  const std::string path = testing::TempDir() + "d.textproto";
  std::ofstream(path) << "model { preset: \"gpt2\" }\n"
                         "cluster { preset: \"dgx-h100\" nodes: 1 }\n"
                         "serving {\n"
                         "  workload { poisson { requests_per_second: 10 }\n"
                         "    requests: 1000\n"
                         "    input { fixed: 256 } output { fixed: 32 } }\n"
                         "  slo { ttft_ms: 200 tpot_ms: 20 }\n  "
                      << more << "}\n";
  return path;
}

constexpr CapacityOptions kRough = {
    .requests = 200, .tolerance = 0.1, .most_simulated = 0};

TEST(DeploymentChoice, IsWhatSetsSay) {
  const DeploymentChoice split{
      .tensor = 2, .replicas = 4, .prefill = 1, .max_num_batched_tokens = 2048};
  EXPECT_EQ(split.Text(), "tp 2 x (1 prefill + 3 decode), 2048 tokens a step");
  EXPECT_EQ(split.Sets(),
            (std::vector<std::string>{
                "serving.parallel.tensor=2", "serving.parallel.pipeline=1",
                "serving.max_num_batched_tokens=2048",
                "serving.pool=[{ name: \"PREFILL\" role: PREFILL replicas: 1 }, "
                "{ name: \"DECODE\" role: DECODE replicas: 3 }]"}));
  const absl::StatusOr<ServingInputs> inputs =
      LoadServing(FileWith(""), split.Sets());
  ASSERT_TRUE(inputs.ok()) << inputs.status();
  EXPECT_EQ(inputs->gpus(), 8);
  EXPECT_EQ(inputs->pools.at(1).replicas, 3);
}

TEST(CompareDeployments, FillsTheGpusBestFirstWhateverTheThreads) {
  const std::string path = FileWith("");
  const absl::StatusOr<ServingInputs> inputs = LoadServing(path);
  ASSERT_TRUE(inputs.ok()) << inputs.status();
  std::vector<std::string> texts;
  for (const int threads : {1, 3}) {
    const auto all = CompareDeployments(
        path, {}, {.gpus = 4, .capacity = kRough, .threads = threads});
    ASSERT_TRUE(all.ok()) << all.status();
    ASSERT_FALSE(all->empty());
    for (size_t i = 0; i < all->size(); ++i) {
      EXPECT_EQ((*all)[i].choice.gpus(), 4);
      if (i > 0) {
        EXPECT_LE((*all)[i].load_per_gpu(), (*all)[i - 1].load_per_gpu());
      }
    }
    texts.push_back(ToText(ReportDeployments(*inputs, *all)));
  }
  EXPECT_EQ(texts[0], texts[1]);
}

TEST(CompareDeployments, RefusesWhatItCannotLayOut) {
  const auto problem = [](const std::string& path, int64_t gpus) {
    return std::string(
        CompareDeployments(path, {}, {.gpus = gpus, .capacity = kRough})
            .status()
            .message());
  };
  EXPECT_EQ(problem(FileWith(""), 16),
            absl::StrCat(testing::TempDir(),
                         "d.textproto:2:30: cluster.nodes: the cluster's 1 "
                         "servers have 8 GPUs, and 16 are asked about; --gpus "
                         "8 works, or leave out nodes"));
  EXPECT_EQ(problem(FileWith("pool { replicas: 2 }\n"), 2),
            absl::StrCat(testing::TempDir(),
                         "d.textproto:8:3: serving.pool: says which engines "
                         "there are, which --compare is to choose; leave it "
                         "out"));
}

TEST(WaysToServe, FindsWhatFitsWhereTheScenarioDoesNot) {
  // 70 billion weights of two bytes: two of 80 GB do not hold them, four do.
  const std::string path = FileWith("");
  const std::vector<std::string> sets = {
      "model={ preset: \"llama2-70b\" }", "serving.slo=[{ ttft_ms: 2000 }]",
      "serving.workload.poisson.requests_per_second=1"};
  const absl::StatusOr<ServingInputs> inputs = LoadServing(path, sets);
  ASSERT_TRUE(inputs.ok()) << inputs.status();
  EXPECT_EQ(MemoryLimitOf(*inputs), (Limit{.miss = Miss::kMemory}));
  const std::vector<WayToServe> ways = WaysToServe(path, sets);
  ASSERT_FALSE(ways.empty());
  for (size_t i = 1; i < ways.size(); ++i) {
    EXPECT_LE(ways[i - 1].gpus, ways[i].gpus);
  }
}

}  // namespace
}  // namespace scenarios
