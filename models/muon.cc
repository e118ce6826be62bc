#include "models/muon.h"

#include <algorithm>

#include "models/optimizer_traffic.h"

namespace models {
namespace {

// Largest first, dealt to ranks 0 … n-1, n-1 … 0 and so on
// (LayerWiseDistributedOptimizer.shard_params).
MuonShare Dealt(std::span<const WeightMatrix> matrices, int64_t shards) {
  std::vector<WeightMatrix> sorted(matrices.begin(), matrices.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const WeightMatrix& a, const WeightMatrix& b) {
                     return a.elements() > b.elements();
                   });
  std::vector<std::vector<WeightMatrix>> hands(static_cast<size_t>(shards));
  for (size_t i = 0; i < sorted.size(); ++i) {
    const auto n = static_cast<size_t>(shards);
    const size_t at = i % n;
    hands[i / n % 2 == 0 ? at : n - 1 - at].push_back(sorted[i]);
  }
  const auto work = [](const std::vector<WeightMatrix>& hand) {
    double sum = 0;
    for (const WeightMatrix& m : hand) sum += OrthogonaliseFlops(m, 1);
    return sum;
  };
  MuonShare share;
  share.matrices = *std::max_element(
      hands.begin(), hands.end(),
      [&](const auto& a, const auto& b) { return work(a) < work(b); });
  for (const WeightMatrix& m : share.matrices) share.elements += m.elements();
  return share;
}

// One behind the other, cut in equal parts.
MuonShare Cut(std::span<const WeightMatrix> matrices, int64_t shards) {
  int64_t total = 0;
  for (const WeightMatrix& m : matrices) total += m.elements();
  MuonShare share;
  if (total == 0) return share;
  const int64_t part = (total + shards - 1) / shards;
  share.elements = part;
  std::vector<std::vector<WeightMatrix>> held(static_cast<size_t>(shards));
  std::vector<double> work(held.size());
  int64_t start = 0;
  for (const WeightMatrix& m : matrices) {
    const int64_t first = start / part;
    start += m.elements();
    const int64_t last = (start - 1) / part;
    if (last > first) share.gathered += m.elements();
    for (int64_t rank = first; rank <= last; ++rank) {
      const auto row = static_cast<size_t>(rank);
      held[row].push_back(m);
      work[row] += OrthogonaliseFlops(m, 1);
    }
  }
  share.matrices = held[static_cast<size_t>(
      std::max_element(work.begin(), work.end()) - work.begin())];
  return share;
}

class Emitter {
 public:
  Emitter(const TrainingSpec& training, OpGraphBuilder* builder)
      : training_(training), b_(*builder) {}

  void Orthogonalised(std::span<const WeightMatrix> matrices,
                      const DataParallel& data) {
    if (matrices.empty()) return;
    const MuonShare share =
        MuonShareOf(matrices, data.shards(),
                    training_.optimizer_options.muon_sharding);
    const StateBytes state = StateBytesOf(training_);
    const int64_t n = share.elements;
    const TensorId momentum = Pass("muon momentum", Pointwise::kOptimizer,
                                   state.gradients + state.optimizer,
                                   state.optimizer + 2, n, kNoTensor,
                                   sim::Bytes(2 * n));
    TensorId whole = momentum;
    if (share.gathered > 0) {
      const sim::Bytes bytes = BytesOf(DType::kBf16, share.gathered);
      whole = b_.Add({.work = Collective{.kind = CollectiveKind::kAllGather,
                                         .axis = data.shard_axis(),
                                         .bytes = bytes,
                                         .dtype = DType::kBf16},
                      .name = "gather momenta"},
                     {momentum}, bytes, Holder::kWorkspace);
    }
    for (const WeightMatrix& matrix : share.matrices) {
      Orthogonalise(matrix, whole);
    }
    const int64_t copy = state.master > 0 ? state.weights : 0;
    const int64_t master = state.master > 0 ? state.master : state.weights;
    Pass("muon update", Pointwise::kOptimizer, 2 + master, master + copy, n,
         whole, sim::Bytes(0));
  }

