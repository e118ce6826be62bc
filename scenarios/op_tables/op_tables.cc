#include "scenarios/op_tables/op_tables.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace scenarios {
namespace {

constexpr OpTable kTables[] = {
    {"gemm", {"m", "n", "k"}, GemmOp},
    {"attention_prefill", {"q_len", "kv_len", "causal"}, AttentionPrefillOp},
    {"attention_decode", {"kv_len", "kv_heads", "kv_dtype"}, AttentionDecodeOp},
    {"pointwise", {"op", "width", "bytes"}, PointwiseOp},
    {"moe", {"num_tokens", "moe_tp", "moe_ep"}, MoeOp},
};

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

}  // namespace

const OpTable* FindOpTable(const sim::CsvFile& csv) {
  for (const OpTable& table : kTables) {
    bool all = csv.FindColumn("gpu") && csv.FindColumn("time_us");
    for (const absl::string_view column : table.columns) {
      all = all && csv.FindColumn(column);
    }
    if (all) return &table;
  }
  return nullptr;
}

absl::StatusOr<std::vector<MeasuredOp>> ReadOps(const sim::CsvFile& csv) {
  const OpTable& table = *FindOpTable(csv);
  std::vector<MeasuredOp> ops;
  for (size_t i = 0; i < csv.rows(); ++i) {
    OpRow row(csv, i);
    MeasuredOp op = table.read(row);
    const std::string gpu = row.Text("gpu");
    op.row = static_cast<int64_t>(i) + 1;
    op.gpu = std::string(GpuOf(gpu));
    op.group = absl::StrCat(gpu, " ", op.family);
    op.source = row.Text("source");
    op.time_us = row.Positive("time_us");
    op.scored =
        !absl::StartsWith(op.source, "vidur") || op.time_us >= kLeastRoundedUs;
    if (!row.status().ok()) return row.status();
    ops.push_back(std::move(op));
  }
  return ops;
}

}  // namespace scenarios
