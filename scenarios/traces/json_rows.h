// Objects of a JSON file, one by one: lines of JSON, or the elements of a list.
//
//   JsonRows rows("a.jsonl", text);
//   while (*rows.Next()) rows.Count("input_length", kMostTokens);
//   // a.jsonl:3:18: input_length: 0 is out of range; write 1 to 1073741824
//
// Holds one object at a time, however large the file.
#ifndef SCENARIOS_TRACES_JSON_ROWS_H_
#define SCENARIOS_TRACES_JSON_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace scenarios {

class JsonRows {
 public:
  // REQUIRES: both outlive it.
  JsonRows(absl::string_view name, absl::string_view text);

  // Goes to the next object without looking into it; false at the end. Fails
  // on what is no object, or does not end.
  absl::StatusOr<bool> Skip();
  // Parses the object that Skip went to. Fails on what is not JSON.
  absl::Status Parse();

  bool is_list() const { return list_; }

  // REQUIRES, from here on: Parse() went well.
  const nlohmann::json& row() const { return row_; }
  // Null if there is no such key.
  const nlohmann::json* Find(const char* key) const;
  // A whole number from 1 to `most`; a finite number. Both fail on a key that
  // is not there.
  absl::StatusOr<int64_t> Count(const char* key, int64_t most) const;
  absl::StatusOr<double> Number(const char* key) const;
  // path:line:col: key: `problem`, where the key's value stands or, without
  // one, the row.
  absl::Status Error(absl::string_view key, absl::string_view problem) const;

 private:
  // Past the bracket that closes the object at begin_, or what is wrong.
  absl::StatusOr<size_t> EndOfObject() const;
  size_t ValueOf(absl::string_view key) const;
  absl::Status ErrorAt(size_t at, absl::string_view problem) const;
  absl::Status Missing(const char* key) const;

  absl::string_view name_, text_;
  bool list_ = false;           // elements of a list, not lines
  size_t begin_ = 0, end_ = 0;  // of the object, in text_
  nlohmann::json row_;
};

}  // namespace scenarios

#endif  // SCENARIOS_TRACES_JSON_ROWS_H_
