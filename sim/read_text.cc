#include "sim/read_text.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "sim/spelling.h"

namespace sim {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostBytes = size_t{1} << 30;
constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Why there is nothing to read at `path`, and the file beside it that was
// likely meant.
std::string Missing(const fs::path& path) {
  std::error_code error;
  const fs::path folder = path.has_parent_path() ? path.parent_path() : ".";
  if (!fs::is_directory(folder, error)) {
    return absl::StrCat("there is no folder ", folder.string());
  }
  std::vector<std::string> names;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  const std::optional<std::string> nearest =
      NearestName(path.filename().string(), names);
  if (!nearest) return "there is no such file";
  return absl::StrCat("there is no such file; did you mean \"", *nearest,
                      "\"?");
}

bool ReadBytes(const std::string& path, std::string* bytes) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return false;
  std::array<char, 1 << 16> block;
  while (bytes->size() <= kMostBytes) {
    file.read(block.data(), block.size());
    bytes->append(block.data(), static_cast<size_t>(file.gcount()));
    if (!file) break;
  }
  return !file.bad();
}

// The bytes of the UTF-8 sequence that starts `bytes`; 0 if none does.
size_t SequenceSize(absl::string_view bytes) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  if (byte(0) < 0x80) return 1;
  const size_t size = byte(0) >= 0xF0 ? 4 : byte(0) >= 0xE0 ? 3 : 2;
  if (byte(0) < 0xC2 || byte(0) > 0xF4 || bytes.size() < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const bool overlong = (byte(0) == 0xE0 && byte(1) < 0xA0) ||
                        (byte(0) == 0xF0 && byte(1) < 0x90);
  const bool surrogate = byte(0) == 0xED && byte(1) >= 0xA0;
  const bool past_last = byte(0) == 0xF4 && byte(1) >= 0x90;
  return overlong || surrogate || past_last ? 0 : size;
}

}  // namespace

size_t Utf8Prefix(absl::string_view bytes) {
  size_t at = 0;
  while (at < bytes.size()) {
    const size_t size = SequenceSize(bytes.substr(at));
    if (size == 0) return at;
    at += size;
  }
  return at;
}

absl::StatusOr<std::string> AsText(absl::string_view name, std::string bytes) {
  if (absl::StartsWith(bytes, kByteOrderMark)) {
    bytes.erase(0, kByteOrderMark.size());
  }
  if (bytes.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": is binary (it has a NUL byte); give a UTF-8 text file"));
  }
  const size_t valid = Utf8Prefix(bytes);
  if (valid == bytes.size()) return bytes;
  const auto bad = bytes.begin() + static_cast<std::ptrdiff_t>(valid);
  const auto line = std::count(bytes.begin(), bad, '\n') + 1;
  const size_t newline = bytes.rfind('\n', valid);
  const size_t column =
      newline == std::string::npos ? valid + 1 : valid - newline;
  return absl::InvalidArgumentError(absl::StrFormat(
      "%s:%d:%d: byte 0x%02x is not UTF-8; save the file as UTF-8", name, line,
      column, static_cast<uint8_t>(*bad)));
}

absl::StatusOr<std::string> ReadText(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::is_directory(status)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": is a folder; name a file in it"));
  }
  if (status.type() == fs::file_type::not_found) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": cannot read; ", Missing(path)));
  }
  std::string bytes;
  if (!ReadBytes(path, &bytes)) {
    const std::error_code reason(errno, std::generic_category());
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": cannot read; ", reason.message()));
  }
  if (bytes.size() > kMostBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": is larger than 1 GiB; split it"));
  }
  return AsText(path, std::move(bytes));
}

}  // namespace sim
