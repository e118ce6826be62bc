#include "hardware/collective_cost.h"

#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "hardware/collectives/algorithms.h"

namespace hardware {
namespace {

using models::AllReduceLibrary;
using models::Collective;
using models::CollectiveKind;
using sim::Bytes;
using sim::GBps;
using sim::MiB;
using sim::Microseconds;

constexpr CollectiveKind kKinds[] = {
    CollectiveKind::kAllReduce,     CollectiveKind::kAllGather,
    CollectiveKind::kReduceScatter, CollectiveKind::kAllToAll,
    CollectiveKind::kBroadcast,     CollectiveKind::kSendRecv};

// first, first + stride, …
std::vector<int> Ranks(int count, int stride = 1) {
  std::vector<int> ranks;
  for (int i = 0; i < count; ++i) ranks.push_back(i * stride);
  return ranks;
}

// ---- By hand ---------------------------------------------------------------

// Round numbers: 8 GPUs on 100 GB/s links of which rings reach half, 8 NICs of
// 10 GB/s of which payload is 80 %.
Cluster RoundNumbers() {
  Cluster c;
  c.gpu.multiprocessors = 100;
  c.gpu.memory_bandwidth = GBps(1000);
  c.gpu.pcie_bandwidth = GBps(64);
  c.nodes = 8;
  c.gpus_per_node = 8;
  c.gpu_link = GpuLink::kNvSwitch;
  c.nvlink_rate = GBps(100);
  c.nics_per_node = 8;
  c.nic_rate = GBps(10);
  c.nodes_per_leaf = 4;
  c.switch_latency = Microseconds(1);
  c.network = {.name = "round",
               .start = Microseconds(7),
               .simple_start = Microseconds(20),
               .step = Microseconds(2),
               .efficiency = 0.8,
               .ll128 = true};
  c.nccl.nvlink = {{.algorithm = "ring",
                    .protocol = "Simple",
                    .start = Microseconds(10),
                    .step = Microseconds(1),
                    .link_efficiency = 0.5,
                    .own_part = GBps(200),
                    .channels = 25,
                    .network_step = Microseconds(3),
                    .network_payload = 1,
                    .lone_rank_payload = 1,
                    .channels_per_nic = 2}};
  return c;
}

TEST(PriceOf, AddsStartStepsAndBytesInsideANode) {
  const Cluster c = RoundNumbers();
  const CollectivePrice p =
      PriceOf({.kind = CollectiveKind::kAllGather, .bytes = Bytes(8'000'000)},
              ShapeOf(c, Ranks(8)), c);
  // 10 us + 7 hops · 1 us + 7 MB / 50 GB/s = 140 us + 1 MB / 200 GB/s = 5 us.
  EXPECT_EQ(p.time, Microseconds(10 + 7 + 140 + 5));
  EXPECT_EQ(p.algorithm, "ring");
  EXPECT_EQ(p.protocol, "Simple");
  EXPECT_EQ(p.wire_bytes, Bytes(7'000'000));
  EXPECT_EQ(p.takes_compute, 256);  // 25 of 100 multiprocessors
  // 7 MB read and 7 MB written in 162 us are 86.4 of 1000 GB/s.
  EXPECT_EQ(p.takes_memory, 88);  // 0.0864 · 1024 = 88.5, to even
  // 140 of 162 us: 884.9.
  EXPECT_EQ(p.links, (LinkParts{.nvlink = 885}));
}

TEST(PriceOf, WaitsForTheSlowerOfLinksAndNetwork) {
  const Cluster c = RoundNumbers();
  const CollectivePrice p =
      PriceOf({.kind = CollectiveKind::kAllGather, .bytes = Bytes(16'000'000)},
              ShapeOf(c, Ranks(16)), c);
  // Hops: 13 of 1 us inside; 2 of 3 + 2 us and one switch of 1 us between.
  // Links: 15 MB / 50 GB/s = 300 us. NICs: 15 MB / (8 · 10 · 0.8 GB/s) = 234
  // us. Start: 10 + 7 + 20 us. Own part: 1 MB / 200 GB/s = 5 us.
  EXPECT_EQ(p.time, Microseconds(37 + 13 + 12 + 300 + 5));
  EXPECT_EQ(p.takes_compute, 164);  // 8 NICs · 2 channels of 100: 163.84
  // Of eight rings one leaves at a rank: 7/8 · 300 of 367 us, 732.4. NICs:
  // 234.4 of 367 us, 653.96. PCIe: of those, 10 of its 64 GB/s, 102.2.
  EXPECT_EQ(p.links, (LinkParts{.nvlink = 732, .nic = 654, .pcie = 102}));
}

TEST(PriceOf, OneRankPerNodeGoesThroughItsNic) {
  const Cluster c = RoundNumbers();
  const CollectivePrice p =
      PriceOf({.kind = CollectiveKind::kAllReduce, .bytes = Bytes(4'000'000)},
              ShapeOf(c, Ranks(4, 8)), c);
  // 6 hops of 6 us; 6 MB / 8 GB/s = 750 us; start 37 us; own part 5 us.
  EXPECT_EQ(p.time, Microseconds(37 + 36 + 750 + 5));
  EXPECT_EQ(p.wire_bytes, Bytes(6'000'000));
  EXPECT_EQ(p.takes_compute, 20);  // 2 channels of 100: 20.48
  // 750 of 828 us, 927.5; of PCIe 10 / 64 of that, 144.9.
  EXPECT_EQ(p.links, (LinkParts{.nic = 928, .pcie = 145}));
}

TEST(PriceOf, ANicFasterThanPcieHasRoomLeft) {
  Cluster c = RoundNumbers();
  c.nic_rate = GBps(128);
  const CollectivePrice p =
      PriceOf({.kind = CollectiveKind::kAllReduce, .bytes = Bytes(4'000'000)},
              ShapeOf(c, Ranks(4, 8)), c);
  // 6 MB at 0.8 · 64 GB/s are 117.2 us; from rank to rank at 50 GB/s they take
  // 120, of 37 + 36 + 120 + 5 in all: 0.592 of PCIe, half as much of the NIC.
  EXPECT_EQ(p.links, (LinkParts{.nic = 303, .pcie = 606}));
}

TEST(PriceOf, WithoutNvlinkRanksOfANodeMeetOverPcie) {
  Cluster c = RoundNumbers();
  c.gpu_link = GpuLink::kPcie;
  c.nccl.pcie = c.nccl.nvlink;
  const CollectivePrice p =
      PriceOf({.kind = CollectiveKind::kAllGather, .bytes = Bytes(8'000'000)},
              ShapeOf(c, Ranks(8)), c);
  // 7 MB / 32 GB/s are 218.75 us, of 10 + 7 + 218.75 + 5: 930.4.
  EXPECT_EQ(p.links, (LinkParts{.pcie = 930}));
}

TEST(PriceOf, OneRankPerNodeMayHaveItsOwnPayload) {
  Cluster c = RoundNumbers();
  const Collective collective{.kind = CollectiveKind::kAllReduce,
                              .bytes = Bytes(4'000'000)};
  c.nccl.nvlink[0].lone_rank_payload = 0.5;
  // As above, with 1500 us instead of 750 us on the wire.
  EXPECT_EQ(PriceOf(collective, ShapeOf(c, Ranks(4, 8)), c).time,
            Microseconds(37 + 36 + 1500 + 5));
}

TEST(PriceOf, AnOversubscribedSpineIsSharedByTheNodesBelowALeaf) {
  Cluster c = RoundNumbers();
  c.oversubscription = 8;
  // 8 nodes below 2 leaves: 4 · 10 / 8 = 5 GB/s leave each; the ring sends one
  // node's 14/8 · 4 MB over them: 7 MB / (5 · 0.8 GB/s) = 1750 us. 14 hops of
  // 3 + 2 us and 3 switches. Start 37 us; own part 0.5 MB / 200 GB/s.
  const CollectivePrice p =
      PriceOf({.kind = CollectiveKind::kAllReduce, .bytes = Bytes(4'000'000)},
              ShapeOf(c, Ranks(8, 8)), c);
  EXPECT_EQ(p.time, Microseconds(37 + 14 * 8 + 1750 + 2.5));
}

TEST(PriceOf, TakesTheCheapestProtocol) {
  Cluster c = RoundNumbers();
  NcclProtocol quick = c.nccl.nvlink[0];
  quick.protocol = "LL";
  quick.start = Microseconds(2);
  quick.link_efficiency = 0.1;
  c.nccl.nvlink.push_back(quick);
  const GroupShape shape = ShapeOf(c, Ranks(8));
  Collective collective{.kind = CollectiveKind::kAllGather,
                        .bytes = Bytes(8000)};
  EXPECT_EQ(PriceOf(collective, shape, c).protocol, "LL");
  collective.bytes = Bytes(8'000'000);
  EXPECT_EQ(PriceOf(collective, shape, c).protocol, "Simple");
}

TEST(PriceOf, Ll128NeedsANetworkThatDeliversWholeLines) {
  Cluster c = RoundNumbers();
  NcclProtocol lines = c.nccl.nvlink[0];
  lines.protocol = "LL128";
  c.nccl.nvlink.insert(c.nccl.nvlink.begin(), lines);
  const Collective collective{.kind = CollectiveKind::kAllGather,
                              .bytes = MiB(1)};
  const GroupShape far = ShapeOf(c, Ranks(16)), near = ShapeOf(c, Ranks(8));
  EXPECT_EQ(PriceOf(collective, far, c).protocol, "LL128");
  c.network.ll128 = false;
  EXPECT_EQ(PriceOf(collective, far, c).protocol, "Simple");
  EXPECT_EQ(PriceOf(collective, near, c).protocol, "LL128");
}

// ---- Kernels of inference engines -------------------------------------------

// On 100 GB/s: one-shot at half of it for up to 1 MB, two-shot at 80 % for up
// to 2 MB of eight ranks.
Cluster WithCustomKernels() {
  Cluster c = RoundNumbers();
  const auto kernel = [](const char* algorithm, double efficiency,
                         int64_t most_bytes) {
    return CustomKernel{.library = AllReduceLibrary::kVllm,
                        .cost = {.algorithm = algorithm,
                                 .protocol = "vllm",
                                 .start = Microseconds(3),
                                 .step = Microseconds(1),
                                 .link_efficiency = efficiency,
                                 .own_part = {},
                                 .channels = 36,
                                 .network_step = {}},
                        .uses = {{8, most_bytes}}};
  };
  c.nccl.custom = {kernel("one-shot", 0.5, 1'000'000),
                   kernel("two-shot", 0.8, 2'000'000)};
  c.nccl.copy_start = Microseconds(5);
  c.nccl.copy_efficiency = 0.5;
  return c;
}

Collective VllmAllReduce(int64_t bytes) {
  return {.bytes = Bytes(bytes), .library = AllReduceLibrary::kVllm};
}

TEST(CustomAllReduce, RunsTheKernelThatTheEngineChoosesBySize) {
  const Cluster c = WithCustomKernels();
  const GroupShape eight = ShapeOf(c, Ranks(8));
  // 3 us, 7 flags of 1 us, 7 MB at 50 GB/s.
  const CollectivePrice one = PriceOf(VllmAllReduce(1'000'000), eight, c);
  EXPECT_EQ(one.algorithm, "one-shot");
  EXPECT_EQ(one.protocol, "vllm");
  EXPECT_EQ(one.time, Microseconds(3 + 7 + 140));
  EXPECT_EQ(one.takes_compute, 369);  // 36 of 100 multiprocessors
  // 3 us, 7 flags, 2 · 7/8 · 1.6 MB at 80 GB/s.
  const CollectivePrice two = PriceOf(VllmAllReduce(1'600'000), eight, c);
  EXPECT_EQ(two.algorithm, "two-shot");
  EXPECT_EQ(two.time, Microseconds(3 + 7 + 35));
  EXPECT_EQ(PriceOf(VllmAllReduce(2'000'001), eight, c).algorithm, "ring");
  EXPECT_EQ(PriceOf(VllmAllReduce(1000), ShapeOf(c, Ranks(16)), c).algorithm,
            "ring");
  EXPECT_EQ(PriceOf({.bytes = Bytes(1000)}, eight, c).algorithm, "ring");
}

TEST(CustomAllReduce, MayRunOnlyWhereItIsFasterThanNccl) {
  Cluster c = WithCustomKernels();
  c.nccl.custom[0].uses[0].most_bytes = 1 << 30;
  const GroupShape eight = ShapeOf(c, Ranks(8));
  // 14 MB in one shot: 10 us + 98 MB / 50 GB/s; the ring sends 24.5 MB.
  EXPECT_EQ(PriceOf(VllmAllReduce(14'000'000), eight, c).algorithm, "one-shot");
  c.nccl.custom[0].when_faster = true;
  EXPECT_EQ(PriceOf(VllmAllReduce(14'000'000), eight, c).algorithm, "ring");
  EXPECT_EQ(PriceOf(VllmAllReduce(1000), eight, c).algorithm, "one-shot");
}

TEST(CustomAllReduce, MayCopyTheDataBeforehand) {
  const Cluster c = WithCustomKernels();
  Collective copied = VllmAllReduce(1'000'000);
  copied.copied = true;
  // 5 us, and 1 MB read and written at half of 1000 GB/s.
  EXPECT_EQ(PriceOf(copied, ShapeOf(c, Ranks(8)), c).time,
            Microseconds(150 + 5 + 4));
}

TEST(CustomAllReduce, EnginesSwitchAsTheyDo) {
  const absl::StatusOr<Cluster> h100 = LoadCluster("dgx-h100");
  ASSERT_TRUE(h100.ok()) << h100.status();
  const auto algorithm = [&](AllReduceLibrary library, int ranks, Bytes bytes) {
    return std::string(PriceOf({.bytes = bytes, .library = library},
                               ShapeOf(*h100, Ranks(ranks)), *h100)
                           .algorithm);
  };
  // vLLM, all_reduce_utils.py: below 64 MiB for two ranks, 32 MiB for four, 256
  // KiB for eight, then symmetric memory up to 64 MiB, then NCCL.
  constexpr auto kVllm = AllReduceLibrary::kVllm;
  EXPECT_EQ(algorithm(kVllm, 2, MiB(32)), "one-shot");
  EXPECT_EQ(algorithm(kVllm, 2, MiB(65)), "ring");
  EXPECT_EQ(algorithm(kVllm, 4, Bytes(1024)), "one-shot");
  EXPECT_EQ(algorithm(kVllm, 4, MiB(16)), "two-shot");
  EXPECT_EQ(algorithm(kVllm, 8, Bytes(1024)), "one-shot");
  EXPECT_EQ(algorithm(kVllm, 8, MiB(1)), "multimem");
  EXPECT_EQ(algorithm(kVllm, 8, MiB(65)), "nvls");
  EXPECT_EQ(algorithm(AllReduceLibrary::kSglang, 8, MiB(1)), "two-shot");
  EXPECT_EQ(algorithm(AllReduceLibrary::kTensorRtLlm, 8, Bytes(1024)),
            "one-shot");
}

// ---- Published figures -----------------------------------------------------

double BusBandwidth(const std::string& name, int nodes, Bytes bytes) {
  absl::StatusOr<Cluster> cluster = LoadCluster(name);
  EXPECT_TRUE(cluster.ok()) << cluster.status();
  cluster->nodes = nodes;
  const int n = cluster->ranks();
  const CollectivePrice p =
      PriceOf({.bytes = bytes, .dtype = models::DType::kFp32},
              ShapeOf(*cluster, Ranks(n)), *cluster);
  return static_cast<double>(bytes.count()) * 2 * (n - 1) / n /
         sim::InSeconds(p.time) / 1e9;
}

TEST(Published, AllReducesOfLargeBuffersOverManyNodes) {
  // NVIDIA/nccl issue 812, a maintainer, 2023-03-30: DGX A100 measures
  // 192 GB/s over its 8 ports of 200 Gbit/s.
  EXPECT_NEAR(BusBandwidth("dgx-a100-80gb", 4, MiB(8192)), 192, 0.05 * 192);
  // NVIDIA/nccl-tests issue 283, 2025-01-18: 248 nodes of 8 H200, 512 MiB,
  // "typically around 350G, occasionally below 300G".
  EXPECT_NEAR(BusBandwidth("dgx-h200", 248, MiB(512)), 350, 0.10 * 350);
  // stas00/ml-engineering, working notes on network/README.md: 4 nodes of 8
  // H200 on 400 GB/s of EFA, 16 GiB: 369 GB/s.
  EXPECT_NEAR(BusBandwidth("aws-p5", 4, MiB(16384)), 369, 0.05 * 369);
  // bigscience, experiments/bandwidth/all_reduce_bench-a100-n4.txt: 4 nodes of
  // 8 A100 on Jean Zay, 4 GB: 40.5 Gbit/s, on one port of four.
  EXPECT_NEAR(BusBandwidth("jean-zay-a100", 4, MiB(4096)), 4 * 40.5 / 8,
              0.10 * 4 * 40.5 / 8);
}

TEST(Published, SmallAllReducesOverManyNodes) {
  // NVIDIA/nccl issue 652: 32 nodes of 8 A100 and 4 HDR ports, 128 B: 63.9 us.
  absl::StatusOr<Cluster> cluster = LoadCluster("dgx-a100-80gb");
  ASSERT_TRUE(cluster.ok()) << cluster.status();
  cluster->nodes = 32;
  cluster->nics_per_node = 4;
  const CollectivePrice p =
      PriceOf({.bytes = Bytes(128)}, ShapeOf(*cluster, Ranks(256)), *cluster);
  EXPECT_EQ(p.algorithm, "tree");
  EXPECT_NEAR(sim::InMicroseconds(p.time), 63.9, 0.25 * 63.9);
}

// ---- Laws, on every cluster of the library ---------------------------------

class ClusterPrices : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    absl::StatusOr<Cluster> loaded = LoadCluster(GetParam());
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    cluster_ = *loaded;
    if (cluster_.nics_per_node > 0) cluster_.nodes = 64;
  }

