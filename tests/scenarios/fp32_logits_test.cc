// The head's product in FP32: what it takes and what it costs.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "models/op_graph.h"
#include "scenarios/load.h"
#include "scenarios/run.h"
#include "sim/column.h"
#include "sim/units.h"

namespace scenarios {
namespace {

Outcome With(const std::vector<std::string>& sets) {
  std::vector<std::string> all = {"training.kernels.fused_cross_entropy=true",
                                  "training.micro_batch=2"};
  all.insert(all.end(), sets.begin(), sets.end());
  return Execute(Load("gpt2-1xa100", all).value()).value();
}

int64_t LogitsHeld(const Outcome& outcome) {
  const auto holder =
      sim::AsId<sim::HolderId>(static_cast<size_t>(models::Holder::kLogits));
  return outcome.memory[0].held[holder].count();
}

TEST(Fp32Logits, HoldsLogitsAndTheirGradientInFourBytesEach) {
  // 2 x 1,024 tokens, GPT-2's vocabulary of 50,257: 2 bytes in place, or 4 + 4.
  constexpr int64_t kElements = 2 * 1024 * 50257;
  const int64_t plain = LogitsHeld(With({}));
  const int64_t fp32 =
      LogitsHeld(With({"training.kernels.fp32_logits=true"}));
  // Blocks of the allocator are up to a MiB larger.
  EXPECT_GE(plain, 2 * kElements);
  EXPECT_LE(plain, 2 * kElements + (1 << 20));
  EXPECT_GE(fp32, 8 * kElements);
  EXPECT_LE(fp32, 8 * kElements + (2 << 20));
}

TEST(Fp32Logits, CostsTheTrafficOfTheCastsAndOfWiderWords) {
  const auto of_logits = [](const Outcome& outcome) {
    sim::Duration time;
    for (const hardware::PricedOp& op : outcome.lowered.ops) {
      const std::string name(op.op.name);
      if (name.find("cross-entropy") != std::string::npos ||
          name.find("logits to") != std::string::npos ||
          name.find("logits gradient") != std::string::npos) {
        time += op.time;
      }
    }
    return sim::InSeconds(time);
  };
  // In 16 bits: read; read and write: 6 bytes an element. In FP32: cast 2 + 4,
  // read 4, read and write 8, cast 4 + 2: 24 bytes, four times as many, at
  // rates of memory that differ by kernel.
  const double ratio = of_logits(With({"training.kernels.fp32_logits=true"})) /
                       of_logits(With({}));
  EXPECT_GT(ratio, 3.0);
  EXPECT_LT(ratio, 5.0);
}

}  // namespace
}  // namespace scenarios
