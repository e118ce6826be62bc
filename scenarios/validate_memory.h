// Whether what ran is predicted to fit, and what ran out of memory is not.
//
//   std::vector<MemoryCheck> checks = CheckMemory(csv, rules, 2, MemoryOf);
//   // {.id = "mpt-7b_…", .ran = true, .needs_gib = 71.2, .fits = true}
//   // {.id = "mpt-7b_…", .ran = false, .micro_batch = 32, .fits = false}
//
// Every row ran, so it must fit. Where a table says that micro batches were
// raised until they fitted no more (Table.frontier), twice the largest of each
// family must not.
#ifndef SCENARIOS_VALIDATE_MEMORY_H_
#define SCENARIOS_VALIDATE_MEMORY_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "scenarios/inputs.h"
#include "scenarios/table_rules.h"
#include "sim/csv_file.h"

namespace scenarios {

// Of the fullest GPU.
struct MemoryNeed {
  double needs_gib = 0;
  double capacity_gib = 0;
  bool fits = false;
};

// Called from several threads at once.
using MemoryOf = absl::FunctionRef<absl::StatusOr<MemoryNeed>(const Inputs&)>;

struct MemoryCheck {
  int64_t row = 0;
  std::string id, source;
  std::string family;        // empty: its micro batch is not the largest
  bool ran = true;           // false: twice the micro batch that ran
  int64_t micro_batch = 0;   // 0 if skipped
  MemoryNeed need;
  std::string skipped = {};  // why; empty if checked

  bool right() const { return need.fits == ran; }
};

// One for each row, in their order, then one for twice the largest micro batch
// of each family, in the order of those rows.
// REQUIRES: the rules are for this table; threads > 0.
std::vector<MemoryCheck> CheckMemory(const sim::CsvFile& csv,
                                     const TableRules& rules, int threads,
                                     MemoryOf memory_of);

// A family is right if its largest micro batch fits and twice it does not.
struct MemorySummary {
  std::string source;
  int64_t ran = 0, ran_and_fit = 0;
  int64_t families = 0, families_right = 0;
};

// One for each source in the order they first appear, then one of all.
std::vector<MemorySummary> SummariseMemory(std::span<const MemoryCheck> checks);

// For people: what is wrong, and the summaries.
std::string MemoryText(std::span<const MemoryCheck> checks);

// row,run_id,source,family,micro_batch,ran,needs_gib,capacity_gib,fits,right,
// reason; one line per check.
std::string MemoryCsv(std::span<const MemoryCheck> checks);

// {"sources": [{…}], "checks": [{…}]} with the names of the structs' members.
std::string MemoryJson(std::span<const MemoryCheck> checks);

}  // namespace scenarios

#endif  // SCENARIOS_VALIDATE_MEMORY_H_
