#include <cstdint>
#include <vector>

#include "gtest/gtest.h"
#include "hardware/collectives/algorithms.h"

namespace hardware {
namespace {

using models::AllReduceLibrary;
using models::Collective;
using models::CollectiveKind;
using models::DType;
using sim::Bytes;
using sim::MiB;

constexpr CollectiveKind kKinds[] = {
    CollectiveKind::kAllReduce,     CollectiveKind::kAllGather,
    CollectiveKind::kReduceScatter, CollectiveKind::kAllToAll,
    CollectiveKind::kBroadcast,     CollectiveKind::kSendRecv};

Collective Of(CollectiveKind kind, Bytes bytes) {
  return {.kind = kind, .bytes = bytes};
}

// `nodes` nodes with `per_node` ranks each, `per_leaf` nodes below each leaf.
GroupShape Grid(int nodes, int per_node, int per_leaf) {
  GroupShape s;
  s.ranks = nodes * per_node;
  s.nodes = nodes;
  s.min_ranks_per_node = s.max_ranks_per_node = per_node;
  s.leaves = (nodes + per_leaf - 1) / per_leaf;
  s.nodes_per_leaf = per_leaf;
  s.nvlink = true;
  return s;
}

// ---- By hand ---------------------------------------------------------------

TEST(RingAllReduce, TakesTwoNMinusOneHopsOfOneNth) {
  const Traffic t =
      RingTraffic(Of(CollectiveKind::kAllReduce, MiB(8)), Grid(1, 8, 1));
  EXPECT_EQ(t.link_steps, 14);       // 2 · (8 - 1)
  EXPECT_EQ(t.link_bytes, MiB(14));  // 14 hops of 8/8 MiB
  EXPECT_EQ(t.own_part, MiB(1));     // the part a rank starts with
  EXPECT_EQ(t.memory, MiB(35));      // 7 MiB added (3 each), 7 copied (2 each)
  EXPECT_EQ(t.network_steps, 0);
}

TEST(RingAllGather, CrossesEachNodeOnce) {
  const Traffic t =
      RingTraffic(Of(CollectiveKind::kAllGather, MiB(16)), Grid(2, 8, 2));
  EXPECT_EQ(t.network_steps, 2);  // of 15 hops, those between the nodes
  EXPECT_EQ(t.link_steps, 13);
  // 15/16 of the output from rank to rank; of the rings, one in eight leaves
  // the node at a rank.
  EXPECT_EQ(t.link_bytes, MiB(15) - sim::KiB(15 * 128));
  EXPECT_EQ(t.network_bytes, MiB(15));
  EXPECT_EQ(t.spine_bytes, Bytes(0));
}

TEST(RingReduceScatter, WithOneRankPerNodeIsAllNetwork) {
  const Traffic t =
      RingTraffic(Of(CollectiveKind::kReduceScatter, MiB(4)), Grid(4, 1, 2));
  EXPECT_EQ(t.link_steps, 0);
  EXPECT_EQ(t.link_bytes, Bytes(0));
  EXPECT_EQ(t.network_steps, 3);
  EXPECT_EQ(t.network_bytes, MiB(3));
  EXPECT_EQ(t.spine_bytes, MiB(3));  // the last node below each leaf
  EXPECT_EQ(t.memory, MiB(9));       // 3 MiB added
}

TEST(RingBroadcast, SendsEverythingOverEveryLink) {
  const Traffic t =
      RingTraffic(Of(CollectiveKind::kBroadcast, MiB(5)), Grid(1, 4, 1));
  EXPECT_EQ(t.link_steps, 3);
  EXPECT_EQ(t.link_bytes, MiB(5));
  EXPECT_EQ(t.own_part, Bytes(0));
}

TEST(TreeAllReduce, IsAsDeepAsTheLogarithmOfItsNodes) {
  const Collective c = Of(CollectiveKind::kAllReduce, MiB(16));
  const Traffic t = TreeTraffic(c, Grid(16, 8, 16));
  EXPECT_EQ(t.link_steps, 14);          // chain of 8, up and down
  EXPECT_EQ(t.network_steps, 8);        // log2(16) = 4, up and down
  EXPECT_EQ(t.link_bytes, MiB(28));     // 2 · 7/8 · 16
  EXPECT_EQ(t.network_bytes, MiB(32));  // halves: up 2, down 2
  EXPECT_EQ(TreeTraffic(c, Grid(17, 8, 32)).network_steps, 10);
  EXPECT_EQ(TreeTraffic(c, Grid(2, 8, 2)).network_steps, 2);
  EXPECT_EQ(TreeTraffic(c, Grid(1, 8, 1)).network_steps, 0);
}

TEST(TreeAllReduce, OfTwoNodesHalvesWhatARingSends) {
  const Collective c = Of(CollectiveKind::kAllReduce, MiB(16));
  // Half of 16 MiB up and half down, against 2 · 15/16 · 16 MiB.
  EXPECT_EQ(TreeTraffic(c, Grid(2, 8, 2)).network_bytes, MiB(16));
  EXPECT_EQ(RingTraffic(c, Grid(2, 8, 2)).network_bytes, MiB(30));
}

TEST(NvlsAllReduce, SendsTheDataOnce) {
  const Collective c = Of(CollectiveKind::kAllReduce, MiB(8));
  const Traffic t = NvlsTraffic(c, Grid(1, 8, 1));
  EXPECT_EQ(t.link_steps, 0);
  EXPECT_EQ(t.link_bytes, MiB(8));
  EXPECT_EQ(t.memory, MiB(48));
  const Traffic far = NvlsTreeTraffic(c, Grid(4, 8, 4));
  EXPECT_EQ(far.link_bytes, MiB(8));
  EXPECT_EQ(far.network_bytes, MiB(16));  // as the trees
  EXPECT_EQ(far.network_steps, 4);
}

TEST(NvlsAllReduce, AddsFloatingPointNumbersOfFiveGpusOrMore) {
  Cluster c;
  c.in_switch_reduction = true;
  Collective sum = Of(CollectiveKind::kAllReduce, MiB(1));
  EXPECT_TRUE(NvlsAccepts(sum, Grid(1, 8, 1), c));
  EXPECT_FALSE(NvlsAccepts(sum, Grid(1, 4, 1), c));
  EXPECT_FALSE(NvlsAccepts(sum, Grid(2, 8, 1), c));
  EXPECT_TRUE(NvlsTreeAccepts(sum, Grid(2, 8, 1), c));
  sum.dtype = DType::kInt8;
  EXPECT_FALSE(NvlsAccepts(sum, Grid(1, 8, 1), c));
  sum.dtype = DType::kFp32;
  c.in_switch_reduction = false;
  EXPECT_FALSE(NvlsAccepts(sum, Grid(1, 8, 1), c));
}

TEST(PairwiseAllToAll, KeepsOneNthAndSendsTheRestStraight) {
  const Traffic t =
      PairwiseTraffic(Of(CollectiveKind::kAllToAll, MiB(16)), Grid(2, 8, 1));
  EXPECT_EQ(t.own_part, MiB(1));
  EXPECT_EQ(t.sent, MiB(15));
  EXPECT_EQ(t.link_bytes, MiB(7));      // to 7 ranks of the node
  EXPECT_EQ(t.network_bytes, MiB(64));  // 8 ranks, each 8 MiB to the others
  EXPECT_EQ(t.spine_bytes, MiB(64));    // one node below each leaf
  EXPECT_EQ(t.link_steps, 7);
  EXPECT_EQ(t.network_steps, 8);
}

TEST(SendRecv, IsOneHop) {
  const Traffic near =
      SendRecvTraffic(Of(CollectiveKind::kSendRecv, MiB(3)), Grid(1, 2, 1));
  EXPECT_EQ(near.link_steps, 1);
  EXPECT_EQ(near.link_bytes, MiB(3));
  EXPECT_EQ(near.network_bytes, Bytes(0));
  const Traffic far =
      SendRecvTraffic(Of(CollectiveKind::kSendRecv, MiB(3)), Grid(2, 1, 1));
  EXPECT_EQ(far.link_bytes, Bytes(0));
  EXPECT_EQ(far.network_steps, 1);
  EXPECT_EQ(far.network_bytes, MiB(3));
}

Collective VllmAllReduce(Bytes bytes) {
  return {.bytes = bytes, .library = AllReduceLibrary::kVllm};
}

TEST(OneShotAllReduce, ReadsEveryPeersBuffer) {
  const Traffic t = OneShotTraffic(VllmAllReduce(MiB(1)), Grid(1, 8, 1));
  EXPECT_EQ(t.link_steps, 7);       // a flag to every peer
  EXPECT_EQ(t.link_bytes, MiB(7));  // 7 buffers of 1 MiB
  EXPECT_EQ(t.memory, MiB(9));      // 7 read by peers, own read, sum written
}

TEST(TwoShotAllReduce, SendsWhatARingDoesInTwoSteps) {
  const Collective c = VllmAllReduce(MiB(8));
  EXPECT_EQ(TwoShotTraffic(c, Grid(1, 8, 1)).link_bytes, MiB(14));
  EXPECT_EQ(RingTraffic(c, Grid(1, 8, 1)).link_bytes, MiB(14));
  // Of two ranks, each reads the other's data: in halves or at once.
  EXPECT_EQ(TwoShotTraffic(c, Grid(1, 2, 1)).link_bytes,
            OneShotTraffic(c, Grid(1, 2, 1)).link_bytes);
}

TEST(MultimemAllReduce, SendsTheDataOnceWhereTheSwitchAdds) {
  const Collective c = VllmAllReduce(MiB(8));
  EXPECT_EQ(MultimemTraffic(c, Grid(1, 8, 1)).link_bytes, MiB(8));
  Cluster cluster;
  EXPECT_FALSE(MultimemAccepts(c, Grid(1, 8, 1), cluster));
  cluster.in_switch_reduction = true;
  EXPECT_TRUE(MultimemAccepts(c, Grid(1, 8, 1), cluster));
}

TEST(CustomAllReduce, StaysOnTheNvlinksOfANodeAndIsNotNccls) {
  const Cluster cluster;
  Collective c = VllmAllReduce(MiB(1));
  EXPECT_TRUE(OneShotAccepts(c, Grid(1, 8, 1), cluster));
  EXPECT_FALSE(OneShotAccepts(c, Grid(2, 8, 1), cluster));
  GroupShape pcie = Grid(1, 4, 1);
  pcie.nvlink = false;
  EXPECT_FALSE(TwoShotAccepts(c, pcie, cluster));
  c.kind = CollectiveKind::kAllGather;
  EXPECT_FALSE(TwoShotAccepts(c, Grid(1, 8, 1), cluster));
  c = {.bytes = MiB(1)};
  EXPECT_FALSE(OneShotAccepts(c, Grid(1, 8, 1), cluster));
}

TEST(PartOf, RoundsUpAndDoesNotOverflow) {
  EXPECT_EQ(PartOf(Bytes(10), 2, 3), Bytes(7));
  EXPECT_EQ(PartOf(Bytes(9), 2, 3), Bytes(6));
  EXPECT_EQ(PartOf(Bytes(int64_t{1} << 60), 16383, 16384),
            Bytes((int64_t{1} << 60) - (int64_t{1} << 46)));
}

// ---- Every row of the table ------------------------------------------------

// What must reach all ranks of a group together.
int64_t Needed(const Collective& c, int64_t n) {
  const int64_t bytes = c.bytes.count();
  switch (c.kind) {
    case CollectiveKind::kAllReduce:  // a switch may add: once, not twice
    case CollectiveKind::kAllGather:
    case CollectiveKind::kReduceScatter:
    case CollectiveKind::kAllToAll:
    case CollectiveKind::kBroadcast:
      return bytes * (n - 1);
    default:
      return bytes;
  }
}

class EveryAlgorithm : public testing::TestWithParam<CollectiveAlgorithm> {
 protected:
  // Calls check(collective, shape, traffic) wherever the algorithm runs.
  template <class Check>
  void ForEachUse(Check check) {
    Cluster cluster;
    cluster.in_switch_reduction = true;
    int uses = 0;
    for (const CollectiveKind kind : kKinds) {
      for (const int nodes : {1, 2, 3, 8, 33}) {
        for (const int per_node : {1, 2, 5, 8}) {
          for (const int per_leaf : {1, 4, 64}) {
            const GroupShape shape = Grid(nodes, per_node, per_leaf);
            Collective c = Of(kind, Bytes(int64_t{shape.ranks} << 20));
            c.library = AllReduceLibrary::kVllm;  // or NCCL, where it has none
            if (shape.ranks == 1) continue;
            if (!GetParam().accepts(c, shape, cluster)) continue;
            ++uses;
            SCOPED_TRACE(testing::Message()
                         << models::NameOf(kind) << ", " << nodes
                         << " nodes of " << per_node << ", " << per_leaf
                         << " below a leaf");
            check(c, shape, GetParam().traffic(c, shape));
          }
        }
      }
    }
    EXPECT_GT(uses, 0);
  }
};

TEST_P(EveryAlgorithm, SendsEnoughForEveryRankToGetEveryByte) {
  ForEachUse([](const Collective& c, const GroupShape& s, const Traffic& t) {
    const int64_t sent =
        t.link_bytes.count() * s.ranks + t.network_bytes.count() * s.nodes;
    EXPECT_GE(sent, Needed(c, s.ranks));
    EXPECT_GE(t.sent, t.link_bytes);
    EXPECT_GE(t.sent.count() * s.max_ranks_per_node, t.network_bytes.count());
  });
}

TEST_P(EveryAlgorithm, UsesTheNetworkOnlyBetweenNodes) {
  ForEachUse([](const Collective&, const GroupShape& s, const Traffic& t) {
    EXPECT_EQ(t.network_bytes.count() > 0, s.nodes > 1);
    EXPECT_EQ(t.network_steps > 0, s.nodes > 1);
    EXPECT_EQ(t.spine_bytes.count() > 0, s.leaves > 1);
    EXPECT_EQ(t.link_bytes.count() > 0, s.max_ranks_per_node > 1);
  });
}

TEST_P(EveryAlgorithm, SendsNoMoreOverTheSpineThanNodesCan) {
  ForEachUse([](const Collective&, const GroupShape& s, const Traffic& t) {
    EXPECT_LE(t.spine_bytes.count(),
              t.network_bytes.count() * s.nodes_per_leaf);
  });
}

TEST_P(EveryAlgorithm, HasTrafficProportionalToBytes) {
  ForEachUse([](const Collective& c, const GroupShape& s, const Traffic& t) {
    Collective twice = c;
    twice.bytes = c.bytes * 2;
    const Traffic u = GetParam().traffic(twice, s);
    // Divisible by all counts in use but 5: each part is rounded up at most
    // once.
    EXPECT_NEAR(static_cast<double>(u.link_bytes.count()),
                2.0 * static_cast<double>(t.link_bytes.count()), 2);
    EXPECT_NEAR(static_cast<double>(u.network_bytes.count()),
                2.0 * static_cast<double>(t.network_bytes.count()), 2);
    EXPECT_EQ(u.link_steps, t.link_steps);
    EXPECT_EQ(u.network_steps, t.network_steps);
  });
}

INSTANTIATE_TEST_SUITE_P(
    Table, EveryAlgorithm, testing::ValuesIn(CollectiveAlgorithms()),
    [](const testing::TestParamInfo<CollectiveAlgorithm>& row) {
      std::string name(row.param.name);
      for (char& c : name) c = c == '-' ? '_' : c;
      return name;
    });

}  // namespace
}  // namespace hardware
