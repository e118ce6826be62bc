// The fields of a Hugging Face config.json, copied one by one into a
// `Transformer` message, with the place of each in the file for errors.
//
//   ConfigJson config("config.json", text);
//   config.Copy("num_hidden_layers", "layers");   // required
//   config.Copy("num_key_value_heads", "kv_heads", 8);  // 8 when absent
//   config.status();  // config.json:7:5: num_hidden_layers: expected a whole …
//
// The first error sticks; after it, reading goes on with zeros.
#ifndef MODELS_CONFIG_JSON_H_
#define MODELS_CONFIG_JSON_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "models/model.pb.h"
#include "nlohmann/json.hpp"

namespace models {

class ConfigJson {
 public:
  // `path` is what errors call the file. Fields of a multimodal model's
  // `text_config` come before those around it.
  ConfigJson(absl::string_view path, absl::string_view text);
  ConfigJson(const ConfigJson&) = delete;  // holds a pointer into itself
  ConfigJson& operator=(const ConfigJson&) = delete;

  const absl::Status& status() const { return status_; }
  Transformer& transformer() { return transformer_; }

  // Absent, or null.
  bool Lacks(const char* key) const { return Find(key) == nullptr; }
  bool IsNull(const char* key) const;  // there, and null

  // The value of `key`, or `fallback` when absent; without one, it is required.
  // "rope_parameters.rope_theta" is nested. Integers are 0..2^31-1.
  int64_t Integer(const char* key, std::optional<int64_t> fallback = {});
  double Number(const char* key, double fallback);
  bool Flag(const char* key, bool fallback);
  std::string Text(const char* key, const char* fallback);
  std::vector<int64_t> Integers(const char* key);  // empty when absent
  std::vector<std::string> Texts(const char* key);

  // Integer(), stored in the transformer's `field`, which errors of
  // CheckFields then give the place of `key`. "experts.count" is nested.
  void Copy(const char* key, const char* field,
            std::optional<int64_t> fallback = {});
  // The same, but the transformer's own default holds when `key` is absent.
  void CopyIfThere(const char* key, const char* field);

  // `path:line:col: key: problem`; without line and column when the file does
  // not have the key.
  absl::Status Error(absl::string_view key, absl::string_view problem) const;
  // The same for a field of the transformer, by the key it was copied from.
  absl::Status FieldError(absl::string_view field,
                          absl::string_view problem) const;
  void Fail(const char* key, absl::string_view problem);

 private:
  const nlohmann::json* Find(absl::string_view key) const;
  void Expect(const char* key, const char* what, const nlohmann::json& value);
  std::string PlaceAt(size_t offset) const;  // "config.json:7:5"

  std::string path_, text_;
  absl::Status status_;
  nlohmann::json root_;
  const nlohmann::json* inner_ = nullptr;  // text_config, or the root
  size_t inner_offset_ = 0;                // of it in text_
  Transformer transformer_;
  std::map<std::string, std::string> key_of_field_;
};

}  // namespace models

#endif  // MODELS_CONFIG_JSON_H_
