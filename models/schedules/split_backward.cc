#include "models/schedules/split_backward.h"

#include <vector>

namespace models {

Plan SplitBackward(const Plan& plan) {
  Plan split;
  for (const std::vector<Pass>& passes : plan) {
    std::vector<Pass>& written = split.emplace_back();
    std::vector<Pass> owed;  // weight gradients of passes that run together
    for (Pass pass : passes) {
      if (pass.kind == PassKind::kBackward) {
        owed.push_back({.kind = PassKind::kWeightGradient,
                        .chunk = pass.chunk,
                        .microbatch = pass.microbatch});
        pass.kind = PassKind::kInputGradient;
      }
      written.push_back(pass);
      if (pass.with_next) continue;
      written.insert(written.end(), owed.begin(), owed.end());
      owed.clear();
    }
  }
  return split;
}

}  // namespace models
