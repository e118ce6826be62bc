#include "scenarios/figures.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "scenarios/capacity_report.h"
#include "scenarios/serving_report.h"

namespace scenarios {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr FigureRow kRows[] = {
    {"scenario", "scenario", "", "the scenario's name"},
    {"model", "model", "", "preset or file the model comes from"},
    {"parameters", "parameters", "", "exact count, embeddings included"},
    {"cluster", "cluster", "", "kind of server and their number"},
    {"gpu", "GPU", "", "of every server"},
    {"gpus", "GPUs", "", "ranks of the run"},
    {"profile", "profile", "", "framework profile (scenarios/profiles)"},
    {"split", "split", "", "how ranks divide the work"},
    {"batch", "batch", "", "global batch and how it is cut"},
    {"precision", "precision", "", "of matrix products, optimizer, recompute"},
    {"fits", "fits", "",
     "whether the fullest rank's memory is within its GPU's"},
    {"step_seconds", "step", "s",
     "from the first kernel of a step to the end of its last, on any rank"},
    {"tokens_per_second", "tokens/s", "tokens/s",
     "global_batch x sequence_length / step_seconds, padding left out"},
    {"tokens_per_second_per_gpu", "tokens/s per GPU", "tokens/s",
     "tokens_per_second / gpus"},
    {"tflops_per_second_per_gpu", "TFLOP/s per GPU", "TFLOP/s",
     "model FLOPs / step_seconds / gpus; model FLOPs are those of the matrix "
     "products forward and backward, attention counted in full, nothing "
     "recomputed (Megatron's formula); frozen weights have no gradient and "
     "count none, adapters count"},
    {"mfu", "MFU", "",
     "tflops_per_second_per_gpu / peak_tflops_per_second (PaLM, appendix B)"},
    {"hfu", "HFU", "",
     "as MFU, with what is recomputed: every matrix product that ran"},
    {"peak_tflops_per_second", "peak", "TFLOP/s",
     "dense datasheet peak at the precision of the linear layers"},
    {"parts.seconds", "", "s", "mean over ranks; the parts sum to the step"},
    {"parts.share", "", "", "of the step"},
    {"recompute_seconds", "recomputed", "s",
     "of gemm, attention and memory_bound: forward work run again"},
    {"links.slowed_seconds", "slowed on links", "s",
     "of the exposed parts: communication takes longer while others use its "
     "links"},
    {"stages.ranks", "ranks", "", "that run this stage"},
    {"stages.layers", "layers", "", "of the model on this stage"},
    {"stages.ends", "ends", "", "embedding or head on this stage"},
    {"stages.parameters", "parameters", "",
     "of one rank, before ZeRO divides them"},
    {"stages.busy_seconds", "busy", "s", "kernels"},
    {"stages.exposed_seconds", "exposed", "s",
     "communication that nothing hides, and launches"},
    {"stages.bubble_seconds", "bubble", "s", "waiting for other ranks"},
    {"stages.peak_gib", "memory", "GiB",
     "peak of the tensors, with context and communicators"},
    {"memory.capacity_gib", "capacity", "GiB", "of the GPU"},
    {"memory.peak_gib", "memory peak", "GiB",
     "of the fullest rank: tensors, CUDA context and NCCL buffers"},
    {"memory.allocated_gib", "allocated", "GiB",
     "by tensors at their peak (torch.cuda.max_memory_allocated)"},
    {"memory.reserved_gib", "reserved", "GiB",
     "by the caching allocator (torch.cuda.max_memory_reserved); what exceeds "
     "the tensors it gives back when memory runs short"},
    {"memory.context_gib", "context", "GiB", "CUDA context and libraries"},
    {"memory.communicators_gib", "communicators", "GiB", "NCCL's buffers"},
    {"memory.rank", "rank", "", "the fullest"},
    {"memory.stage", "stage", "", "of the fullest rank"},
    {"memory.moment", "moment", "", "operator at which tensors peak"},
    {"memory.moment_seconds", "moment", "s", "when that operator starts"},
    {"memory.held.gib", "", "GiB", "at the peak, by what it is for"},
    {"memory.largest.gib", "", "GiB", "the largest buffers at the peak"},
    {"ways_out.peak_gib", "", "GiB", "memory peak with that change"},
    {"ways_out.step_seconds", "", "s", "step with that change"},
    {"horizon.tokens", "tokens", "", "to train for"},
    {"horizon.steps", "steps", "", "tokens / tokens of a step"},
    {"horizon.days", "days", "days", "tokens / tokens_per_second"},
    {"horizon.gpu_hours", "GPU hours", "h", "days x 24 x gpus"},
    {"horizon.usd", "cost", "USD", "gpu_hours x gpu_hour_usd"},
    {"horizon.energy_mwh", "energy", "MWh",
     "gpu_hours at the GPU's board power, times power usage effectiveness"},
    {"horizon.budget_tokens", "tokens for the budget", "",
     "that this run sees for budget_usd"},
    {"horizon.compute_optimal_parameters", "compute-optimal model", "",
     "of budget_usd at this run's FLOP/s: C = 6 N D, D = 20 N (Hoffmann et al. "
     "2022)"},
    {"simulated_ranks", "ranks simulated", "",
     "one for each class of ranks that do the same at the same time"},
    {"completions", "events", "", "kernels and communications that ended"},
    {"gemm_spread.low", "GEMM price, low", "",
     "of 80 % of matrix products like these, measured one by one and kept out "
     "of the fit: the least predicted / measured - 1; wider for a GPU that was "
     "not measured"},
    {"gemm_spread.high", "GEMM price, high", "", "likewise, the most"},
    {"host.memory_capacity_gib", "host capacity", "GiB",
     "memory of a server"},
    {"host.memory_gib", "host memory", "GiB",
     "of the fullest server: what its ranks keep there, at its peak"},
    {"host.disk_capacity_gib", "drive capacity", "GiB",
     "of all drives of a server"},
    {"host.disk_gib", "drives", "GiB", "what its ranks keep on drives"},
    {"measured.step_seconds", "measured step", "s",
     "as the scenario states it, or global_batch x sequence_length / gpus / "
     "the "
     "stated tokens_per_second_per_gpu"},
    {"measured.error", "error", "", "step_seconds / measured step - 1"},
    {"measured.source", "source", "", "of the measurement"},
};

const FigureRow* Find(std::span<const FigureRow> rows, absl::string_view key) {
  for (const FigureRow& row : rows) {
    if (row.key == key) return &row;
  }
  return nullptr;
}

// What a row of a repeated message is about: its first field.
std::string Subject(const Message& message, int index) {
  const FieldDescriptor* first = message.GetDescriptor()->field(0);
  const Reflection* reflection = message.GetReflection();
  if (first->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    return reflection->GetString(message, first);
  }
  if (first->cpp_type() == FieldDescriptor::CPPTYPE_INT64) {
    return absl::StrCat(reflection->GetInt64(message, first));
  }
  return absl::StrCat(index);
}

class Walk {
 public:
  explicit Walk(std::span<const FigureRow> rows) : rows_(rows) {}

