#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "tools/calibrate/measure/attention_check.h"
#include "tools/calibrate/measure/cuda_check.h"
#include "tools/calibrate/reference.h"

namespace tools {
namespace {

constexpr double kLog2E = 1.4426950408889634;

// Weights and scores are rounded to 8 or 11 bits, the output once more; in the
// gradients errors of both products add up.
double ToleranceOf(const AttentionCase& c, bool backward) {
  const double forward = c.dtype == "fp16" ? 2e-3 : 1e-2;
  return backward ? 3 * forward : forward;
}

struct Query {
  int64_t batch, head, row;
};
// The first, middle and last query of the first and last head.
std::vector<Query> Queries(const AttentionCase& c) {
  std::vector<Query> queries;
  for (const int64_t row : {int64_t{0}, c.q_len / 2, c.q_len - 1}) {
    queries.push_back({0, 0, row});
    queries.push_back({c.batch - 1, c.heads - 1, row});
    if (c.q_len == 1) break;
  }
  return queries;
}

// `rows` rows of one head of a tensor [batch][sequence][heads][head_dim].
Row ReadHead(const AttentionCase& c, const void* tensor, int64_t sequence,
             int64_t heads, int64_t batch, int64_t head, int64_t first,
             int64_t rows, Bench& bench) {
  const auto bytes = static_cast<size_t>(c.head_dim * 2);
  void* packed = bench.arena.TakeBytes(bytes * static_cast<size_t>(rows));
  if (!bench.arena.fits()) Die(__FILE__, __LINE__, "ReadHead", "no memory");
  const char* from =
      static_cast<const char*>(tensor) +
      ((batch * sequence + first) * heads + head) * c.head_dim * 2;
  CUDA_CHECK(cudaMemcpy2DAsync(
      packed, bytes, from, bytes * static_cast<size_t>(heads), bytes,
      static_cast<size_t>(rows), cudaMemcpyDeviceToDevice, bench.stream));
  return ReadBack(packed, rows * c.head_dim, c.dtype, bench.stream);
}

Row ReadQuery(const AttentionCase& c, const void* tensor, const Query& q,
              Bench& bench) {
  return ReadHead(c, tensor, c.q_len, c.heads, q.batch, q.head, q.row, 1,
                  bench);
}

// The keys or values that a query sees.
Row ReadSeen(const AttentionCase& c, const void* tensor, const Query& q,
             Bench& bench) {
  const int64_t seen = c.causal ? q.row + c.kv_len - c.q_len + 1 : c.kv_len;
  return ReadHead(c, tensor, c.kv_len, c.kv_heads, q.batch,
                  q.head / (c.heads / c.kv_heads), 0, seen, bench);
}

Row RowOf(const Row& matrix, int64_t row, int64_t width) {
  const auto begin = matrix.begin() + row * width;
  return Row(begin, begin + width);
}

// One key of one key-value head: its gradient and its value's, summed over the
// queries of the group that see it.
KeyGradient GradientOfKey(const AttentionCase& c, const AttentionTensors& t,
                          int64_t batch, int64_t kv_head, int64_t key,
                          Bench& bench) {
  const int64_t group = c.heads / c.kv_heads;
  const Row k =
      ReadHead(c, t.k, c.kv_len, c.kv_heads, batch, kv_head, key, 1, bench);
  const Row v =
      ReadHead(c, t.v, c.kv_len, c.kv_heads, batch, kv_head, key, 1, bench);
  const int64_t first =
      c.causal ? std::max<int64_t>(0, key - (c.kv_len - c.q_len)) : 0;
  const int64_t rows = c.q_len - first;
  KeyGradient sum{Row(k.size(), 0.0), Row(v.size(), 0.0)};
  for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    const auto read = [&](const void* tensor) {
      return ReadHead(c, tensor, c.q_len, c.heads, batch, head, first, rows,
                      bench);
    };
    const Row q = read(t.q), out = read(t.out), dout = read(t.out_gradient);
    const Row log_sums =
        ReadBack(t.log_sums + (batch * c.heads + head) * c.q_len + first, rows,
                 "fp32", bench.stream);
    for (int64_t i = 0; i < rows; ++i) {
      AddKeyGradient(RowOf(q, i, c.head_dim), k, v, t.scale,
                     RowOf(out, i, c.head_dim),
                     log_sums[static_cast<size_t>(i)] / kLog2E,
                     RowOf(dout, i, c.head_dim), sum);
    }
  }
  return sum;
}

}  // namespace

