// One number of a message of constants, by its path.
//
//   SetConstant("gemm[family=cublas].launch_us", 1.5, calibration);
//   ReadConstant("attention[family=fa3,backward=true].efficiency",
//   calibration);
//
// In brackets stand fields that tell a list's element from the others; an
// element that leaves a field out has its default.
#ifndef TOOLS_CALIBRATE_CONSTANT_H_
#define TOOLS_CALIBRATE_CONSTANT_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace google::protobuf {
class Message;
}

namespace tools {

// Fail if the path leads nowhere, or to what is not a double.
absl::StatusOr<double> ReadConstant(absl::string_view path,
                                    const google::protobuf::Message& message);
absl::Status SetConstant(absl::string_view path, double value,
                         google::protobuf::Message& message);

// The message that a path leads to. Fails if it leads nowhere.
absl::StatusOr<google::protobuf::Message*> FindMessage(
    absl::string_view path, google::protobuf::Message& message);

}  // namespace tools

#endif  // TOOLS_CALIBRATE_CONSTANT_H_