  // Whole nodes and parts of one; a rank of each node.
  std::vector<std::vector<int>> Groups() const {
    std::vector<std::vector<int>> groups;
    for (int n = 2; n <= cluster_.ranks(); n *= 2) groups.push_back(Ranks(n));
    for (int n = 2; n <= cluster_.nodes; n *= 2) {
      groups.push_back(Ranks(n, cluster_.gpus_per_node));
    }
    return groups;
  }

  CollectivePrice Price(CollectiveKind kind, Bytes bytes,
                        const GroupShape& shape) const {
    return PriceOf({.kind = kind, .bytes = bytes}, shape, cluster_);
  }

  Cluster cluster_;
};

TEST_P(ClusterPrices, OneRankOrNoBytesAreFree) {
  for (const CollectiveKind kind : kKinds) {
    EXPECT_EQ(Price(kind, MiB(1), ShapeOf(cluster_, Ranks(1))).time,
              sim::Duration());
    for (const std::vector<int>& group : Groups()) {
      const CollectivePrice p = Price(kind, Bytes(0), ShapeOf(cluster_, group));
      EXPECT_EQ(p.time, sim::Duration());
      EXPECT_EQ(p.algorithm, "");
    }
  }
}

TEST_P(ClusterPrices, MoreBytesNeverTakeLess) {
  for (const CollectiveKind kind : kKinds) {
    for (const std::vector<int>& group : Groups()) {
      const GroupShape shape = ShapeOf(cluster_, group);
      sim::Duration before;
      for (int64_t bytes = 512; bytes <= int64_t{1} << 34; bytes *= 2) {
        const sim::Duration time = Price(kind, Bytes(bytes), shape).time;
        EXPECT_GT(time, before) << models::NameOf(kind) << " " << bytes;
        before = time;
      }
    }
  }
}

