// Reports as people and programs read them.
//
//   std::cout << ToText(report);
//   std::cout << ToJson(report);             // report.proto's fields
//   std::cout << ToCsv({&a, &b});            // a column for each report
//   std::cout << CompareText({&a, &b});      // what differs first
#ifndef SCENARIOS_ANSWER_H_
#define SCENARIOS_ANSWER_H_

#include <span>
#include <string>

#include "scenarios/report.pb.h"

namespace google::protobuf {
class Message;
}

namespace scenarios {

// Of training, of serving or of capacity: messages whose first field is the scenario's name.
using Reports = std::span<const google::protobuf::Message* const>;

std::string ToText(const Report& report);
std::string ToJson(const google::protobuf::Message& report);

// "figure,unit,<scenario>,<scenario>…", a row for every figure that any of the
// reports has.
std::string ToCsv(Reports reports);

// Side by side: the figures that differ, with the ratio to the first report,
// then those that do not.
std::string CompareText(Reports reports);
// {"reports": [ … ]}.
std::string CompareJson(Reports reports);

// What every figure means, a line each.
std::string FigureMeanings();

}  // namespace scenarios

#endif  // SCENARIOS_ANSWER_H_