  void AdamW(int64_t parameters) {
    const UpdateTraffic t = TrafficOf(training_, Optimizer::kAdamW);
    Pass("optimizer", Pointwise::kOptimizer, t.read, t.written, parameters,
         kNoTensor, sim::Bytes(0), t.kernels);
  }

 private:
  // So many bytes read and written for each of `n` elements.
  TensorId Pass(absl::string_view name, Pointwise kind, int64_t read,
                int64_t written, int64_t n, TensorId reads, sim::Bytes output,
                int kernels = 1) {
    return b_.Add({.work = Kernel(MemoryBound{
                       .kind = kind,
                       .read = sim::Bytes(read * n),
                       .written = sim::Bytes(written * n),
                       .flops = sim::Flops(12.0 * static_cast<double>(n)),
                       .kernels = kernels}),
                   .name = name},
                  {reads}, output);
  }

  void Orthogonalise(const WeightMatrix& matrix, TensorId momentum) {
    const int64_t m = std::min(matrix.rows, matrix.columns);
    const int64_t n = std::max(matrix.rows, matrix.columns);
    const int64_t elements = matrix.elements();
    // X / |X|: the norm reads it, a division reads and writes it.
    TensorId x = Pass("muon norm", Pointwise::kReduction, 4, 2, elements,
                      momentum, BytesOf(DType::kBf16, elements), 2);
    const auto multiply = [&](absl::string_view name, int64_t columns,
                              int64_t depth, bool sums,
                              std::initializer_list<TensorId> reads) {
      const Gemm gemm{.m = m, .n = columns, .k = depth, .accumulate = sums};
      return b_.Add({.work = gemm, .name = name}, reads,
                    BytesOf(DType::kBf16, m * columns));
    };
    for (int step = 0; step < training_.optimizer_options.muon_steps; ++step) {
      const TensorId a = multiply("newton-schulz X X^T", m, n, false, {x});
      const TensorId b = multiply("newton-schulz A A", m, m, true, {a});
      x = multiply("newton-schulz B X", n, m, true, {b, x});
    }
  }

  const TrainingSpec& training_;
  OpGraphBuilder& b_;
};

}  // namespace

double OrthogonaliseFlops(const WeightMatrix& matrix, int steps) {
  const auto m = static_cast<double>(std::min(matrix.rows, matrix.columns));
  const auto n = static_cast<double>(std::max(matrix.rows, matrix.columns));
  return steps * (4 * m * m * n + 2 * m * m * m);
}

MuonShare MuonShareOf(std::span<const WeightMatrix> matrices, int64_t shards,
                      MuonSharding sharding) {
  return sharding == MuonSharding::kLayers ? Dealt(matrices, shards)
                                           : Cut(matrices, shards);
}

void EmitMuon(const ModelSpec& model, const TrainingSpec& training,
              std::span<const Chunk> chunks, const DataParallel& dense,
              const DataParallel& experts, OpGraphBuilder* builder) {
  const RankShape shape(model, training);
  const std::vector<WeightMatrix> all = MatricesOf(model, shape, chunks);
  std::vector<WeightMatrix> of_experts, rest;
  for (const WeightMatrix& m : all) (m.expert ? of_experts : rest).push_back(m);
  ParameterCounts adam;
  for (const Chunk& chunk : chunks) adam += shape.ParametersOf(chunk);
  const ParameterCounts matrices = ElementsOf(all);
  const auto share = [](int64_t count, const DataParallel& data) {
    return (count + data.shards() - 1) / data.shards();
  };
  Emitter emitter(training, builder);
  emitter.Orthogonalised(rest, dense);
  emitter.Orthogonalised(of_experts, experts);
  emitter.AdamW(share(adam.dense - matrices.dense, dense) +
                share(adam.expert - matrices.expert, experts));
}

}  // namespace models
