#include "models/transformer_checks.h"

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "models/model.pb.h"

namespace models {
namespace {

constexpr int64_t kWidest = 1 << 20;
constexpr int64_t kWidestMlp = 1 << 24;
constexpr int64_t kMostHeads = 1 << 16;
constexpr int64_t kMostLayers = 1 << 14;
constexpr int64_t kLongest = 1 << 30;
// Counts of parameters, bytes and FLOPs stay far inside 64 bits.
constexpr double kMostParameters = 1e15;

// The integers a field may hold. Fields named nowhere here take any value.
struct Range {
  const char* field;
  int64_t least, most;
  bool required = false;
};

constexpr Range kTransformerRanges[] = {
    {"layers", 1, kMostLayers, true}, {"hidden", 1, kWidest, true},
    {"heads", 1, kMostHeads, true},   {"kv_heads", 1, kMostHeads},
    {"head_dim", 1, kMostHeads},      {"ffn_hidden", 1, kWidestMlp},
    {"vocab", 1, kWidestMlp, true},   {"max_positions", 1, kLongest},
    {"norms_per_layer", 1, 4},        {"embedding_dim", 1, kWidest},
    {"sliding_window", 0, kLongest},  {"full_attention_every", 0, kMostLayers},
    {"mtp_layers", 0, 16},
};

constexpr Range kExpertsRanges[] = {
    {"count", 1, kMostLayers, true},
    {"top_k", 1, kMostLayers, true},
    {"ffn_hidden", 1, kWidestMlp, true},
    {"shared_ffn_hidden", 0, kWidestMlp},
    {"first_dense_layers", 0, kMostLayers},
    {"every", 1, kMostLayers},
};

constexpr Range kLatentRanges[] = {
    {"q_lora_rank", 0, kWidest},
    {"kv_lora_rank", 1, kWidest, true},
    {"qk_nope_head_dim", 1, kMostHeads, true},
    {"qk_rope_head_dim", 1, kMostHeads, true},
    {"v_head_dim", 1, kMostHeads, true},
};

constexpr Range kLinearStackRanges[] = {
    {"layers", 1, kMostLayers, true},
    {"width", 1, kWidest, true},
    {"outputs", 0, kWidest},
};

int64_t IntegerOf(const google::protobuf::Message& message,
                  const google::protobuf::FieldDescriptor* field) {
  using google::protobuf::FieldDescriptor;
  return field->cpp_type() == FieldDescriptor::CPPTYPE_INT32
             ? message.GetReflection()->GetInt32(message, field)
             : message.GetReflection()->GetInt64(message, field);
}

template <size_t n>
absl::Status CheckRanges(const google::protobuf::Message& message,
                         const Range (&ranges)[n], absl::string_view prefix,
                         FieldError error) {
  for (const Range& range : ranges) {
    const auto* field = message.GetDescriptor()->FindFieldByName(range.field);
    const std::string path = absl::StrCat(prefix, range.field);
    if (!message.GetReflection()->HasField(message, field)) {
      if (!range.required) continue;
      return error(path, absl::StrCat("is missing; give ", range.least, "..",
                                      range.most));
    }
    const int64_t value = IntegerOf(message, field);
    if (value < range.least || value > range.most) {
      return error(path, absl::StrCat(value, " is out of range; give ",
                                      range.least, "..", range.most));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckLayerList(
    const google::protobuf::RepeatedField<int64_t>& layers, int64_t count,
    absl::string_view field, FieldError error) {
  for (const int64_t layer : layers) {
    if (layer >= 0 && layer < count) continue;
    return error(field, absl::StrCat("there is no layer ", layer, "; give 0..",
                                     count - 1));
  }
  return absl::OkStatus();
}

absl::Status CheckHeads(const Transformer& t, FieldError error) {
  if (!t.has_head_dim() && !t.has_latent() && t.hidden() % t.heads() != 0) {
    return error("heads", absl::StrCat(t.heads(), " does not divide hidden, ",
                                       t.hidden(), "; or set head_dim"));
  }
  if (t.has_kv_heads() && t.heads() % t.kv_heads() != 0) {
    return error("kv_heads",
                 absl::StrCat(t.kv_heads(), " does not divide the model's ",
                              t.heads(), " heads"));
  }
  if (t.mtp_layers() > 0 && t.sliding_window() > 0) {
    return error("mtp_layers",
                 "multi-token prediction with windows is not modelled; 0 works");
  }
  if (t.has_latent() && (t.has_kv_heads() || t.has_head_dim())) {
    return error(t.has_kv_heads() ? "kv_heads" : "head_dim",
                 "has no meaning beside latent; leave one of them out");
  }
  return absl::OkStatus();
}

absl::Status CheckShape(const Transformer& t, FieldError error) {
  if (t.norms_per_layer() == 3) {
    return error("norms_per_layer", "3 is not a known layout; give 1, 2 or 4");
  }
  if (!(t.rotary_fraction() > 0 && t.rotary_fraction() <= 1)) {
    return error("rotary_fraction",
                 absl::StrCat(t.rotary_fraction(),
                              " is out of range; give above 0, at most 1"));
  }
  if (t.full_attention_every() > 0 && t.sliding_window() == 0) {
    return error("full_attention_every",
                 "has no meaning without sliding_window");
  }
  return CheckLayerList(t.full_attention_layers(), t.layers(),
                        "full_attention_layers", error);
}

absl::Status CheckExperts(const Transformer& t, FieldError error) {
  const Transformer::Experts& experts = t.experts();
  if (absl::Status s = CheckRanges(experts, kExpertsRanges, "experts.", error);
      !s.ok()) {
    return s;
  }
  if (experts.top_k() > experts.count()) {
    return error("experts.top_k",
                 absl::StrCat(experts.top_k(), " is more than the ",
                              experts.count(), " experts"));
  }
  if (experts.first_dense_layers() > t.layers()) {
    return error(
        "experts.first_dense_layers",
        absl::StrCat(experts.first_dense_layers(), " is more than the model's ",
                     t.layers(), " layers"));
  }
  return CheckLayerList(experts.dense_layers(), t.layers(),
                        "experts.dense_layers", error);
}

// Parameters in floating point, to within a few percent, for any field values.
double RoughParameters(const Transformer& t) {
  const double hidden = static_cast<double>(t.hidden());
  const double heads = static_cast<double>(t.heads());
  const double head_dim =
      static_cast<double>(t.has_head_dim() ? t.head_dim() : 1);
  const double latent =
      static_cast<double>(t.latent().q_lora_rank() + t.latent().kv_lora_rank() +
                          t.latent().qk_rope_head_dim());
  const double latent_heads =
      heads * static_cast<double>(t.latent().qk_nope_head_dim() +
                                  t.latent().qk_rope_head_dim() +
                                  t.latent().v_head_dim());
  const double mlp =
      static_cast<double>(t.has_ffn_hidden() ? t.ffn_hidden() : 4 * t.hidden());
  const double experts = static_cast<double>(t.experts().count()) *
                         static_cast<double>(t.experts().ffn_hidden());
  const double shared = static_cast<double>(t.experts().shared_ffn_hidden());
  return static_cast<double>(t.layers()) *
             (4 * hidden * (hidden + heads * head_dim) +
              (hidden + latent) * (latent + latent_heads) +
              3 * hidden * (mlp + experts + shared)) +
         hidden * static_cast<double>(2 * t.vocab() + t.max_positions());
}

}  // namespace

absl::Status CheckFields(const Transformer& t, FieldError error) {
  if (absl::Status s = CheckRanges(t, kTransformerRanges, "", error); !s.ok()) {
    return s;
  }
  if (absl::Status s = CheckHeads(t, error); !s.ok()) return s;
  if (absl::Status s = CheckShape(t, error); !s.ok()) return s;
  if (t.has_experts()) {
    if (absl::Status s = CheckExperts(t, error); !s.ok()) return s;
  }
  if (t.has_latent()) {
    const absl::Status s =
        CheckRanges(t.latent(), kLatentRanges, "latent.", error);
    if (!s.ok()) return s;
  }
  if (RoughParameters(t) > kMostParameters) {
    return error(
        "layers",
        "the model has more than 1e15 parameters; give fewer layers or "
        "a smaller width");
  }
  return absl::OkStatus();
}

absl::Status CheckFields(const LinearStack& stack, FieldError error) {
  return CheckRanges(stack, kLinearStackRanges, "", error);
}

}  // namespace models
