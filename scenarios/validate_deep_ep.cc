#include "scenarios/validate_deep_ep.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "hardware/expert_all_to_all_cost.h"
#include "scenarios/op_tables/op_row.h"

namespace scenarios {
namespace {

using hardware::Cluster;
using models::DType;
using models::ExpertAllToAll;
using models::ExpertDirection;
using models::ExpertExchange;

constexpr absl::string_view kColumns[] = {
    "gpu",  "op",  "nodes",         "n_gpus",  "tokens_per_rank", "hidden",
    "topk", "sms", "payload_dtype", "time_us", "source",          "experts"};

constexpr std::pair<absl::string_view, absl::string_view> kClusters[] = {
    {"h100", "dgx-h100"}, {"h200", "dgx-h200"}};

struct Op {
  absl::string_view name;
  ExpertExchange mode;
  ExpertDirection direction;
};
constexpr Op kOps[] = {
    {"normal-dispatch", ExpertExchange::kNormal, ExpertDirection::kDispatch},
    {"normal-combine", ExpertExchange::kNormal, ExpertDirection::kCombine},
    {"ll-dispatch", ExpertExchange::kLowLatency, ExpertDirection::kDispatch},
    {"ll-combine", ExpertExchange::kLowLatency, ExpertDirection::kCombine},
};

// The test of normal kernels lets a token's experts lie on so many nodes, as
// DeepSeek-V3 does (collector/deep_collector/test_internode.py,
// --num-topk-groups).
constexpr int64_t kNodeLimit = 4;

constexpr int64_t kMostGpus = 1 << 14, kMostExperts = 1 << 16,
                  kMostChoices = 1 << 8, kMostMultiprocessors = 1 << 12;

struct Row {
  std::string gpu, op, dtype, source;
  int64_t nodes, gpus;
  ExpertAllToAll exchange;
  double time_us;
};

const Op* FindOp(absl::string_view name) {
  for (const Op& op : kOps) {
    if (op.name == name) return &op;
  }
  return nullptr;
}

// Low-latency kernels choose their own multiprocessors; the table says 0.
int64_t MultiprocessorsOf(OpRow& cells, const Op* op) {
  if (op != nullptr && op->mode == ExpertExchange::kLowLatency) return 0;
  return cells.Count("sms", kMostMultiprocessors);
}

Row Read(OpRow& cells) {
  Row row{.gpu = cells.Text("gpu"),
          .op = cells.Text("op"),
          .dtype = cells.Text("payload_dtype"),
          .source = cells.Text("source"),
          .nodes = cells.Count("nodes", kMostGpus),
          .gpus = cells.Count("n_gpus", kMostGpus),
          .exchange = {.tokens = cells.Count("tokens_per_rank", kMostTokens),
                       .hidden = cells.Count("hidden", kMostTokens),
                       .experts = cells.Count("experts", kMostExperts),
                       .top_k = cells.Count("topk", kMostChoices)},
          .time_us = cells.Positive("time_us")};
  const Op* op = FindOp(row.op);
  row.exchange.multiprocessors = static_cast<int>(MultiprocessorsOf(cells, op));
  row.exchange.dtype = row.dtype == "fp8" ? DType::kFp8 : DType::kBf16;
  if (op == nullptr) return row;
  row.exchange.mode = op->mode;
  row.exchange.direction = op->direction;
  if (op->mode == ExpertExchange::kNormal) row.exchange.node_limit = kNodeLimit;
  return row;
}

// The network of the public rows over eight nodes: normal kernels reach 16 GB/s
// on each GPU's 50 GB/s port, with 8 multiprocessors as with 24, where two
// nodes of the same table reach 44, low-latency kernels 44 on these eight, and
// DeepEP's authors 45 on eight (51 with the rows that stay on their node;
// github.com/deepseek-ai/DeepEP, README, "Normal kernels": EP 64).
bool Unwell(const Row& row) {
  return row.exchange.mode == ExpertExchange::kNormal && row.nodes >= 8 &&
         row.source == "aiconfigurator-deepep-0.5.6.post2";
}

std::string WhyNot(const Row& row, const Cluster* cluster) {
  const ExpertAllToAll& e = row.exchange;
  if (FindOp(row.op) == nullptr) return absl::StrCat("unknown op ", row.op);
  if (cluster == nullptr) {
    return absl::StrCat("no cluster file for ", row.gpu, " with DeepEP");
  }
  if (row.dtype != "fp8" && row.dtype != "bf16") {
    return absl::StrCat("unknown dtype ", row.dtype);
  }
  if (row.gpus % row.nodes != 0 ||
      row.gpus / row.nodes > cluster->gpus_per_node) {
    return absl::StrCat(row.gpus, " GPUs do not spread evenly over ", row.nodes,
                        " nodes of ", cluster->gpus_per_node);
  }
  // Of one node's experts at least, where a token's may not lie elsewhere.
  const int64_t reach = e.node_limit > 0 && row.nodes > e.node_limit
                            ? e.experts / row.nodes * e.node_limit
                            : e.experts;
  if (e.top_k > reach) {
    return absl::StrCat("a token cannot take ", e.top_k, " of ", reach,
                        " experts");
  }
  if (Unwell(row)) {
    return "fabric not well: normal kernels over 8 nodes reach 16 of 50 GB/s "
           "a port, over 2 nodes 44";
  }
  return "";
}

// Clusters by GPU, each read once.
class Machines {
 public:
  // With as many nodes as the row has; null if none fits.
  absl::StatusOr<const Cluster*> Of(const Row& row) {
    for (const auto& [gpu, name] : kClusters) {
      if (gpu != row.gpu) continue;
      auto found = clusters_.find(row.gpu);
      if (found == clusters_.end()) {
        absl::StatusOr<Cluster> cluster = hardware::LoadCluster(name);
        if (!cluster.ok()) return cluster.status();
        found = clusters_.emplace(row.gpu, *std::move(cluster)).first;
      }
      found->second.nodes = static_cast<int>(row.nodes);
      return &found->second;
    }
    return nullptr;
  }

