// The links of a program's ranks, and what its communications use of them.
//
//   NameLinks(&program);
//   task.use = UseOf(collective, price.links, &program);
//
// Each GPU has an NVLink port, a share of its server's NICs and a PCIe link,
// all full duplex: in and out are two links. Not shared here: a leaf's links to
// the spine, which collectives find divided among their groups
// (group_shape.h).
#ifndef HARDWARE_LINK_USES_H_
#define HARDWARE_LINK_USES_H_

#include "hardware/link_parts.h"
#include "models/op.h"
#include "sim/program.h"

namespace hardware {

// Rows of the program's links.
enum class Link : uint8_t {
  kNvlinkOut,
  kNvlinkIn,
  kNicOut,
  kNicIn,
  kPcieOut,
  kPcieIn,
};

// REQUIRES: the program has no links.
void NameLinks(sim::Program* program);

// The row of the program's uses for a collective: both directions, but for the
// messages of a pipeline, which leave one rank and reach the other, and copies
// between device and host, which have one. Appends it
// if there is none such; kNoUse if it needs no link.
// Cost: O(rows), of which there is one for each different demand.
sim::UseId UseOf(const models::Collective& collective, const LinkParts& parts,
                 sim::Program* program);

}  // namespace hardware

#endif  // HARDWARE_LINK_USES_H_
