// The Hugging Face model families: how each spells its shape.
//
//   FamilyOf("qwen2")->read(config);  // fills config.transformer()
//
// Sources: configuration_<model_type>.py and modeling_<model_type>.py of
// huggingface/transformers.
//
// To add one: a function and a row of the table in hugging_face_families.cc,
// and a config with its parameter count in tests/models/hugging_face_test.cc.
#ifndef MODELS_HUGGING_FACE_FAMILIES_H_
#define MODELS_HUGGING_FACE_FAMILIES_H_

#include <span>

#include "models/config_json.h"

namespace models {

struct HuggingFaceFamily {
  const char* model_type;
  const char* architecture;  // as in `architectures`, when model_type is absent
  bool tied_embeddings;      // when tie_word_embeddings is absent
  void (*read)(ConfigJson& config);
};

std::span<const HuggingFaceFamily> HuggingFaceFamilies();

}  // namespace models

#endif  // MODELS_HUGGING_FACE_FAMILIES_H_
