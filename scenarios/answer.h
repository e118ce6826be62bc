// Reports as people and programs read them.
//
//   std::cout << ToText(report);
//   std::cout << ToJson(report);             // report.proto's fields
//   std::cout << ToCsv({a, b});              // a column for each report
//   std::cout << CompareText({a, b});        // what differs first
#ifndef SCENARIOS_ANSWER_H_
#define SCENARIOS_ANSWER_H_

#include <span>
#include <string>

#include "scenarios/report.pb.h"

namespace scenarios {

std::string ToText(const Report& report);
std::string ToJson(const Report& report);

// "figure,unit,<scenario>,<scenario>…", a row for every figure that any of the
// reports has.
std::string ToCsv(std::span<const Report> reports);

// Side by side: the figures that differ, with the ratio to the first report,
// then those that do not.
std::string CompareText(std::span<const Report> reports);
// {"reports": [ … ]}.
std::string CompareJson(std::span<const Report> reports);

// What every figure means, a line each.
std::string FigureMeanings();

}  // namespace scenarios

#endif  // SCENARIOS_ANSWER_H_
