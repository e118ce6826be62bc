#include "scenarios/validate_memory.h"

#include <algorithm>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "scenarios/in_threads.h"
#include "scenarios/validate_runs.h"

namespace scenarios {
namespace {

MemoryCheck CheckRow(const RunRow& run, size_t row, MemoryOf memory_of,
                     std::span<const std::string> sets) {
  MemoryCheck check{.row = static_cast<int64_t>(row) + 1,
                    .id = run.id,
                    .source = run.source,
                    .family = run.frontier,
                    .need = {}};
  const absl::StatusOr<Inputs> inputs = InputsOfRow(run, sets);
  if (!inputs.ok()) {
    check.skipped = std::string(inputs.status().message());
    return check;
  }
  check.micro_batch = inputs->training.micro_batch;
  const absl::StatusOr<MemoryNeed> need = memory_of(*inputs);
  if (need.ok()) {
    check.need = *need;
  } else {
    check.skipped = std::string(need.status().message());
  }
  return check;
}

// Twice the micro batch, in as many microbatches.
MemoryCheck CheckTwice(const RunRow& run, const MemoryCheck& ran,
                       MemoryOf memory_of) {
  int64_t global_batch = 0;
  const absl::StatusOr<Inputs> inputs = InputsOfRow(run);
  if (inputs.ok()) global_batch = inputs->training.global_batch;
  const std::string sets[] = {
      absl::StrCat("training.micro_batch=", 2 * ran.micro_batch),
      absl::StrCat("training.global_batch=", 2 * global_batch)};
  MemoryCheck check =
      CheckRow(run, static_cast<size_t>(ran.row) - 1, memory_of, sets);
  check.ran = false;
  return check;
}

// Rows, from 0, of the largest micro batch of each family, ascending.
std::vector<size_t> LargestOfFamilies(std::span<const MemoryCheck> checks) {
  absl::btree_map<std::string, size_t> largest;
  for (size_t row = 0; row < checks.size(); ++row) {
    if (checks[row].family.empty() || !checks[row].skipped.empty()) continue;
    const auto [at, added] = largest.try_emplace(checks[row].family, row);
    if (checks[row].micro_batch > checks[at->second].micro_batch) {
      at->second = row;
    }
  }
  std::vector<size_t> rows;
  for (const auto& [family, row] : largest) rows.push_back(row);
  std::sort(rows.begin(), rows.end());
  return rows;
}

std::string OutOf(int64_t right, int64_t all) {
  if (all == 0) return "";
  return absl::StrFormat(
      "%d of %d, %.1f %%", right, all,
      100 * static_cast<double>(right) / static_cast<double>(all));
}

}  // namespace

std::vector<MemoryCheck> CheckMemory(const sim::CsvFile& csv,
                                     const TableRules& rules, int threads,
                                     MemoryOf memory_of) {
  std::vector<MemoryCheck> checks(csv.rows());
  InThreads(csv.rows(), threads, [&](size_t row) {
    checks[row] = CheckRow(RowOf(rules, csv, row), row, memory_of, {});
  });
  const std::vector<size_t> largest = LargestOfFamilies(checks);
  for (MemoryCheck& check : checks) check.family.clear();
  std::vector<MemoryCheck> twice(largest.size());
  InThreads(largest.size(), threads, [&](size_t i) {
    const RunRow run = RowOf(rules, csv, largest[i]);
    twice[i] = CheckTwice(run, checks[largest[i]], memory_of);
  });
  for (size_t i = 0; i < largest.size(); ++i) {
    checks[largest[i]].family = twice[i].family;
  }
  checks.insert(checks.end(), twice.begin(), twice.end());
  return checks;
}

std::vector<MemorySummary> SummariseMemory(
    std::span<const MemoryCheck> checks) {
  std::vector<MemorySummary> summaries;
  absl::btree_map<std::string, size_t> index;
  absl::btree_map<std::string, bool> families;  // whether right so far
  MemorySummary all{.source = "all"};
  for (const MemoryCheck& check : checks) {
    if (!check.skipped.empty()) continue;
    const auto [at, added] = index.try_emplace(check.source, summaries.size());
    if (added) summaries.push_back({.source = check.source});
    for (MemorySummary* s : {&summaries[at->second], &all}) {
      s->ran += check.ran;
      s->ran_and_fit += check.ran && check.need.fits;
    }
    if (check.family.empty()) continue;
    const auto [family, first] = families.try_emplace(check.family, true);
    family->second = family->second && check.right();
    if (check.ran) continue;  // its twin comes later, and counts for both
    for (MemorySummary* s : {&summaries[at->second], &all}) {
      ++s->families;
      s->families_right += family->second;
    }
  }
  if (summaries.size() > 1) summaries.push_back(all);
  return summaries;
}

std::string MemoryText(std::span<const MemoryCheck> checks) {
  std::string text;
  absl::btree_map<std::string, int> reasons;
  for (const MemoryCheck& check : checks) {
    if (!check.skipped.empty()) {
      ++reasons[check.skipped];
    } else if (!check.right()) {
      absl::StrAppendFormat(
          &text, "%6d  %s, micro batch %d%s: needs %.1f of %.1f GiB\n",
          check.row, check.id, check.micro_batch,
          check.ran ? " ran and does not fit" : ", twice what ran, fits",
          check.need.needs_gib, check.need.capacity_gib);
    }
  }
  if (!text.empty()) text = "wrong\n" + text + "\n";
  for (const auto& [reason, count] : reasons) {
    absl::StrAppendFormat(&text, "%5d skipped: %s\n", count, reason);
  }
  absl::StrAppendFormat(&text, "%s%-36s %22s %40s\n", reasons.empty() ? "" : "\n",
                        "source", "rows that ran and fit",
                        "families whose largest fits and no more");
  for (const MemorySummary& s : SummariseMemory(checks)) {
    absl::StrAppendFormat(&text, "%-36s %22s %40s\n", s.source,
                          OutOf(s.ran_and_fit, s.ran),
                          OutOf(s.families_right, s.families));
  }
  return text;
}

std::string MemoryCsv(std::span<const MemoryCheck> checks) {
  const std::string header[] = {"row",         "run_id", "source",
                                "family",      "micro_batch", "ran",
                                "needs_gib",   "capacity_gib", "fits",
                                "right",       "reason"};
  std::string csv = sim::CsvLine(header);
  for (const MemoryCheck& c : checks) {
    const bool ok = c.skipped.empty();
    const std::string cells[] = {
        absl::StrCat(c.row),
        c.id,
        c.source,
        c.family,
        ok ? absl::StrCat(c.micro_batch) : "",
        c.ran ? "1" : "0",
        ok ? absl::StrFormat("%.3f", c.need.needs_gib) : "",
        ok ? absl::StrFormat("%.3f", c.need.capacity_gib) : "",
        ok ? (c.need.fits ? "1" : "0") : "",
        ok ? (c.right() ? "1" : "0") : "",
        c.skipped};
    csv += sim::CsvLine(cells);
  }
  return csv;
}

std::string MemoryJson(std::span<const MemoryCheck> checks) {
  using Json = nlohmann::ordered_json;
  Json json = {{"sources", Json::array()}, {"checks", Json::array()}};
  for (const MemorySummary& s : SummariseMemory(checks)) {
    json["sources"].push_back({{"source", s.source},
                               {"ran", s.ran},
                               {"ran_and_fit", s.ran_and_fit},
                               {"families", s.families},
                               {"families_right", s.families_right}});
  }
  for (const MemoryCheck& c : checks) {
    Json check = {{"row", c.row},       {"id", c.id},   {"source", c.source},
                  {"family", c.family}, {"ran", c.ran}, {"ok", c.skipped.empty()}};
    if (c.skipped.empty()) {
      check["micro_batch"] = c.micro_batch;
      check["needs_gib"] = c.need.needs_gib;
      check["capacity_gib"] = c.need.capacity_gib;
      check["fits"] = c.need.fits;
      check["right"] = c.right();
    } else {
      check["reason"] = c.skipped;
    }
    json["checks"].push_back(std::move(check));
  }
  return json.dump(1) + "\n";
}

}  // namespace scenarios
