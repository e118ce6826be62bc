#include "tools/calibrate/op_rows.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <variant>
#include <vector>

#include "sim/csv_line.h"

namespace tools {
namespace {

using Cells = std::vector<std::string>;

std::string Text(int64_t n) { return std::to_string(n); }
std::string Text(double n) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", n);
  return text;
}
std::string TextOrNone(double n) { return n < 0 ? "" : Text(n); }

// The public tables' columns, their last one included.
Cells PublicColumns(OpTable table) {
  switch (table) {
    case OpTable::kRoofline:
      return {"gpu",     "kernel",   "dtype",       "bytes",  "flops",
              "time_us", "gb_per_s", "tflop_per_s", "source", "split"};
    case OpTable::kGemm:
      return {"gpu",    "dtype",     "m",
              "n",      "k",         "time_us",
              "source", "framework", "act_quant_included",
              "l2",     "model",     "split"};
    case OpTable::kAttentionPrefill:
    case OpTable::kAttentionBackward:
      return {"gpu",     "dtype",  "kv_dtype",      "batch",    "q_len",
              "kv_len",  "heads",  "kv_heads",      "head_dim", "causal",
              "time_us", "source", "incl_kv_write", "split"};
    case OpTable::kAttentionDecode:
      return {"gpu",     "dtype",  "kv_dtype",      "batch",
              "kv_len",  "heads",  "kv_heads",      "head_dim",
              "time_us", "source", "incl_kv_write", "split"};
    case OpTable::kPointwise:
      return {"gpu",     "op",  "rows",   "width", "bytes", "dtype",
              "time_us", "gbs", "source", "model", "split"};
    case OpTable::kMoe:
      return {"gpu",     "dtype",   "num_tokens", "hidden", "inter",
              "topk",    "experts", "moe_tp",     "moe_ep", "distribution",
              "time_us", "source",  "model",      "split"};
    case OpTable::kCollectives:
      return {"gpu",   "system", "op",      "n_gpus", "nodes",  "bytes",
              "dtype", "impl",   "time_us", "busbw",  "source", "split"};
  }
  return {};
}

// What follows the public columns in each table.
const Cells& OwnColumns() {
  static const Cells columns = {
      "spread_us",        "p10_us",  "p90_us",        "samples", "sm_clock_mhz",
      "memory_clock_mhz", "power_w", "temperature_c", "library", "l2_state",
      "device",           "driver",  "cuda",          "date"};
  return columns;
}

Cells PublicCells(const RooflineCase& c, const Measurement& m,
                  const Session& session) {
  const Work work = WorkOf(c);
  const double us = m.timing.median_us;
  const double bytes = work.bytes + work.host_bytes;
  return {session.gpu,
          c.kernel,
          c.dtype,
          Text(bytes),
          Text(work.flops),
          Text(us),
          Text(bytes / us * 1e-3),
          Text(work.flops / us * 1e-6),
          m.source,
          "own"};
}

Cells PublicCells(const GemmCase& c, const Measurement& m,
                  const Session& session) {
  return {session.gpu, c.dtype,     Text(c.m),
          Text(c.n),   Text(c.k),   Text(m.timing.median_us),
          m.source,    m.framework, c.quantised ? "1" : "0",
          m.l2,        "",          "own"};
}

Cells PublicCells(const AttentionCase& c, const Measurement& m,
                  const Session& session) {
  Cells cells = {session.gpu, c.dtype, c.dtype, Text(c.batch)};
  if (TableOf(c) != OpTable::kAttentionDecode) cells.push_back(Text(c.q_len));
  for (const int64_t n : {c.kv_len, c.heads, c.kv_heads, c.head_dim}) {
    cells.push_back(Text(n));
  }
  if (TableOf(c) != OpTable::kAttentionDecode) {
    cells.push_back(c.causal ? "1" : "0");
  }
  cells.insert(cells.end(), {Text(m.timing.median_us), m.source, "0", "own"});
  return cells;
}

Cells PublicCells(const PointwiseCase& c, const Measurement& m,
                  const Session& session) {
  const double bytes = WorkOf(c).bytes;
  const bool to_fp8 = c.op == "fp8_quant_static" || c.op == "fp8_amax";
  return {session.gpu,
          c.op,
          Text(c.rows),
          Text(c.width),
          Text(static_cast<int64_t>(std::llround(bytes))),
          c.dtype + (to_fp8 ? "->fp8" : ""),
          Text(m.timing.median_us),
          Text(bytes / m.timing.median_us * 1e-3),
          m.source,
          "",
          "own"};
}

Cells PublicCells(const ExpertCase& c, const Measurement& m,
                  const Session& session) {
  return {session.gpu,
          c.dtype,
          Text(c.tokens),
          Text(c.hidden),
          Text(c.inter),
          Text(c.topk),
          Text(c.experts),
          "1",
          "1",
          c.distribution,
          Text(m.timing.median_us),
          m.source,
          "",
          "own"};
}

Cells PublicCells(const CollectiveCase& c, const Measurement& m,
                  const Session& session) {
  const double us = m.timing.median_us;
  const double wire =
      c.op == "broadcast" ? static_cast<double>(c.bytes) : WorkOf(c).wire_bytes;
  const int64_t gpus = c.op == "send_recv" ? 2 : c.gpus;
  return {session.gpu, session.system,         c.op,     Text(gpus),
          "1",         Text(c.bytes),          c.dtype,  "nccl",
          Text(us),    Text(wire / us * 1e-3), m.source, "own"};
}

struct TableFinder {
  OpTable operator()(const RooflineCase&) const { return OpTable::kRoofline; }
  OpTable operator()(const GemmCase&) const { return OpTable::kGemm; }
  OpTable operator()(const AttentionCase& c) const {
    if (c.backward) return OpTable::kAttentionBackward;
    return c.q_len == 1 ? OpTable::kAttentionDecode
                        : OpTable::kAttentionPrefill;
  }
  OpTable operator()(const PointwiseCase&) const { return OpTable::kPointwise; }
  OpTable operator()(const ExpertCase&) const { return OpTable::kMoe; }
  OpTable operator()(const CollectiveCase&) const {
    return OpTable::kCollectives;
  }
};

}  // namespace

