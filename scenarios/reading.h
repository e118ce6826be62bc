// Numbers as people read them in reports.
//
//   Grouped(129101);        // "129,101"
//   ReadableTime(0.0123);   // "12.30 ms"
#ifndef SCENARIOS_READING_H_
#define SCENARIOS_READING_H_

#include <string>

namespace scenarios {

// Rounded to a whole number, in groups of three digits.
std::string Grouped(double number);
// Seconds, in the unit that reads best.
std::string ReadableTime(double seconds);

}  // namespace scenarios

#endif  // SCENARIOS_READING_H_
