#include "sim/links.h"

#include <algorithm>
#include <limits>

namespace sim {
namespace {

constexpr int32_t kWhole = 1024;  // parts of a link
constexpr int64_t kNoLevel = std::numeric_limits<int64_t>::max();

// What a flow needs of a link where it needs `parts`, in 1024ths of what it
// needs of the link it needs most of; rounded up.
int64_t Ratio(int32_t parts, int32_t most) {
  return (int64_t{parts} * kWhole + most - 1) / most;
}

}  // namespace

void Links::Add(uint32_t flow, std::span<const Crossing> crossings) {
  Flow& f = flows_[flow];
  f.crossings.assign(crossings.begin(), crossings.end());
  f.most = 0;
  f.pace = 0;
  for (const Crossing& crossing : crossings) {
    f.most = std::max(f.most, crossing.parts);
    on_[crossing.link].push_back({flow, crossing.parts});
    load_[crossing.link] += crossing.parts;
    if (load_[crossing.link] > kWhole) changed_.push_back(crossing.link);
  }
  added_.push_back(flow);
}

void Links::Remove(uint32_t flow) {
  for (const Crossing& crossing : flows_[flow].crossings) {
    std::vector<Rider>& on = on_[crossing.link];
    *std::ranges::find(on, flow, &Rider::flow) = on.back();
    on.pop_back();
    // A link that was not overloaded slowed nobody.
    if (load_[crossing.link] > kWhole) changed_.push_back(crossing.link);
    load_[crossing.link] -= crossing.parts;
  }
  flows_[flow].crossings.clear();
  std::erase(added_, flow);
}

void Links::Touch(uint32_t flow) {
  Flow& f = flows_[flow];
  if (f.seen) return;
  f.seen = true;
  f.next = 0;
  touched_.push_back(flow);
}

// Finds the flows whose paces may change and the links that may bind them.
void Links::Gather() {
  for (const uint32_t flow : added_) Touch(flow);
  for (const uint32_t link : changed_) {
    for (const Rider& rider : on_[link]) Touch(rider.flow);
  }
  added_.clear();
  changed_.clear();
  for (size_t row = 0; row < touched_.size(); ++row) {
    for (const Crossing& crossing : flows_[touched_[row]].crossings) {
      const uint32_t link = crossing.link;
      if (load_[link] <= kWhole || link_seen_[link]) continue;
      link_seen_[link] = true;
      bound_.push_back(link);
      for (const Rider& rider : on_[link]) Touch(rider.flow);
    }
  }
  for (const uint32_t flow : touched_) flows_[flow].seen = false;
  for (const uint32_t link : bound_) link_seen_[link] = false;
}

// Raises the level until every flow has its pace. Levels are in parts x paces:
// a flow that needs `most` parts goes at full pace from most x kFullPace on.
void Links::Fill() {
  for (;;) {
    level_.clear();
    for (const uint32_t link : bound_) level_.push_back(LevelOf(link));
    const int64_t level =
        level_.empty() ? kNoLevel : *std::ranges::min_element(level_);
    if (FillContentAt(level)) continue;
    if (level == kNoLevel) break;
    for (size_t row = 0; row < bound_.size(); ++row) {
      if (level_[row] != level) continue;
      for (const Rider& rider : on_[bound_[row]]) {
        Flow& f = flows_[rider.flow];
        if (f.next == 0) f.next = static_cast<Pace>(level / f.most);
      }
    }
  }
  bound_.clear();
}

// Gives flows that the level leaves at full pace that pace. False if there are
// none.
bool Links::FillContentAt(int64_t level) {
  bool some = false;
  for (const uint32_t flow : touched_) {
    Flow& f = flows_[flow];
    if (f.next != 0 || int64_t{f.most} * kFullPace > level) continue;
    f.next = kFullPace;
    some = true;
  }
  return some;
}

// The level at which the link is full; none if no flow of it rises any more.
int64_t Links::LevelOf(uint32_t link) const {
  int64_t room = int64_t{kWhole} * kFullPace, ratios = 0;
  for (const Rider& rider : on_[link]) {
    const Flow& f = flows_[rider.flow];
    if (f.next == 0) {
      ratios += Ratio(rider.parts, f.most);
    } else {
      room -= int64_t{rider.parts} * f.next;
    }
  }
  return ratios == 0 ? kNoLevel : room * kWhole / ratios;
}

}  // namespace sim