 private:
  absl::btree_map<std::string, Cluster> clusters_;
};

double TimeUs(const Row& row, const Cluster& cluster,
              const hardware::DeepEp& deep_ep) {
  const int64_t per_node = row.gpus / row.nodes;
  std::vector<int> ranks;
  for (int64_t i = 0; i < row.gpus; ++i) {
    ranks.push_back(
        static_cast<int>(i / per_node * cluster.gpus_per_node + i % per_node));
  }
  const hardware::GroupShape shape = hardware::ShapeOf(cluster, ranks, 1);
  return sim::InMicroseconds(
      hardware::PriceOf(row.exchange, shape, cluster, deep_ep).time);
}

Prediction Begin(const Row& row, size_t index) {
  const ExpertAllToAll& e = row.exchange;
  Prediction p;
  p.row = static_cast<int64_t>(index) + 1;
  p.id = absl::StrCat(
      row.op, ", ", e.tokens, " tokens of ", e.hidden, " ", row.dtype, ", ",
      e.top_k, " of ", e.experts, " experts, ", row.gpus, " GPUs in ",
      row.nodes, row.nodes == 1 ? " node" : " nodes",
      e.multiprocessors > 0 ? absl::StrCat(", ", e.multiprocessors, " SMs")
                            : "");
  p.group =
      absl::StrCat(row.gpu, " ", row.op, row.nodes == 1 ? "" : " across nodes");
  p.source = row.source;
  p.metric = "time_us";
  p.measured = row.time_us;
  return p;
}

}  // namespace

bool IsDeepEpTable(const sim::CsvFile& table) {
  for (const absl::string_view column : kColumns) {
    if (!table.FindColumn(column)) return false;
  }
  return true;
}

absl::StatusOr<std::vector<Prediction>> PredictDeepEp(
    const sim::CsvFile& table) {
  const absl::StatusOr<hardware::DeepEp> deep_ep =
      hardware::LoadDeepEp("hopper");
  if (!deep_ep.ok()) return deep_ep.status();
  Machines machines;
  std::vector<Prediction> predictions;
  for (size_t i = 0; i < table.rows(); ++i) {
    OpRow cells(table, i);
    const Row row = Read(cells);
    if (!cells.status().ok()) return cells.status();
    const absl::StatusOr<const Cluster*> cluster = machines.Of(row);
    if (!cluster.ok()) return cluster.status();
    Prediction p = Begin(row, i);
    p.reason = WhyNot(row, *cluster);
    if (p.reason.empty()) {
      p.predicted = TimeUs(row, **cluster, *deep_ep);
    } else {
      p.status = PredictionStatus::kSkipped;
    }
    predictions.push_back(std::move(p));
  }
  return predictions;
}

}  // namespace scenarios
