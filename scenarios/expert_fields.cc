#include "scenarios/expert_fields.h"

namespace scenarios {
namespace {

models::TokenDispatcher DispatcherOf(const proto::ExpertOptions& e) {
  switch (e.dispatcher()) {
    case proto::ExpertOptions::ALL_GATHER:
      return models::TokenDispatcher::kAllGather;
    case proto::ExpertOptions::ALL_TO_ALL:
      return models::TokenDispatcher::kAllToAll;
    case proto::ExpertOptions::DEEPEP:
      return models::TokenDispatcher::kDeepEp;
  }
  return models::TokenDispatcher::kAllToAll;
}

models::ExpertKernels KernelsOf(const proto::ExpertOptions& e) {
  switch (e.kernels()) {
    case proto::ExpertOptions::TRANSFORMER_ENGINE:
      return models::ExpertKernels::kTransformerEngine;
    case proto::ExpertOptions::CUTLASS:
      return models::ExpertKernels::kCutlass;
    case proto::ExpertOptions::SEQUENTIAL:
      return models::ExpertKernels::kSequential;
  }
  return models::ExpertKernels::kTransformerEngine;
}

models::ExpertBalance BalanceOf(const proto::ExpertOptions& e) {
  if (e.histogram_size() > 0) return models::ExpertBalance::kGiven;
  switch (e.load()) {
    case proto::ExpertOptions::BALANCED:
      return models::ExpertBalance::kBalanced;
    case proto::ExpertOptions::POWER_LAW:
      return models::ExpertBalance::kPowerLaw;
    case proto::ExpertOptions::HISTOGRAM:
      return models::ExpertBalance::kGiven;
  }
  return models::ExpertBalance::kBalanced;
}

}  // namespace

models::ExpertOptions ExpertOptionsOf(const proto::ExpertOptions& e) {
  return {.dispatcher = DispatcherOf(e),
          .capacity_factor = e.capacity_factor(),
          .pad_to_capacity = e.pad_to_capacity(),
          .kernels = KernelsOf(e),
          .fused_permute = e.fused_permute(),
          .fused_router = e.fused_router(),
          .balance_loss = e.balance_loss(),
          .z_loss = e.z_loss(),
          .recompute_activation = e.recompute_activation(),
          .balance = BalanceOf(e),
          .power_law_alpha = e.alpha(),
          .histogram = {e.histogram().begin(), e.histogram().end()},
          .deep_ep_multiprocessors = e.deepep_sms()};
}

}  // namespace scenarios
