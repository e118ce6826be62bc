#include "scenarios/validate_ops.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "hardware/cost_model.h"
#include "models/op.h"

namespace scenarios {
namespace {

using hardware::CostModel;
using hardware::L2;
using models::AttentionFamily;
using models::DType;
using models::Pointwise;

// What a row measured, as kernels that ran one after another; or why it has no
// price.
struct Measured {
  std::string id, group;
  std::vector<models::Kernel> kernels;
  L2 l2 = L2::kCold;
  std::string skipped;
};

// Cells of one row, by column name. The first error sticks.
class Row {
 public:
  Row(const sim::CsvFile& table, size_t row) : table_(table), row_(row) {}

  std::string Text(absl::string_view column) {
    const auto at = Find(column);
    return at ? std::string(table_.Text(row_, *at)) : "";
  }
  int64_t Count(absl::string_view column, int64_t most) {
    const auto at = Find(column);
    return at ? Take(table_.Count(row_, *at, most)) : 0;
  }
  double Positive(absl::string_view column) {
    const auto at = Find(column);
    return at ? Take(table_.Positive(row_, *at)) : 0;
  }
  bool Flag(absl::string_view column) {
    const auto at = Find(column);
    return at && Take(table_.Flag(row_, *at));
  }
  const absl::Status& status() const { return status_; }

 private:
  std::optional<sim::CsvColumn> Find(absl::string_view name) {
    const absl::StatusOr<sim::CsvColumn> column = table_.Column(name);
    if (column.ok()) return *column;
    if (status_.ok()) status_ = column.status();
    return std::nullopt;
  }
  template <class T>
  T Take(const absl::StatusOr<T>& cell) {
    if (cell.ok()) return *cell;
    if (status_.ok()) status_ = cell.status();
    return T();
  }

