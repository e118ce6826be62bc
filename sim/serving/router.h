// Which of the engines that serve its model a request goes to.
//
//   Router router(RouterKind::kLeastOutstanding, 1);
//   router.Pick(request, candidates);  // a row of them
#ifndef SIM_SERVING_ROUTER_H_
#define SIM_SERVING_ROUTER_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>

#include "sim/serving/replica.h"

namespace sim {

enum class RouterKind : uint8_t {
  kRoundRobin,
  kLeastOutstanding,  // fewest requests waiting or running
  kPowerOfTwo,        // the one with fewer, of two different ones drawn
  // Where most of the prompt is cached, unless that engine has more than
  // twice the requests of the least busy one, and eight more; then the least
  // busy one.
  kPrefixAware,
};

class Router {
 public:
  Router(RouterKind kind, uint64_t seed) : kind_(kind), random_(seed) {}

  // REQUIRES: candidates is not empty.
  size_t Pick(const Request& request,
              std::span<const Replica* const> candidates);

 private:
  RouterKind kind_;
  size_t turn_ = 0;
  std::mt19937_64 random_;
};

}  // namespace sim

#endif  // SIM_SERVING_ROUTER_H_