// Without reduction in the switch, which a group gains only when it fills more
// than half a node, and which then outruns the ring of fewer ranks.
TEST_P(ClusterPrices, MoreRanksNeverTakeLess) {
  cluster_.in_switch_reduction = false;
  for (const CollectiveKind kind : kKinds) {
    for (int64_t bytes = 512; bytes <= int64_t{1} << 34; bytes *= 4) {
      sim::Duration before;
      for (int n = 1; n <= cluster_.ranks(); n *= 2) {
        const sim::Duration time =
            Price(kind, Bytes(bytes), ShapeOf(cluster_, Ranks(n))).time;
        EXPECT_GE(time, before) << models::NameOf(kind) << " " << bytes
                                << " bytes, " << n << " ranks";
        before = time;
      }
    }
  }
}

TEST_P(ClusterPrices, BytesNeverOutrunTheWire) {
  for (const CollectiveKind kind : kKinds) {
    for (const std::vector<int>& group : Groups()) {
      const GroupShape shape = ShapeOf(cluster_, group);
      for (const Bytes bytes : {Bytes(512), MiB(1), MiB(64), MiB(16384)}) {
        const CollectivePrice p = Price(kind, bytes, shape);
        const double seconds = sim::InSeconds(p.time);
        for (const CollectiveAlgorithm& row : CollectiveAlgorithms()) {
          if (row.name != p.algorithm) continue;
          const Traffic t = row.traffic({.kind = kind, .bytes = bytes}, shape);
          EXPECT_LE(static_cast<double>(t.link_bytes.count()),
                    shape.link_rate.count() * seconds);
          EXPECT_LE(static_cast<double>(t.network_bytes.count()),
                    shape.network_rate.count() * seconds);
          EXPECT_LE(static_cast<double>(t.spine_bytes.count()),
                    shape.spine_rate.count() * seconds);
        }
        EXPECT_LE(p.takes_compute, 1024);
        EXPECT_LE(p.links.nvlink, 1024);
        EXPECT_LE(p.links.nic, 1024);
        EXPECT_LE(p.links.pcie, 1024);
        EXPECT_GT(p.takes_compute, 0);
        EXPECT_LE(p.takes_memory, 1024);
      }
    }
  }
}

