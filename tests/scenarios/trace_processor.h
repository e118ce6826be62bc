// Perfetto's own reader, as tests ask it.
//
//   if (!WhyNoTraceProcessor().empty()) GTEST_SKIP() << WhyNoTraceProcessor();
//   Ask("t.pftrace", {"select count(*) from slice"})[0][0][0];  // "42"
#ifndef TESTS_SCENARIOS_TRACE_PROCESSOR_H_
#define TESTS_SCENARIOS_TRACE_PROCESSOR_H_

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace scenarios {

// Empty if it can be run, else why not.
std::string WhyNoTraceProcessor();

// The rows of each query about `trace`; integers are strings. Takes a second.
std::vector<nlohmann::json> Ask(const std::filesystem::path& trace,
                                const std::vector<std::string>& queries);

inline int64_t Whole(const nlohmann::json& value) {
  return std::stoll(value.get<std::string>());
}

// Everything the reader found wrong, by name: empty for a good trace. Loading
// alone shows nothing, for broken traces load and are only counted here.
inline constexpr char kComplaints[] =
    "select name from stats where value > 0 and name not like '%_duration_ns'";

// A path of this process's own, in a folder that exists.
std::filesystem::path Scratch(const std::string& name);

std::string BytesOf(const std::filesystem::path& file);

}  // namespace scenarios

#endif  // TESTS_SCENARIOS_TRACE_PROCESSOR_H_
