// Files that appear whole or not at all.
//
//   absl::Status s = WriteWhole("step.pftrace", [&](auto& stream) {
//     return message.SerializeToZeroCopyStream(&stream);
//   });
#ifndef SCENARIOS_WHOLE_FILE_H_
#define SCENARIOS_WHOLE_FILE_H_

#include <filesystem>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "google/protobuf/io/zero_copy_stream.h"

namespace scenarios {

// Lets `write` fill a new file beside `path`, then puts it in the place of
// `path`. `write` returns false if the stream refused bytes. On failure what
// was at `path` is untouched, nothing else is left, and the message says why:
//   /full/step.pftrace: cannot write: No space left on device
absl::Status WriteWhole(
    const std::filesystem::path& path,
    absl::FunctionRef<bool(google::protobuf::io::ZeroCopyOutputStream&)> write);

// The same, gzipped. `level` is zlib's: 1 fastest .. 9 smallest.
absl::Status WriteWholeGzip(
    const std::filesystem::path& path, int level,
    absl::FunctionRef<bool(google::protobuf::io::ZeroCopyOutputStream&)> write);

}  // namespace scenarios

#endif  // SCENARIOS_WHOLE_FILE_H_
