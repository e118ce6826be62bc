// Prints a message whose fields come from several files, each field with its
// unit and where it comes from.
//
//   LayeredText text(44);
//   text.Print(*Training::descriptor(), "training", layers, derived);
//   // training {
//   //   micro_batch: 2      # sequences; --set
#ifndef SCENARIOS_LAYERED_TEXT_H_
#define SCENARIOS_LAYERED_TEXT_H_

#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/string_view.h"
#include "sim/text_file.h"

namespace google::protobuf {
class Descriptor;
class FieldDescriptor;
class Message;
}  // namespace google::protobuf

namespace scenarios {

// A message and the file that says it. A message without a file is one whose
// fields all come from `origin`.
struct TextLayer {
  const google::protobuf::Message* message = nullptr;
  const sim::TextFile* file = nullptr;
  std::string path;    // where the message stands in the file: "training"
  std::string origin;  // where there is no file
};

// Values of fields that no layer sets and no .proto states, by path.
struct DerivedValue {
  std::string value;  // in text format
  std::string how;    // "GPUs / (tensor x context x pipeline)"
};
using DerivedValues = absl::btree_map<std::string, DerivedValue>;

// Without the way to the root of the data files.
std::string ShortOrigin(absl::string_view origin);

class LayeredText {
 public:
  // Origins start at `column`, or one space after longer lines.
  explicit LayeredText(size_t column) : column_(column) {}

  // `name { … }` with the fields of `type` in their .proto's order: of the
  // first layer that sets each, else derived, else the .proto's default. A
  // field with none of these is left out, and so is a sub-message that no layer
  // sets, unless its defaults hold anyway.
  void Print(const google::protobuf::Descriptor& type, const std::string& name,
             const std::vector<TextLayer>& layers,
             const DerivedValues& derived);

  // One line of the outermost message.
  void PrintLine(const std::string& text, const std::string& origin);

  const std::string& text() const { return text_; }

 private:
  void PrintMessage(const google::protobuf::Descriptor& type,
                    const std::string& path,
                    const std::vector<TextLayer>& layers,
                    const DerivedValues& derived);
  void PrintList(const google::protobuf::FieldDescriptor& field,
                 const std::string& path, const std::vector<TextLayer>& layers,
                 const DerivedValues& derived);
  void PrintField(const google::protobuf::FieldDescriptor& field,
                  const std::string& path, const std::vector<TextLayer>& layers,
                  const DerivedValues& derived);

  size_t column_;
  size_t indent_ = 0;
  std::string text_;
};

}  // namespace scenarios

#endif  // SCENARIOS_LAYERED_TEXT_H_
