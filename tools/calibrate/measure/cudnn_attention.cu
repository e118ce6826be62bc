// cuDNN's fused attention: the graph of operations that its flash kernels are
// matched by, forward and backward, as NVIDIA documents it for
// scaled dot-product attention.
#include "tools/calibrate/measure/attention_check.h"
#include "tools/calibrate/measure/cuda_check.h"
#include "tools/calibrate/measure/cudnn_graph.h"
#include "tools/calibrate/measure/families.h"
#include "tools/calibrate/measure/timing.h"

#ifndef ORRERY_CUDNN

namespace tools {

Outcome MeasureCudnnAttention(const AttentionCase&, const Effort&, Bench&) {
  return Skipped("built without cuDNN");
}

}  // namespace tools

#else

#include <algorithm>
#include <cfloat>
#include <string>
#include <utility>
#include <vector>

namespace tools {
namespace {

using Graph = CudnnGraph;
using Node = Graph::Node;
using Sizes = Graph::Sizes;

enum Uid : int64_t {
  kQ = 1,
  kK,
  kV,
  kOut,
  kStats,
  kOutGradient,
  kQGradient,
  kKGradient,
  kVGradient,
  kQSum
};

// Sizes and strides of a case's tensors, [batch][sequence][heads][head_dim].
struct Shapes {
  explicit Shapes(const AttentionCase& c)
      : q{c.batch, c.heads, c.q_len, c.head_dim},
        k{c.batch, c.kv_heads, c.kv_len, c.head_dim},
        k_turned{c.batch, c.kv_heads, c.head_dim, c.kv_len},
        q_strides{c.q_len * c.heads * c.head_dim, c.head_dim,
                  c.heads * c.head_dim, 1},
        k_strides{c.kv_len * c.kv_heads * c.head_dim, c.head_dim,
                  c.kv_heads * c.head_dim, 1},
        k_turned_strides{c.kv_len * c.kv_heads * c.head_dim, c.head_dim, 1,
                         c.kv_heads * c.head_dim},
        scores{c.batch, c.heads, c.q_len, c.kv_len},
        rows{c.batch, c.heads, c.q_len, 1},
        type(c.dtype == "fp16" ? CUDNN_DATA_HALF : CUDNN_DATA_BFLOAT16) {}
  Sizes q, k, k_turned, q_strides, k_strides, k_turned_strides, scores, rows;
  cudnnDataType_t type;
};

// Q K^T, scaled, with what a query does not see at the least of numbers.
Node Scores(const AttentionCase& c, const Shapes& s, Graph& g, Node q, Node k,
            Node scale) {
  const Node products = g.Virtual(s.scores, CUDNN_DATA_FLOAT);
  g.Matmul(q, k, products);
  const Node scaled = g.Virtual(s.scores, CUDNN_DATA_FLOAT);
  g.Pointwise(CUDNN_POINTWISE_MUL, products, scale, scaled);
  if (!c.causal) return scaled;
  Node row = g.Virtual(s.scores, CUDNN_DATA_INT32);
  g.Index(scaled, 2, row);
  if (c.kv_len != c.q_len) {  // the last query sees the last key
    const Node later = g.Virtual(s.scores, CUDNN_DATA_INT32);
    g.Pointwise(CUDNN_POINTWISE_ADD, row,
                g.Number(static_cast<int32_t>(c.kv_len)), later,
                CUDNN_DATA_INT32);
    row = g.Virtual(s.scores, CUDNN_DATA_INT32);
    g.Pointwise(CUDNN_POINTWISE_SUB, later,
                g.Number(static_cast<int32_t>(c.q_len)), row, CUDNN_DATA_INT32);
  }
  const Node column = g.Virtual(s.scores, CUDNN_DATA_INT32);
  g.Index(scaled, 3, column);
  const Node seen = g.Virtual(s.scores, CUDNN_DATA_BOOLEAN);
  g.Pointwise(CUDNN_POINTWISE_CMP_GE, row, column, seen, CUDNN_DATA_BOOLEAN);
  const Node masked = g.Virtual(s.scores, CUDNN_DATA_FLOAT);
  g.Pointwise(CUDNN_POINTWISE_BINARY_SELECT, scaled, g.Number(-FLT_MAX), masked,
              CUDNN_DATA_FLOAT, seen);
  return masked;
}

// The statistics are formed although nothing reads them: without them
// cuDNN 9.19 takes the graph for another.
void BuildForward(const AttentionCase& c, const AttentionTensors& t, Graph& g) {
  const Shapes s(c);
  const Node q = g.Tensor(kQ, s.q, s.q_strides, s.type);
  const Node k = g.Tensor(kK, s.k_turned, s.k_turned_strides, s.type);
  const Node v = g.Tensor(kV, s.k, s.k_strides, s.type);
  const Node out = g.Tensor(kOut, s.q, s.q_strides, s.type);
  const Node scores = Scores(c, s, g, q, k, g.Number(t.scale));
  const Node most = g.Virtual(s.rows, CUDNN_DATA_FLOAT);
  g.Reduce(CUDNN_REDUCE_TENSOR_MAX, scores, most);
  const Node below = g.Virtual(s.scores, CUDNN_DATA_FLOAT);
  g.Pointwise(CUDNN_POINTWISE_SUB, scores, most, below);
  const Node weights = g.Virtual(s.scores, CUDNN_DATA_FLOAT);
  g.Pointwise(CUDNN_POINTWISE_EXP, below, nullptr, weights);
  const Node sum = g.Virtual(s.rows, CUDNN_DATA_FLOAT);
  g.Reduce(CUDNN_REDUCE_TENSOR_ADD, weights, sum);
  const Node log = g.Virtual(s.rows, CUDNN_DATA_FLOAT);
  g.Pointwise(CUDNN_POINTWISE_LOG, sum, nullptr, log);
  g.Pointwise(CUDNN_POINTWISE_ADD, most, log,
              g.Virtual(s.rows, CUDNN_DATA_FLOAT));
  const Node shares = g.Virtual(s.scores, s.type);
  g.Pointwise(CUDNN_POINTWISE_DIV, weights, sum, shares);
  g.Matmul(shares, v, out);
}

// dV of P^T dO or dK of dS^T Q, summed over the query heads that share a
// key-value head.
void TurnedProduct(const AttentionCase& c, const Shapes& s, Graph& g,
                   Node scores, Node right, Uid gradient) {
  const Sizes turned{c.batch, c.heads, c.kv_len, c.q_len};
  const Sizes strides{c.heads * c.q_len * c.kv_len, c.q_len * c.kv_len, 1,
                      c.kv_len};
  const Node left = g.Virtual(turned, strides, s.type);
  g.Reshape(scores, left);
  const Node out = g.Tensor(gradient, s.k, s.k_strides, s.type);
  if (c.heads == c.kv_heads) return g.Matmul(left, right, out);
  const Node of_each =
      g.Virtual({c.batch, c.heads, c.kv_len, c.head_dim}, s.type);
  g.Matmul(left, right, of_each);
  g.Reduce(CUDNN_REDUCE_TENSOR_ADD, of_each, out);
}

void BuildBackward(const AttentionCase& c, const AttentionTensors& t,
                   Graph& g) {
  const Shapes s(c);
  const Node q = g.Tensor(kQ, s.q, s.q_strides, s.type);
  const Node k = g.Tensor(kK, s.k_turned, s.k_turned_strides, s.type);
  const Node v = g.Tensor(kV, s.k_turned, s.k_turned_strides, s.type);
  const Node out = g.Tensor(kOut, s.q, s.q_strides, s.type);
  const Node dout = g.Tensor(kOutGradient, s.q, s.q_strides, s.type);
  const Node stats = g.Tensor(
      kStats, s.rows, {c.heads * c.q_len, c.q_len, 1, 1}, CUDNN_DATA_FLOAT);
  const Node one = g.Number(1.0f), scale = g.Number(t.scale);
  const auto scores_like = [&] {
    return g.Virtual(s.scores, CUDNN_DATA_FLOAT);
  };
  // delta = the sum over a head of out x dout.
  const Node products = g.Virtual(s.q, CUDNN_DATA_FLOAT);
  g.Pointwise(CUDNN_POINTWISE_MUL, dout, out, products);
  const Node sums = g.Virtual(s.rows, CUDNN_DATA_FLOAT);
  g.Reduce(CUDNN_REDUCE_TENSOR_ADD, products, sums);
  const Node delta = g.Virtual(s.rows, CUDNN_DATA_FLOAT);
  g.Pointwise(CUDNN_POINTWISE_MUL, sums, one, delta);
  // P = exp(scores - stats), dV = P^T dout.
  const Node below = scores_like();
  g.Pointwise(CUDNN_POINTWISE_SUB, Scores(c, s, g, q, k, scale), stats, below);
  const Node p = scores_like();
  g.Pointwise(CUDNN_POINTWISE_EXP, below, nullptr, p);
  TurnedProduct(c, s, g, p, dout, kVGradient);
  // dS = scale P x (dout V^T - delta), dK = dS^T Q, dQ = dS K.
  const Node dp = scores_like();
  g.Matmul(dout, v, dp);
  const Node kept = scores_like();
  g.Pointwise(CUDNN_POINTWISE_MUL, dp, one, kept);
  const Node off = scores_like();
  g.Pointwise(CUDNN_POINTWISE_SUB, kept, delta, off);
  const Node weighted = scores_like();
  g.Pointwise(CUDNN_POINTWISE_MUL, off, p, weighted);
  const Node ds = scores_like();
  g.Pointwise(CUDNN_POINTWISE_MUL, weighted, scale, ds);
  TurnedProduct(c, s, g, ds, q, kKGradient);
  const Node plain_k = g.Virtual(s.k, s.k_strides, s.type);
  g.Reshape(k, plain_k);
  const Node sum = g.Accumulator(kQSum, s.q);
  g.Matmul(ds, plain_k, sum);
  g.Pointwise(CUDNN_POINTWISE_IDENTITY, sum, nullptr,
              g.Tensor(kQGradient, s.q, s.q_strides, s.type));
}

// Our log_sums are of base 2, cuDNN's statistics natural.
__global__ void ToNatural(const float* log2_sums, float* sums, int64_t rows) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < rows) sums[i] = log2_sums[i] * 0.69314718f;
}

