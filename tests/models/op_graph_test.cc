#include "models/op_graph.h"

#include <gtest/gtest.h>

namespace models {
namespace {

Op Product(absl::string_view name) {
  return {.work = Gemm{.m = 2, .n = 3, .k = 4}, .name = name};
}

TEST(OpGraph, DumpsALineForEachOp) {
  OpGraphBuilder b;
  const TensorId x = b.Add(Product("a"), {}, sim::Bytes(12));
  b.SetLayer(3);
  b.Add({.work = Collective{.bytes = sim::Bytes(12)}, .name = "sum"}, {x});
  const OpGraph graph = std::move(b).Build().value();
  EXPECT_EQ(Dump(graph),
            "0 forward a gemm 2x3x4 bf16\n"
            "1 forward L3 sum all-reduce tp 12 <- 0\n");
}

TEST(OpGraph, FreesATensorAfterItsLastReader) {
  OpGraphBuilder b;
  const TensorId x = b.Add(Product("a"), {}, sim::Bytes(12));
  b.Add(Product("b"), {x});
  b.Add(Product("c"), {x});
  const OpGraph graph = std::move(b).Build().value();
  EXPECT_EQ(graph.makes[OpId{0}].size(), 1u);
  EXPECT_TRUE(graph.frees[OpId{1}].empty());
  ASSERT_EQ(graph.frees[OpId{2}].size(), 1u);
  EXPECT_EQ(graph.frees[OpId{2}][0], x);
}

TEST(OpGraph, ReadersOfATensorWrittenInPlaceWaitForItsLastWriter) {
  OpGraphBuilder b;
  const TensorId x = b.Add(Product("a"), {}, sim::Bytes(12));
  b.Add(Product("in place"), {x});
  b.Writes(x);
  b.Add(Product("c"), {x});
  const OpGraph graph = std::move(b).Build().value();
  ASSERT_EQ(graph.needs[OpId{2}].size(), 1u);
  EXPECT_EQ(graph.needs[OpId{2}][0], OpId{1});
}

TEST(OpGraph, NamesTheOpsOfACycle) {
  OpGraphBuilder b;
  b.Add(Product("a"), {});
  const OpId a = b.last();
  b.Add(Product("b"), {});
  const OpId second = b.last();
  b.Add(Product("c"), {});
  b.Order(a, second);
  b.Order(second, a);
  EXPECT_EQ(std::move(b).Build().status().message(),
            "operator graph has a cycle through 0 a, 1 b");
}

TEST(OpGraph, CriticalPathIsTheHeaviestChain) {
  OpGraphBuilder b;
  const TensorId a = b.Add(Product("a"), {}, sim::Bytes(1));
  const TensorId light = b.Add(Product("light"), {a}, sim::Bytes(1));
  const TensorId heavy = b.Add(Product("heavy"), {a}, sim::Bytes(1));
  b.Add(Product("join"), {light, heavy});
  const OpGraph graph = std::move(b).Build().value();
  // a 1 + heavy 5 + join 1 = 7 against a 1 + light 2 + join 1 = 4.
  EXPECT_EQ(CriticalPath(graph, std::vector<double>{1, 2, 5, 1}),
            (std::vector<OpId>{OpId{0}, OpId{2}, OpId{3}}));
}

TEST(OpGraph, GraphVizShowsTheOpsOfOneLayer) {
  OpGraphBuilder b;
  b.SetLayer(0);
  const TensorId x = b.Add(Product("a"), {}, sim::Bytes(12));
  b.SetLayer(1);
  const TensorId y = b.Add(Product("b"), {x}, sim::Bytes(12));
  b.Add(Product("c"), {y});
  const OpGraph graph = std::move(b).Build().value();
  const std::string dot = ToGraphViz(graph, 1);
  EXPECT_EQ(dot.find("label=\"a"), std::string::npos);
  EXPECT_NE(dot.find("label=\"b\\ngemm 2x3x4 bf16\""), std::string::npos);
  EXPECT_NE(dot.find("0->1"), std::string::npos);
  EXPECT_EQ(dot.find("color=red"), std::string::npos);
  const std::vector<OpId> path = {OpId{1}};
  EXPECT_NE(ToGraphViz(graph, 1, path).find("color=red"), std::string::npos);
}

}  // namespace
}  // namespace models
