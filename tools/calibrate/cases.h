// What orrery-measure times: one struct per family of kernels, and the work of
// each, from which its time is estimated before anything runs.
//
//   GemmCase{"bf16", 16, 28672, 4096, false}   y[16,28672] = x[16,4096] W
//   WorkOf(that)   // 3.8 GFLOP, 236 MB
//
// To add a kernel: a value of an existing struct in cases.cc, or a struct here,
// its WorkOf, its row in op_rows.cc and its kernel in measure/.
//
// This file and those beside it that it includes are standard C++17: the
// program that uses them is built on machines that hold nothing but CUDA.
#ifndef TOOLS_CALIBRATE_CASES_H_
#define TOOLS_CALIBRATE_CASES_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace tools {

// A ceiling of the card, or a fixed cost. Kernels and their units of `bytes`:
//   hbm_read, hbm_write, hbm_copy, hbm_triad, l2_read   working set moved once
//   shared_read                                         read by all SMs
//   mma, wgmma, fma, ex2                                0: `flops` are counted
//   mma_sustained, wgmma_sustained                      0: the same, for longer
//   launch_stream, launch_graph                         0: one empty kernel
//   h2d_pinned, d2h_pinned, h2d_pageable, d2h_pageable  one copy
struct RooflineCase {
  std::string kernel;
  std::string dtype;  // bf16, fp16, tf32, fp8, fp32; empty where bytes move
  int64_t bytes = 0;
};

// y[m,n] = x[m,k] W[n,k]^T by cuBLASLt.
struct GemmCase {
  std::string dtype;  // bf16, fp16, fp8 (e4m3), w8a8_int8
  int64_t m = 1, n = 1, k = 1;
  bool quantised = false;  // x is bf16; its conversion to fp8 is timed, too
};

// One attention layer over `batch` equal sequences, each of `q_len` new tokens
// that are the last of `kv_len`.
struct AttentionCase {
  std::string kernel;  // flash (our own) or cudnn
  std::string dtype;   // bf16 or fp16
  int64_t batch = 1, q_len = 1, kv_len = 1;
  int64_t heads = 1, kv_heads = 1, head_dim = 128;
  bool causal = true;     // a decode step sees all its keys either way
  bool backward = false;  // the gradients of Q, K and V, given that of O
};

// A kernel bound by memory, on rows x width elements.
struct PointwiseCase {
  std::string op;
  std::string dtype;
  int64_t rows = 1, width = 1;
};

// The expert part of a layer on one rank: permutation, two grouped GEMMs with
// SiLU * mul between, and the weighted sum back. The router is not in it.
struct ExpertCase {
  std::string dtype;  // bf16
  int64_t tokens = 1, hidden = 1, inter = 1, topk = 1, experts = 1;
  std::string distribution;  // balanced or power_law_1.2
};

// One NCCL collective over all GPUs of this machine; `bytes` as nccl-tests
// counts them.
struct CollectiveCase {
  std::string op;
  std::string dtype;
  int64_t bytes = 0;
  int64_t gpus = 2;
};

using Case = std::variant<RooflineCase, GemmCase, AttentionCase, PointwiseCase,
                          ExpertCase, CollectiveCase>;

// What one run of a case does.
struct Work {
  double flops = 0;       // by the unit of `dtype`
  double bytes = 0;       // least traffic of device memory
  double host_bytes = 0;  // over the bus to the host
  double wire_bytes = 0;  // over the links between GPUs, per GPU
  double footprint = 0;   // bytes of device memory the case occupies
  std::string dtype;      // of `flops`
};

Work WorkOf(const Case& c);

// "gemm bf16 16x28672x4096": as the plan and messages name it.
std::string NameOf(const Case& c);

enum class Profile { kQuick, kFull };

// Every case of a family, the most telling first: if time is short, the last
// ones are left out. `gpus` are those of this machine.
std::vector<Case> RooflineCases(Profile profile);
std::vector<Case> GemmCases(Profile profile);
std::vector<Case> AttentionCases(Profile profile);
std::vector<Case> PointwiseCases(Profile profile);
std::vector<Case> ExpertCases(Profile profile);
std::vector<Case> CollectiveCases(Profile profile, int64_t gpus);

// Tokens that each expert of `c` receives, c.tokens x c.topk in all: equal
// parts, or in proportion to (rank + 1)^-1.2 for power_law_1.2, but to no
// expert more than there are tokens: what is over goes to the next ones.
std::vector<int64_t> ExpertLoads(const ExpertCase& c);

// Bytes that a pointwise op reads and writes per element, as the public tables
// count them: activations alone, each once. 0 for an op that is not known.
double PointwiseBytesPerElement(const std::string& op,
                                const std::string& dtype);

// Bytes of one element; 0 for a type that is not known.
double BytesOfDtype(const std::string& dtype);

}  // namespace tools

#endif  // TOOLS_CALIBRATE_CASES_H_
