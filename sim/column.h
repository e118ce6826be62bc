// Vectors that know what indexes them.
//
//   enum class TaskId : uint32_t {};
//   Column<TaskId, Duration> duration(tasks);
//   duration[TaskId{3}];        // duration[lane] does not compile
//
// An index is a scoped enum over an unsigned integer. `Runs` holds, for each
// index, a run of values: compressed sparse rows.
#ifndef SIM_COLUMN_H_
#define SIM_COLUMN_H_

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace sim {

// The row a scoped-enum index stands for.
template <class Id>
constexpr size_t Row(Id id) {
  return static_cast<size_t>(static_cast<std::underlying_type_t<Id>>(id));
}

// REQUIRES: `row` fits Id.
template <class Id>
constexpr Id AsId(size_t row) {
  return static_cast<Id>(static_cast<std::underlying_type_t<Id>>(row));
}

template <class Id, class T>
class Column {
 public:
  using value_type = T;
  using const_iterator = typename std::vector<T>::const_iterator;

  Column() = default;
  explicit Column(size_t size, T value = T()) : rows_(size, value) {}

  decltype(auto) operator[](Id id) {
    assert(Row(id) < rows_.size());
    return rows_[Row(id)];
  }
  decltype(auto) operator[](Id id) const {
    assert(Row(id) < rows_.size());
    return rows_[Row(id)];
  }
  Id Append(T value) {
    rows_.push_back(std::move(value));
    return AsId<Id>(rows_.size() - 1);
  }

  size_t size() const { return rows_.size(); }
  bool empty() const { return rows_.empty(); }
  void reserve(size_t size) { rows_.reserve(size); }
  auto begin() { return rows_.begin(); }
  auto end() { return rows_.end(); }
  auto begin() const { return rows_.begin(); }
  auto end() const { return rows_.end(); }
  friend bool operator==(const Column&, const Column&) = default;

 private:
  std::vector<T> rows_;
};

template <class Id, class T>
class Runs {
 public:
  Runs() : starts_(1, 0) {}
  // Row `id` is every value paired with `id`, in pair order.
  Runs(size_t ids, std::span<const std::pair<Id, T>> pairs)
      : starts_(ids + 1, 0) {
    for (const auto& [id, value] : pairs) ++starts_[Row(id) + 1];
    for (size_t row = 0; row < ids; ++row) starts_[row + 1] += starts_[row];
    values_.resize(pairs.size());
    std::vector<uint32_t> next(starts_.begin(), starts_.end() - 1);
    for (const auto& [id, value] : pairs) values_[next[Row(id)]++] = value;
  }

  std::span<const T> operator[](Id id) const {
    assert(Row(id) + 1 < starts_.size());
    return {values_.data() + starts_[Row(id)],
            values_.data() + starts_[Row(id) + 1]};
  }
  // Adds one more row, after the last.
  Id Append(std::span<const T> run) {
    values_.insert(values_.end(), run.begin(), run.end());
    starts_.push_back(static_cast<uint32_t>(values_.size()));
    return AsId<Id>(starts_.size() - 2);
  }

  size_t size() const { return starts_.size() - 1; }
  size_t value_count() const { return values_.size(); }
  friend bool operator==(const Runs&, const Runs&) = default;

 private:
  std::vector<uint32_t> starts_;  // size() + 1 offsets into values_
  std::vector<T> values_;
};

}  // namespace sim

#endif  // SIM_COLUMN_H_
