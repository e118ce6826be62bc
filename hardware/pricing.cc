#include "hardware/pricing.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hardware/expert_all_to_all_cost.h"
#include "hardware/host_cost.h"
#include "hardware/link_uses.h"

namespace hardware {
namespace {

using models::Axis;
using models::Op;

// Of an operator on the stream of a communication.
Category CategoryOf(Axis axis) {
  switch (axis) {
    case Axis::kTensor:
    case Axis::kModel:
    case Axis::kStage:
      return Category::kTensor;
    case Axis::kContext:
    case Axis::kContextHeads:
      return Category::kContext;
    case Axis::kExpert:
    case Axis::kExpertTensor:
    case Axis::kExpertModel:
      return Category::kExpert;
    case Axis::kData:
    case Axis::kShard:
    case Axis::kReplicate:
    case Axis::kEmbedding:
    case Axis::kExpertData:
    case Axis::kExpertShard:
    case Axis::kExpertReplicate:
    case Axis::kSecondShard:
    case Axis::kShardNear:
    case Axis::kShardFar:
      return Category::kData;
    case Axis::kForwardIn:
    case Axis::kForwardOut:
    case Axis::kBackwardIn:
    case Axis::kBackwardOut:
    case Axis::kUpForwardIn:
    case Axis::kUpForwardOut:
    case Axis::kUpBackwardIn:
    case Axis::kUpBackwardOut:
    case Axis::kVocabulary:
      return Category::kPipeline;
    case Axis::kToHost:
    case Axis::kToDevice:
    case Axis::kCpu:
    case Axis::kDisk:
      return Category::kOffload;
  }
  return Category::kData;
}

Category CategoryOf(const Op& op) {
  if (const models::Collective* collective = op.collective()) {
    return CategoryOf(collective->axis);
  }
  if (op.beside) return CategoryOf(*op.beside);
  if (op.phase == models::Phase::kStep) return Category::kOptimizer;
  if (std::holds_alternative<models::Gemm>(*op.kernel()) ||
      std::holds_alternative<models::GroupedGemm>(*op.kernel())) {
    return Category::kGemm;
  }
  return std::holds_alternative<models::Attention>(*op.kernel())
             ? Category::kAttention
             : Category::kMemoryBound;
}

// The distinct shapes that the groups of a stage have on an axis, worked out
// when first asked for. Groups of three on servers of eight lie inside one, or
// across two in either of two ways.
class Shapes {
 public:
  Shapes(int64_t stage, const RankGrid& grid, const Cluster& cluster)
      : first_(grid.RankAt({.stage = stage})),
        ranks_(grid.StageRanks()),
        grid_(grid),
        cluster_(cluster) {}

  std::span<const GroupShape> Of(Axis axis) {
    std::vector<GroupShape>& shapes = shapes_[static_cast<size_t>(axis)];
    if (shapes.empty()) shapes = DistinctOn(axis);
    return shapes;
  }

 private:
  std::vector<GroupShape> DistinctOn(Axis axis) const {
    std::vector<GroupShape> distinct;
    std::vector<bool> seen(static_cast<size_t>(ranks_));
    for (int64_t row = 0; row < ranks_; ++row) {
      if (seen[static_cast<size_t>(row)]) continue;
      const std::vector<int> group = grid_.GroupOf(first_ + row, axis);
      for (const int member : group) {
        const int64_t at = member - first_;
        if (at >= 0 && at < ranks_) seen[static_cast<size_t>(at)] = true;
      }
      const GroupShape shape =
          group.empty() ? GroupShape{} : ShapeOf(cluster_, group);
      if (std::find(distinct.begin(), distinct.end(), shape) ==
          distinct.end()) {
        distinct.push_back(shape);
      }
    }
    return distinct;
  }

  int64_t first_, ranks_;  // of the stage, which are neighbours
  const RankGrid& grid_;
  const Cluster& cluster_;
  std::array<std::vector<GroupShape>, models::kAxes> shapes_;
};

// A step waits for the slowest of the groups that communicate side by side, so
// all take what the worst placed takes.
void PriceCollective(const models::Collective& collective,
                     std::span<const GroupShape> shapes, const Cluster& cluster,
                     PricedOp& priced) {
  for (const GroupShape& shape : shapes) {
    const CollectivePrice price =
        collective.exchange
            ? PriceOf(*collective.exchange, shape, cluster, *cluster.deep_ep)
            : PriceOf(collective, shape, cluster);
    if (&shape != shapes.data() && price.time <= priced.time) continue;
    priced.group = shape;
    priced.collective = price;
    priced.time = price.time;
  }
  priced.bytes = collective.bytes;
}

PricedOp PriceOp(const Op& op, int64_t stage, const CostModel& cost,
                 const Cluster& cluster, Shapes* shapes) {
  PricedOp priced;
  priced.op = op;
  priced.stage = stage;
  if (op.hand_over) {
    priced.category = Category::kMemoryBound;
    return priced;
  }
  priced.category = CategoryOf(op);
  const models::Collective* collective = op.collective();
  if (collective != nullptr && models::IsOnHost(collective->axis)) {
    priced.collective = PriceOnHost(*collective, cluster);
    priced.time = priced.collective.time;
    priced.bytes = collective->bytes;
    return priced;
  }
  if (collective != nullptr) {
    PriceCollective(*collective, shapes->Of(collective->axis), cluster, priced);
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

StageLabels PriceStage(size_t script, const CostModel& cost,
                       const Cluster& cluster, LoweredStep* lowered) {
  const int64_t stage = lowered->kinds[script].stage;
  Shapes shapes(stage, lowered->grid, cluster);
  const auto price_graph = [&](const models::OpGraph& graph) {
    const auto first = sim::AsId<sim::LabelId>(lowered->ops.size());
    for (const Op& op : graph.ops) {
      PricedOp priced = PriceOp(op, stage, cost, cluster, &shapes);
      if (op.collective() != nullptr && !lowered->program.links.empty()) {
        priced.use =
            UseOf(*op.collective(), priced.collective.links, &lowered->program);
      }
      lowered->ops.Append(std::move(priced));
      lowered->program.labels.Append(LabelOf(op));
    }
    return first;
  };
  StageLabels labels;
  const models::StageGraph& graphs = lowered->stages[script];
  for (const models::OpGraph& chunk : graphs.chunks) {
    labels.chunks.push_back(price_graph(chunk));
  }
  labels.step = price_graph(graphs.step);
  return labels;
}

}  // namespace hardware
