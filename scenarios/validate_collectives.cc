#include "scenarios/validate_collectives.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "hardware/cluster.h"
#include "hardware/collective_cost.h"
#include "hardware/group_shape.h"
#include "models/op.h"

namespace scenarios {
namespace {

using hardware::Cluster;
using models::AllReduceLibrary;
using models::CollectiveKind;
using models::DType;

constexpr absl::string_view kColumns[] = {"gpu",    "system", "op",
                                          "n_gpus", "nodes",  "bytes",
                                          "dtype",  "impl",   "time_us"};

// The machine a row was measured on: the first that fits.
struct System {
  absl::string_view gpu;       // as the table spells it
  absl::string_view mentions;  // part of the system's name
  int least_nodes;
  absl::string_view cluster;  // in hardware/clusters
};
constexpr System kSystems[] = {
    {"a100", "p4de", 1, "aws-p4de"},
    {"a100", "8GB/s inter-node", 2, "a100-tcp-100"},
    {"a100", "", 1, "dgx-a100-80gb"},
    {"a100_pcie", "pairs", 1, "a100-pcie-pairs"},
    {"h100", "p5", 1, "aws-p5"},
    {"h100", "", 1, "dgx-h100"},
    {"h100_pcie", "pairs", 1, "h100-pcie-pairs"},
    {"h200", "", 1, "dgx-h200"},
};

// torch.distributed calls timed one by one, the host waiting for each: 20 to
// 30 us of PyTorch (stas00/ml-engineering, network/benchmarks/README.md, "How
// the calls are timed").
constexpr double kBlockingCallUs = 25;

// Outside CUDA graphs, a call waits for the host: the floor of the rows of
// custom-ar(vllm,eager), by architecture and by the path taken, in us.
constexpr double kEagerAmpereUs = 44, kEagerHopperUs = 21,
                 kEagerSymmetricMemoryUs = 38;

template <class T>
using Spelling = std::pair<absl::string_view, T>;

constexpr Spelling<CollectiveKind> kKinds[] = {
    {"all_reduce", CollectiveKind::kAllReduce},
    {"all_gather", CollectiveKind::kAllGather},
    {"reduce_scatter", CollectiveKind::kReduceScatter},
    {"all_to_all", CollectiveKind::kAllToAll},
    {"broadcast", CollectiveKind::kBroadcast},
    {"send_recv", CollectiveKind::kSendRecv},
};
constexpr Spelling<DType> kDTypes[] = {
    {"fp32", DType::kFp32}, {"fp16", DType::kFp16}, {"bf16", DType::kBf16},
    {"fp8", DType::kFp8},   {"int8", DType::kInt8},
};

constexpr Spelling<AllReduceLibrary> kLibraries[] = {
    {"vllm", AllReduceLibrary::kVllm},
    {"sglang", AllReduceLibrary::kSglang},
    {"trtllm", AllReduceLibrary::kTensorRtLlm},
};

template <class T, size_t n>
std::optional<T> Find(const Spelling<T> (&spellings)[n],
                      absl::string_view word) {
  for (const auto& [spelling, value] : spellings) {
    if (spelling == word) return value;
  }
  return std::nullopt;
}

struct Row {
  int64_t number = 0;  // of the table's data, from 1
  absl::string_view gpu, system, op, dtype, impl;
  absl::string_view source;  // empty if the table has no such column
  int64_t gpus = 0, nodes = 0, bytes = 0;
  double time_us = 0;
};

class Rows {
 public:
  explicit Rows(const sim::CsvFile& table) : table_(table) {}

  absl::StatusOr<Row> At(size_t row) const {
    const auto text = [&](absl::string_view name) {
      return table_.Text(row, *table_.FindColumn(name));
    };
    const auto gpus = Count(row, "n_gpus", kMostGpus),
               nodes = Count(row, "nodes", kMostGpus),
               bytes = Count(row, "bytes", kMostBytes);
    const auto time_us = table_.Positive(row, *table_.FindColumn("time_us"));
    for (const absl::Status& status :
         {gpus.status(), nodes.status(), bytes.status(), time_us.status()}) {
      if (!status.ok()) return status;
    }
    const auto source = table_.FindColumn("source");
    return Row{.number = static_cast<int64_t>(row) + 1,
               .gpu = text("gpu"),
               .system = text("system"),
               .op = text("op"),
               .dtype = text("dtype"),
               .impl = text("impl"),
               .source = source ? table_.Text(row, *source) : "",
               .gpus = *gpus,
               .nodes = *nodes,
               .bytes = *bytes,
               .time_us = *time_us};
  }

 private:
  static constexpr int64_t kMostGpus = 1 << 22, kMostBytes = int64_t{1} << 50;

  absl::StatusOr<int64_t> Count(size_t row, absl::string_view name,
                                int64_t most) const {
    return table_.Count(row, *table_.FindColumn(name), most);
  }

  const sim::CsvFile& table_;
};

// Clusters by name, each read once.
class Machines {
 public:
  // The cluster of a row with as many nodes as it has; null if none fits.
  absl::StatusOr<const Cluster*> Of(const Row& row) {
    for (const System& system : kSystems) {
      if (system.gpu == row.gpu && row.nodes >= system.least_nodes &&
          absl::StrContains(row.system, system.mentions)) {
        return Load(system.cluster, row);
      }
    }
    return nullptr;
  }

