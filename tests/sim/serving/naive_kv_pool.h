// The rules of KvPool by the simplest means: every device block a row, every
// cached block known by its tokens spelt out, every search a scan of them all.
#ifndef TESTS_SIM_SERVING_NAIVE_KV_POOL_H_
#define TESTS_SIM_SERVING_NAIVE_KV_POOL_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "sim/serving/kv_pool.h"
#include "sim/serving/request.h"

namespace sim {

class NaiveKvPool {
 public:
  explicit NaiveKvPool(const KvPool::Options& options)
      : options_(options), rows_(static_cast<size_t>(options.blocks)) {}

  KvPool::Hit Find(const Request& request, int64_t generated) const {
    KvPool::Hit hit;
    for (int64_t i = 0; (i + 1) * tokens() < request.input + generated; ++i) {
      const std::string key = Key(request, i);
      if (key.empty()) break;
      if (OnDevice(key)) {
        hit.device += tokens();
      } else if (In(host_, key)) {
        hit.host += tokens();
      } else if (In(disk_, key)) {
        hit.disk += tokens();
      } else {
        break;
      }
    }
    return hit;
  }

  // Works on a copy, thrown away if it does not get through.
  std::optional<KvPool::Hit> Admit(int slot, const Request& request,
                                   int64_t wanted, int64_t generated) {
    NaiveKvPool next = *this;
    const KvPool::Hit hit = Find(request, generated);
    std::vector<size_t>& held = next.held_[slot];
    held.resize(static_cast<size_t>(hit.tokens() / tokens()));
    std::vector<size_t> missing;
    for (size_t i = 0; i < held.size(); ++i) {
      const std::string key = Key(request, static_cast<int64_t>(i));
      if (const auto row = next.OnDevice(key)) {
        held[i] = *row;
        next.rows_[*row].holders.insert(slot);
      } else {
        std::erase(next.host_, key);
        std::erase(next.disk_, key);
        missing.push_back(i);
      }
    }
    for (const size_t i : missing) {
      const auto row = next.TakeOne(slot);
      if (!row) return std::nullopt;
      next.rows_[*row].key = Key(request, static_cast<int64_t>(i));
      held[i] = *row;
    }
    if (!next.Extend(slot, wanted)) return std::nullopt;
    *this = next;
    return hit;
  }

  bool Grow(int slot, int64_t wanted) {
    NaiveKvPool next = *this;
    if (!next.Extend(slot, wanted)) return false;
    *this = next;
    return true;
  }

  // REQUIRES: what it is called with for one request never falls.
  void Computed(int slot, const Request& request, int64_t done) {
    const std::vector<size_t>& held = held_.at(slot);
    for (int64_t i = seen_[slot]; (i + 1) * tokens() <= done; ++i) {
      seen_[slot] = i + 1;
      const std::string key = Key(request, i);
      if (key.empty() || OnDevice(key)) continue;
      std::erase(host_, key);
      std::erase(disk_, key);
      rows_[held[static_cast<size_t>(i)]].key = key;
    }
  }

  void Free(int slot) {
    std::vector<size_t>& held = held_.at(slot);
    for (auto row = held.rbegin(); row != held.rend(); ++row) {
      rows_[*row].holders.erase(slot);
      if (rows_[*row].holders.empty()) rows_[*row].idle_since = ++clock_;
    }
    held_.erase(slot);
    seen_.erase(slot);
  }

  int64_t capacity(int slot) const {
    return static_cast<int64_t>(held_.at(slot).size()) * tokens();
  }
  int64_t available() const {
    return std::count_if(rows_.begin(), rows_.end(),
                         [](const Block& b) { return b.holders.empty(); });
  }
  int64_t evicted() const { return evicted_; }

 private:
  struct Block {
    std::string key;  // empty: not cached
    std::set<int> holders;
    int64_t idle_since = 0;
  };

  int64_t tokens() const { return options_.block_tokens; }

  // The place of each token and the id of its chunk; empty if one has none.
  std::string Key(const Request& request, int64_t place) const {
    if (!options_.prefix_caching || request.prefix.empty()) return "";
    std::string key;
    for (int64_t t = place * tokens(); t < (place + 1) * tokens(); ++t) {
      const auto chunk = static_cast<size_t>(t / request.chunk);
      if (chunk >= request.prefix.size()) return "";
      absl::StrAppend(&key, t, ":", request.prefix[chunk], " ");
    }
    return key;
  }

  std::optional<size_t> OnDevice(const std::string& key) const {
    for (size_t row = 0; row < rows_.size(); ++row) {
      if (rows_[row].key == key) return row;
    }
    return std::nullopt;
  }
  static bool In(const std::vector<std::string>& keys, const std::string& key) {
    return std::find(keys.begin(), keys.end(), key) != keys.end();
  }

  bool Extend(int slot, int64_t wanted) {
    while (capacity(slot) < wanted) {
      const auto row = TakeOne(slot);
      if (!row) return false;
      held_[slot].push_back(*row);
    }
    return true;
  }

  // A block that caches nothing, or else the one that has been idle longest.
  std::optional<size_t> TakeOne(int slot) {
    std::optional<size_t> best;
    const auto age = [&](size_t row) {
      return rows_[row].key.empty() ? 0 : rows_[row].idle_since;
    };
    for (size_t row = 0; row < rows_.size(); ++row) {
      if (!rows_[row].holders.empty()) continue;
      if (!best || age(row) < age(*best)) best = row;
    }
    if (!best) return best;
    if (!rows_[*best].key.empty()) {
      ++evicted_;
      MoveDown(rows_[*best].key);
    }
    rows_[*best] = {.key = "", .holders = {slot}};
    return best;
  }

  void MoveDown(const std::string& key) {
    host_.push_back(key);
    if (static_cast<int64_t>(host_.size()) <= options_.host_blocks) return;
    disk_.push_back(host_.front());
    host_.erase(host_.begin());
    if (static_cast<int64_t>(disk_.size()) <= options_.disk_blocks) return;
    disk_.erase(disk_.begin());
  }

  KvPool::Options options_;
  std::vector<Block> rows_;
  std::vector<std::string> host_, disk_;     // the oldest first
  std::map<int, std::vector<size_t>> held_;  // rows of a slot, in order
  std::map<int, int64_t> seen_;  // blocks of a slot that Computed has been told
  int64_t clock_ = 0;
  int64_t evicted_ = 0;
};

}  // namespace sim

#endif  // TESTS_SIM_SERVING_NAIVE_KV_POOL_H_
