#include "sim/serving/workload.h"

#include <algorithm>
#include <cassert>
#include <tuple>
#include <utility>

namespace sim {

Workload::Workload(Open open, Follow follow)
    : open_(std::move(open)), follow_(std::move(follow)) {
  if (open_) ahead_ = open_();
}

bool Workload::Later(const Pending& a, const Pending& b) {
  return std::tie(a.request.arrival, a.order) >
         std::tie(b.request.arrival, b.order);
}

std::optional<Instant> Workload::next() const {
  if (pending_.empty()) {
    return ahead_ ? std::optional(ahead_->arrival) : std::nullopt;
  }
  const Instant followed = pending_.front().request.arrival;
  return ahead_ ? std::min(ahead_->arrival, followed) : followed;
}

Request Workload::Take() {
  assert(next());
  Request request;
  if (ahead_ && (pending_.empty() ||
                 ahead_->arrival <= pending_.front().request.arrival)) {
    request = *std::move(ahead_);
    ahead_ = open_();
    assert(!ahead_ || ahead_->arrival >= request.arrival);
  } else {
    std::pop_heap(pending_.begin(), pending_.end(), Later);
    request = std::move(pending_.back().request);
    pending_.pop_back();
  }
  request.id = taken_++;
  if (mark_) mark_(&request);
  return request;
}

void Workload::Done(const Request& request, Instant now) {
  if (!follow_) return;
  std::optional<Request> next = follow_(request, now);
  if (!next) return;
  assert(next->arrival >= now);
  pending_.push_back({*std::move(next), made_++});
  std::push_heap(pending_.begin(), pending_.end(), Later);
}

}  // namespace sim
