#include "hardware/topology.h"

#include <algorithm>
#include <vector>

#include "gtest/gtest.h"
#include "hardware/group_shape.h"

namespace hardware {
namespace {

using sim::GBps;

// Four nodes of two GPUs and two NICs; two nodes below a leaf.
Cluster FourNodes() {
  Cluster c;
  c.nodes = 4;
  c.gpus_per_node = 2;
  c.gpu_link = GpuLink::kNvSwitch;
  c.nvlink_rate = GBps(450);
  c.gpu.pcie_bandwidth = GBps(64);
  c.nics_per_node = 2;
  c.nic_rate = GBps(50);
  c.nodes_per_leaf = 2;
  return c;
}

std::string Path(const Cluster& cluster, int from, int to) {
  const Topology topology(cluster);
  return topology.Dump(topology.RouteBetween(from, to));
}

TEST(Topology, GpusOfANodeMeetAtTheNvSwitch) {
  EXPECT_EQ(Path(FourNodes(), 0, 1), "gpu0 nvswitch0 gpu1");
  EXPECT_EQ(Topology(FourNodes()).RouteBetween(0, 1).rate, GBps(450));
}

TEST(Topology, WithoutNvlinkTheyMeetAtTheHost) {
  Cluster c = FourNodes();
  c.gpu_link = GpuLink::kPcie;
  EXPECT_EQ(Path(c, 0, 1), "gpu0 pcie0 pcie1 gpu1");
  c.nics_per_node = 0;
  EXPECT_EQ(Path(c, 0, 1), "gpu0 pcie0 gpu1");
}

TEST(Topology, BridgedPairsSkipTheHost) {
  Cluster c = FourNodes();
  c.gpu_link = GpuLink::kNvlinkPairs;
  EXPECT_EQ(Path(c, 2, 3), "gpu2 gpu3");
}

TEST(Topology, NodesOfOneLeafAreOneSwitchApart) {
  const Topology t(FourNodes());
  const Route route = t.RouteBetween(0, 2);
  EXPECT_EQ(t.Dump(route), "gpu0 pcie0 nic0 leaf0 nic2 pcie2 gpu2");
  EXPECT_EQ(route.switches, 1);
  EXPECT_EQ(route.rate, GBps(50));
}

TEST(Topology, OtherNodesAreThreeSwitchesApart) {
  const Topology t(FourNodes());
  const Route route = t.RouteBetween(0, 4);
  EXPECT_EQ(t.Dump(route),
            "gpu0 pcie0 nic0 leaf0 spine0 leaf1 nic4 pcie4 gpu4");
  EXPECT_EQ(route.switches, 3);
}

TEST(Topology, AcrossRailsDataChangesRailInsideTheNode) {
  Cluster c = FourNodes();
  c.rails = true;
  // Leaves of the first block: 0 for NICs 0 and 2, 1 for NICs 1 and 3. Going
  // through GPU 1 costs 2/450 + 1/64 + …, through the spine 2/50 more.
  EXPECT_EQ(Path(c, 0, 3),
            "gpu0 nvswitch0 gpu1 pcie1 nic1 leaf1 nic3 pcie3 gpu3");
}

TEST(Topology, WithoutNicsNodesDoNotReachEachOther) {
  Cluster c = FourNodes();
  c.nics_per_node = 0;
  EXPECT_TRUE(Topology(c).RouteBetween(0, 2).devices.empty());
}

// ---- Every cluster of the library -----------------------------------------

class ClusterRoutes : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    absl::StatusOr<Cluster> loaded = LoadCluster(GetParam());
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    cluster_ = *loaded;
    // Two full leaves and part of a third; small enough to walk.
    if (cluster_.nics_per_node > 0) {
      cluster_.nodes_per_leaf = std::min(cluster_.nodes_per_leaf, 8);
      cluster_.nodes = 2 * cluster_.nodes_per_leaf + 1;
    }
  }
  Cluster cluster_;
};

TEST_P(ClusterRoutes, ReachesAllRanksFromTheFirst) {
  const Topology topology(cluster_);
  for (int rank = 1; rank < cluster_.ranks(); ++rank) {
    EXPECT_GT(topology.RouteBetween(0, rank).rate, GBps(0)) << rank;
  }
}

TEST_P(ClusterRoutes, HasTheBisectionItStates) {
  double up = 0;
  const Topology topology(cluster_);
  for (const PhysicalLink& link : topology.links()) {
    if (topology.devices()[static_cast<size_t>(link.to)].kind ==
        DeviceKind::kSpine) {
      up += link.capacity.count();
    }
  }
  // All that the nodes can send, over the oversubscription.
  const double down =
      cluster_.nodes * cluster_.nics_per_node * cluster_.nic_rate.count();
  EXPECT_DOUBLE_EQ(up, down / cluster_.oversubscription);
}

// A group of two alone finds what the route between them has to give.
TEST_P(ClusterRoutes, GivesAPairOfRanksTheShapeOfItsRoute) {
  const Topology topology(cluster_);
  for (int peer = 1; peer < cluster_.ranks(); ++peer) {
    const Route route = topology.RouteBetween(0, peer);
    const GroupShape shape = ShapeOf(cluster_, std::vector<int>{0, peer}, 1);
    if (shape.nodes == 1) {
      EXPECT_EQ(shape.link_rate, route.rate) << peer;
      EXPECT_EQ(route.switches, 0) << peer;
      continue;
    }
    // GPUs with several NICs spread over them; a route shows one.
    const int nics =
        std::max(1, cluster_.nics_per_node / cluster_.gpus_per_node);
    EXPECT_EQ(shape.network_rate, route.rate * nics) << peer;
    // On rails, unequal positions change rail in the node, not in the spine.
    EXPECT_EQ(route.switches, shape.leaves > 1 ? 3 : 1) << peer;
  }
}

INSTANTIATE_TEST_SUITE_P(Library, ClusterRoutes,
                         testing::ValuesIn(ClusterNames()),
                         [](const testing::TestParamInfo<std::string>& test) {
                           std::string name = test.param;
                           std::replace_if(
                               name.begin(), name.end(),
                               [](char c) { return !isalnum(c); }, '_');
                           return name;
                         });

}  // namespace
}  // namespace hardware
