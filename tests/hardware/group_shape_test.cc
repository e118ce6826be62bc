#include "hardware/group_shape.h"

#include <numeric>
#include <vector>

#include "gtest/gtest.h"

namespace hardware {
namespace {

using sim::GBps;

// 16 nodes of 8 GPUs and 8 NICs of 50 GB/s; 4 nodes below a leaf.
Cluster SixteenNodes() {
  Cluster c;
  c.nodes = 16;
  c.gpus_per_node = 8;
  c.gpu_link = GpuLink::kNvSwitch;
  c.nvlink_rate = GBps(450);
  c.gpu.pcie_bandwidth = GBps(64);
  c.nics_per_node = 8;
  c.nic_rate = GBps(50);
  c.nodes_per_leaf = 4;
  c.oversubscription = 2;
  return c;
}

// first, first + stride, …
std::vector<int> Ranks(int first, int stride, int count) {
  std::vector<int> ranks;
  for (int i = 0; i < count; ++i) ranks.push_back(first + i * stride);
  return ranks;
}

TEST(GroupShape, OneNodeNeedsNoNetwork) {
  const GroupShape s = ShapeOf(SixteenNodes(), Ranks(8, 1, 8));
  EXPECT_EQ(s.ranks, 8);
  EXPECT_EQ(s.nodes, 1);
  EXPECT_EQ(s.max_ranks_per_node, 8);
  EXPECT_TRUE(s.nvlink);
  EXPECT_EQ(s.link_rate, GBps(450));
  EXPECT_EQ(s.network_rate, GBps(0));
}

TEST(GroupShape, AllRanksOfANodeUseAllItsNics) {
  const GroupShape s = ShapeOf(SixteenNodes(), Ranks(0, 1, 16));
  EXPECT_EQ(s.nodes, 2);
  EXPECT_EQ(s.groups_per_node, 1);
  EXPECT_EQ(s.leaves, 1);
  EXPECT_EQ(s.network_rate, GBps(8 * 50));
}

TEST(GroupShape, OneRankPerNodeHasOneNicOfEight) {
  const GroupShape s = ShapeOf(SixteenNodes(), Ranks(3, 8, 4));
  EXPECT_EQ(s.nodes, 4);
  EXPECT_EQ(s.groups_per_node, 8);
  EXPECT_EQ(s.network_rate, GBps(50));
}

TEST(GroupShape, GroupsShareNicsWhenThereAreFewerThanGpus) {
  Cluster c = SixteenNodes();
  c.nics_per_node = 4;
  // 8 groups of one rank per node share 4 NICs: half a NIC each.
  EXPECT_EQ(ShapeOf(c, Ranks(0, 8, 2)).network_rate, GBps(25));
  // Alone, a rank uses the NIC next to it.
  EXPECT_EQ(ShapeOf(c, Ranks(0, 8, 2), 1).network_rate, GBps(50));
}

TEST(GroupShape, AGpuDrivesNoMoreNicsThanItsPcieLinkFeeds) {
  Cluster c = SixteenNodes();
  c.gpus_per_node = 2;
  // 4 NICs of 50 GB/s are next to each GPU, behind 64 GB/s of PCIe.
  EXPECT_EQ(ShapeOf(c, Ranks(0, 2, 2)).network_rate, GBps(64));
  EXPECT_EQ(ShapeOf(c, Ranks(0, 1, 4)).network_rate, GBps(128));
}

TEST(GroupShape, OversubscriptionDividesWhatLeavesALeaf) {
  // 8 nodes: 2 leaves with 4 of them each. A leaf's uplinks carry half of its
  // 4 nodes' 50 GB/s.
  const GroupShape s = ShapeOf(SixteenNodes(), Ranks(0, 8, 8));
  EXPECT_EQ(s.leaves, 2);
  EXPECT_EQ(s.nodes_per_leaf, 4);
  EXPECT_EQ(s.spine_rate, GBps(4 * 50 / 2));
  // Every fourth node: one below each leaf.
  const GroupShape far = ShapeOf(SixteenNodes(), Ranks(0, 32, 4));
  EXPECT_EQ(far.leaves, 4);
  EXPECT_EQ(far.spine_rate, GBps(50 / 2));
}

TEST(GroupShape, BridgesJoinPairsOnly) {
  Cluster c = SixteenNodes();
  c.gpu_link = GpuLink::kNvlinkPairs;
  c.nvlink_rate = GBps(300);
  EXPECT_TRUE(ShapeOf(c, std::vector<int>{2, 3}).nvlink);
  EXPECT_EQ(ShapeOf(c, std::vector<int>{2, 3}).link_rate, GBps(300));
  EXPECT_FALSE(ShapeOf(c, std::vector<int>{1, 2}).nvlink);
  EXPECT_EQ(ShapeOf(c, std::vector<int>{0, 1, 2, 3}).link_rate, GBps(64));
}

TEST(GroupShape, UnevenNodesAreCounted) {
  // 5 ranks: 3 in node 0, 2 in node 1.
  const GroupShape s = ShapeOf(SixteenNodes(), {{8, 5, 6, 7, 9}});
  EXPECT_EQ(s.nodes, 2);
  EXPECT_EQ(s.min_ranks_per_node, 2);
  EXPECT_EQ(s.max_ranks_per_node, 3);
}

}  // namespace
}  // namespace hardware