 private:
  absl::StatusOr<const Cluster*> Load(absl::string_view name, const Row& row) {
    const bool no_nvls = absl::StrContains(row.impl, "NVLS off");
    const std::string key = absl::StrCat(name, " ", row.nodes, " ", no_nvls);
    const auto found = clusters_.find(key);
    if (found != clusters_.end()) return &found->second;
    absl::StatusOr<Cluster> cluster = hardware::LoadCluster(name);
    if (!cluster.ok()) return cluster.status();
    cluster->nodes = static_cast<int>(row.nodes);
    if (no_nvls) cluster->in_switch_reduction = false;
    return &clusters_.emplace(key, *std::move(cluster)).first->second;
  }

  absl::btree_map<std::string, Cluster> clusters_;
};

// Equal parts of the group in each node, from its first GPU on.
std::vector<int> RanksOf(const Row& row, const Cluster& cluster) {
  std::vector<int> ranks;
  for (int64_t i = 0; i < row.gpus; ++i) {
    const int64_t per_node = row.gpus / row.nodes;
    ranks.push_back(
        static_cast<int>(i / per_node * cluster.gpus_per_node + i % per_node));
  }
  return ranks;
}

// "nccl", "nccl(torch,blocking)", "custom-ar(vllm,eager)"; nothing for others.
struct Implementation {
  AllReduceLibrary library = AllReduceLibrary::kNccl;
  bool eager = false;     // outside CUDA graphs
  bool blocking = false;  // the host waits for each call
};
std::optional<Implementation> ImplementationOf(absl::string_view impl) {
  Implementation found;
  if (absl::ConsumePrefix(&impl, "nccl")) {
    found.blocking = absl::StrContains(impl, "blocking");
    return found;
  }
  if (!absl::ConsumePrefix(&impl, "custom-ar(") ||
      !absl::ConsumeSuffix(&impl, ")")) {
    return std::nullopt;
  }
  const size_t comma = std::min(impl.find(','), impl.size());
  const auto library = Find(kLibraries, impl.substr(0, comma));
  if (!library) return std::nullopt;
  found.library = *library;
  found.eager = impl.substr(comma) == ",eager";
  return found;
}

std::string WhyNot(const Row& row, const Cluster* cluster) {
  if (!ImplementationOf(row.impl)) {
    return absl::StrCat(row.impl,
                        ": neither NCCL nor custom-ar of vllm, sglang or "
                        "trtllm");
  }
  if (cluster == nullptr) {
    return absl::StrCat("no cluster file for ", row.gpu, " in ", row.system);
  }
  if (!Find(kKinds, row.op)) return absl::StrCat("unknown op ", row.op);
  if (!Find(kDTypes, row.dtype)) {
    return absl::StrCat("unknown dtype ", row.dtype);
  }
  if (row.gpus % row.nodes != 0 ||
      row.gpus / row.nodes > cluster->gpus_per_node) {
    return absl::StrCat(row.gpus, " GPUs do not spread evenly over ", row.nodes,
                        " nodes of ", cluster->gpus_per_node);
  }
  return "";
}

// Until the host has launched an eager call, nothing runs.
double EagerFloorUs(const hardware::CollectivePrice& price, const Row& row) {
  if (price.algorithm == "multimem") return kEagerSymmetricMemoryUs;
  return absl::StartsWith(row.gpu, "a100") ? kEagerAmpereUs : kEagerHopperUs;
}

double TimeUs(const Row& row, const Cluster& cluster) {
  const hardware::GroupShape shape =
      hardware::ShapeOf(cluster, RanksOf(row, cluster), 1);
  const Implementation implementation = *ImplementationOf(row.impl);
  const hardware::CollectivePrice price =
      hardware::PriceOf({.kind = *Find(kKinds, row.op),
                         .bytes = sim::Bytes(row.bytes),
                         .dtype = *Find(kDTypes, row.dtype),
                         .library = implementation.library,
                         .copied = implementation.eager},
                        shape, cluster);
  const double us = sim::InMicroseconds(price.time);
  if (implementation.blocking) return kBlockingCallUs + us;
  if (!implementation.eager) return us;
  return std::max(us, EagerFloorUs(price, row));
}

Prediction Begin(const Row& row) {
  Prediction p;
  p.row = row.number;
  p.id = absl::StrCat(row.op, " ", row.bytes, " B ", row.dtype, ", ", row.gpus,
                      " GPUs in ", row.nodes,
                      row.nodes == 1 ? " node, " : " nodes, ", row.system);
  p.family = absl::StrCat(row.op, row.nodes == 1 ? "" : " across nodes");
  if (const auto library = ImplementationOf(row.impl);
      library && library->library != AllReduceLibrary::kNccl) {
    absl::StrAppend(&p.family, " ", models::NameOf(library->library));
  }
  p.group = absl::StrCat(row.gpu, " ", p.family);
  p.source = std::string(row.source);
  p.metric = "time_us";
  p.measured = row.time_us;
  return p;
}

}  // namespace

bool IsCollectiveTable(const sim::CsvFile& table) {
  for (const absl::string_view column : kColumns) {
    if (!table.FindColumn(column)) return false;
  }
  return true;
}

absl::StatusOr<std::vector<Prediction>> PredictCollectives(
    const sim::CsvFile& table) {
  Machines machines;
  const Rows rows(table);
  std::vector<Prediction> predictions;
  for (size_t i = 0; i < table.rows(); ++i) {
    const absl::StatusOr<Row> row = rows.At(i);
    if (!row.ok()) return row.status();
    const absl::StatusOr<const Cluster*> cluster = machines.Of(*row);
    if (!cluster.ok()) return cluster.status();
    Prediction p = Begin(*row);
    p.reason = WhyNot(*row, *cluster);
    p.status =
        p.reason.empty() ? PredictionStatus::kOk : PredictionStatus::kSkipped;
    if (p.reason.empty()) p.predicted = TimeUs(*row, **cluster);
    predictions.push_back(std::move(p));
  }
  return predictions;
}

}  // namespace scenarios
