#include <algorithm>
#include <boost/graph/compressed_sparse_row_graph.hpp>
#include <boost/graph/graphviz.hpp>
#include <boost/graph/strong_components.hpp>
#include <boost/graph/topological_sort.hpp>
#include <ostream>
#include <set>
#include <sstream>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "models/op_graph.h"

namespace models {
namespace {

using Csr =
    boost::compressed_sparse_row_graph<boost::bidirectionalS,
                                       boost::no_property, boost::no_property,
                                       boost::no_property, uint32_t, uint32_t>;

// Edges run from an op to the ops that need it.
Csr ToCsr(const OpGraph& graph) {
  std::vector<std::pair<uint32_t, uint32_t>> edges;
  edges.reserve(graph.needs.value_count());
  for (size_t op = 0; op < graph.ops.size(); ++op) {
    for (const OpId need : graph.needs[sim::AsId<OpId>(op)]) {
      edges.emplace_back(static_cast<uint32_t>(sim::Row(need)),
                         static_cast<uint32_t>(op));
    }
  }
  return Csr(boost::edges_are_unsorted_multi_pass, edges.begin(), edges.end(),
             static_cast<uint32_t>(graph.ops.size()));
}

// The ops of one strongly connected component with more than one member.
absl::Status CycleError(const OpGraph& graph, const Csr& csr) {
  std::vector<uint32_t> component(graph.ops.size());
  const auto index = boost::get(boost::vertex_index, csr);
  const uint32_t components = boost::strong_components(
      csr, boost::make_iterator_property_map(component.begin(), index));
  std::vector<uint32_t> members(components, 0);
  for (const uint32_t c : component) ++members[c];
  const auto largest = static_cast<uint32_t>(std::distance(
      members.begin(), std::max_element(members.begin(), members.end())));
  std::string names;
  for (size_t op = 0; op < graph.ops.size(); ++op) {
    if (component[op] != largest) continue;
    absl::StrAppend(&names, names.empty() ? "" : ", ", op, " ",
                    graph.ops[sim::AsId<OpId>(op)].name);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("operator graph has a cycle through ", names));
}

}  // namespace

absl::StatusOr<std::vector<OpId>> TopologicalOrder(const OpGraph& graph) {
  const Csr csr = ToCsr(graph);
  std::vector<uint32_t> reversed;
  reversed.reserve(graph.ops.size());
  try {
    boost::topological_sort(csr, std::back_inserter(reversed));
  } catch (const boost::not_a_dag&) {
    return CycleError(graph, csr);
  }
  std::vector<OpId> order;
  order.reserve(reversed.size());
  for (auto it = reversed.rbegin(); it != reversed.rend(); ++it) {
    order.push_back(sim::AsId<OpId>(*it));
  }
  return order;
}

std::vector<OpId> CriticalPath(const OpGraph& graph,
                               std::span<const double> weight) {
  const std::vector<OpId> order = TopologicalOrder(graph).value();
  std::vector<double> finish(order.size(), 0);
  std::vector<int64_t> previous(order.size(), -1);
  int64_t end = -1;
  for (const OpId op : order) {
    const size_t row = sim::Row(op);
    for (const OpId need : graph.needs[op]) {
      if (finish[sim::Row(need)] > finish[row]) {
        finish[row] = finish[sim::Row(need)];
        previous[row] = static_cast<int64_t>(sim::Row(need));
      }
    }
    finish[row] += weight[row];
    if (end < 0 || finish[row] > finish[static_cast<size_t>(end)]) {
      end = static_cast<int64_t>(row);
    }
  }
  std::vector<OpId> path;
  for (int64_t row = end; row >= 0; row = previous[static_cast<size_t>(row)]) {
    path.push_back(sim::AsId<OpId>(static_cast<size_t>(row)));
  }
  std::reverse(path.begin(), path.end());
  return path;
}

std::string ToGraphViz(const OpGraph& graph, int32_t layer,
                       std::span<const OpId> path) {
  const std::set<OpId> critical(path.begin(), path.end());
  std::vector<uint32_t> kept;
  std::vector<int64_t> index(graph.ops.size(), -1);
  for (size_t op = 0; op < graph.ops.size(); ++op) {
    if (layer >= 0 && graph.ops[sim::AsId<OpId>(op)].layer != layer) continue;
    index[op] = static_cast<int64_t>(kept.size());
    kept.push_back(static_cast<uint32_t>(op));
  }
  std::vector<std::pair<uint32_t, uint32_t>> edges;
  for (const uint32_t op : kept) {
    for (const OpId need : graph.needs[sim::AsId<OpId>(op)]) {
      if (index[sim::Row(need)] < 0) continue;
      edges.emplace_back(static_cast<uint32_t>(index[sim::Row(need)]),
                         static_cast<uint32_t>(index[op]));
    }
  }
  const Csr csr(boost::edges_are_unsorted_multi_pass, edges.begin(),
                edges.end(), static_cast<uint32_t>(kept.size()));
  const auto write_op = [&](std::ostream& out, uint32_t vertex) {
    const Op& op = graph.ops[sim::AsId<OpId>(kept[vertex])];
    const Collective* c = op.collective();
    out << "[shape=" << (c != nullptr ? "ellipse" : "box") << ",style=filled"
        << ",fillcolor=\""
        << (op.phase == Phase::kForward ? "#dbe9f6" : "#f6e3d0") << '"'
        << (critical.contains(sim::AsId<OpId>(kept[vertex]))
                ? ",color=red,penwidth=2"
                : "")
        << ",label=\"" << op.name << (op.recompute ? " (again)" : "") << "\\n"
        << (c != nullptr ? absl::StrCat(NameOf(c->kind), " ", NameOf(c->axis),
                                        " ", c->bytes.count(), " B")
                         : Dump(*op.kernel()))
        << "\"]";
  };
  std::ostringstream out;
  boost::write_graphviz(out, csr, write_op);
  return out.str();
}

}  // namespace models
