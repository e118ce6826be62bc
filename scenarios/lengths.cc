#include "scenarios/lengths.h"

#include <algorithm>
#include <boost/random/normal_distribution.hpp>
#include <boost/random/uniform_int_distribution.hpp>
#include <cmath>
#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "scenarios/traces/trace_rows.h"
#include "sim/csv_file.h"

namespace scenarios {
namespace {

// The 99th percentile of the standard normal distribution.
constexpr double kP99 = 2.3263478740408408;

// The sigma of a log-normal whose 99th percentile is `ratio` means; nothing if
// none has that. With mu = ln(mean) - sigma^2 / 2,
//   ln(ratio) = kP99 sigma - sigma^2 / 2,
// of which the smaller root is meant.
std::optional<double> SigmaOf(double ratio) {
  const double square = kP99 * kP99 - 2 * std::log(ratio);
  if (ratio <= 1 || square < 0) return std::nullopt;
  return kP99 - std::sqrt(square);
}

int64_t DrawInt(int64_t least, int64_t most, sim::SplitMix64& random) {
  return boost::random::uniform_int_distribution<int64_t>(least, most)(random);
}

}  // namespace

std::string FileIn(const std::string& folder, const std::string& file) {
  return (std::filesystem::path(folder) / file).lexically_normal().string();
}

absl::StatusOr<LengthDraw> LengthDraw::Of(const proto::Lengths& lengths,
                                          const sim::TextField& place,
                                          const std::string& folder) {
  switch (lengths.kind_case()) {
    case proto::Lengths::kFixed:
      return LengthDraw(Uniform{lengths.fixed(), lengths.fixed()});
    case proto::Lengths::kUniform:
      return OfUniform(lengths.uniform(), place.At("uniform"));
    case proto::Lengths::kLogNormal:
      return OfLogNormal(lengths.log_normal(), place.At("log_normal"));
    case proto::Lengths::kEmpirical:
      return OfEmpirical(lengths.empirical(), place.At("empirical"), folder);
    case proto::Lengths::KIND_NOT_SET:
      break;
  }
  return place.Error("is empty; fixed, uniform, log_normal or empirical works");
}

absl::StatusOr<LengthDraw> LengthDraw::OfUniform(
    const proto::Lengths::Uniform& uniform, const sim::TextField& place) {
  if (!uniform.has_most()) {
    return place.At("most").Error("is missing; give the longest length");
  }
  if (uniform.most() < uniform.least()) {
    return place.At("most").Error(
        absl::StrCat(uniform.most(), " is below least, ", uniform.least(), "; ",
                     uniform.least(), " or more works"));
  }
  return LengthDraw(Uniform{uniform.least(), uniform.most()});
}

absl::StatusOr<LengthDraw> LengthDraw::OfLogNormal(
    const proto::Lengths::LogNormal& log_normal, const sim::TextField& place) {
  if (!log_normal.has_mean()) {
    return place.At("mean").Error("is missing; give the mean length");
  }
  const double mean = log_normal.mean();
  if (log_normal.has_sigma() == log_normal.has_p99()) {
    return place.Error(log_normal.has_sigma()
                           ? "sigma and p99 both say how wide it is; one of "
                             "them works"
                           : "does not say how wide it is; sigma or p99 works");
  }
  double sigma = log_normal.sigma();
  if (log_normal.has_p99()) {
    const auto wide = SigmaOf(log_normal.p99() / mean);
    if (!wide) {
      return place.At("p99").Error(
          absl::StrCat(log_normal.p99(), " is not above the mean, ", mean,
                       ", and at most 14.9 times it; ", 2 * mean, " works"));
    }
    sigma = *wide;
  }
  if (static_cast<double>(log_normal.most()) < mean) {
    return place.At("most").Error(
        absl::StrCat(log_normal.most(), " is below the mean, ", mean, "; ",
                     std::ceil(mean), " or more works"));
  }
  return LengthDraw(
      LogNormal{std::log(mean) - sigma * sigma / 2, sigma, log_normal.most()});
}

absl::StatusOr<LengthDraw> LengthDraw::OfEmpirical(
    const proto::Lengths::Empirical& empirical, const sim::TextField& place,
    const std::string& folder) {
  if (!empirical.has_file()) {
    return place.At("file").Error("is missing; name a CSV file");
  }
  if (!empirical.has_column()) {
    return place.At("column").Error("is missing; name a column of the file");
  }
  const std::string path = FileIn(folder, empirical.file());
  if (!std::filesystem::exists(path)) {
    return place.At("file").Error(absl::StrCat(
        "there is no file ", path, "; name one from the scenario's folder"));
  }
  const absl::StatusOr<sim::CsvFile> file = sim::CsvFile::Load(path);
  if (!file.ok()) return file.status();
  const absl::StatusOr<sim::CsvColumn> column =
      file->Column(empirical.column());
  if (!column.ok()) return column.status();
  Empirical lengths;
  for (size_t row = 0; row < file->rows(); ++row) {
    const absl::StatusOr<int64_t> count =
        file->Count(row, *column, kMostTokens);
    if (!count.ok()) return count.status();
    lengths.push_back(static_cast<uint32_t>(*count));
  }
  if (lengths.empty()) {
    return place.At("file").Error(
        absl::StrCat(path, " has no rows; one or more works"));
  }
  return LengthDraw(std::move(lengths));
}

int64_t LengthDraw::operator()(sim::SplitMix64& random) const {
  if (const auto* uniform = std::get_if<Uniform>(&kind_)) {
    return DrawInt(uniform->least, uniform->most, random);
  }
  if (const auto* lengths = std::get_if<Empirical>(&kind_)) {
    const auto last = static_cast<int64_t>(lengths->size()) - 1;
    return (*lengths)[static_cast<size_t>(DrawInt(0, last, random))];
  }
  const LogNormal& log_normal = std::get<LogNormal>(kind_);
  const auto most = static_cast<double>(log_normal.most);
  for (;;) {  // At least half of all draws are at most the mean, and so `most`.
    const double normal = boost::random::normal_distribution<double>()(random);
    const double length =
        std::round(std::exp(log_normal.mu + log_normal.sigma * normal));
    if (length <= most)
      return std::max<int64_t>(1, static_cast<int64_t>(length));
  }
}

}  // namespace scenarios
