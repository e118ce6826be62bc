#include "hardware/link_uses.h"

#include <algorithm>
#include <span>
#include <vector>

namespace hardware {
namespace {

using models::Axis;

bool Leaves(Axis axis) {
  return !models::Receives(axis) && axis != Axis::kToDevice;
}

bool Comes(Axis axis) {
  return !models::Sends(axis) && axis != Axis::kToHost;
}

}  // namespace

void NameLinks(sim::Program* program) {
  for (const char* name : {"nvlink out", "nvlink in", "nic out", "nic in",
                           "pcie out", "pcie in"}) {
    program->links.Append(name);
  }
}

sim::UseId UseOf(const models::Collective& collective, const LinkParts& parts,
                 sim::Program* program) {
  std::vector<sim::LinkUse> uses;
  const auto add = [&](Link out, Link in, uint16_t needed) {
    if (needed == 0) return;
    for (const Link link : {out, in}) {
      const bool used =
          link == out ? Leaves(collective.axis) : Comes(collective.axis);
      if (used) uses.push_back({static_cast<sim::LinkId>(link), needed});
    }
  };
  add(Link::kNvlinkOut, Link::kNvlinkIn, parts.nvlink);
  add(Link::kNicOut, Link::kNicIn, parts.nic);
  add(Link::kPcieOut, Link::kPcieIn, parts.pcie);
  if (uses.empty()) return sim::kNoUse;
  for (size_t row = 0; row < program->uses.size(); ++row) {
    const auto id = sim::AsId<sim::UseId>(row);
    if (std::ranges::equal(program->uses[id], uses)) return id;
  }
  return program->uses.Append(uses);
}

}  // namespace hardware
