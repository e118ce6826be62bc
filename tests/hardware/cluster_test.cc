#include "hardware/cluster.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "hardware/cluster.pb.h"
#include "hardware/collectives/algorithms.h"
#include "sim/text_file.h"

namespace hardware {
namespace {

using sim::GBps;
using testing::Contains;

// The cluster that a file of this text describes.
absl::StatusOr<Cluster> Resolved(const std::string& text) {
  proto::Cluster message;
  const absl::StatusOr<sim::TextFile> file =
      sim::TextFile::Parse("a.textproto", text, &message);
  if (!file.ok()) return file.status();
  return ResolveCluster(message, file->At(""));
}

std::string ErrorOf(const std::string& text) {
  return std::string(Resolved(text).status().message());
}

TEST(Cluster, AScenarioChangesFieldsOfAPreset) {
  const absl::StatusOr<Cluster> c = Resolved(
      "preset: 'dgx-h100' nodes: 8 nic_gbit_per_s: 200 oversubscription: 2");
  ASSERT_TRUE(c.ok()) << c.status();
  EXPECT_EQ(c->name, "dgx-h100");
  EXPECT_EQ(c->ranks(), 64);
  EXPECT_EQ(c->nic_rate, GBps(25));  // 200 Gbit/s
  EXPECT_EQ(c->oversubscription, 2);
  // Kept: NVLink 4, 18 links of 25 GB/s.
  EXPECT_EQ(c->nvlink_rate, GBps(450));
  EXPECT_EQ(c->nics_per_node, 8);
  EXPECT_TRUE(c->in_switch_reduction);
}

TEST(Cluster, ANetworkCanBeLeftOutOfOneNode) {
  const absl::StatusOr<Cluster> c = Resolved(
      "gpu: 'a100-sxm-80gb' gpus_per_node: 8 gpu_link: NVSWITCH "
      "host_memory_gb: 1000");
  ASSERT_TRUE(c.ok()) << c.status();
  EXPECT_EQ(c->nodes, 1);
  EXPECT_EQ(c->nics_per_node, 0);
}

TEST(Cluster, BridgesHaveTheirOwnRate) {
  const absl::StatusOr<Cluster> c = Resolved(
      "preset: 'a100-pcie-4x' gpu_link: NVLINK_PAIRS "
      "bridge_gb_per_s: 300");
  ASSERT_TRUE(c.ok()) << c.status();
  EXPECT_EQ(c->nvlink_rate, GBps(300));
}

TEST(Cluster, ErrorsSayWhereAndWhatWouldWork) {
  EXPECT_EQ(ErrorOf("preset: 'dgx-h10'"),
            "a.textproto:1:1: preset: no cluster is called \"dgx-h10\"; did "
            "you mean \"dgx-h100\"?");
  EXPECT_EQ(ErrorOf("preset: 'dgx-h100'\nnodes: 0"),
            "a.textproto:2:1: nodes: 0 is out of range; write a number from 1 "
            "to 65536");
  EXPECT_EQ(ErrorOf("preset: 'dgx-h100'\noversubscription: 0.5"),
            "a.textproto:2:1: oversubscription: 0.5 is out of range; write a "
            "number from 1 to 1e+06");
  EXPECT_EQ(ErrorOf("preset: 'dgx-h100'\n  gpu: 'h100-sxm'"),
            "a.textproto:2:3: gpu: no GPU is called \"h100-sxm\"; did you mean "
            "\"h100-sxm-80gb\"?");
  EXPECT_EQ(ErrorOf("preset: 'dgx-h100'\ngpu_link: PCIE"),
            "a.textproto:2:1: gpu_link: PCIE has no switches to reduce in; "
            "write NVSWITCH, or in_switch_reduction: false");
  EXPECT_EQ(ErrorOf("preset: 'a100-1x'\nnodes: 2"),
            "a.textproto:2:1: nodes: 2 nodes need a network, and none is "
            "given; known networks are efa, efa-v1, infiniband, omni-path, "
            "roce, tcp");
  EXPECT_EQ(ErrorOf("preset: 'dgx-h100'\nbridge_gb_per_s: 300"),
            "a.textproto:2:1: bridge_gb_per_s: is of NVLink bridges; remove "
            "it, or write gpu_link: NVLINK_PAIRS");
  EXPECT_EQ(ErrorOf("preset: 'h100-pcie-8x'\ngpu_link: NVSWITCH"),
            "a.textproto:2:1: gpu_link: NVSWITCH needs NVLink, which "
            "h100-pcie-80gb does not have; write PCIE");
}

TEST(ClusterLibrary, EveryFileLoads) {
  EXPECT_THAT(ClusterNames(), Contains("dgx-h100"));
  for (const std::string& name : ClusterNames()) {
    EXPECT_TRUE(LoadCluster(name).ok()) << LoadCluster(name).status();
  }
}

// A collective must have a price over the links of every cluster.
TEST(ClusterLibrary, EveryAlgorithmOfNcclIsInTheTable) {
  for (const std::string& name : ClusterNames()) {
    const absl::StatusOr<Cluster> cluster = LoadCluster(name);
    ASSERT_TRUE(cluster.ok()) << cluster.status();
    for (const auto* protocols : {&cluster->nccl.nvlink, &cluster->nccl.pcie}) {
      for (const NcclProtocol& protocol : *protocols) {
        bool known = false;
        for (const CollectiveAlgorithm& row : CollectiveAlgorithms()) {
          known |= row.name == protocol.algorithm;
        }
        EXPECT_TRUE(known) << name << ": " << protocol.algorithm;
      }
    }
  }
}

}  // namespace
}  // namespace hardware
