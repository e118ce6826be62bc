#include "scenarios/offload_fields.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace scenarios {
namespace {

using models::Offload;
using models::OffloadDevice;

OffloadDevice DeviceOf(proto::Offload::Device device) {
  switch (device) {
    case proto::Offload::NONE:
      return OffloadDevice::kNone;
    case proto::Offload::CPU:
      return OffloadDevice::kCpu;
    case proto::Offload::NVME:
      return OffloadDevice::kNvme;
  }
  return OffloadDevice::kNone;
}

// Whether the CPU's passes over the optimizer's state are known.
bool HasHostUpdate(models::Optimizer optimizer) {
  constexpr models::Optimizer kKnown[] = {
      models::Optimizer::kSgd,     models::Optimizer::kMomentum,
      models::Optimizer::kAdaGrad, models::Optimizer::kRmsProp,
      models::Optimizer::kAdam,    models::Optimizer::kAdamW};
  return std::find(std::begin(kKnown), std::end(kKnown), optimizer) !=
         std::end(kKnown);
}

class Checks {
 public:
  Checks(const Inputs& inputs, const sim::TextField& field)
      : inputs_(inputs),
        o_(inputs.training.offload),
        split_(inputs.training.split),
        field_(field) {}

  absl::Status All() const {
    for (const auto check :
         {&Checks::NeedsOptimizer, &Checks::Optimizer, &Checks::Gradients,
          &Checks::Parameters, &Checks::Activations, &Checks::Machine}) {
      const absl::Status status = (this->*check)();
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  template <class... Words>
  absl::Status Error(absl::string_view path, const Words&... words) const {
    return field_.At(absl::StrCat("offload.", path))
        .Error(absl::StrCat(words...));
  }

  absl::Status NeedsOptimizer() const {
    if (o_.updates()) return absl::OkStatus();
    const struct {
      const char* name;
      bool set;
    } fields[] = {{"gradients", o_.gradients},
                  {"parameters", o_.parameters != OffloadDevice::kNone},
                  {"optimizer_fraction", o_.optimizer_fraction < 1},
                  {"delayed_update", o_.delayed_update}};
    for (const auto& [name, set] : fields) {
      if (set) return Error(name, "needs optimizer: CPU or NVME beside it");
    }
    return absl::OkStatus();
  }

  absl::Status Optimizer() const {
    if (!o_.updates()) return absl::OkStatus();
    if (!HasHostUpdate(inputs_.training.optimizer)) {
      return Error("optimizer", "there is no update on the CPU for ",
                   models::NameOf(inputs_.training.optimizer),
                   "; ADAM, ADAMW, ADAGRAD, RMSPROP, MOMENTUM and SGD work");
    }
    if (o_.delayed_update && o_.optimizer != OffloadDevice::kCpu) {
      return Error("delayed_update", "needs optimizer: CPU");
    }
    return absl::OkStatus();
  }

  absl::Status Gradients() const {
    if (!o_.gradients) return absl::OkStatus();
    if (split_.zero < 2) {
      return Error("gradients",
                   "needs zero 2 or 3: with less, gradients are summed where "
                   "they are; false works");
    }
    if (o_.optimizer_fraction < 1) {
      return Error("gradients",
                   "a part of the optimizer is on the device and needs them "
                   "there; false works");
    }
    return absl::OkStatus();
  }

  absl::Status Parameters() const {
    if (o_.parameters == OffloadDevice::kNone) return absl::OkStatus();
    if (split_.zero != 3) {
      return Error("parameters",
                   "needs zero 3, which gathers weights before their use");
    }
    if (o_.optimizer_fraction < 1) {
      return Error("parameters", "needs optimizer_fraction 1");
    }
    if (inputs_.training.lora.nf4) {
      return Error("parameters",
                   "weights in four bits stay on the device; NONE works");
    }
    return absl::OkStatus();
  }

  absl::Status Activations() const {
    if (o_.activation_layers > inputs_.model.layers) {
      return Error("cpu_offloading_num_layers", o_.activation_layers,
                   " is more than the model's ", inputs_.model.layers,
                   " layers; at most that many work");
    }
    if (o_.activations_wait && o_.activation_layers == 0) {
      return Error("activations_wait", "needs cpu_offloading_num_layers");
    }
    return absl::OkStatus();
  }

  absl::Status Machine() const {
    if (!o_.any()) return absl::OkStatus();
    if (!inputs_.cluster.host) {
      return field_.At("offload").Error(
          "needs the rates of the server; set cluster.host.pcie_gb_per_s and "
          "cluster.host.memory_gb_per_s");
    }
    const bool drives = o_.optimizer == OffloadDevice::kNvme ||
                        o_.parameters == OffloadDevice::kNvme;
    if (drives && inputs_.cluster.host->disks == 0) {
      return Error(o_.optimizer == OffloadDevice::kNvme ? "optimizer"
                                                        : "parameters",
                   "NVME needs drives; set cluster.host.disks and their rates, "
                   "or CPU works");
    }
    return absl::OkStatus();
  }

  const Inputs& inputs_;
  const Offload& o_;
  const models::Split& split_;
  const sim::TextField& field_;
};

}  // namespace

models::Offload OffloadOf(const proto::Offload& o) {
  return {.optimizer = DeviceOf(o.optimizer()),
          .optimizer_fraction = o.optimizer_fraction(),
          .gradients = o.gradients(),
          .parameters = DeviceOf(o.parameters()),
          .fp32_parameters = o.fp32_parameters(),
          .sub_group_size = o.sub_group_size(),
          .pipeline_read = o.pipeline_read(),
          .pipeline_write = o.pipeline_write(),
          .delayed_update = o.delayed_update(),
          .activation_layers = o.cpu_offloading_num_layers(),
          .activations_wait = o.activations_wait()};
}

absl::Status CheckOffload(const Inputs& inputs, const sim::TextField& field) {
  return Checks(inputs, field).All();
}

}  // namespace scenarios
