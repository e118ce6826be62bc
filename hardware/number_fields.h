// Checks the number fields of a loaded message against their ranges.
//
//   CheckNumbers(gpu, file.At(""), ranges);
//   // x.textproto:5:1: power_watts: -3 is out of range; write a number above 0
#ifndef HARDWARE_NUMBER_FIELDS_H_
#define HARDWARE_NUMBER_FIELDS_H_

#include <limits>
#include <span>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "sim/text_file.h"

namespace hardware {

struct NumberRange {
  absl::string_view field;  // optional double, int32 or int64
  double least = 0;
  double most = std::numeric_limits<double>::infinity();
  bool above_least = false;  // whether `least` itself is out of range
};

// Every field of `ranges` must be set and in its range. `place` is where
// `message` stands. REQUIRES: the message's type has the fields.
absl::Status CheckNumbers(const google::protobuf::Message& message,
                          const sim::TextField& place,
                          std::span<const NumberRange> ranges);

// The same of the fields that are set.
absl::Status CheckGivenNumbers(const google::protobuf::Message& message,
                               const sim::TextField& place,
                               std::span<const NumberRange> ranges);

}  // namespace hardware

#endif  // HARDWARE_NUMBER_FIELDS_H_
