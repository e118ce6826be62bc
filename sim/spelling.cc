#include "sim/spelling.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"

namespace sim {
namespace {

constexpr size_t kMostNames = 24;  // that Suggest lists

std::string Folded(absl::string_view name) {
  std::string folded = absl::AsciiStrToLower(name);
  std::replace(folded.begin(), folded.end(), '-', '_');
  return folded;
}

// Optimal string alignment distance, a row of the table at a time:
// cost[j] = slips between the first i letters of `a` and first j of `b`.
size_t Slips(absl::string_view a, absl::string_view b) {
  std::vector<size_t> two_back, back, cost(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) cost[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    two_back = back;
    back = cost;
    cost[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = back[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      cost[j] = std::min({changed, back[j] + 1, cost[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[j] = std::min(cost[j], two_back[j - 2] + 1);
      }
    }
  }
  return cost[b.size()];
}

bool Affix(absl::string_view part, absl::string_view whole) {
  return part.size() >= 3 &&
         (absl::StartsWith(whole, part) || absl::EndsWith(whole, part));
}

}  // namespace

std::optional<std::string> NearestName(absl::string_view word,
                                       std::span<const std::string> names) {
  const std::string wanted = Folded(word);
  const std::string* nearest = nullptr;
  size_t fewest = wanted.size() / 3 + 1;
  for (const std::string& name : names) {
    // A name much longer or shorter needs at least that many slips.
    const size_t longer = std::max(name.size(), wanted.size());
    const size_t shorter = std::min(name.size(), wanted.size());
    if (longer - shorter >= fewest) continue;
    const size_t slips = Slips(wanted, Folded(name));
    if (slips >= fewest) continue;
    fewest = slips;
    nearest = &name;
  }
  if (nearest != nullptr) return *nearest;
  for (const std::string& name : names) {
    const std::string folded = Folded(name);
    if (Affix(wanted, folded) || Affix(folded, wanted)) return name;
  }
  return std::nullopt;
}

std::string Suggest(absl::string_view word, std::span<const std::string> names,
                    absl::string_view kind) {
  if (names.empty()) return absl::StrCat("there are no ", kind);
  const std::optional<std::string> nearest = NearestName(word, names);
  if (nearest) return absl::StrCat("did you mean \"", *nearest, "\"?");
  const size_t listed = std::min(names.size(), kMostNames);
  std::string known = absl::StrCat("known ", kind, " are ",
                                   absl::StrJoin(names.first(listed), ", "));
  if (listed < names.size()) {
    absl::StrAppend(&known, " and ", names.size() - listed, " more");
  }
  return known;
}

}  // namespace sim
