#include "hardware/host_cost.h"

#include <gtest/gtest.h>

namespace hardware {
namespace {

using models::Axis;
using models::CollectiveKind;

sim::Duration TimeOf(const Cluster& cluster, CollectiveKind kind, Axis axis,
                     int64_t bytes) {
  return PriceOnHost(
             {.kind = kind, .axis = axis, .bytes = sim::Bytes(bytes)}, cluster)
      .time;
}

TEST(HostCost, TwoGpusShareALinkBelowASwitch) {
  Cluster c = *LoadCluster("dgx-a100-80gb");
  // 12.4 GB at half of 24.8 GB/s.
  EXPECT_EQ(TimeOf(c, CollectiveKind::kCopy, Axis::kToHost, 12'400'000'000),
            sim::Seconds(1));
  c.gpus_per_node = 1;
  EXPECT_EQ(TimeOf(c, CollectiveKind::kCopy, Axis::kToDevice, 24'800'000'000),
            sim::Seconds(1));
}

TEST(HostCost, TheUpdateIsThatOfZeroOffloadOnItsMachine) {
  // Table 4's: 10 billion parameters at 256 GB/s took 2.57 s.
  Cluster c = *LoadCluster("dgx-a100-80gb");
  c.gpus_per_node = 1;
  c.host->memory = sim::GBps(256);
  EXPECT_NEAR(sim::InSeconds(TimeOf(c, CollectiveKind::kHostWork, Axis::kCpu,
                                    280'000'000'000)),
              2.57, 0.01);
  // Eight ranks have an eighth of the memory's bandwidth each.
  const sim::Duration alone =
      TimeOf(c, CollectiveKind::kHostWork, Axis::kCpu, 1'000'000'000);
  c.gpus_per_node = 8;
  EXPECT_NEAR(sim::InSeconds(TimeOf(c, CollectiveKind::kHostWork, Axis::kCpu,
                                    1'000'000'000)),
              8 * sim::InSeconds(alone), 1e-9);
}

TEST(HostCost, DrivesAreShared) {
  const Cluster c = *LoadCluster("dgx-a100-80gb");
  // Eight drives for eight GPUs: 7 GB/s read, 3.8 written.
  EXPECT_EQ(TimeOf(c, CollectiveKind::kDiskRead, Axis::kDisk, 7'000'000'000),
            sim::Seconds(1));
  EXPECT_EQ(TimeOf(c, CollectiveKind::kDiskWrite, Axis::kDisk, 3'800'000'000),
            sim::Seconds(1));
}

TEST(HostCost, ACopyTakesItsShareOfTheDeviceMemory) {
  const Cluster c = *LoadCluster("dgx-h100");
  const CollectivePrice p = PriceOnHost(
      {.kind = CollectiveKind::kCopy, .axis = Axis::kToHost,
       .bytes = sim::MiB(64)},
      c);
  // 55.6 of 3,352 GB/s, in 1024ths; no multiprocessors.
  EXPECT_EQ(p.takes_memory, 17);
  EXPECT_EQ(p.takes_compute, 0);
  EXPECT_EQ(p.links, (LinkParts{.pcie = 1024}));
}

TEST(HostCost, OfASharedLinkACopyNeedsItsShare) {
  const Cluster c = *LoadCluster("dgx-a100-80gb");  // two GPUs below a switch
  for (const Axis axis : {Axis::kToHost, Axis::kToDevice}) {
    EXPECT_EQ(PriceOnHost({.kind = CollectiveKind::kCopy,
                           .axis = axis,
                           .bytes = sim::MiB(64)},
                          c)
                  .links,
              (LinkParts{.pcie = 512}));
  }
  EXPECT_EQ(PriceOnHost({.kind = CollectiveKind::kHostWork,
                         .axis = Axis::kCpu,
                         .bytes = sim::MiB(64)},
                        c)
                .links,
            LinkParts{});
}

}  // namespace
}  // namespace hardware
