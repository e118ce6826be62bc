#include "scenarios/request_stream.h"

#include <algorithm>
#include <boost/random/exponential_distribution.hpp>
#include <boost/random/gamma_distribution.hpp>
#include <boost/random/uniform_int_distribution.hpp>
#include <cmath>

#include "absl/container/flat_hash_map.h"
#include "sim/random.h"

namespace scenarios {
namespace {

using sim::Duration;
using sim::Instant;
using sim::Request;
using sim::SplitMix64;

// What a stream of random numbers, or an id, is for.
enum Purpose : uint64_t { kGaps, kRow, kGroup, kTurns, kTurn, kShared, kOwn };

uint64_t Unsigned(int64_t n) { return static_cast<uint64_t>(n); }

int64_t DrawInt(int64_t least, int64_t most, uint64_t stream) {
  SplitMix64 random(stream);
  return boost::random::uniform_int_distribution<int64_t>(least, most)(random);
}

// `at` + `wait`, or nothing if that is beyond `last` or the clock's end.
std::optional<Instant> Later(Instant at, Duration wait, Instant last) {
  if (wait == sim::kForever || at > last || wait > last - at) {
    return std::nullopt;
  }
  return at + wait;
}

// A row of the trace, in one of its repetitions.
struct RowOfTrace {
  size_t row = 0;
  int64_t repetition = 0;
};

RowOfTrace RowOf(const RequestPlan& plan, int64_t n) {
  const auto rows = static_cast<int64_t>(plan.trace->rows());
  if (!plan.draw_rows) {
    return {static_cast<size_t>(n % rows), n / rows};
  }
  const int64_t row =
      DrawInt(0, rows - 1, sim::Hash({plan.seed, kRow, Unsigned(n)}));
  return {static_cast<size_t>(row), 0};
}

// Ids and conversations of each repetition are its own.
void FromTrace(const RequestPlan& plan, int64_t n, Request& request) {
  const RequestTrace& trace = *plan.trace;
  const auto [row, repetition] = RowOf(plan, n);
  request.input = trace.input[row];
  request.output = trace.output[row];
  if (!trace.session.empty()) {
    request.session = trace.session[row] + repetition * trace.sessions;
  }
  const std::span<const uint64_t> ids = trace.prefix(row);
  request.prefix.assign(ids.begin(), ids.end());
  if (!ids.empty()) request.chunk = trace.chunk;
  if (repetition == 0) return;
  for (uint64_t& id : request.prefix) {
    id = sim::Hash({id, Unsigned(repetition)});
  }
}

// Lengths of the n-th request, or of the first of the n-th conversation.
void DrawLengths(const RequestPlan& plan, int64_t n, Request& request) {
  if (plan.trace) return FromTrace(plan, n, request);
  SplitMix64 random(sim::Hash({plan.seed, kTurn, Unsigned(n), 0}));
  request.input = plan.input(random);
  request.output = plan.output(random);
}

int64_t TurnsOf(const RequestPlan& plan, int64_t n) {
  if (!plan.turns) return 1;
  return DrawInt(plan.turns->least, plan.turns->most,
                 sim::Hash({plan.seed, kTurns, Unsigned(n)}));
}

// Sets ids of the first `tokens` tokens of the n-th sequence, of which the
// first `shared` are its group's.
void SetPrefix(const RequestPlan& plan, int64_t n, int64_t shared,
               int64_t tokens, Request& request) {
  const int64_t chunks = tokens / plan.chunk;
  if (chunks == 0) return;
  request.chunk = plan.chunk;
  request.prefix.reserve(static_cast<size_t>(chunks));
  const uint64_t group = Unsigned(
      DrawInt(0, plan.groups - 1, sim::Hash({plan.seed, kGroup, Unsigned(n)})));
  const uint64_t of_group = sim::Hash({plan.seed, kShared, group});
  const uint64_t own = sim::Hash({plan.seed, kOwn, Unsigned(n)});
  for (int64_t i = 0; i < chunks; ++i) {
    const bool is_shared = (i + 1) * plan.chunk <= shared;
    request.prefix.push_back(
        SplitMix64((is_shared ? of_group : own) + Unsigned(i))());
  }
}

void SetMostOutput(const RequestPlan& plan, Request& request) {
  if (plan.max_tokens > 0) {
    request.most_output = std::max(plan.max_tokens, request.output);
  }
}

// The n-th request, or the first of the n-th conversation.
Request FirstOf(const RequestPlan& plan, int64_t n, Instant at) {
  Request request{.arrival = at};
  DrawLengths(plan, n, request);
  SetMostOutput(plan, request);
  const int64_t shared = std::min(plan.shared_prefix, request.input);
  if (plan.turns) {
    request.session = n;
    SetPrefix(plan, n, shared, request.input + request.output, request);
  } else if (shared > 0) {
    SetPrefix(plan, n, shared, shared, request);
  }
  return request;
}

// The request of turn `turn`, from 1, of the conversation that `done` is of.
std::optional<Request> NextTurn(const RequestPlan& plan, const Request& done,
                                int64_t turn, Instant now, Instant last) {
  const int64_t n = done.session;
  SplitMix64 random(sim::Hash({plan.seed, kTurn, Unsigned(n), Unsigned(turn)}));
  const double think =
      boost::random::exponential_distribution<double>()(random);
  const auto at =
      Later(now, sim::Seconds(think * plan.turns->think_seconds), last);
  if (!at) return std::nullopt;
  Request request{.arrival = *at, .session = n};
  request.input = done.input + done.output + plan.turns->new_input(random);
  request.output = plan.output(random);
  SetMostOutput(plan, request);
  Request first;
  DrawLengths(plan, n, first);
  SetPrefix(plan, n, std::min(plan.shared_prefix, first.input),
            request.input + request.output, request);
  return request;
}

// When the n-th request of a replay arrives. A repetition begins a mean gap
// behind the last row of the one before.
Duration ReplayAt(const RequestPlan& plan, const OfferedLoad& load, int64_t n) {
  const double seconds = ReplaySeconds(plan, load, n);
  if (load.time_scale != 1 || !(seconds < sim::InSeconds(sim::kForever))) {
    return sim::Seconds(seconds);
  }
  const auto rows = static_cast<int64_t>(plan.trace->rows());
  const int64_t ns = plan.trace->at_ns[static_cast<size_t>(n % rows)] +
                     n / rows * plan.trace->period_ns();
  return sim::Picoseconds(ns * 1000);
}

int64_t CountOf(const RequestPlan& plan, const OfferedLoad& load) {
  return load.requests.value_or(plan.requests);
}

Instant LastOf(const RequestPlan& plan, const OfferedLoad& load) {
  return load.requests ? Instant{sim::kForever} : plan.last;
}

// The open stream: the first request of everyone who does not wait.
class Arrivals {
 public:
  Arrivals(const RequestPlan& plan, const OfferedLoad& load)
      : plan_(&plan),
        load_(load),
        random_(sim::Hash({plan.seed, kGaps})),
        left_(load.arrivals == OfferedLoad::Arrivals::kClosedLoop
                  ? std::min(load.concurrency, CountOf(plan, load))
                  : CountOf(plan, load)) {}

