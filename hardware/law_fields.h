// What the readers of laws share: spellings of enums, provenance.
//
//   Spelled("bf17", DType::kInt4, place.At("dtype"), "types");
//   // x.textproto:7:3: dtype: "bf17" is unknown; did you mean "bf16"? …
#ifndef HARDWARE_LAW_FIELDS_H_
#define HARDWARE_LAW_FIELDS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "models/op.h"
#include "sim/column.h"
#include "sim/spelling.h"
#include "sim/text_file.h"

namespace hardware {

// Spellings of an enum whose last enumerator is `last`.
template <class Id>
std::vector<std::string> NamesTo(Id last) {
  std::vector<std::string> names;
  for (size_t row = 0; row <= sim::Row(last); ++row) {
    names.emplace_back(models::NameOf(sim::AsId<Id>(row)));
  }
  return names;
}

// The enumerator that `place` spells, or an error that names the near ones.
template <class Id>
absl::StatusOr<Id> Spelled(const std::string& word, Id last,
                           const sim::TextField& place,
                           absl::string_view kind) {
  const std::vector<std::string> names = NamesTo(last);
  for (size_t row = 0; row < names.size(); ++row) {
    if (names[row] == word) return sim::AsId<Id>(row);
  }
  return place.Error(absl::StrCat("\"", word, "\" is unknown; ",
                                  sim::Suggest(word, names, kind)));
}

// Every law says which measurements its constants come from, and when they were
// fitted. `law` has a field `provenance`; `place` is where it stands.
template <class Message>
absl::Status CheckProvenance(const Message& law, const sim::TextField& place) {
  if (law.provenance().table().empty()) {
    return place.At("provenance.table")
        .Error("is missing; say which measurements the constants come from");
  }
  if (law.provenance().date().empty()) {
    return place.At("provenance.date").Error("is missing; write YYYY-MM-DD");
  }
  return absl::OkStatus();
}

}  // namespace hardware

#endif  // HARDWARE_LAW_FIELDS_H_
