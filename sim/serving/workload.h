// Where requests come from: one at a time, in the order of arrival, some of
// them only when earlier ones are done.
//
//   Workload w = …;  // scenarios/workload.h makes them
//   while (std::optional<Instant> at = w.next()) Serve(w.Take());
//   w.Done(request, now);  // may make a next() of its own
//
// Holds what is to come soon, not the whole stream: a million requests take no
// more memory than those in flight.
#ifndef SIM_SERVING_WORKLOAD_H_
#define SIM_SERVING_WORKLOAD_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "sim/serving/request.h"

namespace sim {

class Workload {
 public:
  // `open` gives the requests that arrive whatever becomes of the others, in
  // order of arrival, and nothing at their end; null: none. `follow` gives the
  // request that one which is done gives rise to, if any: the next of a user or
  // of a conversation, not before `now`; null: none.
  using Open = std::function<std::optional<Request>()>;
  using Follow =
      std::function<std::optional<Request>(const Request& done, Instant now)>;
  Workload(Open open, Follow follow);

  // When the next request arrives; nothing if none is known of.
  std::optional<Instant> next() const;
  // REQUIRES: next(). Ids count up from 0 in this order. Of requests that arrive
  // at once, those of `open` go first, then the others as they were made.
  Request Take();
  // Take() lets this set what the streams leave open: the model, the class.
  void Mark(std::function<void(Request*)> mark) { mark_ = std::move(mark); }
  // A request has been answered, or refused.
  void Done(const Request& request, Instant now);

 private:
  struct Pending {
    Request request;
    int64_t order = 0;  // in which they were made
  };
  static bool Later(const Pending& a, const Pending& b);

  Open open_;
  Follow follow_;
  std::function<void(Request*)> mark_;
  std::optional<Request> ahead_;  // the next of open_
  std::vector<Pending> pending_;  // a heap, the earliest in front
  int64_t made_ = 0;              // by follow_
  int64_t taken_ = 0;
};

}  // namespace sim

#endif  // SIM_SERVING_WORKLOAD_H_