// The cluster once for every row of its constants, with that row alone: each
// algorithm × protocol of NCCL's, each kernel of an engine, for all sizes.
struct OneRow {
  Cluster cluster;
  AllReduceLibrary library = AllReduceLibrary::kNccl;
};
std::vector<OneRow> RowsOf(const Cluster& cluster) {
  std::vector<OneRow> rows;
  for (auto links : {&Nccl::nvlink, &Nccl::pcie}) {
    for (const NcclProtocol& protocol : cluster.nccl.*links) {
      rows.push_back({.cluster = cluster});
      Nccl& nccl = rows.back().cluster.nccl;
      nccl.nvlink.clear();
      nccl.pcie.clear();
      (nccl.*links).push_back(protocol);
    }
  }
  for (CustomKernel kernel : cluster.nccl.custom) {
    kernel.uses = {{64, int64_t{1} << 50}};
    kernel.when_faster = false;
    rows.push_back({.cluster = cluster, .library = kernel.library});
    Nccl& nccl = rows.back().cluster.nccl;
    nccl = {};
    nccl.custom = {kernel};
  }
  return rows;
}

TEST_P(ClusterPrices, NoAlgorithmGainsByBytesOrRanks) {
  for (const OneRow& row : RowsOf(cluster_)) {
    for (const CollectiveKind kind : kKinds) {
      const auto time = [&](int ranks, int64_t bytes) {
        const CollectivePrice p = PriceOf(
            {.kind = kind, .bytes = Bytes(bytes), .library = row.library},
            ShapeOf(row.cluster, Ranks(ranks)), row.cluster);
        EXPECT_EQ(p.time > sim::Duration(), !p.algorithm.empty());
        return p.time;
      };
      for (int64_t bytes = 512; bytes <= int64_t{1} << 34; bytes *= 8) {
        sim::Duration before;
        for (int n = 2; n <= cluster_.ranks(); n *= 2) {
          const sim::Duration now = time(n, bytes);
          if (now == sim::Duration()) continue;  // it does not run there
          EXPECT_GE(now, before) << models::NameOf(kind) << " " << bytes
                                 << " bytes, " << n << " ranks";
          EXPECT_GT(now, time(n, bytes / 2)) << models::NameOf(kind);
          before = now;
        }
      }
    }
  }
}

