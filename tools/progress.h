// Tells a person what a program is at, once it has been at it for a second.
//
//   const Progress progress("simulating llama3-70b.textproto");
//   …                     // after 1 s, on stderr: simulating llama3-70b… ...
#ifndef TOOLS_PROGRESS_H_
#define TOOLS_PROGRESS_H_

#include <string>
#include <thread>

namespace tools {

// One line on stderr if this lives longer than a second; else nothing.
class Progress {
 public:
  explicit Progress(std::string doing);

 private:
  std::jthread waits_;
};

}  // namespace tools

#endif  // TOOLS_PROGRESS_H_