  const sim::CsvFile& table_;
  size_t row_;
  absl::Status status_;
};

// What the cells may hold: operands of one kernel, counted in 64 bits.
constexpr int64_t kMostRows = 1 << 30, kMostHeads = 1 << 14,
                  kMostTokens = 1 << 22, kWidestHead = 1 << 10,
                  kMostBytes = int64_t{1} << 50;

// ---- One row of each table ----------------------------------------------

// The kernel that turns 16-bit activations into 8-bit ones. It reads them once
// for the scale, and again to convert them unless a block of 128 fits
// registers.
models::MemoryBound Quantisation(int64_t elements, bool in_blocks) {
  return {.kind = Pointwise::kCast,
          .read = models::BytesOf(DType::kBf16, (in_blocks ? 1 : 2) * elements),
          .written = models::BytesOf(DType::kFp8, elements),
          .flops = {}};
}

Measured GemmRow(Row& row) {
  const std::string dtype = row.Text("dtype");
  models::Gemm gemm{.m = row.Count("m", kMostRows),
                    .n = row.Count("n", kMostRows),
                    .k = row.Count("k", kMostRows)};
  Measured measured{
      .id = absl::StrCat(dtype, " ", gemm.m, "x", gemm.n, "x", gemm.k),
      .group = absl::StrCat(row.Text("gpu"), " ", dtype),
      .kernels = {},
      .l2 = row.Text("l2") == "warm" ? L2::kWarm : L2::kCold,
      .skipped = {}};
  if (dtype == "bf16") {
    gemm.dtype = DType::kBf16;
  } else if (dtype == "fp16") {
    gemm.dtype = DType::kFp16;
  } else if (dtype == "fp8" || dtype == "fp8_block") {
    gemm.dtype = DType::kFp8;
  } else if (dtype == "w8a8_int8") {
    gemm.dtype = DType::kInt8;
  } else {
    measured.skipped = absl::StrCat("no law prices ", dtype, " GEMMs");
    return measured;
  }
  if (row.Flag("act_quant_included")) {
    measured.kernels.push_back(
        Quantisation(gemm.m * gemm.k, dtype == "fp8_block"));
  }
  measured.kernels.push_back(gemm);
  return measured;
}

AttentionFamily FamilyOf(absl::string_view source) {
  if (absl::StrContains(source, "vllm")) return AttentionFamily::kVllm;
  if (absl::StrContains(source, "sglang")) return AttentionFamily::kSglang;
  if (absl::StrContains(source, "trtllm")) return AttentionFamily::kTensorRtLlm;
  if (absl::StrContains(source, "flashinfer")) return AttentionFamily::kSglang;
  return AttentionFamily::kFlash2;
}

Measured AttentionRow(Row& row) {
  const std::string dtype = row.Text("dtype");
  const std::string kv_dtype = row.Text("kv_dtype");
  models::Attention attention{
      .batch = row.Count("batch", kMostHeads),
      .heads = row.Count("heads", kMostHeads),
      .kv_heads = row.Count("kv_heads", kMostHeads),
      .queries = row.Count("q_len", kMostTokens),
      .keys = row.Count("kv_len", kMostTokens),
      .head_dim = row.Count("head_dim", kWidestHead),
      .value_head_dim = row.Count("head_dim", kWidestHead),
      .causal = row.Flag("causal"),
      .family = FamilyOf(row.Text("source")),
      .dtype = dtype == "fp8" ? DType::kFp8 : DType::kBf16};
  Measured measured{.id = models::Dump(attention),
                    .group = absl::StrCat(row.Text("gpu"), " ", dtype, " ",
                                          models::NameOf(attention.family)),
                    .kernels = {attention},
                    .l2 = L2::kCold,
                    .skipped = {}};
  if (dtype != "bf16" && dtype != "fp16" && dtype != "fp8") {
    measured.skipped = absl::StrCat("no law prices attention in ", dtype);
  }
  if (attention.heads % std::max<int64_t>(attention.kv_heads, 1) != 0) {
    measured.skipped =
        absl::StrCat(attention.kv_heads, " key-value heads do not divide the ",
                     attention.heads, " heads");
  }
  if (row.Flag("incl_kv_write")) {
    // Keys and values of the new tokens, copied into the paged cache.
    const int64_t elements = 2 * attention.batch * attention.kv_heads *
                             attention.queries * attention.head_dim;
    measured.kernels.push_back(models::MemoryBound{
        .kind = Pointwise::kCast,
        .read = models::BytesOf(DType::kBf16, elements),
        .written = models::BytesOf(
            kv_dtype == "fp8" ? DType::kFp8 : DType::kBf16, elements),
        .flops = {}});
  }
  return measured;
}

std::optional<Pointwise> KindOf(absl::string_view op) {
  static constexpr std::pair<absl::string_view, Pointwise> kKinds[] = {
      {"add", Pointwise::kResidual},
      {"mul", Pointwise::kResidual},
      {"relu", Pointwise::kActivation},
      {"gelu", Pointwise::kActivation},
      {"tanh", Pointwise::kActivation},
      {"silu", Pointwise::kActivation},
      {"silu_mul", Pointwise::kActivation},
      {"layernorm", Pointwise::kNorm},
      {"rmsnorm", Pointwise::kNorm},
      {"softmax", Pointwise::kSoftmax},
      {"rope", Pointwise::kRotary},
      {"embedding", Pointwise::kEmbedding},
      {"fp8_quant_static", Pointwise::kCast},
  };
  for (const auto& [name, kind] : kKinds) {
    if (name == op) return kind;
  }
  return std::nullopt;
}

Measured PointwiseRow(Row& row) {
  const std::string op = row.Text("op");
  Measured measured{
      .id = absl::StrCat(op, " ", row.Text("rows"), "x", row.Text("width")),
      .group = absl::StrCat(row.Text("gpu"), " ", op),
      .kernels = {},
      // A CUDA graph that repeats one kernel on its buffers.
      .l2 = absl::StartsWith(row.Text("source"), "aiconfigurator") ? L2::kWarm
                                                                   : L2::kCold,
      .skipped = {}};
  const std::optional<Pointwise> kind = KindOf(op);
  if (!kind) {
    measured.skipped = absl::StrCat("no law prices ", op);
    return measured;
  }
  measured.kernels.push_back(
      models::MemoryBound{.kind = *kind,
                          .read = sim::Bytes(row.Count("bytes", kMostBytes)),
                          .written = {},
                          .flops = {}});
  return measured;
}

struct Table {
  OpTable table;
  absl::string_view columns[3];  // that only this table has together
  Measured (*read)(Row& row);
};
constexpr Table kTables[] = {
    {OpTable::kGemm, {"m", "n", "k"}, GemmRow},
    {OpTable::kAttentionPrefill, {"q_len", "kv_len", "causal"}, AttentionRow},
    {OpTable::kPointwise, {"op", "width", "bytes"}, PointwiseRow},
};

const Table* FindTable(const sim::CsvFile& csv) {
  for (const Table& table : kTables) {
    bool all = csv.FindColumn("gpu") && csv.FindColumn("time_us");
    for (const absl::string_view column : table.columns) {
      all = all && csv.FindColumn(column);
    }
    if (all) return &table;
  }
  return nullptr;
}

// ---- Pricing -------------------------------------------------------------

// The tables' names of GPUs, and ours.
absl::string_view GpuOf(absl::string_view name) {
  static constexpr std::pair<absl::string_view, absl::string_view> kGpus[] = {
      {"a100", "a100-sxm-80gb"},           {"h100", "h100-sxm-80gb"},
      {"h200", "h200-sxm-141gb"},          {"a100_pcie_40g", "a100-pcie-40gb"},
      {"a100_pcie_80g", "a100-pcie-80gb"}, {"h100_pcie", "h100-pcie-80gb"}};
  for (const auto& [theirs, ours] : kGpus) {
    if (theirs == name) return ours;
  }
  return name;
}

// Vidur rounds to whole microseconds, 5 % of 10 us: what is shorter is priced
// but not scored.
constexpr double kLeastRoundedUs = 10;

void PriceRow(const CostModel& model, const Measured& measured,
              Prediction& prediction) {
  sim::Duration time;
  for (const models::Kernel& kernel : measured.kernels) {
    const absl::Status runs = model.Check(kernel);
    if (!runs.ok()) {
      prediction.status = PredictionStatus::kSkipped;
      prediction.reason = std::string(runs.message());
      return;
    }
    time += model.Of(kernel, measured.l2).time;
  }
  prediction.predicted = sim::InMicroseconds(time);
}

}  // namespace

std::optional<OpTable> OpTableOf(const sim::CsvFile& table) {
  const Table* found = FindTable(table);
  if (found == nullptr) return std::nullopt;
  return found->table;
}

absl::StatusOr<std::vector<Prediction>> PredictOps(const sim::CsvFile& csv) {
  const Table& table = *FindTable(csv);
  absl::btree_map<std::string, absl::StatusOr<CostModel>> models;
  std::vector<Prediction> predictions;
  for (size_t i = 0; i < csv.rows(); ++i) {
    Row row(csv, i);
    const Measured measured = table.read(row);
    const std::string gpu(GpuOf(row.Text("gpu")));
    const std::string source = row.Text("source");
    Prediction prediction{.row = static_cast<int64_t>(i) + 1,
                          .id = measured.id,
                          .group = measured.group,
                          .source = source,
                          .metric = "time_us",
                          .measured = row.Positive("time_us"),
                          .reason = measured.skipped};
    if (!row.status().ok()) return row.status();
    prediction.scored = !absl::StartsWith(source, "vidur") ||
                        prediction.measured >= kLeastRoundedUs;
    auto model = models.find(gpu);
    if (model == models.end()) {
      model = models.emplace(gpu, CostModel::Load(gpu)).first;
    }
    if (prediction.reason.empty() && !model->second.ok()) {
      prediction.reason = std::string(model->second.status().message());
    }
    if (prediction.reason.empty()) {
      PriceRow(*model->second, measured, prediction);
    } else {
      prediction.status = PredictionStatus::kSkipped;
    }
    predictions.push_back(std::move(prediction));
  }
  return predictions;
}

}  // namespace scenarios
