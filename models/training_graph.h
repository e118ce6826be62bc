// The operator graphs of one pipeline stage of a training step.
//
//   StageGraph stage = BuildStage(model, training, ChunksOf(model, split)[3]);
//   stage.chunks[0];  // forward and backward of its first model chunk
//   stage.step;       // gradient norm, optimizer, weights gathered again
//
// All ranks of a stage have the same graphs, but where experts are loaded
// unevenly: then those of each part of the load (ExpertSplit). A schedule (schedules/) says in
// which order the chunks' passes run; hardware/lowering.h makes a program.
#ifndef MODELS_TRAINING_GRAPH_H_
#define MODELS_TRAINING_GRAPH_H_

#include <array>
#include <span>
#include <vector>

#include "models/model_spec.h"
#include "models/op_graph.h"
#include "models/rank_shape.h"
#include "models/training.h"

namespace models {

struct StageGraph {
  std::vector<OpGraph> chunks;  // by virtual stage
  OpGraph step;
  ParameterCounts parameters;  // of this rank, before ZeRO divides
  std::array<sim::Bytes, kHolders> resident{};  // held through the step
  OffDevice off_device;                         // likewise, by the host
};

// REQUIRES: the model has no latent attention, and the split divides it
// (scenarios/load.cc checks both).
StageGraph BuildStage(const ModelSpec& model, const TrainingSpec& training,
                      std::span<const Chunk> chunks, size_t part = 0);

// Forward and backward of one chunk; `first` and `last` chunks of the data flow
// exchange no messages on that side.
OpGraph BuildChunk(const ModelSpec& model, const TrainingSpec& training,
                   const Chunk& chunk, size_t part = 0);
// Of one that has a share of the vocabulary and no layers.
OpGraph BuildVocabularyChunk(const ModelSpec& model,
                             const TrainingSpec& training, const Chunk& chunk);
// What follows the last backward pass on a rank of `parameters` parameters.
OpGraph BuildStep(const ModelSpec& model, const TrainingSpec& training,
                  std::span<const Chunk> chunks);

}  // namespace models

#endif  // MODELS_TRAINING_GRAPH_H_
