// How tokens come to the ranks of their experts and back.
//
// An all-to-all among ranks with different experts, then an all-gather among
// ranks that divide the same experts; back, a reduce-scatter and an all-to-all.
// Rows are sorted once more where a rank holds several experts, because they
// come ordered by sender (Megatron-Core, moe/token_dispatcher.py). The
// all-gather dispatcher brings every token to every rank of the group, which
// picks its own; DeepEP sends a token once to each rank that has one of its
// experts. Both multiply it on arrival, and add up before it travels back.
#include <algorithm>
#include <cmath>

#include "models/layer_emitter.h"

namespace models {

// Without an exchange, every dispatcher only permutes.
TokenDispatcher LayerEmitter::Dispatcher() const {
  return training_.split.expert == 1 ? TokenDispatcher::kAllToAll
                                     : training_.experts.dispatcher;
}

bool LayerEmitter::BySender() const {
  return Dispatcher() == TokenDispatcher::kAllToAll;
}

bool LayerEmitter::Exchanges() const {
  return training_.split.expert * training_.split.parts_of_expert() > 1;
}

bool LayerEmitter::SortsRows() const {
  return BySender() && Exchanges() && shape_.experts > 1;
}

// Rows here after the exchange, before they are shared or multiplied.
int64_t LayerEmitter::Arrived() const {
  const Split& split = training_.split;
  switch (Dispatcher()) {
    case TokenDispatcher::kAllToAll:
      break;
    case TokenDispatcher::kAllGather:
      return shape_.shard * split.expert;
    case TokenDispatcher::kDeepEp: {
      const Experts& experts = *model_.experts;
      const double once =
          DistinctParts(static_cast<double>(experts.count),
                        static_cast<double>(split.expert), experts.top_k) /
          static_cast<double>(experts.top_k);
      return std::llround(static_cast<double>(part_.received) * once);
    }
  }
  return part_.received;
}

// Transformer Engine: one kernel makes the map of rows, one moves them. PyTorch:
// masks, a sort, and gathers or scatters of tokens and their weights
// (moe_utils.py, permute and unpermute).
int LayerEmitter::PermuteKernels() const {
  return training_.experts.fused_permute ? 2 : 8;
}

TensorId LayerEmitter::RowPass(absl::string_view name, int64_t read,
                               int64_t written, int kernels,
                               std::initializer_list<TensorId> reads,
                               Holder holder) {
  const int64_t h = model_.hidden;
  return b_.Add(
      {.work = Kernel(MemoryBound{
           .kind = models::Pointwise::kCast,
           .read = Words(read * h),
           .written = Words(written * h),
           .flops = sim::Flops(static_cast<double>(read * h)),
           .kernels = kernels}),
       .name = name},
      reads, Words(written * h), holder);
}

// Between senders and experts, either way: `output` rows come out.
TensorId LayerEmitter::Exchange(absl::string_view name, TensorId rows,
                                ExpertDirection direction, int64_t output,
                                Holder holder) {
  if (training_.split.expert == 1) return rows;
  const int64_t h = model_.hidden;
  // The busiest rank sends or receives more than its share.
  const int64_t most = std::max(experts_.sent(), part_.received);
  Collective collective{.kind = CollectiveKind::kAllToAll,
                        .axis = Axis::kExpert,
                        .bytes = Words(most * h),
                        .dtype = shape_.activation};
  if (Dispatcher() == TokenDispatcher::kAllGather) {
    collective.kind = direction == ExpertDirection::kDispatch
                          ? CollectiveKind::kAllGather
                          : CollectiveKind::kReduceScatter;
    collective.bytes = Words(training_.split.expert * shape_.shard * h);
  }
  if (Dispatcher() == TokenDispatcher::kDeepEp) {
    const double share = static_cast<double>(most) /
                         static_cast<double>(experts_.routed());
    collective.exchange = ExpertAllToAll{
        .direction = direction,
        .tokens = std::max<int64_t>(
            1, std::llround(static_cast<double>(shape_.shard) * share)),
        .hidden = h,
        .experts = model_.experts->count,
        .top_k = model_.experts->top_k,
        .dtype = shape_.activation,
        .multiprocessors = training_.experts.deep_ep_multiprocessors};
  }
  return b_.Add({.work = collective, .name = name}, {rows}, Words(output * h),
                holder);
}

TensorId LayerEmitter::Dispatch(absl::string_view name, TensorId rows,
                                Holder holder) {
  const bool last =
      BySender() && !SortsRows() && training_.split.parts_of_expert() == 1;
  return Exchange(name, rows, ExpertDirection::kDispatch, Arrived(),
                  last ? holder : Holder::kWorkspace);
}

// What came, in the order of the experts.
TensorId LayerEmitter::Arrange(absl::string_view picking, TensorId rows,
                               Holder holder) {
  int64_t here = Arrived();
  const int64_t parts = training_.split.parts_of_expert();
  if (parts > 1) {
    here = BySender() ? part_.computed : here * parts;
    const sim::Bytes bytes = Words(here * model_.hidden);
    rows = b_.Add({.work = Collective{.kind = CollectiveKind::kAllGather,
                                      .axis = Axis::kExpertTensor,
                                      .bytes = bytes,
                                      .dtype = shape_.activation},
                   .name = "gather rows"},
                  {rows}, bytes,
                  BySender() && !SortsRows() ? holder : Holder::kWorkspace);
  }
  if (!BySender()) {
    return RowPass(picking, here, part_.computed, PermuteKernels(), {rows},
                   holder);
  }
  if (!SortsRows()) return rows;
  return RowPass("sort rows by expert", part_.computed, part_.computed, 1,
                 {rows}, holder);
}

// From the order of the experts to what travels back.
TensorId LayerEmitter::ArrangeBack(absl::string_view adding, TensorId rows) {
  const int64_t parts = training_.split.parts_of_expert();
  const int64_t arrived = Arrived();
  const int64_t whole = BySender() ? part_.computed : arrived * parts;
  if (!BySender()) {
    rows = RowPass(adding, part_.computed, whole, PermuteKernels(), {rows},
                   Holder::kWorkspace);
  } else if (SortsRows()) {
    rows = RowPass("sort rows by sender", whole, whole, 1, {rows},
                   Holder::kWorkspace);
  }
  if (parts == 1) return rows;
  return b_.Add({.work = Collective{.kind = CollectiveKind::kReduceScatter,
                                    .axis = Axis::kExpertTensor,
                                    .bytes = Words(whole * model_.hidden),
                                    .dtype = shape_.activation},
                 .name = "reduce rows"},
                {rows}, Words(arrived * model_.hidden), Holder::kWorkspace);
}

TensorId LayerEmitter::Combine(absl::string_view name, TensorId rows,
                               Holder holder) {
  return Exchange(name, rows, ExpertDirection::kCombine,
                  BySender() ? experts_.sent() : shape_.shard,
                  BySender() ? Holder::kWorkspace : holder);
}

}  // namespace models
