// The arithmetic people do on a napkin, one function a rule, so that it can
// stand beside the exact figure.
//
//   TrainingFlops(70e9, 15e12).count();  // 6.3e24
//   TrainingSeconds(sim::Flops(6.3e24), 1024,
//                   sim::TeraFlopsPerSecond(990), 0.5) / 86400;  // 143.9 days
//
// To add a rule: a function with its formula here, a row in one of the
// account_*.cc files, and a line in tests/models/worked_examples_test.cc.
#ifndef MODELS_RULES_OF_THUMB_H_
#define MODELS_RULES_OF_THUMB_H_

#include <cstdint>
#include <span>

#include "models/model_spec.h"
#include "sim/units.h"

namespace models {

// ---- Parameters and FLOPs

// 12·L·h²: the blocks of a GPT, 4·h² in attention and 8·h² in the MLP.
double BlockParameters(int64_t layers, int64_t hidden);

// 2·P·D: one multiply-add for each parameter and token.
sim::Flops ForwardFlops(double parameters, double tokens);

// 6·P·D: forward once, backward twice that (Kaplan et al. 2020, section 2.1).
sim::Flops TrainingFlops(double parameters, double tokens);

// 72·B·s·L·h²·(1 + s/(6h) + V/(12·h·L)): matrix products of one training step
// of a GPT over B sequences of s tokens, attention not halved by the causal
// mask (Narayanan et al. 2021, section 5.1, without recomputation).
sim::Flops MegatronStepFlops(const ModelSpec& model, int64_t batch,
                             int64_t sequence);

// m·n·(2k - 1): additions and multiplications of an m×k by k×n product, counted
// one by one. The convention everywhere else is 2·m·n·k.
sim::Flops ProductFlopsByHand(int64_t m, int64_t n, int64_t k);

// 3 for each score: exponential, sum, division. Subtracting the maximum and
// adding a mask are one more each.
sim::Flops SoftmaxFlops(int64_t batch, int64_t heads, int64_t sequence);

// ---- Time

// F / (n · peak · MFU). In seconds: a long training run is more picoseconds
// than a Duration holds. `utilization` is 0..1.
double TrainingSeconds(sim::Flops flops, int64_t gpus, sim::FlopsPerSecond peak,
                       double utilization);

// FLOPs per byte at which a kernel turns from memory- to compute-bound.
double RidgePoint(sim::FlopsPerSecond peak, sim::BytesPerSecond memory);

// ---- Communication

// 2(n-1)/n: bytes each rank sends in a ring all-reduce, over the bytes reduced.
double RingAllReduceShare(int64_t ranks);

// ---- Memory

// Parameters whose training state fills n GPUs, nothing left for activations.
double LargestModel(int64_t gpus, sim::Bytes capacity,
                    double bytes_per_parameter);

// ---- Serving

// (1 - α^(γ+1)) / (1 - α): tokens for one pass of the large model that checks γ
// drafted ones, each accepted with probability α (Leviathan et al. 2023,
// equation 1). γ + 1 when α is 1.
double TokensPerVerification(double accept_rate, int64_t drafted);

// The same over 1 + γ·c, c being the draft's cost in passes of the large model
// (theorem 3.8 there): above 1 it pays.
double SpeculativeSpeedup(double accept_rate, int64_t drafted,
                          double draft_cost);

// Share of a static batch that pads every sequence to the longest, 0..1; what
// continuous batching wins back. REQUIRES: lengths are not empty, all > 0.
double PaddedShare(std::span<const int64_t> lengths);

// Tokens reserved and not used when a KV cache comes in blocks: less than one
// block a sequence.
int64_t UnusedBlockTokens(std::span<const int64_t> lengths,
                          int64_t block_tokens);

}  // namespace models

#endif  // MODELS_RULES_OF_THUMB_H_
