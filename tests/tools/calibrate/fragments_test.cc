// Layouts of matrix fragments, against plain loops: a warp is played lane by
// lane, with mma and ldmatrix as the PTX manual defines them.
#include "tools/calibrate/fragments.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <utility>

namespace tools {
namespace {

constexpr int kLanes = 32;

TEST(Fragments, EachElementOfATileIsHeldOnce) {
  std::set<std::pair<int, int>> accumulator, a, b;
  for (int lane = 0; lane < kLanes; ++lane) {
    for (int i = 0; i < 4; ++i) {
      accumulator.insert({AccumulatorRow(lane, i), AccumulatorColumn(lane, i)});
      b.insert({BRow(lane, i), BColumn(lane, i)});
    }
    for (int i = 0; i < 8; ++i) a.insert({ARow(lane, i), AColumn(lane, i)});
  }
  EXPECT_EQ(accumulator.size(), 16u * 8);
  EXPECT_EQ(*accumulator.rbegin(), std::pair(15, 7));
  EXPECT_EQ(a.size(), 16u * 16);
  EXPECT_EQ(*a.rbegin(), std::pair(15, 15));
  EXPECT_EQ(b.size(), 16u * 8);
  EXPECT_EQ(*b.rbegin(), std::pair(15, 7));
}

TEST(Fragments, HoldWhatTheManualDraws) {
  // Lane 5 is of group 1 (rows 1 and 9), second in it (columns 2 and 3).
  EXPECT_EQ(AccumulatorRow(5, 0), 1);
  EXPECT_EQ(AccumulatorColumn(5, 1), 3);
  EXPECT_EQ(AccumulatorRow(5, 2), 9);
  // A: a2, a3 are rows 8 on; a4, a5 columns 8 on.
  EXPECT_EQ(ARow(5, 2), 9);
  EXPECT_EQ(AColumn(5, 2), 2);
  EXPECT_EQ(ARow(5, 4), 1);
  EXPECT_EQ(AColumn(5, 5), 11);
  // B: b2, b3 are k 8 on.
  EXPECT_EQ(BRow(5, 3), 11);
  EXPECT_EQ(BColumn(5, 3), 1);
}

// ldmatrix.x4: lanes 8j .. 8j+7 name the rows of tile j; register j of lane l
// receives elements 2 (l % 4) and the next of row l / 4 of tile j; transposed,
// those of column l / 4.
struct Element {
  int row, column;
};
template <class RowOf, class ColumnOf>
std::array<Element, 8> LoadMatrix(int lane, bool transposed, RowOf row,
                                  ColumnOf column) {
  std::array<Element, 8> registers;
  for (int tile = 0; tile < 4; ++tile) {
    for (int half = 0; half < 2; ++half) {
      int down = lane / 4, across = 2 * (lane % 4) + half;
      if (transposed) std::swap(down, across);
      const int namer = 8 * tile + down;
      registers[static_cast<size_t>(2 * tile + half)] = {
          row(namer), column(namer) + across};
    }
  }
  return registers;
}

TEST(LoadMatrix, GivesAInTheOrderOfItsRegisters) {
  for (int lane = 0; lane < kLanes; ++lane) {
    const auto held = LoadMatrix(lane, false, LoadARow, LoadAColumn);
    for (int i = 0; i < 8; ++i) {
      EXPECT_EQ(held[static_cast<size_t>(i)].row, ARow(lane, i));
      EXPECT_EQ(held[static_cast<size_t>(i)].column, AColumn(lane, i));
    }
  }
}

TEST(LoadMatrix, GivesTwoBsOfATileStoredByColumns) {
  for (int lane = 0; lane < kLanes; ++lane) {
    const auto held = LoadMatrix(lane, false, LoadBRow, LoadBColumn);
    for (int i = 0; i < 8; ++i) {
      const Element e = held[static_cast<size_t>(i)];
      EXPECT_EQ(e.row, BColumn(lane, i % 4) + 8 * (i / 4));
      EXPECT_EQ(e.column, BRow(lane, i % 4));
    }
  }
}

TEST(LoadMatrix, TransposedGivesTwoBsOfATileStoredByRows) {
  for (int lane = 0; lane < kLanes; ++lane) {
    const auto held =
        LoadMatrix(lane, true, LoadTransposedBRow, LoadTransposedBColumn);
    for (int i = 0; i < 8; ++i) {
      const Element e = held[static_cast<size_t>(i)];
      EXPECT_EQ(e.row, BRow(lane, i % 4));
      EXPECT_EQ(e.column, BColumn(lane, i % 4) + 8 * (i / 4));
    }
  }
}

// P as it leaves Q K^T is A as P V takes it: two accumulators side by side.
TEST(Fragments, TwoAccumulatorsAreOneA) {
  for (int lane = 0; lane < kLanes; ++lane) {
    for (int i = 0; i < 8; ++i) {
      const int tile = i / 4, in_tile = i % 4;
      EXPECT_EQ(ARow(lane, i), AccumulatorRow(lane, in_tile));
      EXPECT_EQ(AColumn(lane, i), 8 * tile + AccumulatorColumn(lane, in_tile));
    }
  }
}

TEST(WideFragments, EachElementOf64x256IsHeldOnce) {
  std::set<std::pair<int, int>> held;
  for (int thread = 0; thread < 128; ++thread) {
    for (int i = 0; i < 128; ++i) {
      held.insert({WideRow(thread, i), WideColumn(thread, i)});
    }
  }
  EXPECT_EQ(held.size(), 64u * 256);
  EXPECT_EQ(*held.rbegin(), std::pair(63, 255));
}

TEST(Swizzle, KeepsRowsAndSpreadsColumnsOverAllBanks) {
  EXPECT_EQ(SwizzledByte(0, 37), 37);
  // Row 3 exchanges chunk 2 with chunk 2 ^ 3 = 1.
  EXPECT_EQ(SwizzledByte(3, 2 * 16 + 5), 3 * 128 + 1 * 16 + 5);
  EXPECT_EQ(SwizzledByte(11, 0), 11 * 128 + 3 * 16);
  // The same 16 bytes of eight rows lie in eight different groups of banks.
  std::set<int> groups;
  for (int row = 0; row < 8; ++row) {
    groups.insert(SwizzledByte(row, 64) % 128 / 16);
  }
  EXPECT_EQ(groups.size(), 8u);
}

TEST(Descriptor, PutsAddressOffsetsAndSwizzleInTheirBits) {
  const uint64_t d = OperandDescriptor(0x12400);
  EXPECT_EQ(d & 0x3fff, 0x1240u);
  EXPECT_EQ((d >> 16) & 0x3fff, 1u);
  EXPECT_EQ((d >> 32) & 0x3fff, 64u);
  EXPECT_EQ(d >> 62, 1u);
  // A step of k is 32 bytes: two units.
  EXPECT_EQ(OperandDescriptor(0x12420) - d, 2u);
}

}  // namespace
}  // namespace tools
