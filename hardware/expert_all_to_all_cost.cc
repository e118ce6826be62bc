#include "hardware/expert_all_to_all_cost.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace hardware {
namespace {

using models::ExpertAllToAll;
using models::ExpertExchange;

// Of one rank.
struct Exchange {
  double row = 0;      // bytes
  double copies = 0;   // rows that its multiprocessors copy to ranks
  double relayed = 0;  // rows passed between NVLink and the network
  double over_links = 0, over_network = 0;  // bytes that leave it
  double multiprocessors = 1;
  double tokens_each = 0;  // tokens that the busiest of them reads or writes
};

// Bytes in front of a row that low-latency dispatch sends: an int4 with the
// token's index (DeepEP, csrc/kernels/internode_ll.cu).
constexpr double kHeader = 16;

Exchange NormalExchange(const ExpertAllToAll& e, const GroupShape& shape) {
  const auto tokens = static_cast<double>(e.tokens);
  const double per_node = shape.max_ranks_per_node;
  const models::ExpertSpread spread =
      models::SpreadOf(e, shape.ranks, shape.nodes);
  Exchange x{.row = models::RowBytes(e), .copies = tokens * spread.ranks};
  x.over_links = x.copies * x.row * (1 - 1 / per_node);
  if (shape.nodes > 1) {
    x.relayed = tokens * spread.nodes;
    x.over_network = x.relayed * x.row * (1 - 1.0 / shape.nodes);
  }
  x.multiprocessors = e.multiprocessors;
  x.tokens_each = tokens / x.multiprocessors;
  return x;
}

Exchange LowLatencyExchange(const ExpertAllToAll& e, const GroupShape& shape,
                            const GpuSpec& gpu) {
  Exchange x{.row = models::RowBytes(e)};
  if (e.direction == models::ExpertDirection::kDispatch) x.row += kHeader;
  const double bytes = static_cast<double>(e.tokens * e.top_k) * x.row;
  x.over_links = bytes * (shape.max_ranks_per_node - 1) / shape.ranks;
  x.over_network = bytes * (1 - 1.0 / shape.nodes);
  const auto experts = static_cast<double>(e.experts);
  x.multiprocessors =
      std::ceil(experts / std::ceil(experts / gpu.multiprocessors));
  x.tokens_each = std::ceil(static_cast<double>(e.tokens) / x.multiprocessors);
  return x;
}

double Per(double bytes, double rate) { return rate > 0 ? bytes / rate : 0; }

LinkSeconds WireSeconds(const Exchange& x, const GroupShape& shape,
                        const Cluster& cluster, const DeepEpKernel& kernel) {
  LinkSeconds wire{.link = x.over_links /
                           (shape.link_rate.count() * kernel.link_efficiency)};
  if (shape.nodes > 1) {
    wire.network = x.over_network * shape.max_ranks_per_node /
                   (shape.network_rate.count() * cluster.network.efficiency);
  }
  return wire;
}

double Seconds(const ExpertAllToAll& e, const Exchange& x,
               const LinkSeconds& wires, const GroupShape& shape,
               const DeepEpKernel& kernel) {
  const double bf16_token = 2.0 * static_cast<double>(e.hidden);
  const double work =
      (x.copies * (kernel.copy_seconds + Per(x.row, kernel.copy_rate)) +
       Per(x.relayed * x.row, kernel.relay_rate)) /
          x.multiprocessors +
      Per(x.tokens_each * bf16_token, kernel.token_rate);
  double latency = kernel.start + Per(x.row, kernel.fill_rate);
  if (shape.nodes > 1) {
    latency +=
        kernel.network_start + kernel.network_step * std::log2(shape.nodes);
  }
  const double wire = std::max(wires.link, wires.network);
  return latency + std::pow(std::pow(work, 4) + std::pow(wire, 4), 0.25);
}

}  // namespace

CollectivePrice PriceOf(const ExpertAllToAll& exchange, const GroupShape& shape,
                        const Cluster& cluster, const DeepEp& deep_ep) {
  if (shape.ranks <= 1) return {};
  const Exchange x = exchange.mode == ExpertExchange::kNormal
                         ? NormalExchange(exchange, shape)
                         : LowLatencyExchange(exchange, shape, cluster.gpu);
  const DeepEpKernel& kernel = deep_ep.Of(exchange.mode, exchange.direction);
  const LinkSeconds wires = WireSeconds(x, shape, cluster, kernel);
  const double seconds = Seconds(exchange, x, wires, shape, kernel);
  const double busy =
      std::min(1.0, x.multiprocessors / cluster.gpu.multiprocessors);
  return {.time = sim::Seconds(seconds),
          .algorithm = "deepep",
          .protocol = std::string(models::NameOf(exchange.mode)),
          .wire_bytes =
              sim::Bytes(std::llround(std::max(x.over_links, x.over_network))),
          .takes_compute = static_cast<uint16_t>(std::lround(busy * 1024)),
          .links = PartsOf(wires, seconds, shape, cluster)};
}

}  // namespace hardware
