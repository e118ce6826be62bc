// A graph of cuDNN operations, built through its C interface (the C++ front end
// is not part of CUDA), and the plan that runs it.
//
//   CudnnGraph g;
//   const auto s = g.Virtual({b, h, q, kv}, CUDNN_DATA_FLOAT);
//   g.Matmul(g.Tensor(1, …), g.Tensor(2, …), s);
//   …
//   if (!g.Plan()) return Skipped(g.problem());
//   g.Run({{1, q_pointer}, …}, workspace, stream);
//
// The first call that cuDNN refuses sticks: later ones do nothing.
#ifndef TOOLS_CALIBRATE_MEASURE_CUDNN_GRAPH_H_
#define TOOLS_CALIBRATE_MEASURE_CUDNN_GRAPH_H_

#ifdef ORRERY_CUDNN

#include <cudnn.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace tools {

class CudnnGraph {
 public:
  using Sizes = std::array<int64_t, 4>;  // batch, heads, rows, columns
  using Node = cudnnBackendDescriptor_t;

  CudnnGraph();
  ~CudnnGraph();
  CudnnGraph(const CudnnGraph&) = delete;
  CudnnGraph& operator=(const CudnnGraph&) = delete;

  // Tensors: in memory under a number of the caller's, below 1000; between two
  // operations; or one number of the host's.
  Node Tensor(int64_t uid, const Sizes& sizes, const Sizes& strides,
              cudnnDataType_t type);
  // FP32 in the order in which the tensor cores add it up.
  Node Accumulator(int64_t uid, const Sizes& sizes);
  Node Virtual(const Sizes& sizes, cudnnDataType_t type);
  Node Virtual(const Sizes& sizes, const Sizes& strides, cudnnDataType_t type);
  Node Number(float value);
  Node Number(int32_t value);

  void Matmul(Node a, Node b, Node c);
  // y = x, or of x and b, or b where `select` is false, in `math`.
  void Pointwise(cudnnPointwiseMode_t mode, Node x, Node b, Node y,
                 cudnnDataType_t math = CUDNN_DATA_FLOAT,
                 Node select = nullptr);
  // Each element's position along an axis.
  void Index(Node like, int64_t axis, Node y);
  void Reduce(cudnnReduceTensorOp_t op, Node x, Node y);
  void Reshape(Node x, Node y);

  // Takes the first plan that cuDNN's heuristics offer and that can be made.
  bool Plan();
  size_t workspace_bytes() const { return workspace_bytes_; }
  const std::string& problem() const { return problem_; }
  // REQUIRES: Plan() was true.
  bool Run(const std::vector<std::pair<int64_t, void*>>& tensors,
           void* workspace, cudaStream_t stream);

 private:
  Node Make(cudnnBackendDescriptorType_t kind);
  void Set(Node node, cudnnBackendAttributeName_t name,
           cudnnBackendAttributeType_t type, int64_t count, const void* value);
  void Set(Node node, cudnnBackendAttributeName_t name, Node value) {
    Set(node, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value);
  }
  void Finish(Node node);
  Node Begin(int64_t uid, const Sizes& sizes, const Sizes& strides,
             cudnnDataType_t type);
  template <class Value>
  Node ByValue(Value value, cudnnDataType_t type);
  Node Heuristics(Node graph, cudnnBackendHeurMode_t mode);
  bool PlanFrom(Node heuristics);
  bool Good(cudnnStatus_t status, const char* call);

  std::vector<Node> all_, operations_;
  std::vector<std::pair<int64_t, std::unique_ptr<uint64_t>>> numbers_;
  int64_t next_uid_ = 1000;
  Node plan_ = nullptr;
  size_t workspace_bytes_ = 0;
  std::string problem_;
};

// "cudnn-9.19.0"
std::string CudnnVersion();

}  // namespace tools

#endif  // ORRERY_CUDNN
#endif  // TOOLS_CALIBRATE_MEASURE_CUDNN_GRAPH_H_