  std::optional<Request> operator()() {
    if (left_ == 0) return std::nullopt;
    const std::optional<Instant> at = Later({}, Wait(), LastOf(*plan_, load_));
    if (!at) {
      left_ = 0;
      return std::nullopt;
    }
    at_ = *at;
    --left_;
    return FirstOf(*plan_, n_++, at_);
  }

 private:
  // From 0 to the next arrival.
  Duration Wait() {
    const auto n = static_cast<double>(n_);
    switch (load_.arrivals) {
      case OfferedLoad::Arrivals::kPoisson:
        return After(
            boost::random::exponential_distribution<double>()(random_));
      case OfferedLoad::Arrivals::kGamma:
        return After(boost::random::gamma_distribution<double>(
                         load_.burstiness)(random_) /
                     load_.burstiness);
      case OfferedLoad::Arrivals::kConstant:
        return sim::Seconds(n / load_.requests_per_second);
      case OfferedLoad::Arrivals::kReplay:
        return ReplayAt(*plan_, load_, n_);
      case OfferedLoad::Arrivals::kClosedLoop:
      case OfferedLoad::Arrivals::kAllAtOnce:
        break;
    }
    return Duration();
  }

  // `gap` mean gaps after the last arrival; the first arrives at 0.
  Duration After(double gap) {
    if (n_ == 0) return Duration();
    const auto at =
        Later(at_, sim::Seconds(gap / load_.requests_per_second),
              LastOf(*plan_, load_));
    return at ? at->since_start : sim::kForever;
  }

  const RequestPlan* plan_;
  OfferedLoad load_;
  SplitMix64 random_;
  Instant at_;     // of the last
  int64_t n_ = 0;  // made so far
  int64_t left_;   // to make
};

// What follows from answers: the next turn of a conversation, or what a user of
// a closed loop asks next.
class Following {
 public:
  Following(const RequestPlan& plan, const OfferedLoad& load)
      : plan_(&plan),
        last_(LastOf(plan, load)),
        closed_(load.arrivals == OfferedLoad::Arrivals::kClosedLoop),
        count_(CountOf(plan, load)),
        n_(std::min(load.concurrency, count_)) {}

  std::optional<Request> operator()(const Request& done, Instant now) {
    if (plan_->turns) {
      const int64_t turn = ++turns_[done.session];
      if (turn < TurnsOf(*plan_, done.session)) {
        return NextTurn(*plan_, done, turn, now, last_);
      }
      turns_.erase(done.session);
    }
    if (!closed_ || n_ >= count_) return std::nullopt;
    const auto at = Later(now, plan_->think, last_);
    if (!at) return std::nullopt;
    return FirstOf(*plan_, n_++, *at);
  }

 private:
  const RequestPlan* plan_;
  Instant last_;
  bool closed_;
  int64_t count_;                                // in all
  int64_t n_;                                    // of the next user's request
  absl::flat_hash_map<int64_t, int64_t> turns_;  // done, by conversation
};

}  // namespace

double ReplaySeconds(const RequestPlan& plan, const OfferedLoad& load, int64_t n) {
  const RequestTrace& trace = *plan.trace;
  const auto rows = static_cast<int64_t>(trace.rows());
  const auto at =
      static_cast<double>(trace.at_ns[static_cast<size_t>(n % rows)]);
  const double repeated =
      static_cast<double>(n / rows) * static_cast<double>(trace.period_ns());
  return (at + repeated) * 1e-9 * load.time_scale;
}

sim::Workload RequestStream(const RequestPlan& plan, const OfferedLoad& load) {
  const bool follows =
      plan.turns || load.arrivals == OfferedLoad::Arrivals::kClosedLoop;
  return sim::Workload(
      Arrivals(plan, load),
      follows ? sim::Workload::Follow(Following(plan, load)) : nullptr);
}

}  // namespace scenarios
