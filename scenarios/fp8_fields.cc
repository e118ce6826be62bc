#include "scenarios/fp8_fields.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace scenarios {
namespace {

models::Fp8Scaling ScalingOf(const proto::Fp8& fp8) {
  switch (fp8.scaling()) {
    case proto::Fp8::CASTS:
      return models::Fp8Scaling::kCasts;
    case proto::Fp8::DELAYED:
      return models::Fp8Scaling::kDelayed;
    case proto::Fp8::CURRENT:
      return models::Fp8Scaling::kCurrent;
    case proto::Fp8::ROWWISE:
      return models::Fp8Scaling::kRow;
    case proto::Fp8::BLOCKWISE:
      return models::Fp8Scaling::kBlock;
  }
  return models::Fp8Scaling::kCasts;
}

}  // namespace

models::Fp8Recipe Fp8RecipeOf(const proto::Fp8& fp8) {
  return {.scaling = ScalingOf(fp8),
          .library = fp8.library() == proto::Fp8::TORCHAO
                         ? models::Fp8Library::kTorchAo
                         : models::Fp8Library::kTransformerEngine,
          .reduce_amax = fp8.reduce_amax(),
          .first_bf16_layers = fp8.first_bf16_layers(),
          .last_bf16_layers = fp8.last_bf16_layers(),
          .keep_transposes = fp8.keep_transposes()};
}

absl::Status CheckFp8(const proto::Training& training, const Inputs& inputs,
                      const sim::TextField& field) {
  if (!training.has_fp8()) return absl::OkStatus();
  const models::Fp8Recipe& fp8 = inputs.training.fp8;
  const auto error = [&](absl::string_view path, const auto&... words) {
    return field.At(path).Error(absl::StrCat(words...));
  };
  const std::string scaling =
      proto::Fp8::Scaling_Name(training.fp8().scaling());
  if (inputs.training.precision != models::Precision::kFp8 &&
      fp8 != models::Fp8Recipe{}) {
    return error("fp8", "is of precision FP8; set that, or leave it out");
  }
  const bool torchao = fp8.library == models::Fp8Library::kTorchAo;
  if (torchao && (fp8.scaling == models::Fp8Scaling::kDelayed ||
                  fp8.scaling == models::Fp8Scaling::kBlock)) {
    return error("fp8.library", "torchao has no ", scaling,
                 "; TRANSFORMER_ENGINE works");
  }
  if (!torchao && fp8.scaling == models::Fp8Scaling::kRow) {
    return error("fp8.library", "Transformer Engine has no ", scaling,
                 "; TORCHAO works");
  }
  if (fp8.first_bf16_layers + fp8.last_bf16_layers > inputs.model.layers) {
    return error("fp8.last_bf16_layers", fp8.last_bf16_layers,
                 " and first_bf16_layers, ", fp8.first_bf16_layers,
                 ", are more than the model's ", inputs.model.layers,
                 " layers; at most ",
                 inputs.model.layers - fp8.first_bf16_layers, " would");
  }
  return absl::OkStatus();
}

}  // namespace scenarios
