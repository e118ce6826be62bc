#include "scenarios/workload.h"

#include <cassert>
#include <filesystem>
#include <limits>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "scenarios/lengths.h"
#include "scenarios/traces/trace.h"

namespace scenarios {
namespace {

using Arrivals = OfferedLoad::Arrivals;

bool HasRate(Arrivals arrivals) {
  return arrivals == Arrivals::kPoisson || arrivals == Arrivals::kGamma ||
         arrivals == Arrivals::kConstant;
}

// Makes the plan of one workload, check by check.
class Planner {
 public:
  Planner(const proto::Workload& workload, const sim::TextField& place,
          const std::string& folder)
      : given_(workload), place_(place), folder_(folder) {}

  absl::Status All() {
    for (const auto step :
         {&Planner::SetArrivals, &Planner::SetLengths, &Planner::SetPrefixes,
          &Planner::SetTurns, &Planner::SetCount, &Planner::CheckClock}) {
      const absl::Status status = (this->*step)();
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  std::unique_ptr<const RequestPlan> Plan() && {
    return std::make_unique<const RequestPlan>(std::move(plan_));
  }

 private:
  template <class... Words>
  absl::Status Error(absl::string_view path, const Words&... words) const {
    return place_.At(path).Error(absl::StrCat(words...));
  }

  absl::Status SetArrivals() {
    plan_.seed = static_cast<uint64_t>(given_.seed());
    switch (given_.arrivals_case()) {
      case proto::Workload::kPoisson:
        return SetRate(Arrivals::kPoisson, given_.poisson(), "poisson");
      case proto::Workload::kGamma:
        plan_.load.burstiness = given_.gamma().burstiness();
        return SetRate(Arrivals::kGamma, given_.gamma(), "gamma");
      case proto::Workload::kConstant:
        return SetRate(Arrivals::kConstant, given_.constant(), "constant");
      case proto::Workload::kClosedLoop:
        return SetClosedLoop();
      case proto::Workload::kAllAtOnce:
        plan_.load.arrivals = Arrivals::kAllAtOnce;
        return absl::OkStatus();
      case proto::Workload::kTrace:
        return SetReplay();
      case proto::Workload::ARRIVALS_NOT_SET:
        break;
    }
    return place_.Error(
        "does not say when requests arrive; poisson, gamma, constant, "
        "closed_loop, all_at_once or trace works");
  }

  template <class Open>
  absl::Status SetRate(Arrivals arrivals, const Open& open,
                       absl::string_view name) {
    if (!open.has_requests_per_second()) {
      return Error(absl::StrCat(name, ".requests_per_second"),
                   "is missing; give the mean rate of arrivals, e.g. 4");
    }
    plan_.load.arrivals = arrivals;
    plan_.load.requests_per_second = open.requests_per_second();
    return absl::OkStatus();
  }

  absl::Status SetClosedLoop() {
    const proto::Workload::ClosedLoop& loop = given_.closed_loop();
    if (!loop.has_concurrency()) {
      return Error("closed_loop.concurrency",
                   "is missing; give the number of users, e.g. 64");
    }
    plan_.load.arrivals = Arrivals::kClosedLoop;
    plan_.load.concurrency = loop.concurrency();
    plan_.think = sim::Seconds(loop.think_seconds());
    return absl::OkStatus();
  }

  absl::Status SetReplay() {
    const absl::Status read = ReadTrace(given_.trace(), "trace");
    if (!read.ok()) return read;
    if (given_.trace().has_rate_per_second()) {
      if (given_.trace().has_time_scale()) {
        return Error("trace.time_scale",
                     "rate_per_second replaces the times it would scale; leave "
                     "one of them out");
      }
      plan_.load.arrivals = Arrivals::kPoisson;
      plan_.load.requests_per_second = given_.trace().rate_per_second();
      return absl::OkStatus();
    }
    if (plan_.trace->at_ns.empty()) {
      return Error("trace", given_.trace().file(),
                   " has lengths without times; set rate_per_second, or name "
                   "it in lengths_from");
    }
    plan_.load.arrivals = Arrivals::kReplay;
    plan_.load.time_scale = given_.trace().time_scale();
    return absl::OkStatus();
  }

  absl::Status ReadTrace(const proto::Workload::Trace& trace,
                         const std::string& path) {
    if (!trace.has_file()) {
      return Error(path + ".file", "is missing; name a trace");
    }
    const std::string file = FileIn(folder_, trace.file());
    if (!std::filesystem::exists(file)) {
      return Error(path + ".file", "there is no file ", file,
                   "; name one from the scenario's folder");
    }
    TraceOptions options{.format = trace.format(),
                         .first_row = trace.first_row(),
                         .characters_per_token = {}};
    if (trace.has_most_rows()) options.most_rows = trace.most_rows();
    if (trace.has_characters_per_token()) {
      options.characters_per_token = trace.characters_per_token();
    }
    absl::StatusOr<RequestTrace> read = LoadTrace(file, options);
    if (!read.ok()) return read.status();
    plan_.trace = *std::move(read);
    plan_.requests = static_cast<int64_t>(plan_.trace->rows()) * trace.tile();
    return absl::OkStatus();
  }

  absl::Status SetLengths() {
    plan_.max_tokens = given_.has_max_tokens() ? given_.max_tokens() : 0;
    const absl::Status from_trace = SetLengthsFrom();
    if (!from_trace.ok()) return from_trace;
    for (const auto& [path, has, lengths, draw] :
         {std::tuple("input", given_.has_input(), &given_.input(),
                     &plan_.input),
          std::tuple("output", given_.has_output(), &given_.output(),
                     &plan_.output)}) {
      if (has && plan_.trace) {
        return Error(path, "lengths are those of ",
                     given_.has_trace() ? given_.trace().file()
                                        : given_.lengths_from().file(),
                     "; leave one of them out");
      }
      if (plan_.trace) continue;
      if (!has) {
        return Error(path, "is missing; say how long, e.g. { fixed: 1024 }");
      }
      absl::StatusOr<LengthDraw> made =
          LengthDraw::Of(*lengths, place_.At(path), folder_);
      if (!made.ok()) return made.status();
      *draw = *std::move(made);
    }
    return absl::OkStatus();
  }

  absl::Status SetLengthsFrom() {
    if (!given_.has_lengths_from()) {
      if (!given_.draw_rows()) return absl::OkStatus();
      return Error("draw_rows",
                   "there are no rows to draw; lengths_from has some");
    }
    const proto::Workload::Trace& from = given_.lengths_from();
    if (given_.has_trace()) {
      return Error("lengths_from",
                   "trace has lengths, too; leave one of them out");
    }
    for (const auto& [has, name] :
         {std::pair(from.has_time_scale(), "time_scale"),
          std::pair(from.has_rate_per_second(), "rate_per_second")}) {
      if (has) {
        return Error(absl::StrCat("lengths_from.", name),
                     "times count for nothing where lengths alone are taken; "
                     "leave it out");
      }
    }
    plan_.draw_rows = given_.draw_rows();
    return ReadTrace(from, "lengths_from");
  }

  absl::Status SetPrefixes() {
    plan_.shared_prefix = given_.shared_prefix_tokens();
    plan_.groups = given_.prefix_groups();
    plan_.chunk = given_.prefix_chunk_tokens();
    if (plan_.groups > 1 && plan_.shared_prefix == 0) {
      return Error("prefix_groups",
                   "groups differ by their shared prefix, and there is none; "
                   "set shared_prefix_tokens, or leave it out");
    }
    if (plan_.shared_prefix > 0 && plan_.trace && plan_.trace->chunk > 0) {
      return Error("shared_prefix_tokens",
                   "the trace says which prefixes are shared; leave it out");
    }
    return absl::OkStatus();
  }

  absl::Status SetTurns() {
    if (!given_.has_turns()) return absl::OkStatus();
    const proto::Workload::Turns& turns = given_.turns();
    if (plan_.trace) {
      return Error("turns",
                   "requests of a trace are not continued; leave it out, or "
                   "give input and output instead");
    }
    if (!turns.has_most()) {
      return Error("turns.most",
                   "is missing; give the most requests of a conversation");
    }
    if (turns.most() < turns.least()) {
      return Error("turns.most", turns.most(), " is below least, ",
                   turns.least(), "; ", turns.least(), " or more works");
    }
    if (!turns.has_new_input()) {
      return Error("turns.new_input",
                   "is missing; say how long, e.g. { fixed: 64 }");
    }
    absl::StatusOr<LengthDraw> new_input = LengthDraw::Of(
        turns.new_input(), place_.At("turns.new_input"), folder_);
    if (!new_input.ok()) return new_input.status();
    plan_.turns = TurnPlan{.least = turns.least(),
                           .most = turns.most(),
                           .think_seconds = turns.think_seconds(),
                           .new_input = *std::move(new_input)};
    return absl::OkStatus();
  }

  absl::Status SetCount() {
    if (given_.has_duration_seconds()) {
      plan_.last = {sim::Seconds(given_.duration_seconds())};
    }
    const bool at_once = plan_.load.arrivals == Arrivals::kAllAtOnce;
    if (given_.has_requests()) {
      if (given_.has_trace() && given_.requests() > plan_.requests) {
        return Error("requests", given_.requests(), " are more than the ",
                     plan_.requests,
                     " of the trace; as many work, or set "
                     "trace.tile");
      }
      plan_.requests = given_.requests();
    } else if (!plan_.trace && (at_once || !given_.has_duration_seconds())) {
      return Error("requests", at_once ? "is missing; give how many arrive"
                                       : "is missing; give how many arrive, or "
                                         "duration_seconds");
    } else if (given_.has_lengths_from() && given_.has_duration_seconds() &&
               !at_once) {
      plan_.requests = std::numeric_limits<int64_t>::max();
    }
    return absl::OkStatus();
  }

  // Whether the clock holds the last arrival, where only a count ends them.
  absl::Status CheckClock() {
    if (given_.has_duration_seconds()) return absl::OkStatus();
    const int64_t n = plan_.requests - 1;
    const bool replay = plan_.load.arrivals == Arrivals::kReplay;
    double seconds = 0;
    if (replay) seconds = ReplaySeconds(plan_, plan_.load, n);
    if (HasRate(plan_.load.arrivals)) {
      seconds = static_cast<double>(n) / plan_.load.requests_per_second;
    }
    constexpr double kMost = 9e6;  // as duration_seconds: 2^63 ps are 9.22e6 s
    if (seconds <= kMost) return absl::OkStatus();
    if (replay) {
      return Error("trace", "the last request arrives after ", seconds,
                   " s, and the clock holds ", kMost,
                   "; set most_rows, or lower time_scale or tile");
    }
    return Error("requests", plan_.requests, " take ", seconds,
                 " s to arrive, and the clock holds ", kMost,
                 "; fewer, or duration_seconds, work");
  }

  const proto::Workload& given_;
  const sim::TextField& place_;
  const std::string& folder_;
  RequestPlan plan_;
};

// The rate of a replay at its own speed; nothing if it takes no time.
std::optional<double> ReplayRate(const RequestTrace& trace) {
  if (trace.at_ns.back() == 0) return std::nullopt;
  return static_cast<double>(trace.rows() - 1) /
         (static_cast<double>(trace.at_ns.back()) * 1e-9);
}

}  // namespace

absl::StatusOr<WorkloadMaker> WorkloadOf(const proto::Workload& workload,
                                         const sim::TextField& place,
                                         const std::string& folder) {
  Planner planner(workload, place, folder);
  const absl::Status checked = planner.All();
  if (!checked.ok()) return checked;
  return WorkloadMaker(std::move(planner).Plan());
}

sim::Workload WorkloadMaker::Make(const WorkloadOptions& options) const {
  OfferedLoad load = plan_->load;
  if (options.requests_per_second) {
    assert(requests_per_second() && *options.requests_per_second > 0);
    load.requests_per_second = *options.requests_per_second;
    if (load.arrivals == Arrivals::kReplay) {
      load.time_scale =
          *ReplayRate(*plan_->trace) / *options.requests_per_second;
    }
  }
  if (options.concurrency) {
    assert(concurrency() && *options.concurrency >= 1);
    load.concurrency = *options.concurrency;
  }
  if (options.requests) {
    assert(*options.requests >= 1);
    load.requests = *options.requests;
  }
  return RequestStream(*plan_, load);
}

std::optional<double> WorkloadMaker::requests_per_second() const {
  const OfferedLoad& load = plan_->load;
  if (HasRate(load.arrivals)) return load.requests_per_second;
  if (load.arrivals != Arrivals::kReplay) return std::nullopt;
  const std::optional<double> rate = ReplayRate(*plan_->trace);
  return rate ? std::optional(*rate / load.time_scale) : std::nullopt;
}

std::optional<int64_t> WorkloadMaker::concurrency() const {
  const OfferedLoad& load = plan_->load;
  return load.arrivals == Arrivals::kClosedLoop
             ? std::optional(load.concurrency)
             : std::nullopt;
}

std::optional<int64_t> WorkloadMaker::requests() const {
  return plan_->requests == std::numeric_limits<int64_t>::max()
             ? std::nullopt
             : std::optional(plan_->requests);
}

int64_t WorkloadMaker::dropped_rows() const {
  return plan_->trace ? plan_->trace->dropped : 0;
}

}  // namespace scenarios
