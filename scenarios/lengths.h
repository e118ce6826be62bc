// How many tokens a prompt or an answer has, drawn as `Lengths` of
// workload.proto says.
//
//   absl::StatusOr<LengthDraw> draw = LengthDraw::Of(input, field,
//   "scenarios/"); sim::SplitMix64 random(7);
//   (*draw)(random)  // 873
#ifndef SCENARIOS_LENGTHS_H_
#define SCENARIOS_LENGTHS_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "scenarios/workload.pb.h"
#include "sim/random.h"
#include "sim/text_file.h"

namespace scenarios {

class LengthDraw {
 public:
  // `place` is where the lengths stand; a file is relative to `folder`.
  // Fails if none of the kinds is given, on a field that is missing or does not
  // fit the others, and on a file without such counts.
  // REQUIRES: every number is in its field's range.
  static absl::StatusOr<LengthDraw> Of(const proto::Lengths& lengths,
                                       const sim::TextField& place,
                                       const std::string& folder);

  LengthDraw() = default;  // always 1

  int64_t operator()(sim::SplitMix64& random) const;

 private:
  struct Uniform {
    int64_t least = 1, most = 1;  // both drawn
  };
  struct LogNormal {
    double mu = 0, sigma = 0;  // of the natural logarithm
    int64_t most = 1;
  };
  using Empirical = std::vector<uint32_t>;
  using Kind = std::variant<Uniform, LogNormal, Empirical>;

  explicit LengthDraw(Kind kind) : kind_(std::move(kind)) {}
  static absl::StatusOr<LengthDraw> OfUniform(
      const proto::Lengths::Uniform& uniform, const sim::TextField& place);
  static absl::StatusOr<LengthDraw> OfLogNormal(
      const proto::Lengths::LogNormal& log_normal, const sim::TextField& place);
  static absl::StatusOr<LengthDraw> OfEmpirical(
      const proto::Lengths::Empirical& empirical, const sim::TextField& place,
      const std::string& folder);

  Kind kind_ = Uniform{};
};

// `file` as found from `folder`; itself if it is absolute.
std::string FileIn(const std::string& folder, const std::string& file);

}  // namespace scenarios

#endif  // SCENARIOS_LENGTHS_H_
