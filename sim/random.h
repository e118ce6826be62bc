// Pseudorandom numbers that are the same on every machine and compiler.
//
//   SplitMix64 random(Hash({seed, 7}));   // the stream of request 7
//   boost::random::exponential_distribution<double>()(random);
//
// A stream is 8 bytes, so that each thing drawn may have its own: what one
// thing draws then never moves what another does.
#ifndef SIM_RANDOM_H_
#define SIM_RANDOM_H_

#include <cstdint>
#include <initializer_list>
#include <limits>

namespace sim {

// SplitMix64 (Steele, Lea and Flood 2014); a UniformRandomBitGenerator.
class SplitMix64 {
 public:
  using result_type = uint64_t;

  explicit constexpr SplitMix64(uint64_t seed) : state_(seed) {}

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() {
    return std::numeric_limits<result_type>::max();
  }

  constexpr result_type operator()() {
    state_ += 0x9e3779b97f4a7c15;  // 2^64 / golden ratio, odd
    return Finish(state_);
  }

  // Spreads every bit over all others; one-to-one.
  static constexpr uint64_t Finish(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
};

// One number for several, of which order counts.
constexpr uint64_t Hash(std::initializer_list<uint64_t> numbers) {
  uint64_t hash = 0;
  for (const uint64_t n : numbers) hash = SplitMix64(hash ^ n)();
  return hash;
}

}  // namespace sim

#endif  // SIM_RANDOM_H_
