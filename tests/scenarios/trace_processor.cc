#include "tests/scenarios/trace_processor.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "sim/data_path.h"

namespace scenarios {
namespace {

namespace fs = std::filesystem;

std::string ShellQuoted(const std::string& word) {
  return absl::StrCat("'", absl::StrReplaceAll(word, {{"'", "'\\''"}}), "'");
}

}  // namespace

std::string WhyNoTraceProcessor() {
  if (std::system("node --version > /dev/null 2>&1") != 0) {
    return "node is not installed";
  }
  const fs::path folder = sim::DataPath("build/trace_processor");
  if (fs::exists(folder / "trace_processor.wasm")) return "";
  return absl::StrCat(folder.string(),
                      " is absent: run tools/fetch trace_processor");
}

std::vector<nlohmann::json> Ask(const fs::path& trace,
                                const std::vector<std::string>& queries) {
  const fs::path answer = Scratch("answer"), complaint = Scratch("complaint");
  std::string command = "node";
  for (const fs::path& argument :
       {sim::DataPath("tests/scenarios/trace_processor.mjs"),
        sim::DataPath("build/trace_processor"), trace}) {
    absl::StrAppend(&command, " ", ShellQuoted(argument));
  }
  for (const std::string& sql : queries) {
    absl::StrAppend(&command, " ", ShellQuoted(sql));
  }
  absl::StrAppend(&command, " > ", ShellQuoted(answer), " 2> ",
                  ShellQuoted(complaint));
  EXPECT_EQ(std::system(command.c_str()), 0) << BytesOf(complaint);
  std::vector<nlohmann::json> rows;
  std::ifstream in(answer);
  for (std::string line; std::getline(in, line);) {
    rows.push_back(nlohmann::json::parse(line));
  }
  EXPECT_EQ(rows.size(), queries.size()) << BytesOf(complaint);
  rows.resize(queries.size());
  return rows;
}

fs::path Scratch(const std::string& name) {
  const fs::path folder =
      fs::path(::testing::TempDir()) / absl::StrCat("orrery-", getpid());
  fs::create_directories(folder);
  return folder / name;
}

std::string BytesOf(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace scenarios
