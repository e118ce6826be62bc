#include "scenarios/step_operators.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "models/op.h"

namespace scenarios {
namespace {

ShownOperator Shown(const hardware::StepOp& op, absl::string_view prefix,
                    int64_t repeats) {
  ShownOperator shown{.name = absl::StrCat(prefix, op.op.name),
                      .times = op.times * repeats,
                      .alone_us = op.seconds * 1e6};
  if (const models::Collective* c = op.op.collective()) {
    shown.kernel = std::string(models::NameOf(c->kind));
    shown.bytes = static_cast<double>(c->bytes.count());
    return shown;
  }
  const models::Work work = models::WorkOf(*op.op.kernel());
  shown.kernel = models::Dump(*op.op.kernel());
  shown.flops = work.flops.count();
  shown.bytes = static_cast<double>((work.read + work.written).count());
  return shown;
}

// What takes no time is another operator's work.
void Add(const std::vector<hardware::StepOp>& ops, absl::string_view prefix,
         int64_t repeats, std::vector<ShownOperator>* all) {
  for (const hardware::StepOp& op : ops) {
    if (op.seconds > 0) all->push_back(Shown(op, prefix, repeats));
  }
}

}  // namespace

StepOperators::StepOperators(const ServingPool& pool)
    : cost_(pool.model, pool.spec, pool.cost, pool.cluster, pool.host),
      drafts_(pool.policy.speculation.tokens()) {
  if (pool.draft) {
    draft_.emplace(*pool.draft, pool.spec, pool.cost, pool.cluster,
                   hardware::EngineHost{});
  }
}

// A draft model runs once for each token of a draft, and over every prompt.
std::vector<ShownOperator> StepOperators::Alone(
    const sim::StepWork& work) const {
  std::vector<ShownOperator> ops;
  Add(cost_.Expand(work), "", 1, &ops);
  if (!draft_) return ops;
  sim::StepWork one = work;
  one.decode_tokens = work.decodes;
  one.prefills.clear();
  if (work.decodes > 0) Add(draft_->Expand(one), "draft ", drafts_, &ops);
  one = work;
  one.decodes = one.decode_tokens = one.decode_keys = 0;
  if (!work.prefills.empty()) Add(draft_->Expand(one), "draft ", 1, &ops);
  return ops;
}

std::vector<ShownOperator> StepOperators::Of(const sim::StepWork& work,
                                             sim::Instant begin,
                                             sim::Instant end) {
  std::vector<ShownOperator> ops = Alone(work);
  double alone = 0;  // picoseconds
  for (const ShownOperator& op : ops) {
    alone += op.alone_us * 1e6 * static_cast<double>(op.times);
  }
  const sim::Duration host = std::min(cost_.Of(work).host, end - begin);
  const sim::Instant start = begin + host;
  const auto rest = static_cast<double>((end - start).count());
  double passed = 0;
  for (ShownOperator& op : ops) {
    const auto at = [&](double share) {
      return start +
             sim::Duration(static_cast<int64_t>(std::llround(rest * share)));
    };
    op.begin = at(passed / alone);
    passed += op.alone_us * 1e6 * static_cast<double>(op.times);
    op.end = &op == &ops.back() ? end : at(std::min(1.0, passed / alone));
    op.stretch = rest / alone;
  }
  if (host > sim::Duration(0)) {
    ops.insert(ops.begin(), {.name = "host",
                             .begin = begin,
                             .end = start,
                             .alone_us = sim::InMicroseconds(host)});
  }
  return ops;
}

}  // namespace scenarios
