// The constants of attention kernels of one query over a cache, by engine, by
// width of the cache and by kernel; decode_attention_cost.h states the law,
// calibration.proto each field's unit and range.
//
//   Calibration hopper = *LoadCalibration("hopper");
//   hopper.decode_attention[0].kernel;  // DecodeKernel::kFlash3
//
// To add a kernel with a law of its own: an enumerator, its name below, and its
// shape and splits in decode_attention_cost.cc.
#ifndef HARDWARE_DECODE_ATTENTION_LAW_H_
#define HARDWARE_DECODE_ATTENTION_LAW_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "models/op.h"
#include "sim/text_file.h"

namespace hardware {

namespace proto {
class DecodeAttentionLaw;
}

// Whose kernel it is, which settles how heads share blocks and how a cache is
// split over them.
enum class DecodeKernel : uint8_t {
  kFlash2,  // FlashAttention 2, flash_attn_varlen_func with a block table
  kFlash3,  // FlashAttention 3, flash_attn_with_kvcache
  kXqa,     // TensorRT-LLM's XQA: grouped queries
  kMasked,  // TensorRT-LLM's masked multi-head attention: a block a query head
};
absl::string_view NameOf(DecodeKernel kernel);  // "fa2", "fa3", "xqa", "mmha"

struct DecodeAttentionLaw {
  models::AttentionFamily family = models::AttentionFamily::kVllm;
  int cache_bits = 16;  // 16 or 8, of an element of the cache
  DecodeKernel kernel = DecodeKernel::kFlash3;
  double launch_seconds = 0;  // the kernel that writes the new keys included
  double transpose_seconds = 0;
  double block_seconds = 0;
  double head_seconds = 0;
  double stream_per_sm = 0;  // bytes per second
  double softmax_dims = 0;
  double memory_efficiency = 1;
  double combine_seconds = 0;
  double combine_rate = 0;  // bytes per second
  int64_t split_keys = 0;
  int64_t most_splits = 0;
};

// Adds one law to `laws`. `place` is where `message` stands. Fails on a
// constant that is missing or out of range, on an unknown name and on a kernel
// given twice for a family and width.
absl::Status ReadDecodeAttentionLaw(const proto::DecodeAttentionLaw& message,
                                    const sim::TextField& place,
                                    std::vector<DecodeAttentionLaw>& laws);

}  // namespace hardware

#endif  // HARDWARE_DECODE_ATTENTION_LAW_H_
