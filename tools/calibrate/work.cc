// The work of each case.
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include "tools/calibrate/cases.h"

namespace tools {
namespace {

double AsDouble(int64_t n) { return static_cast<double>(n); }

Work Of(const RooflineCase& c) {
  Work work;
  work.dtype = c.dtype;
  const double bytes = AsDouble(c.bytes);
  // 0.7 ms and 0.2 s at an H100's BF16 peak: before and after the power cap.
  if (c.kernel == "mma" || c.kernel == "wgmma") work.flops = 7e11;
  if (c.kernel.find("_sustained") != std::string::npos) work.flops = 2e14;
  if (c.kernel == "fma" || c.kernel == "ex2") work.flops = 2e10;
  if (c.kernel.rfind("h2d", 0) == 0 || c.kernel.rfind("d2h", 0) == 0) {
    work.host_bytes = bytes;
  } else {
    work.bytes = bytes;
  }
  work.footprint = bytes;
  return work;
}

Work Of(const GemmCase& c) {
  Work work;
  work.dtype = c.dtype;
  const double element = BytesOfDtype(c.dtype);
  const double x = AsDouble(c.m) * AsDouble(c.k);
  const double w = AsDouble(c.n) * AsDouble(c.k);
  const double y = AsDouble(c.m) * AsDouble(c.n);
  const double out = c.dtype == "w8a8_int8" ? 4 : 2;
  work.flops = 2 * x * AsDouble(c.n);
  work.bytes = element * (x + w) + out * y;
  if (c.quantised) work.bytes += x * (2 + 2 + 1);
  work.footprint = work.bytes + 2 * x;
  return work;
}

Work Of(const AttentionCase& c) {
  Work work;
  work.dtype = c.dtype;
  const double pairs_per_head =
      c.causal && c.q_len > 1
          ? AsDouble(c.q_len) * (AsDouble(c.kv_len) - AsDouble(c.q_len - 1) / 2)
          : AsDouble(c.q_len) * AsDouble(c.kv_len);
  const double pairs = AsDouble(c.batch * c.heads) * pairs_per_head;
  // Two matrix products forward; five backward, and two more that the flash
  // kernels recompute.
  const double products = c.backward ? 7 : 2;
  const double element = BytesOfDtype(c.dtype);
  const double queries =
      AsDouble(c.batch * c.q_len * c.heads * c.head_dim) * element;
  const double keys =
      AsDouble(c.batch * c.kv_len * c.kv_heads * c.head_dim) * element;
  work.flops = 2 * products * pairs * AsDouble(c.head_dim);
  work.bytes = (c.backward ? 4 : 2) * queries + (c.backward ? 4 : 2) * keys;
  work.footprint = work.bytes + queries;
  return work;
}

Work Of(const PointwiseCase& c) {
  Work work;
  work.dtype = std::string("fp32");
  const double elements = AsDouble(c.rows) * AsDouble(c.width);
  work.bytes = elements * PointwiseBytesPerElement(c.op, c.dtype);
  work.flops = elements * 10;
  work.footprint = work.bytes;
  return work;
}

Work Of(const ExpertCase& c) {
  Work work;
  work.dtype = c.dtype;
  const double element = BytesOfDtype(c.dtype);
  const double rows = AsDouble(c.tokens * c.topk);
  const double weights =
      3 * AsDouble(c.hidden) * AsDouble(c.inter) * AsDouble(c.experts);
  const double touched = std::min(1.0, rows / AsDouble(c.experts));
  work.flops = 6 * rows * AsDouble(c.hidden) * AsDouble(c.inter);
  work.bytes = element * (weights * touched + rows * (4 * AsDouble(c.hidden) +
                                                      5 * AsDouble(c.inter)));
  work.footprint =
      element *
      (weights + rows * (3 * AsDouble(c.hidden) + 4 * AsDouble(c.inter)));
  return work;
}

Work Of(const CollectiveCase& c) {
  Work work;
  const double bytes = AsDouble(c.bytes), n = AsDouble(c.gpus);
  const double share = (n - 1) / n;
  work.wire_bytes = bytes * (c.op == "all_reduce"  ? 2 * share
                             : c.op == "send_recv" ? 1
                                                   : share);
  work.bytes = 2 * bytes;
  work.footprint = 2 * bytes;
  return work;
}

std::string Shape(std::initializer_list<int64_t> sizes) {
  std::string text;
  for (const int64_t size : sizes) {
    if (!text.empty()) text += 'x';
    text += std::to_string(size);
  }
  return text;
}

std::string Name(const RooflineCase& c) {
  std::string name = c.kernel;
  if (!c.dtype.empty()) name.append(" ").append(c.dtype);
  if (c.bytes != 0) name.append(" ").append(std::to_string(c.bytes) + " bytes");
  return name;
}
std::string Name(const GemmCase& c) {
  return "gemm " + c.dtype + (c.quantised ? "+quant " : " ") +
         Shape({c.m, c.n, c.k});
}
std::string Name(const AttentionCase& c) {
  const char* kind = c.backward     ? "attention backward "
                     : c.q_len == 1 ? "attention decode "
                                    : "attention prefill ";
  return kind + c.kernel + " " + c.dtype + " batch " + std::to_string(c.batch) +
         " q " + std::to_string(c.q_len) + " kv " + std::to_string(c.kv_len) +
         " heads " + Shape({c.heads, c.kv_heads, c.head_dim}) +
         (c.causal ? "" : " full");
}
std::string Name(const PointwiseCase& c) {
  return c.op + " " + c.dtype + " " + Shape({c.rows, c.width});
}
std::string Name(const ExpertCase& c) {
  return "experts " + c.dtype + " tokens " + std::to_string(c.tokens) + " " +
         Shape({c.experts, c.hidden, c.inter}) + " top " +
         std::to_string(c.topk) + " " + c.distribution;
}
std::string Name(const CollectiveCase& c) {
  return c.op + " " + c.dtype + " " + std::to_string(c.bytes) + " bytes on " +
         std::to_string(c.gpus) + " GPUs";
}

}  // namespace

double BytesOfDtype(const std::string& dtype) {
  if (dtype == "bf16" || dtype == "fp16") return 2;
  if (dtype == "fp8" || dtype == "w8a8_int8") return 1;
  if (dtype == "fp32" || dtype == "tf32") return 4;
  return 0;
}

double PointwiseBytesPerElement(const std::string& op,
                                const std::string& dtype) {
  const double element = BytesOfDtype(dtype);
  // Tensors of the op's shape that are read or written, each once.
  static const std::pair<const char*, double> kTensors[] = {
      {"add", 3},
      {"gelu", 2},
      {"silu_mul", 3},
      {"rmsnorm", 2},
      {"layernorm", 2},
      {"softmax", 2},
      {"rope", 2},
      {"embedding", 2},
      {"cross_entropy", 1},
      {"copy", 2},
      {"rmsnorm_backward", 3},
      {"layernorm_backward", 3},
      {"fp8_amax", 1},
      {"cross_entropy_backward", 2}};
  for (const auto& [name, tensors] : kTensors) {
    if (op == name) return tensors * element;
  }
  if (op == "fp8_quant_static") return element + 1;
  // Master weight and both moments in FP32 read and written, a 16-bit gradient
  // read, a 16-bit weight written.
  if (op == "adam") return 2 * 3 * 4 + 2 + 2;
  return 0;
}

Work WorkOf(const Case& c) {
  return std::visit([](const auto& value) { return Of(value); }, c);
}

std::string NameOf(const Case& c) {
  return std::visit([](const auto& value) { return Name(value); }, c);
}

}  // namespace tools