Timing SummaryOf(std::vector<double> samples_us) {
  std::sort(samples_us.begin(), samples_us.end());
  const size_t last = samples_us.size() - 1;
  const auto at = [&](double share) {
    return samples_us[static_cast<size_t>(
        std::lround(share * static_cast<double>(last)))];
  };
  return {at(0.5), at(0.1), at(0.9), static_cast<int>(samples_us.size())};
}

OpTable TableOf(const Case& c) { return std::visit(TableFinder(), c); }

std::string FileOf(OpTable table) {
  switch (table) {
    case OpTable::kRoofline:
      return "roofline.csv";
    case OpTable::kGemm:
      return "gemm.csv";
    case OpTable::kAttentionPrefill:
      return "attention_prefill.csv";
    case OpTable::kAttentionDecode:
      return "attention_decode.csv";
    case OpTable::kAttentionBackward:
      return "attention_backward.csv";
    case OpTable::kPointwise:
      return "pointwise.csv";
    case OpTable::kMoe:
      return "moe.csv";
    case OpTable::kCollectives:
      return "collectives.csv";
  }
  return "";
}

std::vector<std::string> ColumnsOf(OpTable table) {
  Cells columns = PublicColumns(table);
  columns.insert(columns.end(), OwnColumns().begin(), OwnColumns().end());
  return columns;
}

std::vector<std::string> RowOf(const Measurement& m, const Session& session) {
  Cells cells = std::visit(
      [&](const auto& c) { return PublicCells(c, m, session); }, m.what);
  const Timing& t = m.timing;
  const Cells own = {Text(t.p90_us - t.p10_us),
                     Text(t.p10_us),
                     Text(t.p90_us),
                     std::to_string(t.samples),
                     TextOrNone(m.card.sm_clock_mhz),
                     TextOrNone(m.card.memory_clock_mhz),
                     TextOrNone(m.card.power_w),
                     TextOrNone(m.card.temperature_c),
                     m.framework,
                     m.l2,
                     session.device,
                     session.driver,
                     session.cuda,
                     session.date};
  cells.insert(cells.end(), own.begin(), own.end());
  return cells;
}

std::string TableText(OpTable table, const std::vector<Measurement>& all,
                      const Session& session) {
  std::string text = sim::CsvLine(ColumnsOf(table));
  for (const Measurement& m : all) {
    if (TableOf(m.what) == table) text += sim::CsvLine(RowOf(m, session));
  }
  return text;
}

std::string WriteWholeText(const std::string& path, const std::string& text) {
  const std::string beside = path + ".part";
  std::error_code error;
  {
    std::ofstream file(beside, std::ios::binary | std::ios::trunc);
    file << text;
    file.close();
    if (!file) {
      std::filesystem::remove(beside, error);
      return path + ": cannot write";
    }
  }
  std::filesystem::rename(beside, path, error);
  if (!error) return "";
  const std::string why = path + ": cannot write: " + error.message();
  std::filesystem::remove(beside, error);
  return why;
}

}  // namespace tools
