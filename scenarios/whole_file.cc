#include "scenarios/whole_file.h"

#include <fcntl.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/io/gzip_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl.h"

namespace scenarios {
namespace {

namespace fs = std::filesystem;
namespace io = google::protobuf::io;

constexpr int kFileBuffer = 1 << 18;  // bytes written at a time

absl::Status CannotWrite(const fs::path& path, int error) {
  return absl::ErrnoToStatus(error,
                             absl::StrCat(path.string(), ": cannot write"));
}

}  // namespace

absl::Status WriteWhole(
    const fs::path& path,
    absl::FunctionRef<bool(io::ZeroCopyOutputStream&)> write) {
  std::error_code error;
  const fs::file_status there = fs::status(path, error);
  if (fs::exists(there) && !fs::is_regular_file(there) &&
      !fs::is_directory(there)) {
    return absl::InvalidArgumentError(absl::StrCat(
        path.string(), ": is no regular file, and would be replaced by one"));
  }
  fs::path partial = path;
  partial += ".partial";
  const int file =
      open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) return CannotWrite(path, errno);
  io::FileOutputStream stream(file, kFileBuffer);
  const bool written = write(stream);
  const bool closed = stream.Close();
  error.clear();
  if (written && closed) {
    fs::rename(partial, path, error);
    if (!error) return absl::OkStatus();
  }
  const int reason = error ? error.value() : stream.GetErrno();
  fs::remove(partial, error);
  return CannotWrite(path, reason);
}

absl::Status WriteWholeGzip(
    const fs::path& path, int level,
    absl::FunctionRef<bool(io::ZeroCopyOutputStream&)> write) {
  return WriteWhole(path, [&](io::ZeroCopyOutputStream& stream) {
    io::GzipOutputStream::Options options;
    options.compression_level = level;
    options.buffer_size = kFileBuffer;
    io::GzipOutputStream gzip(&stream, options);
    return write(gzip) && gzip.Close();
  });
}

}  // namespace scenarios