std::vector<std::pair<int64_t, void*>> Pointers(const AttentionCase& c,
                                                const AttentionTensors& t,
                                                float* stats, float* q_sum) {
  const auto at = [](const void* p) { return const_cast<void*>(p); };
  std::vector<std::pair<int64_t, void*>> pointers = {
      {kQ, at(t.q)}, {kK, at(t.k)}, {kV, at(t.v)}, {kOut, t.out}};
  if (c.backward) {
    pointers.insert(pointers.end(), {{kStats, stats},
                                     {kOutGradient, at(t.out_gradient)},
                                     {kQGradient, t.q_gradient},
                                     {kKGradient, t.k_gradient},
                                     {kVGradient, t.v_gradient},
                                     {kQSum, q_sum}});
  }
  return pointers;
}

}  // namespace

Outcome MeasureCudnnAttention(const AttentionCase& c, const Effort& effort,
                              Bench& bench) {
  const std::vector<AttentionTensors> copies = MakeAttention(c, bench);
  if (copies.empty()) return Skipped("does not fit in memory");
  const AttentionTensors& t = copies[0];
  Graph graph;
  c.backward ? BuildBackward(c, t, graph) : BuildForward(c, t, graph);
  if (!graph.Plan()) return Skipped(graph.problem());
  const int64_t rows = c.batch * c.heads * c.q_len;
  const int64_t sum_size = c.backward ? rows * c.head_dim : 1;
  auto* stats = bench.arena.Take<float>(rows);
  auto* q_sum = bench.arena.Take<float>(sum_size);
  void* workspace = bench.arena.TakeBytes(graph.workspace_bytes() + 1024);
  if (!bench.arena.fits()) return Skipped("does not fit in memory");
  const auto launch = [&](int run) {
    // Backward needs the output and statistics of the first copy.
    const auto turn = c.backward ? 0 : static_cast<size_t>(run) % copies.size();
    if (c.backward && cudaMemsetAsync(q_sum, 0, sizeof(float) * sum_size,
                                      bench.stream) != cudaSuccess) {
      return false;
    }
    return graph.Run(Pointers(c, copies[turn], stats, q_sum), workspace,
                     bench.stream);
  };
  if (c.backward) {
    if (!AttendForward(c, t, bench.stream)) return Skipped("no statistics");
    ToNatural<<<static_cast<unsigned>((rows + 255) / 256), 256, 0,
                bench.stream>>>(t.log_sums, stats, rows);
    CUDA_CHECK(cudaGetLastError());
  }
  if (!launch(0)) return Skipped(graph.problem());
  std::string wrong = CheckAttended(c, t, c.backward, bench);
  if (wrong.empty() && c.backward) wrong = CheckGradients(c, t, bench);
  if (!wrong.empty()) return Wrong(wrong);
  Effort all = effort;
  if (c.q_len == 1) {
    all.runs = std::max(effort.runs, static_cast<int>(copies.size()));
  }
  return Timed(
      c, bench, all, launch,
      {"orrery-measure-cudnn", CudnnVersion(), L2Of(c, copies.size(), bench)});
}

}  // namespace tools

#endif  // ORRERY_CUDNN