std::vector<AttentionTensors> MakeAttention(const AttentionCase& c,
                                            Bench& bench) {
  Arena& arena = bench.arena;
  const int64_t q_size = c.batch * c.q_len * c.heads * c.head_dim;
  const int64_t kv_size = c.batch * c.kv_len * c.kv_heads * c.head_dim;
  const int64_t rows = c.batch * c.q_len * c.heads;
  AttentionTensors t = {};
  t.batch = static_cast<int>(c.batch);
  t.q_len = static_cast<int>(c.q_len);
  t.kv_len = static_cast<int>(c.kv_len);
  t.heads = static_cast<int>(c.heads);
  t.kv_heads = static_cast<int>(c.kv_heads);
  t.causal = c.causal;
  t.scale = static_cast<float>(1 / std::sqrt(double(c.head_dim)));
  t.splits = c.q_len == 1 ? SplitsOf(c, bench.card.multiProcessorCount) : 1;
  const auto random = [&](int64_t size, uint64_t seed) {
    auto* tensor = arena.Take<uint16_t>(size);
    if (arena.fits()) {
      FillRandom(tensor, size, c.dtype, 1, seed, bench.stream);
    }
    return tensor;
  };
  t.q = random(q_size, 51);
  t.out_gradient = random(c.backward ? q_size : 1, 52);
  t.out = random(q_size, 53);
  t.q_gradient = random(c.backward ? q_size : 1, 54);
  t.k_gradient = random(c.backward ? kv_size : 1, 55);
  t.v_gradient = random(c.backward ? kv_size : 1, 56);
  t.log_sums = arena.Take<float>(rows);
  t.delta = arena.Take<float>(rows);
  t.partial_out =
      arena.Take<float>(c.q_len == 1 ? rows * t.splits * c.head_dim : 1);
  t.partial_log_sums = arena.Take<float>(rows * t.splits);
  const double wanted =
      2.5 * bench.card.l2CacheSize / (4 * static_cast<double>(kv_size)) + 1;
  std::vector<AttentionTensors> copies;
  for (int i = 0; i < static_cast<int>(std::min(wanted, 32.0)); ++i) {
    t.k = random(kv_size, 60 + 2 * static_cast<uint64_t>(i));
    t.v = random(kv_size, 61 + 2 * static_cast<uint64_t>(i));
    copies.push_back(t);
  }
  // The check copies heads into what is left.
  if (!arena.fits() || arena.left() < (size_t{1} << 30)) return {};
  Poison(t.out, static_cast<size_t>(q_size) * 2, bench.stream);
  if (c.backward) {
    Poison(t.q_gradient, static_cast<size_t>(q_size) * 2, bench.stream);
    Poison(t.k_gradient, static_cast<size_t>(kv_size) * 2, bench.stream);
    Poison(t.v_gradient, static_cast<size_t>(kv_size) * 2, bench.stream);
  }
  return copies;
}

const char* L2Of(const AttentionCase& c, size_t copies, const Bench& bench) {
  const double bytes = WorkOf(c).bytes * static_cast<double>(copies);
  if (bytes > 2.0 * bench.card.l2CacheSize) return "cold";
  return bytes > bench.card.l2CacheSize ? "partial" : "warm";
}

std::string CheckAttended(const AttentionCase& c, const AttentionTensors& t,
                          bool log_sums, Bench& bench) {
  for (const Query& q : Queries(c)) {
    const Attended expected =
        AttendRow(ReadQuery(c, t.q, q, bench), ReadSeen(c, t.k, q, bench),
                  ReadSeen(c, t.v, q, bench), t.scale);
    const std::string where = " of query " + std::to_string(q.row) +
                              " of head " + std::to_string(q.head) +
                              " of sequence " + std::to_string(q.batch);
    std::string wrong =
        Verdict("output" + where,
                RelativeError(ReadQuery(c, t.out, q, bench), expected.out),
                ToleranceOf(c, false));
    if (wrong.empty() && log_sums) {
      const double log_sum =
          ReadBack(t.log_sums + (q.batch * c.heads + q.head) * c.q_len + q.row,
                   1, "fp32", bench.stream)[0];
      wrong = Verdict("log of the sum" + where,
                      std::fabs(log_sum / kLog2E - expected.log_sum), 1e-3);
    }
    if (!wrong.empty()) return wrong;
  }
  return "";
}

std::string CheckGradients(const AttentionCase& c, const AttentionTensors& t,
                           Bench& bench) {
  const double tolerance = ToleranceOf(c, true);
  for (const Query& q : Queries(c)) {
    // A query that sees itself alone has no gradient but rounding.
    if (c.causal && q.row + c.kv_len - c.q_len == 0) continue;
    const Row expected = AttendRowGradient(
        ReadQuery(c, t.q, q, bench), ReadSeen(c, t.k, q, bench),
        ReadSeen(c, t.v, q, bench), t.scale,
        ReadQuery(c, t.out_gradient, q, bench));
    const std::string wrong =
        Verdict("dQ of query " + std::to_string(q.row),
                RelativeError(ReadQuery(c, t.q_gradient, q, bench), expected),
                tolerance);
    if (!wrong.empty()) return wrong;
  }
  for (const int64_t key : {int64_t{0}, c.kv_len / 2}) {
    const int64_t batch = c.batch - 1, head = c.kv_heads - 1;
    const KeyGradient expected = GradientOfKey(c, t, batch, head, key, bench);
    const auto read = [&](const void* tensor) {
      return ReadHead(c, tensor, c.kv_len, c.kv_heads, batch, head, key, 1,
                      bench);
    };
    std::string wrong =
        Verdict("dK of key " + std::to_string(key),
                RelativeError(read(t.k_gradient), expected.key), tolerance);
    if (wrong.empty()) {
      wrong =
          Verdict("dV of key " + std::to_string(key),
                  RelativeError(read(t.v_gradient), expected.value), tolerance);
    }
    if (!wrong.empty()) return wrong;
  }
  return "";
}

}  // namespace tools
