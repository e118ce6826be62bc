// Where the elements of a tile lie in the registers of a warp and in shared
// memory, for the matrix instructions of sm_80 and sm_90a. Index arithmetic
// alone, the same on the host, where tests compare it with plain loops.
//
//   AccumulatorRow(lane, 2), AccumulatorColumn(lane, 2)   // of m16n8: the
//       // element that register 2 of that lane holds
//
// Layouts: PTX ISA 8.x, "Matrix Fragments for mma.m16n8k16", "ldmatrix",
// "Register Fragments for wgmma.mma_async.m64nNk16", "Matrix Descriptor".
#ifndef TOOLS_CALIBRATE_FRAGMENTS_H_
#define TOOLS_CALIBRATE_FRAGMENTS_H_

#include <cstdint>

#ifdef __CUDACC__
#define ORRERY_BOTH_SIDES __host__ __device__ constexpr
#else
#define ORRERY_BOTH_SIDES constexpr
#endif

namespace tools {

// ---- mma.m16n8k16, 16-bit operands, FP32 accumulators --------------------

// The accumulator's four registers per lane: rows g and g + 8, columns 2t and
// 2t + 1, where g = lane / 4 and t = lane % 4.
ORRERY_BOTH_SIDES int AccumulatorRow(int lane, int i) {
  return lane / 4 + 8 * (i / 2);
}
ORRERY_BOTH_SIDES int AccumulatorColumn(int lane, int i) {
  return 2 * (lane % 4) + i % 2;
}

// A, 16 x 16: eight elements per lane, two to a register.
ORRERY_BOTH_SIDES int ARow(int lane, int i) {
  return lane / 4 + 8 * ((i / 2) % 2);
}
ORRERY_BOTH_SIDES int AColumn(int lane, int i) {
  return 2 * (lane % 4) + i % 2 + 8 * (i / 4);
}

// B, 16 x 8: four elements per lane, two to a register.
ORRERY_BOTH_SIDES int BRow(int lane, int i) {
  return 2 * (lane % 4) + i % 2 + 8 * (i / 2);
}
ORRERY_BOTH_SIDES int BColumn(int lane, int /*i*/) { return lane / 4; }

// ---- ldmatrix.x4: four 8 x 8 tiles of 16-bit elements --------------------

// The row and column, in a 16 x 16 tile stored by rows, whose 16 bytes the lane
// must name so that the four registers are A's: tiles (0,0), (8,0), (0,8),
// (8,8).
ORRERY_BOTH_SIDES int LoadARow(int lane) { return lane % 16; }
ORRERY_BOTH_SIDES int LoadAColumn(int lane) { return 8 * (lane / 16); }

// The same for two B operands at once: a tile of 16 columns of B by 16 of k,
// stored with k along the rows ("B transposed", as K is in Q K^T). Registers 0
// and 1 are B of columns 0..7, registers 2 and 3 of columns 8..15.
ORRERY_BOTH_SIDES int LoadBRow(int lane) { return lane % 8 + 8 * (lane / 16); }
ORRERY_BOTH_SIDES int LoadBColumn(int lane) { return 8 * ((lane / 8) % 2); }

// The same for ldmatrix.trans, where the tile is stored with k down the columns
// (as V is in P V): 16 of k by 16 columns of B.
ORRERY_BOTH_SIDES int LoadTransposedBRow(int lane) { return lane % 16; }
ORRERY_BOTH_SIDES int LoadTransposedBColumn(int lane) {
  return 8 * (lane / 16);
}

// ---- wgmma.m64n256, operands in shared memory ----------------------------

// The accumulator of a warpgroup's `thread`, 0..127: 128 registers each.
ORRERY_BOTH_SIDES int WideRow(int thread, int i) {
  return 16 * (thread / 32) + (thread % 32) / 4 + 8 * ((i / 2) % 2);
}
ORRERY_BOTH_SIDES int WideColumn(int thread, int i) {
  return 8 * (i / 4) + 2 * (thread % 4) + i % 2;
}

// Both operands lie with k along rows of 128 bytes, in atoms of 8 rows; within
// an atom the 16-byte chunks of a row are exchanged by the row's number
// ("128-byte swizzle"). The offset in bytes of byte `byte` of row `row`:
ORRERY_BOTH_SIDES int SwizzledByte(int row, int byte) {
  const int chunk = (byte / 16) ^ (row % 8);
  return row * 128 + chunk * 16 + byte % 16;
}

// The descriptor of such an operand from `address`, a shared-memory address in
// bytes that is a multiple of 1024 plus the 32 bytes of each earlier step of k:
// bits 0-13 address / 16, 16-29 the leading offset (not used here: 1), 32-45
// the 1024 bytes between atoms / 16, 62-63 the swizzle, 1.
ORRERY_BOTH_SIDES uint64_t OperandDescriptor(uint32_t address) {
  return (uint64_t{1} << 62) | (uint64_t{1024 / 16} << 32) |
         (uint64_t{1} << 16) | ((address & 0x3ffff) / 16);
}

}  // namespace tools

#endif  // TOOLS_CALIBRATE_FRAGMENTS_H_
