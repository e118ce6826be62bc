#include "scenarios/zero_checks.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/scenarios/problem.h"

namespace scenarios {
namespace {

// What loading says of Llama-3-8B on sixteen H100 with these fields changed,
// after the place; empty if it is legal.
std::string Problem(const std::vector<std::string>& sets) {
  return ProblemOf(
      {"model.preset=llama3-8b", "cluster.preset=dgx-h100", "cluster.nodes=2",
       "training.sequence_length=4096", "training.global_batch=16",
       "training.parallel.zero=3"},
      sets);
}

TEST(ZeroChecks, AllOfZeroPlusPlusIsLegalWithZeroThree) {
  EXPECT_EQ(Problem({"training.parallel.zero_hpz_partition_size=8",
                     "training.parallel.zero_quantized_weights=true",
                     "training.parallel.zero_quantized_gradients=true"}),
            "");
}

TEST(ZeroChecks, SayWhatWouldWork) {
  EXPECT_EQ(Problem({"training.parallel.zero=2",
                     "training.parallel.zero_quantized_weights=true"}),
            "training.parallel.zero_quantized_weights: needs zero: 3, where "
            "weights are gathered for each layer");
  EXPECT_EQ(Problem({"training.parallel.zero_hpz_partition_size=3"}),
            "training.parallel.zero_hpz_partition_size: 3 does not divide the "
            "16 data-parallel ranks; 8, the GPUs of a server, is usual");
  EXPECT_EQ(Problem({"training.parallel.zero_hpz_partition_size=8",
                     "training.parallel.shard_group=8"}),
            "training.parallel.zero_hpz_partition_size: shard_group has its own "
            "hierarchy; leave one of the two out");
  EXPECT_EQ(Problem({"training.parallel.zero_hpz_partition_size=8",
                     "training.overlap.reshard_after_forward=false"}),
            "training.parallel.zero_hpz_partition_size: needs "
            "overlap.reshard_after_forward: without it backward gathers "
            "nothing; 1 works");
  EXPECT_EQ(Problem({"training.precision=FP8", "training.fp8_param_gather=true",
                     "training.parallel.zero_quantized_weights=true"}),
            "training.parallel.zero_quantized_weights: fp8_param_gather gathers "
            "8 bits already; set one of the two");
}

}  // namespace
}  // namespace scenarios
