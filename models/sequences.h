// Lengths of the sequences of a training set, and how rows of tokens hold them.
//
//   Sequences s{.lengths = {512, 2048}, .shares = {3, 1}};
//   s.Mean();         // 896 tokens: (3·512 + 2048) / 4
//   s.Keys();         // 1,170 keys: what a token's sequence holds, on average
//
// A packed row is full of sequences, each of which attends to itself only; a
// row that is not packed holds one, padded.
#ifndef MODELS_SEQUENCES_H_
#define MODELS_SEQUENCES_H_

#include <cstdint>
#include <vector>

namespace models {

struct Sequences {
  std::vector<int64_t> lengths = {};  // tokens; empty: all fill a row
  std::vector<double> shares = {};    // of the sequences; empty: equal
  bool packed = true;
  double fill = 1;  // packed: part of a row's tokens that are in sequences

  bool given() const { return !lengths.empty(); }
  // Whether the attention of a row falls into blocks.
  bool blocks() const { return given() && packed; }

  double Mean() const;      // tokens of a sequence
  int64_t Longest() const;  // tokens
  // Tokens of the sequence that a token is in, on average: the squares of the
  // lengths over the lengths. REQUIRES: given().
  double Keys() const;
  // Of these keys, those that a causal mask leaves: itself and those before it,
  // at most `window` (0: all).
  double VisibleKeys(int64_t window) const;
  // Part of a row's tokens that are not padding.
  double Useful(int64_t row_tokens) const;

  friend bool operator==(const Sequences&, const Sequences&) = default;
};

}  // namespace models

#endif  // MODELS_SEQUENCES_H_
