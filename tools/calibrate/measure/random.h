// Random numbers that depend on a seed and a position alone, so that any thread
// draws any of them.
//
//   RandomNormal(7, i)     // mean 0, deviation 1
//   RandomWhole(7, i, 3)   // -3 .. 3
#ifndef TOOLS_CALIBRATE_MEASURE_RANDOM_H_
#define TOOLS_CALIBRATE_MEASURE_RANDOM_H_

#include <cstdint>

#ifdef __CUDACC__
#define ON_BOTH_SIDES __host__ __device__
#else
#define ON_BOTH_SIDES
#endif

namespace tools {

// The finalizer of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
ON_BOTH_SIDES inline uint64_t RandomBits(uint64_t seed, int64_t position) {
  uint64_t z = static_cast<uint64_t>(position) * 0x9e3779b97f4a7c15u +
               seed * 0xd1342543de82ef95u + 0x632be59bd9b4e019u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// The sum of four uniform numbers of 16 bits, whose variance is 4 / 12, times
// the root of 3: close to normal, and bounded by 3.5.
ON_BOTH_SIDES inline float RandomNormal(uint64_t seed, int64_t position) {
  const uint64_t bits = RandomBits(seed, position);
  float sum = -2.0f;
  for (int i = 0; i < 4; ++i) {
    sum += (static_cast<float>((bits >> (16 * i)) & 0xffff) + 0.5f) / 65536.0f;
  }
  return sum * 1.7320508f;
}

// Uniform over the whole numbers from -most to most.
ON_BOTH_SIDES inline int RandomWhole(uint64_t seed, int64_t position,
                                     int most) {
  const uint64_t span = 2 * static_cast<uint64_t>(most) + 1;
  return static_cast<int>(((RandomBits(seed, position) >> 32) * span) >> 32) -
         most;
}

}  // namespace tools

#endif  // TOOLS_CALIBRATE_MEASURE_RANDOM_H_