  std::vector<Figure> Take() { return std::move(figures_); }

  // `prefix` names the message by its subjects, `plain` by its fields only.
  void Visit(const Message& message, const std::string& prefix,
             const std::string& plain, bool skip_first) {
    const auto* descriptor = message.GetDescriptor();
    const Reflection* reflection = message.GetReflection();
    for (int i = skip_first ? 1 : 0; i < descriptor->field_count(); ++i) {
      const FieldDescriptor* field = descriptor->field(i);
      const std::string key = absl::StrCat(prefix, field->name());
      const std::string plain_key = absl::StrCat(plain, field->name());
      if (field->is_repeated()) {
        for (int row = 0; row < reflection->FieldSize(message, field); ++row) {
          const Message& sub =
              reflection->GetRepeatedMessage(message, field, row);
          Visit(sub, absl::StrCat(key, ".", Subject(sub, row), "."),
                absl::StrCat(plain_key, "."), true);
        }
      } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        if (reflection->HasField(message, field)) {
          Visit(reflection->GetMessage(message, field), absl::StrCat(key, "."),
                absl::StrCat(plain_key, "."), false);
        }
      } else {
        Leaf(message, *reflection, field, key, plain_key);
      }
    }
  }

 private:
  void Leaf(const Message& message, const Reflection& reflection,
            const FieldDescriptor* field, const std::string& key,
            const std::string& plain_key) {
    Figure figure{.key = key, .value = "", .row = Find(rows_, plain_key)};
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        figure.value = reflection.GetString(message, field);
        break;
      case FieldDescriptor::CPPTYPE_BOOL:
        figure.value = reflection.GetBool(message, field) ? "true" : "false";
        break;
      case FieldDescriptor::CPPTYPE_DOUBLE:
        figure.number = reflection.GetDouble(message, field);
        figure.numeric = true;
        figure.value = absl::StrFormat("%.6g", figure.number);
        break;
      case FieldDescriptor::CPPTYPE_INT64:
        figure.number =
            static_cast<double>(reflection.GetInt64(message, field));
        figure.numeric = true;
        figure.value = absl::StrCat(reflection.GetInt64(message, field));
        break;
      case FieldDescriptor::CPPTYPE_UINT64:
        figure.number =
            static_cast<double>(reflection.GetUInt64(message, field));
        figure.numeric = true;
        figure.value = absl::StrCat(reflection.GetUInt64(message, field));
        break;
      default:
        return;
    }
    figures_.push_back(std::move(figure));
  }

  std::span<const FigureRow> rows_;
  std::vector<Figure> figures_;
};

}  // namespace

std::span<const FigureRow> FigureRows() { return kRows; }

std::vector<Figure> FiguresOf(const Message& report) {
  const auto* type = report.GetDescriptor();
  Walk walk(type == ServingReport::descriptor()    ? ServingFigureRows()
            : type == CapacityReport::descriptor() ? CapacityFigureRows()
                                                   : FigureRows());
  walk.Visit(report, "", "", false);
  return walk.Take();
}

}  // namespace scenarios
