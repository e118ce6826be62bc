#include "sim/deadlock.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace sim {
namespace {

constexpr size_t kPlacesNamed = 8;
constexpr size_t kPeersNamed = 4;

struct ByRank {
  bool operator()(const Standing& a, RankId b) const { return a.rank < b; }
  bool operator()(RankId a, const Standing& b) const { return a < b.rank; }
};

class Account {
 public:
  Account(const Program& program, std::span<const Standing> standing)
      : program_(program), standing_(standing) {}

  std::string Write() const {
    size_t ranks = 0, places = 0;
    std::string lines;
    for (size_t row = 0; row < standing_.size(); ++row) {
      const Standing& at = standing_[row];
      ranks += row == 0 || standing_[row - 1].rank != at.rank;
      if (!at.arrived || ++places > kPlacesNamed) continue;
      absl::StrAppend(&lines, "\nrank ", Row(at.rank), " stands at ", Task(at),
                      ": ", Missing(at));
    }
    if (places > kPlacesNamed) {
      absl::StrAppend(&lines, "\nand ", places - kPlacesNamed, " more");
    }
    return absl::StrCat("deadlock: ", ranks, " of ", program_.script.size(),
                        " ranks never finish", lines);
  }

 private:
  const Script& ScriptOf(RankId rank) const {
    return program_.scripts[program_.script[rank]];
  }

  GroupId GroupOf(const Standing& at) const {
    return program_.group(at.rank, ScriptOf(at.rank).tasks[at.task].axis);
  }

  std::string Task(const Standing& at) const {
    const sim::Task& task = ScriptOf(at.rank).tasks[at.task];
    return absl::StrCat("\"", program_.labels[task.label], "\" (pass ",
                        task.pass, ", lane ", program_.lanes[at.lane], ")");
  }

  std::span<const Standing> LanesOf(RankId rank) const {
    const auto [first, last] =
        std::equal_range(standing_.begin(), standing_.end(), rank, ByRank());
    return {first, last};
  }

  // Members of the group that `at` awaits and that are not there, by rank.
  std::vector<RankId> Absent(const Standing& at) const {
    const GroupId group = GroupOf(at);
    const std::span<const RankId> members = program_.members[group];
    std::vector<RankId> absent(members.begin(), members.end());
    std::sort(absent.begin(), absent.end());
    absent.erase(std::unique(absent.begin(), absent.end()), absent.end());
    std::erase_if(absent, [&](RankId rank) {
      size_t seats = 0, taken = 0;
      for (size_t axis = 0; axis < program_.axes.size(); ++axis) {
        seats += program_.group(rank, AsId<AxisId>(axis)) == group;
      }
      for (const Standing& lane : LanesOf(rank)) {
        taken += lane.arrived && GroupOf(lane) == group;
      }
      return taken == seats;
    });
    return absent;
  }

  // Where a rank awaits its peers: on its lowest such lane.
  std::string Whereabouts(RankId rank) const {
    for (const Standing& lane : LanesOf(rank)) {
      if (lane.arrived) return absl::StrCat("stands at ", Task(lane));
    }
    return "has finished";
  }

  std::string Missing(const Standing& at) const {
    const std::vector<RankId> absent = Absent(at);
    const size_t named = std::min(absent.size(), kPeersNamed);
    std::vector<std::string> peers;
    for (size_t row = 0; row < named; ++row) {
      peers.push_back(absl::StrCat("rank ", Row(absent[row]),
                                   " never comes, it ",
                                   Whereabouts(absent[row])));
    }
    if (absent.size() > named) {
      peers.push_back(absl::StrCat("and ", absent.size() - named, " more"));
    }
    return absl::StrJoin(peers, "; ");
  }

  const Program& program_;
  std::span<const Standing> standing_;
};

}  // namespace

absl::Status DeadlockError(const Program& program,
                           std::span<const Standing> standing) {
  return absl::FailedPreconditionError(Account(program, standing).Write());
}

}  // namespace sim
