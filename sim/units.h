//   Duration t = MiB(1) / GBps(450);  // 2'330'169 ps, rounded up
//
// Quantities that do not mix: bytes + seconds does not compile, bytes / rate is
// a time. Simulated time is whole picoseconds, so sums are exact and two runs
// of one program agree to the last bit. 2^63 ps is 106 days.
#ifndef SIM_UNITS_H_
#define SIM_UNITS_H_

#include <cmath>
#include <compare>
#include <cstdint>
#include <limits>

namespace sim {

template <class Tag, class Rep>
class Quantity {
 public:
  constexpr Quantity() = default;
  constexpr explicit Quantity(Rep count) : count_(count) {}
  constexpr Rep count() const { return count_; }

  friend constexpr auto operator<=>(Quantity, Quantity) = default;
  friend constexpr Quantity operator+(Quantity a, Quantity b) {
    return Quantity(a.count_ + b.count_);
  }
  friend constexpr Quantity operator-(Quantity a, Quantity b) {
    return Quantity(a.count_ - b.count_);
  }
  friend constexpr Quantity operator*(Quantity a, Rep times) {
    return Quantity(a.count_ * times);
  }
  friend constexpr Quantity operator*(Rep times, Quantity a) {
    return a * times;
  }
  constexpr Quantity& operator+=(Quantity b) { return *this = *this + b; }
  constexpr Quantity& operator-=(Quantity b) { return *this = *this - b; }

 private:
  Rep count_ = 0;
};

using Duration = Quantity<struct DurationTag, int64_t>;  // picoseconds
using Bytes = Quantity<struct BytesTag, int64_t>;
using Flops = Quantity<struct FlopsTag, double>;  // a count, not a rate
using BytesPerSecond = Quantity<struct BytesPerSecondTag, double>;
using FlopsPerSecond = Quantity<struct FlopsPerSecondTag, double>;

// A point on the simulated clock. Instant + Instant does not compile.
struct Instant {
  Duration since_start;

  friend constexpr auto operator<=>(Instant, Instant) = default;
  friend constexpr Instant operator+(Instant t, Duration d) {
    return {t.since_start + d};
  }
  friend constexpr Duration operator-(Instant a, Instant b) {
    return a.since_start - b.since_start;
  }
};

constexpr Bytes KiB(int64_t n) { return Bytes(n << 10); }
constexpr Bytes MiB(int64_t n) { return Bytes(n << 20); }
constexpr Bytes GiB(int64_t n) { return Bytes(n << 30); }
constexpr BytesPerSecond GBps(double n) { return BytesPerSecond(n * 1e9); }
constexpr FlopsPerSecond TeraFlopsPerSecond(double n) {
  return FlopsPerSecond(n * 1e12);
}

constexpr Duration Picoseconds(int64_t n) { return Duration(n); }
// Durations made from fractions round up: work above zero takes time. What 64
// bits cannot hold, from 106 days up, is kForever.
inline constexpr Duration kForever{std::numeric_limits<int64_t>::max()};
inline Duration Seconds(double n) {
  const double picoseconds = std::ceil(n * 1e12);
  return picoseconds < 0x1p63 ? Duration(static_cast<int64_t>(picoseconds))
                              : kForever;
}
inline Duration Milliseconds(double n) { return Seconds(n * 1e-3); }
inline Duration Microseconds(double n) { return Seconds(n * 1e-6); }
inline Duration Nanoseconds(double n) { return Seconds(n * 1e-9); }

constexpr double InSeconds(Duration d) {
  return static_cast<double>(d.count()) * 1e-12;
}
constexpr double InMicroseconds(Duration d) {
  return static_cast<double>(d.count()) * 1e-6;
}
constexpr double InGiB(Bytes b) {
  return static_cast<double>(b.count()) / (1 << 30);
}

// Work / rate = time, rounded up. REQUIRES: rate > 0.
inline Duration operator/(Bytes work, BytesPerSecond rate) {
  return Seconds(static_cast<double>(work.count()) / rate.count());
}
inline Duration operator/(Flops work, FlopsPerSecond rate) {
  return Seconds(work.count() / rate.count());
}

}  // namespace sim

#endif  // SIM_UNITS_H_
