#include "hardware/pricing.h"

#include <optional>

#include "absl/strings/str_cat.h"

namespace hardware {
namespace {

using models::Axis;
using models::Op;

Category CategoryOf(const Op& op) {
  if (const models::Collective* collective = op.collective()) {
    switch (collective->axis) {
      case Axis::kTensor:
      case Axis::kModel:
        return Category::kTensor;
      case Axis::kContext:
        return Category::kContext;
      case Axis::kData:
      case Axis::kShard:
      case Axis::kReplicate:
      case Axis::kEmbedding:
        return Category::kData;
      case Axis::kForwardIn:
      case Axis::kForwardOut:
      case Axis::kBackwardIn:
      case Axis::kBackwardOut:
        return Category::kPipeline;
    }
  }
  if (op.phase == models::Phase::kStep) return Category::kOptimizer;
  if (std::holds_alternative<models::Gemm>(*op.kernel()) ||
      std::holds_alternative<models::GroupedGemm>(*op.kernel())) {
    return Category::kGemm;
  }
  return std::holds_alternative<models::Attention>(*op.kernel())
             ? Category::kAttention
             : Category::kMemoryBound;
}

// Shapes of a stage's groups, worked out when first asked for.
class Shapes {
 public:
  Shapes(int64_t rank, const RankGrid& grid, const Cluster& cluster)
      : rank_(rank), grid_(grid), cluster_(cluster) {}

  const GroupShape& Of(Axis axis) {
    std::optional<GroupShape>& shape = shapes_[static_cast<size_t>(axis)];
    if (!shape) {
      const std::vector<int> group = grid_.GroupOf(rank_, axis);
      shape = group.empty() ? GroupShape{} : ShapeOf(cluster_, group);
    }
    return *shape;
  }

 private:
  int64_t rank_;
  const RankGrid& grid_;
  const Cluster& cluster_;
  std::array<std::optional<GroupShape>, models::kAxes> shapes_;
};

PricedOp PriceOp(const Op& op, int64_t stage, const CostModel& cost,
                 const Cluster& cluster, Shapes* shapes) {
  PricedOp priced;
  priced.op = op;
  priced.stage = stage;
  priced.category = CategoryOf(op);
  if (const models::Collective* collective = op.collective()) {
    priced.group = shapes->Of(collective->axis);
    priced.collective = PriceOf(*collective, priced.group, cluster);
    priced.time = priced.collective.time;
    priced.bytes = collective->bytes;
    return priced;
  }
  const Price price = cost.Of(*op.kernel());
  const models::Work work = models::WorkOf(*op.kernel());
  priced.time = price.time;
  priced.bound = price.bound;
  priced.flops = work.flops;
  priced.bytes = work.read + work.written;
  return priced;
}

std::string LabelOf(const Op& op) {
  return op.layer < 0 ? std::string(op.name)
                      : absl::StrCat("L", op.layer, " ", op.name);
}

}  // namespace

StageLabels PriceStage(int64_t stage, const CostModel& cost,
                       const Cluster& cluster, LoweredStep* lowered) {
  Shapes shapes(lowered->grid.RankAt({.stage = stage}), lowered->grid, cluster);
  const auto price_graph = [&](const models::OpGraph& graph) {
    const auto first = sim::AsId<sim::LabelId>(lowered->ops.size());
    for (const Op& op : graph.ops) {
      lowered->ops.Append(PriceOp(op, stage, cost, cluster, &shapes));
      lowered->program.labels.Append(LabelOf(op));
    }
    return first;
  };
  StageLabels labels;
  const models::StageGraph& graphs =
      lowered->stages[static_cast<size_t>(stage)];
  for (const models::OpGraph& chunk : graphs.chunks) {
    labels.chunks.push_back(price_graph(chunk));
  }
  labels.step = price_graph(graphs.step);
  return labels;
}

}  // namespace hardware
