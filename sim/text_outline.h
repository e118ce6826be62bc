// Where each field of a text in protobuf's text format stands.
//
//   training {          row 0: training              1:1
//     layers: [4, 6]    row 1: training.layers       2:3
//   }                   row 2: training.layers[0]    2:12, row 3: …[1] 2:15
//
// protobuf's own ParseInfoTree has no places for the elements of a list, none
// for a text that does not parse, and counts a tab as up to eight columns.
// Part of TextFile; protobuf stays behind it.
#ifndef SIM_TEXT_OUTLINE_H_
#define SIM_TEXT_OUTLINE_H_

#include <compare>
#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace google::protobuf {
class Descriptor;
class FieldDescriptor;
}  // namespace google::protobuf

namespace sim {

// Messages nest at most this deep, the outermost being 0.
inline constexpr int kDeepestMessage = 64;

// A place in a text, from 1; columns are bytes.
struct TextPoint {
  int line = 1;
  int column = 1;
  friend auto operator<=>(const TextPoint&, const TextPoint&) = default;
};

// One mention of a field.
struct TextRow {
  // "training.layers[1]"; an entry of a map is `rates["bf16"]`. A list in
  // brackets has a row of its own, "training.layers", before its elements.
  std::string path;
  std::string name;  // as written
  // What `name` is in the enclosing message; null if it has no such field.
  const google::protobuf::FieldDescriptor* field = nullptr;
  int parent = -1;    // row of the enclosing message; -1 for the outermost
  TextPoint begin;    // of the name; of the element in a list
  TextPoint value;    // of its value
  TextPoint end;      // after its value; past everything if it was cut short
  std::string token;  // a scalar's value as written: -3, BF16, "a" "b"
};

class TextOutline {
 public:
  // The fields of `text`, read as a message of `type`, in the order they stand.
  // A text that does not parse has an outline up to where it goes wrong.
  // REQUIRES: the text outlives the outline.
  TextOutline(absl::string_view text, const google::protobuf::Descriptor& type);

  const std::vector<TextRow>& rows() const { return rows_; }
  TextPoint end() const { return end_; }  // of the text

  // The innermost field around a point, and the last that begins before it;
  // -1 if there is none.
  int Around(TextPoint point) const;
  int Before(TextPoint point) const;

  // The place of a tokenizer's line and column.
  TextPoint PointAt(int line, int column) const;

 private:
  class Walker;
  struct Line {
    absl::string_view text;
    bool tabs;
  };

  std::vector<Line> lines_;
  TextPoint end_;
  std::vector<TextRow> rows_;
};

}  // namespace sim

#endif  // SIM_TEXT_OUTLINE_H_
