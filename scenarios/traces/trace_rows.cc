#include "scenarios/traces/trace_rows.h"

#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace scenarios {

std::optional<int64_t> NanosecondsOf(double seconds) {
  const double ns = seconds * 1e9;
  if (!(std::fabs(ns) < 0x1p63)) return std::nullopt;
  return static_cast<int64_t>(std::round(ns));
}

bool TraceRows::Wants() {
  const bool wants = next_ >= options_.first_row && !done();
  ++next_;
  return wants;
}

bool TraceRows::done() const {
  return next_ - options_.first_row >= options_.most_rows;
}

void TraceRows::Add(const TraceRow& row) {
  if (row.at_ns) {
    if (!any_time_) first_ns_ = *row.at_ns;
    any_time_ = true;
    last_ns_ = *row.at_ns;
    trace_.at_ns.push_back(last_ns_ - first_ns_);
  }
  trace_.input.push_back(static_cast<uint32_t>(row.input));
  trace_.output.push_back(static_cast<uint32_t>(row.output));
}

void TraceRows::AddSession(const std::string& name, const std::string& parent) {
  const auto known = sessions_.find(parent);
  const uint32_t session = known != sessions_.end()
                               ? known->second
                               : static_cast<uint32_t>(trace_.sessions++);
  if (!name.empty()) sessions_[name] = session;
  trace_.session.push_back(session);
}

absl::StatusOr<RequestTrace> TraceRows::Trace(const std::string& name) && {
  if (trace_.rows() == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": there are no requests among its ", next_, " rows",
        options_.first_row > 0 ? absl::StrCat(" from row ", options_.first_row,
                                              " on; a lower first_row works")
                               : "; a trace of at least one works"));
  }
  return std::move(trace_);
}

}  // namespace scenarios
