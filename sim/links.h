// How communications that run at once share the links of their ranks.
//
//   Links links(/*links=*/1, /*flows=*/3);
//   links.Add(0, {{.link = 0, .parts = 1024}});  // could fill the link
//   links.Add(1, {{.link = 0, .parts = 1024}});
//   links.Add(2, {{.link = 0, .parts = 256}});
//   links.Share([](uint32_t flow, Pace was) { … });
//   links.pace(2);  // kFullPace: a quarter is less than a third
//   links.pace(0);  // 3/8 of it: half of what is left
//
// Dominant resource fairness (Ghodsi et al., NSDI 2011) of links: the level,
// which is the part of a link that a flow uses where it uses most, rises for
// all flows together. A flow stops rising when it goes at full pace or when one
// of its links is full. So flows of one link get max-min fair shares: those
// that want less than an equal part are not slowed, the others share the rest.
//
// All is counted in whole numbers and rounded down, so that the order in which
// flows come and links are looked at changes nothing, and no link carries more
// than it can.
#ifndef SIM_LINKS_H_
#define SIM_LINKS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sim {

// Parts per 2520 of the speed a communication has alone. 1 to 10 divide 2520,
// so equal shares of that many are exact.
using Pace = int32_t;
inline constexpr Pace kFullPace = 2520;

// What a communication at `pace` takes of something that it takes `parts` of at
// full pace.
inline int32_t AtPace(int32_t parts, Pace pace) {
  return (parts * pace + kFullPace - 1) / kFullPace;
}

// A flow needs so much of a link for its full pace: 1 to 1024 of 1024 parts.
struct Crossing {
  uint32_t link = 0;
  int32_t parts = 0;
};

class Links {
 public:
  Links(size_t links, size_t flows)
      : on_(links), load_(links), flows_(flows), link_seen_(links) {}

  // The flow runs from now on; its pace is 0 until Share.
  // REQUIRES: it does not run. A link it crosses twice carries both.
  void Add(uint32_t flow, std::span<const Crossing> crossings);
  // It has ended. REQUIRES: it runs.
  void Remove(uint32_t flow);

  // Whether flows have come or gone since the last Share.
  bool stale() const { return !changed_.empty() || !added_.empty(); }

  // Finds the paces anew; calls changed(flow, pace before) for each that is not
  // what it was.
  // Cost: O(levels · crossings) of the flows on links where one came or went,
  // and of those they meet, one after the other, on overloaded links.
  template <class Changed>
  void Share(Changed&& changed) {
    Gather();
    Fill();
    for (const uint32_t flow : touched_) {
      const Pace was = flows_[flow].pace;
      flows_[flow].pace = flows_[flow].next;
      if (flows_[flow].next != was) changed(flow, was);
    }
    touched_.clear();
  }

  Pace pace(uint32_t flow) const { return flows_[flow].pace; }

 private:
  struct Flow {
    std::vector<Crossing> crossings;
    int32_t most = 0;  // parts of the link it needs most of
    Pace pace = 0;
    Pace next = 0;  // while paces are found: 0 until this flow's is
    bool seen = false;
  };

  struct Rider {  // on a link
    uint32_t flow = 0;
    int32_t parts = 0;
  };

  void Gather();
  void Touch(uint32_t flow);
  void Fill();
  bool FillContentAt(int64_t level);
  int64_t LevelOf(uint32_t link) const;

  std::vector<std::vector<Rider>> on_;  // by link
  std::vector<int32_t> load_;           // parts wanted, by link
  std::vector<Flow> flows_;
  // Since the last Share: links that became more or less overloaded, and flows.
  std::vector<uint32_t> changed_, added_;
  // While paces are found: the flows, and the overloaded links among them.
  std::vector<uint32_t> touched_, bound_;
  std::vector<int64_t> level_;  // of bound_
  std::vector<uint8_t> link_seen_;
};

}  // namespace sim

#endif  // SIM_LINKS_H_
