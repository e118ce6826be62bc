// How far a law's prices are from measurements that it was not fitted to.
//
//   LawErrors errors = ErrorsOf(message.gemm(0).provenance());
//   errors.Of("bf16", "h100-sxm-80gb");  // low -0.08, high +0.08
//   errors.Of("bf16", "my-next-chip");   // low -0.09, high +0.09: not measured
#ifndef HARDWARE_LAW_ERRORS_H_
#define HARDWARE_LAW_ERRORS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace hardware {

namespace proto {
class Provenance;
}

// 80 % of kernels have predicted / measured - 1 between these.
struct Spread {
  double low = 0, high = 0;
};

// The least spread that holds both.
Spread Wider(const Spread& a, const Spread& b);

struct LawErrors {
  struct Residual {
    std::string of;  // a family, "fp8 vllm", or a GPU
    Spread spread;
  };
  std::vector<Residual> kept_out;  // by family
  std::vector<Residual> left_out;  // by GPU, predicted from the others
  std::vector<std::string> gpus;   // measured

  // Of the families whose first word is `type`; wider for a GPU that was not
  // measured: as wide as GPUs that were left out of a fit. Nothing if no such
  // family was measured.
  std::optional<Spread> Of(absl::string_view type, absl::string_view gpu) const;
};

LawErrors ErrorsOf(const proto::Provenance& provenance);

}  // namespace hardware

#endif  // HARDWARE_LAW_ERRORS_H_
