#include "tools/progress.h"

#include <chrono>
#include <condition_variable>
#include <iostream>
#include <mutex>
#include <stop_token>
#include <utility>

namespace tools {
namespace {

void NoteAfterASecond(const std::stop_token& stop, const std::string& doing) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  stopped.wait_for(lock, stop, std::chrono::seconds(1), [] { return false; });
  if (!stop.stop_requested()) std::cerr << doing << " ...\n";
}

}  // namespace

Progress::Progress(std::string doing)
    : waits_([doing = std::move(doing)](const std::stop_token& stop) {
        NoteAfterASecond(stop, doing);
      }) {}

}  // namespace tools
