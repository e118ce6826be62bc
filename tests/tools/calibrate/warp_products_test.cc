// The two products of measure/attention_tiles.h, and the two of
// measure/roofline_tensor.cu, played on the host lane by lane with the same
// index arithmetic, against plain loops.
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "tools/calibrate/fragments.h"

namespace tools {
namespace {

constexpr int kLanes = 32, kStride = 72;  // a tile of 64 columns and 8 more

using Matrix = std::vector<double>;  // by rows of kStride

Matrix Numbered(int rows, int seed) {
  Matrix m(static_cast<size_t>(rows * kStride));
  for (size_t i = 0; i < m.size(); ++i) {
    m[i] = static_cast<double>((i * 31 + static_cast<size_t>(seed)) % 17) - 8;
  }
  return m;
}
double At(const Matrix& m, int row, int column) {
  return m[static_cast<size_t>(row * kStride + column)];
}

// Eight elements per lane, two to each of four registers.
using Registers = std::array<std::array<double, 8>, kLanes>;
using Accumulator = std::array<std::array<double, 4>, kLanes>;

// ldmatrix.x4 at the address that each lane names.
template <class RowOf, class ColumnOf>
Registers LoadMatrix(const Matrix& m, int row, int column, bool transposed,
                     RowOf row_of, ColumnOf column_of) {
  Registers held;
  for (int lane = 0; lane < kLanes; ++lane) {
    for (int i = 0; i < 8; ++i) {
      int down = lane / 4, across = 2 * (lane % 4) + i % 2;
      if (transposed) std::swap(down, across);
      const int namer = 8 * (i / 2) + down;
      held[static_cast<size_t>(lane)][static_cast<size_t>(i)] =
          At(m, row + row_of(namer), column + column_of(namer) + across);
    }
  }
  return held;
}

// mma.m16n8k16 of A and the B in registers `first` and the next.
void Mma(Accumulator& d, const Registers& a, const Registers& b, int first) {
  double product[16][8] = {}, left[16][16], right[16][8];
  for (int lane = 0; lane < kLanes; ++lane) {
    const auto l = static_cast<size_t>(lane);
    for (int i = 0; i < 8; ++i) {
      left[ARow(lane, i)][AColumn(lane, i)] = a[l][static_cast<size_t>(i)];
    }
    for (int i = 0; i < 4; ++i) {
      right[BRow(lane, i)][BColumn(lane, i)] =
          b[l][static_cast<size_t>(2 * first + i)];
    }
  }
  for (int i = 0; i < 16; ++i) {
    for (int j = 0; j < 8; ++j) {
      for (int k = 0; k < 16; ++k) product[i][j] += left[i][k] * right[k][j];
    }
  }
  for (int lane = 0; lane < kLanes; ++lane) {
    for (int i = 0; i < 4; ++i) {
      d[static_cast<size_t>(lane)][static_cast<size_t>(i)] +=
          product[AccumulatorRow(lane, i)][AccumulatorColumn(lane, i)];
    }
  }
}

double Held(const std::vector<Accumulator>& acc, int lane, int tile, int i) {
  return acc[static_cast<size_t>(tile)][static_cast<size_t>(lane)]
            [static_cast<size_t>(i)];
}

TEST(WarpProducts, TileProductIsAByRowsTimesBByRowsTransposed) {
  constexpr int kTiles = 8, kDepth = 64;
  const Matrix a = Numbered(16, 1), b = Numbered(64, 5);
  std::vector<Accumulator> acc(kTiles, Accumulator{});
  for (int k = 0; k < kDepth; k += 16) {
    const Registers left = LoadMatrix(a, 0, k, false, LoadARow, LoadAColumn);
    for (int pair = 0; pair < kTiles / 2; ++pair) {
      const Registers right =
          LoadMatrix(b, 16 * pair, k, false, LoadBRow, LoadBColumn);
      Mma(acc[static_cast<size_t>(2 * pair)], left, right, 0);
      Mma(acc[static_cast<size_t>(2 * pair + 1)], left, right, 2);
    }
  }
  for (int lane = 0; lane < kLanes; ++lane) {
    for (int tile = 0; tile < kTiles; ++tile) {
      for (int i = 0; i < 4; ++i) {
        double expected = 0;
        for (int k = 0; k < kDepth; ++k) {
          expected += At(a, AccumulatorRow(lane, i), k) *
                      At(b, 8 * tile + AccumulatorColumn(lane, i), k);
        }
        EXPECT_EQ(Held(acc, lane, tile, i), expected);
      }
    }
  }
}

TEST(WarpProducts, WeightedSumIsAccumulatorsTimesBByRows) {
  constexpr int kTiles = 8, kWidth = 64;
  const Matrix p = Numbered(16, 3), b = Numbered(64, 7);
  std::vector<Accumulator> acc(kWidth / 8, Accumulator{});
  for (int pair = 0; pair < kTiles / 2; ++pair) {
    Registers left;  // two accumulators of P side by side
    for (int lane = 0; lane < kLanes; ++lane) {
      for (int i = 0; i < 8; ++i) {
        left[static_cast<size_t>(lane)][static_cast<size_t>(i)] =
            At(p, AccumulatorRow(lane, i % 4),
               16 * pair + 8 * (i / 4) + AccumulatorColumn(lane, i % 4));
      }
    }
    for (int d = 0; d < kWidth / 16; ++d) {
      const Registers right =
          LoadMatrix(b, 16 * pair, 16 * d, true, LoadTransposedBRow,
                     LoadTransposedBColumn);
      Mma(acc[static_cast<size_t>(2 * d)], left, right, 0);
      Mma(acc[static_cast<size_t>(2 * d + 1)], left, right, 2);
    }
  }
  for (int lane = 0; lane < kLanes; ++lane) {
    for (int tile = 0; tile < kWidth / 8; ++tile) {
      for (int i = 0; i < 4; ++i) {
        double expected = 0;
        for (int k = 0; k < 64; ++k) {
          expected += At(p, AccumulatorRow(lane, i), k) *
                      At(b, k, 8 * tile + AccumulatorColumn(lane, i));
        }
        EXPECT_EQ(Held(acc, lane, tile, i), expected);
      }
    }
  }
}

// MmaRounds reads registers as words of four bytes: of BF16 that is A's and B's
// layout above.
TEST(WarpProducts, WordsOfFourBytesAreTheRegistersOfSixteenBitElements) {
  for (int lane = 0; lane < kLanes; ++lane) {
    const int group = lane / 4, byte = 4 * (lane % 4);
    for (int i = 0; i < 8; ++i) {
      const int r = i / 2;
      EXPECT_EQ(group + 8 * (r % 2), ARow(lane, i));
      EXPECT_EQ(byte + 16 * (r / 2) + 2 * (i % 2), 2 * AColumn(lane, i));
    }
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(group, BColumn(lane, i));
      EXPECT_EQ(byte + 16 * (i / 2) + 2 * (i % 2), 2 * BRow(lane, i));
    }
  }
}

// The hardware takes an address's bits 4-6 with its bits 7-9 exchanged into
// them; the loader puts each row's chunks where that finds them, from any step.
TEST(WarpProducts, SwizzledChunksAreWhereTheMatrixUnitLooks) {
  for (int row = 0; row < 256; ++row) {
    for (int step = 0; step < 4; ++step) {
      for (int byte = 0; byte < 32; ++byte) {
        const uint32_t plain = static_cast<uint32_t>(
            row / 8 * 1024 + row % 8 * 128 + step * 32 + byte);
        const uint32_t looked = plain ^ ((plain >> 7 & 7) << 4);
        EXPECT_EQ(static_cast<int>(looked),
                  SwizzledByte(row, step * 32 + byte));
      }
    }
  }
}

}  // namespace
}  // namespace tools
