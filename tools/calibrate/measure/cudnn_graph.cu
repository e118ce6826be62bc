#include "tools/calibrate/measure/cudnn_graph.h"

#ifdef ORRERY_CUDNN

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tools/calibrate/measure/cuda_check.h"

namespace tools {
namespace {

// One handle for the program; null where cuDNN cannot start.
class Handle {
 public:
  Handle() {
    if (cudnnCreate(&handle_) != CUDNN_STATUS_SUCCESS) handle_ = nullptr;
  }
  ~Handle() {
    if (handle_ != nullptr) cudnnDestroy(handle_);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  cudnnHandle_t get() const { return handle_; }

 private:
  cudnnHandle_t handle_ = nullptr;
};
cudnnHandle_t TheHandle() {
  static const Handle handle;
  return handle.get();
}

CudnnGraph::Sizes Packed(const CudnnGraph::Sizes& sizes) {
  return {sizes[1] * sizes[2] * sizes[3], sizes[2] * sizes[3], sizes[3], 1};
}

}  // namespace

CudnnGraph::CudnnGraph() {
  if (TheHandle() == nullptr) problem_ = "cuDNN does not start";
}

CudnnGraph::~CudnnGraph() {
  for (auto node = all_.rbegin(); node != all_.rend(); ++node) {
    cudnnBackendDestroyDescriptor(*node);
  }
}

bool CudnnGraph::Good(cudnnStatus_t status, const char* call) {
  if (status == CUDNN_STATUS_SUCCESS) return true;
  if (problem_.empty()) {
    problem_ =
        std::string("cuDNN: ") + call + ": " + cudnnGetErrorString(status);
  }
  return false;
}

CudnnGraph::Node CudnnGraph::Make(cudnnBackendDescriptorType_t kind) {
  Node node = nullptr;
  if (problem_.empty() &&
      Good(cudnnBackendCreateDescriptor(kind, &node), "create")) {
    all_.push_back(node);
  }
  return node;
}

void CudnnGraph::Set(Node node, cudnnBackendAttributeName_t name,
                     cudnnBackendAttributeType_t type, int64_t count,
                     const void* value) {
  if (!problem_.empty()) return;
  Good(cudnnBackendSetAttribute(node, name, type, count, value),
       ("set attribute " + std::to_string(name)).c_str());
}

void CudnnGraph::Finish(Node node) {
  if (problem_.empty()) Good(cudnnBackendFinalize(node), "finalize");
}

CudnnGraph::Node CudnnGraph::Begin(int64_t uid, const Sizes& sizes,
                                   const Sizes& strides, cudnnDataType_t type) {
  const Node node = Make(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  const int64_t alignment = 16;
  Set(node, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &uid);
  Set(node, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
  Set(node, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
  Set(node, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, sizes.data());
  Set(node, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, strides.data());
  return node;
}

CudnnGraph::Node CudnnGraph::Tensor(int64_t uid, const Sizes& sizes,
                                    const Sizes& strides,
                                    cudnnDataType_t type) {
  const Node node = Begin(uid, sizes, strides, type);
  Finish(node);
  return node;
}

CudnnGraph::Node CudnnGraph::Accumulator(int64_t uid, const Sizes& sizes) {
  const Node node = Begin(uid, sizes, Packed(sizes), CUDNN_DATA_FLOAT);
  const cudnnBackendTensorReordering_t order = CUDNN_TENSOR_REORDERING_F16x16;
  Set(node, CUDNN_ATTR_TENSOR_REORDERING_MODE,
      CUDNN_TYPE_TENSOR_REORDERING_MODE, 1, &order);
  Finish(node);
  return node;
}

CudnnGraph::Node CudnnGraph::Virtual(const Sizes& sizes, cudnnDataType_t type) {
  return Virtual(sizes, Packed(sizes), type);
}

CudnnGraph::Node CudnnGraph::Virtual(const Sizes& sizes, const Sizes& strides,
                                     cudnnDataType_t type) {
  const Node node = Begin(next_uid_++, sizes, strides, type);
  const bool yes = true;
  Set(node, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &yes);
  Finish(node);
  return node;
}

template <class Value>
CudnnGraph::Node CudnnGraph::ByValue(Value value, cudnnDataType_t type) {
  numbers_.emplace_back(next_uid_, std::make_unique<uint64_t>(0));
  std::memcpy(numbers_.back().second.get(), &value, sizeof value);
  const Node node = Begin(next_uid_++, {1, 1, 1, 1}, {1, 1, 1, 1}, type);
  const bool yes = true;
  Set(node, CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, 1, &yes);
  Finish(node);
  return node;
}
CudnnGraph::Node CudnnGraph::Number(float value) {
  return ByValue(value, CUDNN_DATA_FLOAT);
}
CudnnGraph::Node CudnnGraph::Number(int32_t value) {
  return ByValue(value, CUDNN_DATA_INT32);
}

void CudnnGraph::Matmul(Node a, Node b, Node c) {
  const Node how = Make(CUDNN_BACKEND_MATMUL_DESCRIPTOR);
  const cudnnDataType_t math = CUDNN_DATA_FLOAT;
  Set(how, CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &math);
  Finish(how);
  const Node op = Make(CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR);
  Set(op, CUDNN_ATTR_OPERATION_MATMUL_ADESC, a);
  Set(op, CUDNN_ATTR_OPERATION_MATMUL_BDESC, b);
  Set(op, CUDNN_ATTR_OPERATION_MATMUL_CDESC, c);
  Set(op, CUDNN_ATTR_OPERATION_MATMUL_DESC, how);
  Finish(op);
  operations_.push_back(op);
}

void CudnnGraph::Pointwise(cudnnPointwiseMode_t mode, Node x, Node b, Node y,
                           cudnnDataType_t math, Node select) {
  const Node how = Make(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  Set(how, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
  Set(how, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &math);
  Finish(how);
  const Node op = Make(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  Set(op, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, how);
  Set(op, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
  if (b != nullptr) Set(op, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b);
  if (select != nullptr) Set(op, CUDNN_ATTR_OPERATION_POINTWISE_TDESC, select);
  Set(op, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
  Finish(op);
  operations_.push_back(op);
}

void CudnnGraph::Index(Node like, int64_t axis, Node y) {
  const Node how = Make(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  const cudnnPointwiseMode_t mode = CUDNN_POINTWISE_GEN_INDEX;
  const cudnnDataType_t math = CUDNN_DATA_INT32;
  Set(how, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
  Set(how, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &math);
  Set(how, CUDNN_ATTR_POINTWISE_AXIS, CUDNN_TYPE_INT64, 1, &axis);
  Finish(how);
  const Node op = Make(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  Set(op, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, how);
  Set(op, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, like);
  Set(op, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
  Finish(op);
  operations_.push_back(op);
}

void CudnnGraph::Reduce(cudnnReduceTensorOp_t reduction, Node x, Node y) {
  const Node how = Make(CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
  const cudnnDataType_t math = CUDNN_DATA_FLOAT;
  Set(how, CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, 1,
      &reduction);
  Set(how, CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &math);
  Finish(how);
  const Node op = Make(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);
  Set(op, CUDNN_ATTR_OPERATION_REDUCTION_XDESC, x);
  Set(op, CUDNN_ATTR_OPERATION_REDUCTION_YDESC, y);
  Set(op, CUDNN_ATTR_OPERATION_REDUCTION_DESC, how);
  Finish(op);
  operations_.push_back(op);
}

void CudnnGraph::Reshape(Node x, Node y) {
  const Node op = Make(CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR);
  Set(op, CUDNN_ATTR_OPERATION_RESHAPE_XDESC, x);
  Set(op, CUDNN_ATTR_OPERATION_RESHAPE_YDESC, y);
  Finish(op);
  operations_.push_back(op);
}

CudnnGraph::Node CudnnGraph::Heuristics(Node graph,
                                        cudnnBackendHeurMode_t mode) {
  const Node heuristics = Make(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  Set(heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
  Set(heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
  if (!problem_.empty() ||
      cudnnBackendFinalize(heuristics) != CUDNN_STATUS_SUCCESS) {
    return nullptr;
  }
  return heuristics;
}

bool CudnnGraph::PlanFrom(Node heuristics) {
  constexpr int64_t kMost = 16;
  std::vector<Node> engines;
  for (int64_t i = 0; i < kMost; ++i) {
    engines.push_back(Make(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR));
  }
  int64_t found = 0;
  if (!problem_.empty() ||
      cudnnBackendGetAttribute(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                               CUDNN_TYPE_BACKEND_DESCRIPTOR, kMost, &found,
                               engines.data()) != CUDNN_STATUS_SUCCESS) {
    return false;
  }
  const cudnnHandle_t handle = TheHandle();
  for (int64_t i = 0; i < found && i < kMost; ++i) {
    const Node plan = Make(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    Set(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle);
    Set(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG,
        engines[static_cast<size_t>(i)]);
    if (!problem_.empty()) return false;
    if (cudnnBackendFinalize(plan) != CUDNN_STATUS_SUCCESS) continue;
    int64_t count = 0, bytes = 0;
    if (!Good(cudnnBackendGetAttribute(plan,
                                       CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                       CUDNN_TYPE_INT64, 1, &count, &bytes),
              "workspace size")) {
      return false;
    }
    plan_ = plan;
    workspace_bytes_ = static_cast<size_t>(bytes);
    return true;
  }
  return false;
}

bool CudnnGraph::Plan() {
  const cudnnHandle_t handle = TheHandle();
  const Node graph = Make(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  Set(graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle);
  Set(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
      static_cast<int64_t>(operations_.size()), operations_.data());
  Finish(graph);
  for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    if (!problem_.empty()) return false;
    const Node heuristics = Heuristics(graph, mode);
    if (heuristics != nullptr && PlanFrom(heuristics)) return true;
  }
  if (problem_.empty()) problem_ = "cuDNN has no engine for this graph";
  return false;
}

bool CudnnGraph::Run(const std::vector<std::pair<int64_t, void*>>& tensors,
                     void* workspace, cudaStream_t stream) {
  std::vector<int64_t> uids;
  std::vector<void*> pointers;
  for (const auto& [uid, pointer] : tensors) {
    uids.push_back(uid);
    pointers.push_back(pointer);
  }
  for (const auto& [uid, number] : numbers_) {
    uids.push_back(uid);
    pointers.push_back(number.get());
  }
  Node pack = nullptr;
  if (cudnnSetStream(TheHandle(), stream) != CUDNN_STATUS_SUCCESS ||
      !Good(cudnnBackendCreateDescriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR,
                                         &pack),
            "pack")) {
    return false;
  }
  const auto count = static_cast<int64_t>(uids.size());
  Set(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, count,
      uids.data());
  Set(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, count,
      pointers.data());
  Set(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1,
      &workspace);
  Finish(pack);
  const bool ran =
      problem_.empty() &&
      Good(cudnnBackendExecute(TheHandle(), plan_, pack), "execute");
  cudnnBackendDestroyDescriptor(pack);
  return ran;
}

std::string CudnnVersion() {
  const size_t v = cudnnGetVersion();  // 91900 is 9.19.0
  return "cudnn-" + std::to_string(v / 10000) + "." +
         std::to_string(v / 100 % 100) + "." + std::to_string(v % 100);
}

}  // namespace tools

#endif  // ORRERY_CUDNN
