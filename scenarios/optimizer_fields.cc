#include "scenarios/optimizer_fields.h"

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace scenarios {
namespace {

int64_t BytesOf(proto::OptimizerOptions::Type type) {
  switch (type) {
    case proto::OptimizerOptions::FP32:
      return 4;
    case proto::OptimizerOptions::BF16:
      return 2;
    case proto::OptimizerOptions::FP8:
      return 1;
  }
  return 4;
}

int64_t BytesOf(proto::OptimizerOptions::MainParams main_params) {
  switch (main_params) {
    case proto::OptimizerOptions::FULL:
      return 4;
    case proto::OptimizerOptions::HALF:
    case proto::OptimizerOptions::REMAINDERS:
      return 2;
    case proto::OptimizerOptions::NONE:
      return 0;
  }
  return 4;
}

}  // namespace

models::Optimizer OptimizerOf(const proto::Training& training) {
  switch (training.optimizer()) {
    case proto::Training::SGD:
      return models::Optimizer::kSgd;
    case proto::Training::MOMENTUM:
      return models::Optimizer::kMomentum;
    case proto::Training::ADAGRAD:
      return models::Optimizer::kAdaGrad;
    case proto::Training::RMSPROP:
      return models::Optimizer::kRmsProp;
    case proto::Training::ADAM:
      return models::Optimizer::kAdam;
    case proto::Training::ADAMW:
      return models::Optimizer::kAdamW;
    case proto::Training::LAMB:
      return models::Optimizer::kLamb;
    case proto::Training::ADAM_8BIT:
      return models::Optimizer::kAdam8bit;
    case proto::Training::ADAFACTOR:
      return models::Optimizer::kAdafactor;
    case proto::Training::LION:
      return models::Optimizer::kLion;
    case proto::Training::MUON:
      return models::Optimizer::kMuon;
  }
  return models::Optimizer::kAdamW;
}

models::OptimizerOptions OptimizerOptionsOf(
    const proto::OptimizerOptions& options) {
  return {.first_moment_bytes = BytesOf(options.exp_avg()),
          .second_moment_bytes = BytesOf(options.exp_avg_sq()),
          .master_bytes = BytesOf(options.main_params()),
          .master_remainders =
              options.main_params() == proto::OptimizerOptions::REMAINDERS,
          .muon_steps = options.muon_num_ns_steps(),
          .muon_sharding =
              options.muon_sharding() == proto::OptimizerOptions::LAYERS
                  ? models::MuonSharding::kLayers
                  : models::MuonSharding::kGather};
}

absl::Status CheckOptimizer(const proto::Training& training,
                            const Inputs& inputs, const sim::TextField& field) {
  const models::TrainingSpec& t = inputs.training;
  const models::OptimizerOptions& o = t.optimizer_options;
  const auto error = [&](absl::string_view path, const auto&... words) {
    return field.At(path).Error(absl::StrCat(words...));
  };
  const bool matrices = t.optimizer == models::Optimizer::kMuon ||
                        t.optimizer == models::Optimizer::kAdafactor;
  const std::string name(models::NameOf(t.optimizer));
  if (matrices && t.lora.on()) {
    return error("optimizer", name,
                 " on adapters is not modelled; ADAMW works");
  }
  if (matrices && t.offload.updates()) {
    return error("optimizer", name,
                 " by the CPU is not modelled; ADAMW works, or leave "
                 "offload.optimizer out");
  }
  const bool full = t.precision == models::Precision::kFp32 ||
                    t.precision == models::Precision::kTf32;
  if (full && o.master_bytes != 4) {
    return error("optimizer_options.main_params",
                 "weights are FP32 and have no copy; leave it out, or set "
                 "precision BF16, FP16 or FP8");
  }
  if (o.master_remainders && t.precision == models::Precision::kFp16) {
    return error("optimizer_options.main_params",
                 "REMAINDERS are of BF16 weights; HALF and FULL work");
  }
  if (o.master_remainders && t.split.zero == 3) {
    return error("optimizer_options.main_params",
                 "REMAINDERS need 16-bit weights beside them, which zero 3 "
                 "does not keep; HALF and FULL work");
  }
  if (t.optimizer == models::Optimizer::kMuon && t.split.zero >= 2 &&
      o.muon_sharding == models::MuonSharding::kLayers) {
    return error("optimizer_options.muon_sharding",
                 "LAYERS leaves gradients and weights whole; parallel.zero 1 "
                 "or GATHER works");
  }
  const auto& given = training.optimizer_options();
  if (t.optimizer != models::Optimizer::kMuon &&
      (given.has_muon_num_ns_steps() || given.has_muon_sharding())) {
    return error(given.has_muon_sharding()
                     ? "optimizer_options.muon_sharding"
                     : "optimizer_options.muon_num_ns_steps",
                 "is Muon's; set optimizer: MUON, or leave it out");
  }
  return absl::OkStatus();
}

}  // namespace scenarios
