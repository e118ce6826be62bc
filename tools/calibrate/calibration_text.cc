#include "tools/calibrate/calibration_text.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/message.h"
#include "google/protobuf/text_format.h"

namespace tools {
namespace {

using google::protobuf::TextFormat;

constexpr size_t kWidest = 80;

// Doubles to six digits; of text, only what must be is escaped.
class Plain : public TextFormat::FastFieldValuePrinter {
 public:
  void PrintString(const std::string& text,
                   TextFormat::BaseTextGenerator* to) const override {
    const std::string escaped = absl::StrReplaceAll(
        text, {{"\\", "\\\\"}, {"\"", "\\\""}, {"\n", "\\n"}});
    to->PrintString(absl::StrCat("\"", escaped, "\""));
  }
  void PrintDouble(double value,
                   TextFormat::BaseTextGenerator* to) const override {
    to->PrintString(absl::StrFormat("%.6g", value));
  }
};

// "gemm {", "  m: 1", "}" as "gemm { m: 1 }" where no message is inside and the
// line is short enough.
std::string Joined(const std::vector<std::string>& lines) {
  std::string text;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (absl::EndsWith(lines[i], "{")) {
      std::string line = lines[i];
      size_t end = i + 1;
      while (end < lines.size() && !absl::EndsWith(lines[end], "{") &&
             !absl::EndsWith(lines[end], "}")) {
        absl::StrAppend(&line, " ", absl::StripAsciiWhitespace(lines[end++]));
      }
      absl::StrAppend(&line, " }");
      if (end < lines.size() && absl::EndsWith(lines[end], "}") &&
          line.size() <= kWidest) {
        absl::StrAppend(&text, line, "\n");
        i = end;
        continue;
      }
    }
    if (!lines[i].empty()) absl::StrAppend(&text, lines[i], "\n");
  }
  return text;
}

}  // namespace

std::string CalibrationText(const google::protobuf::Message& calibration) {
  TextFormat::Printer printer;
  printer.SetUseShortRepeatedPrimitives(true);
  printer.SetDefaultFieldValuePrinter(new Plain);  // it takes ownership
  std::string text;
  printer.PrintToString(calibration, &text);
  const std::string type = calibration.GetDescriptor()->full_name();
  const std::string file = calibration.GetDescriptor()->file()->name();
  return absl::StrCat("# proto-file: ", file, "\n# proto-message: ", type,
                      "\n\n", Joined(absl::StrSplit(text, '\n')));
}

}  // namespace tools