TEST_P(ClusterPrices, NoAlgorithmOutrunsTheWire) {
  for (const OneRow& row : RowsOf(cluster_)) {
    for (const CollectiveKind kind : kKinds) {
      for (const std::vector<int>& group : Groups()) {
        const GroupShape shape = ShapeOf(row.cluster, group);
        for (const Bytes bytes : {Bytes(512), MiB(1), MiB(16384)}) {
          const Collective c{
              .kind = kind, .bytes = bytes, .library = row.library};
          const CollectivePrice p = PriceOf(c, shape, row.cluster);
          if (p.algorithm.empty()) continue;
          const Traffic t = FindAlgorithm(p.algorithm)->traffic(c, shape);
          const double seconds = sim::InSeconds(p.time);
          EXPECT_LE(static_cast<double>(t.link_bytes.count()),
                    shape.link_rate.count() * seconds);
          EXPECT_LE(static_cast<double>(t.network_bytes.count()),
                    shape.network_rate.count() * seconds);
          EXPECT_LE(static_cast<double>(t.spine_bytes.count()),
                    shape.spine_rate.count() * seconds);
        }
      }
    }
  }
}

TEST_P(ClusterPrices, OversubscriptionNeverHelps) {
  if (cluster_.nics_per_node == 0) return;
  cluster_.nodes_per_leaf = 4;
  Cluster slower = cluster_;
  slower.oversubscription = cluster_.oversubscription * 4;
  for (const CollectiveKind kind : kKinds) {
    for (const std::vector<int>& group : Groups()) {
      const Collective c{.kind = kind, .bytes = MiB(256)};
      EXPECT_GE(PriceOf(c, ShapeOf(slower, group), slower).time,
                PriceOf(c, ShapeOf(cluster_, group), cluster_).time);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Library, ClusterPrices,
                         testing::ValuesIn(ClusterNames()),
                         [](const testing::TestParamInfo<std::string>& test) {
                           std::string name = test.param;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

}  // namespace
}  // namespace hardware
