// The word a person meant, for errors that ask "did you mean".
//
//   NearestName("micro_bath", names)        // "micro_batch"
//   Suggest("micro_bath", names, "fields")  // did you mean "micro_batch"?
//   Suggest("frequency", names, "fields")   // known fields are micro_batch, …
#ifndef SIM_SPELLING_H_
#define SIM_SPELLING_H_

#include <optional>
#include <span>
#include <string>

#include "absl/strings/string_view.h"

namespace sim {

// The name that `word` was likely meant to be: the one with the fewest slips,
// if they are at most one in three letters of the word. A slip is a letter
// changed, left out or put in, or two neighbours swapped; case counts for
// nothing, and '-' is '_'. Next, the first name that has the word (of three
// letters or more) as its beginning or end, or the other way round. Ties go to
// the earlier name.
std::optional<std::string> NearestName(absl::string_view word,
                                       std::span<const std::string> names);

// What would work, to end an error with: `did you mean "layers"?`, or if no
// name is near, `known fields are layers, hidden, …`, of which at most 24 are
// listed. `kind` says what the names name, in the plural.
std::string Suggest(absl::string_view word, std::span<const std::string> names,
                    absl::string_view kind);

}  // namespace sim

#endif  // SIM_SPELLING_H_
