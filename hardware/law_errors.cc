#include "hardware/law_errors.h"

#include <algorithm>

#include "absl/strings/str_split.h"
#include "hardware/calibration.pb.h"

namespace hardware {
namespace {

using Residuals = std::vector<LawErrors::Residual>;

// Around all of those that `takes` does; nothing if it takes none.
template <class Takes>
std::optional<Spread> Around(const Residuals& residuals, Takes takes) {
  std::optional<Spread> spread;
  for (const LawErrors::Residual& residual : residuals) {
    if (!takes(residual)) continue;
    spread = spread ? Wider(*spread, residual.spread) : residual.spread;
  }
  return spread;
}

constexpr auto kAll = [](const LawErrors::Residual&) { return true; };

Residuals ResidualsOf(
    const google::protobuf::RepeatedPtrField<proto::Provenance::Residual>&
        messages) {
  Residuals residuals;
  for (const auto& message : messages) {
    residuals.push_back({message.family(), {message.low(), message.high()}});
  }
  return residuals;
}

}  // namespace

Spread Wider(const Spread& a, const Spread& b) {
  return {std::min(a.low, b.low), std::max(a.high, b.high)};
}

std::optional<Spread> LawErrors::Of(absl::string_view type,
                                    absl::string_view gpu) const {
  std::optional<Spread> spread = Around(kept_out, [&](const Residual& r) {
    const std::vector<absl::string_view> words = absl::StrSplit(r.of, ' ');
    return words.front() == type;
  });
  if (!spread || std::find(gpus.begin(), gpus.end(), gpu) != gpus.end()) {
    return spread;
  }
  const std::optional<Spread> unseen = Around(left_out, kAll);
  return unseen ? Wider(*spread, *unseen) : *spread;
}

LawErrors ErrorsOf(const proto::Provenance& provenance) {
  return {.kept_out = ResidualsOf(provenance.residual()),
          .left_out = ResidualsOf(provenance.left_out()),
          .gpus = {provenance.gpu().begin(), provenance.gpu().end()}};
}

}  // namespace hardware
