// A whole text file in memory.
//
//   ReadText("a.textproto")     // "name: …"
//   ReadText("nope.textproto")  // nope.textproto: cannot read; there is no …
#ifndef SIM_READ_TEXT_H_
#define SIM_READ_TEXT_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sim {

// The text of the file at `path`, UTF-8, without its byte order mark.
//
// Fails, naming the path, on a file that cannot be read, a folder, more than
// 1 GiB, and bytes that are no text: NUL, or not UTF-8.
absl::StatusOr<std::string> ReadText(const std::string& path);

// The same rules for bytes already at hand; `name` is what errors call them.
absl::StatusOr<std::string> AsText(absl::string_view name, std::string bytes);

// The offset of the first byte that is not part of valid UTF-8; the size of
// `bytes` if all are.
size_t Utf8Prefix(absl::string_view bytes);

}  // namespace sim

#endif  // SIM_READ_TEXT_H_
