// A calibration as the text of a file that LoadCalibration reads.
//
//   CalibrationText(message);
//   // # proto-file: hardware/calibration.proto …
//   // gemm {
//   //   launch_us: 2.77
//   //   tile { m: 256 n: 128 }
#ifndef TOOLS_CALIBRATE_CALIBRATION_TEXT_H_
#define TOOLS_CALIBRATE_CALIBRATION_TEXT_H_

#include <string>

namespace google::protobuf {
class Message;
}

namespace tools {

// Messages without messages in them stand on a line where they fit on it.
std::string CalibrationText(const google::protobuf::Message& calibration);

}  // namespace tools

#endif  // TOOLS_CALIBRATE_CALIBRATION_TEXT_H_
