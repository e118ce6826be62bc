#include "models/expert_kernels.h"

namespace models {

absl::string_view NameOf(ExpertKernels family) {
  constexpr absl::string_view kNames[] = {"triton", "cutlass",
                                          "transformer-engine", "sequential"};
  return kNames[static_cast<size_t>(family)];
}

absl::string_view NameOf(ExpertStep step) {
  constexpr absl::string_view kNames[] = {"route", "permute", "activation",
                                          "unpermute"};
  return kNames[static_cast<size_t>(step)];
}

ExpertRows RowsOf(std::span<const int64_t> load) {
  ExpertRows result;
  for (const int64_t rows : load) {
    if (rows == 0) continue;
    result.rows += static_cast<double>(rows);
    result.active += 1;
    for (size_t i = 0; i < kTileHeights.size(); ++i) {
      const int64_t height = kTileHeights[i];
      result.tiles[i] += static_cast<double>((rows + height - 1) / height);
    }
  }
  return result;
}

}  // namespace models
