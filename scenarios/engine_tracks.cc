#include "scenarios/engine_tracks.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "models/serving.h"

namespace scenarios {
namespace {

// Tracks of an engine, from its process on; those of steps and operators, in
// turn, come last.
constexpr uint64_t kNetwork = 1, kService = 2, kFirstCounter = 3,
                   kFirstSteps = 7;
constexpr size_t kMostNamed = 16;  // requests, in an argument of a step

int64_t PromptTokens(const sim::StepWork& work) {
  int64_t tokens = 0;
  for (const sim::PrefillChunk& chunk : work.prefills) tokens += chunk.tokens;
  return tokens;
}

std::string NameOf(const sim::StepWork& work) {
  std::string name;
  if (!work.prefills.empty()) {
    absl::StrAppend(&name, "prefill ", PromptTokens(work));
  }
  if (work.decodes > 0) {
    absl::StrAppend(&name, name.empty() ? "" : " + ", "decode ", work.decodes);
  }
  return name;
}

// "3, 17, 18": whose prompts a step computes.
std::string RequestsOf(const sim::StepWork& work) {
  std::string ids;
  for (size_t row = 0; row < work.prefills.size(); ++row) {
    if (row == kMostNamed) {
      absl::StrAppend(&ids, " and ", work.prefills.size() - row, " more");
      break;
    }
    absl::StrAppend(&ids, row == 0 ? "" : ", ", work.prefills[row].request);
  }
  return ids;
}

int64_t KeysOf(const sim::StepWork& work) {
  int64_t keys = work.decode_keys;
  for (const sim::PrefillChunk& chunk : work.prefills) keys += chunk.keys;
  return keys;
}

}  // namespace

EngineTracks::EngineTracks(const ServingInputs& inputs,
                           const std::optional<OperatorWindow>& window,
                           ServingTracks* tracks)
    : inputs_(inputs), window_(window), tracks_(*tracks) {
  int threads = 0;
  for (size_t row = 0; row < inputs.pools.size(); ++row) {
    const ServingPool& pool = inputs.pools[row];
    pool_of_.insert(pool_of_.end(), static_cast<size_t>(pool.replicas), row);
    key_bytes_.push_back(models::CacheBytesPerToken(pool.model, pool.spec));
    if (window) operators_.emplace_back(pool);
    threads = std::max(threads, 2 * pool.policy.microbatches + 2);
  }
  while (pids_ <= threads) pids_ *= 10;
}

int32_t EngineTracks::PidOf(uint32_t row) const {
  return pids_ * static_cast<int32_t>(row + 1);
}

uint64_t EngineTracks::StepTrack(const Engine& engine, int microbatch) const {
  return engine.process + kFirstSteps + 2 * static_cast<uint64_t>(microbatch);
}

EngineTracks::Engine& EngineTracks::At(uint32_t row) {
  if (row >= engines_.size()) engines_.resize(row + 1);
  Engine& engine = engines_[row];
  if (!engine.described) Describe(row, &engine);
  return engine;
}

std::string EngineTracks::NameOf(uint32_t row, const Engine& engine) const {
  const ServingPool& pool = inputs_.pools[engine.pool];
  std::string name = absl::StrCat("engine ", row, " · ", pool.model.name);
  if (pool.name != pool.model.name) absl::StrAppend(&name, " · ", pool.name);
  absl::StrAppend(&name, " · tp ", pool.spec.tensor);
  if (pool.spec.pipeline > 1) {
    absl::StrAppend(&name, " · pp ", pool.spec.pipeline);
  }
  const bool prefills = pool.role == sim::Role::kPrefill;
  if (prefills && pool.name != "prefill") absl::StrAppend(&name, " · prefill");
  const bool decodes = pool.role == sim::Role::kDecode;
  if (decodes && pool.name != "decode") absl::StrAppend(&name, " · decode");
  return name;
}

void EngineTracks::Describe(uint32_t row, Engine* engine) {
  engine->described = true;
  engine->pool = row < pool_of_.size() ? pool_of_[row] : 0;
  const int microbatches = inputs_.pools[engine->pool].policy.microbatches;
  engine->operators.resize(static_cast<size_t>(microbatches));
  engine->process =
      tracks_.New(kFirstSteps + 2 * static_cast<uint64_t>(microbatches));
  const int32_t pid = PidOf(row);
  tracks_.Process(engine->process, pid, NameOf(row, *engine));
  for (int m = 0; m < microbatches; ++m) {
    tracks_.Thread(StepTrack(*engine, m), pid, pid + 1 + 2 * m,
                   microbatches == 1 ? "steps" : absl::StrCat("steps ", m));
  }
  tracks_.Thread(engine->process + kService, pid, pid + pids_ - 1, "service");
  const bool caches = inputs_.pools[engine->pool].cache.prefix_caching;
  constexpr const char* kNames[kCounters] = {
      "running", "waiting", "KV blocks used", "KV blocks cached"};
  for (size_t c = 0; c < (caches ? kCounters : kCounters - 1); ++c) {
    tracks_.Counter(engine->process + kFirstCounter + c, engine->process,
                    kNames[c]);
  }
}

void EngineTracks::WriteArguments(const Engine& engine,
                                  const sim::StepWork& work) {
  EventBytes* event = &tracks_.out.event;
  const auto add = [&](TraceKey key, int64_t value) {
    if (value > 0) Arg(event, key, value);
  };
  add(TraceKey::kDecodes, work.decodes);
  if (work.decode_tokens != work.decodes) {
    add(TraceKey::kDecodeTokens, work.decode_tokens);
  }
  if (!work.prefills.empty()) {
    add(TraceKey::kPrompts, static_cast<int64_t>(work.prefills.size()));
    add(TraceKey::kPromptTokens, PromptTokens(work));
    Arg(event, TraceKey::kPromptsOf, RequestsOf(work));
  }
  add(TraceKey::kKeys, KeysOf(work));
  Arg(event, TraceKey::kKvReadMib,
      InMiB(key_bytes_[engine.pool] * KeysOf(work)));
  add(TraceKey::kFromHost, work.from_host);
  add(TraceKey::kFromDisk, work.from_disk);
  add(TraceKey::kToHost, work.to_host);
}

void EngineTracks::Steps(const sim::StepRecord& step,
                         const std::function<void(EventBytes*)>& add) {
  Engine& engine = At(step.replica);
  const uint64_t track = StepTrack(engine, step.microbatch);
  tracks_.out.event.Begin(track).Name(scenarios::NameOf(*step.work));
  WriteArguments(engine, *step.work);
  tracks_.out.Write(Nanoseconds(step.begin));
  add(&tracks_.out.event.End(track));
  tracks_.out.Write(Nanoseconds(step.end));
  WriteCounters(step, &engine);
  if (window_ && step.begin <= window_->to && step.end >= window_->from) {
    WriteOperators(step, &engine);
  }
}

void EngineTracks::WriteOperators(const sim::StepRecord& step, Engine* engine) {
  const auto m = static_cast<size_t>(step.microbatch);
  const uint64_t track = StepTrack(*engine, step.microbatch) + 1;
  if (!engine->operators[m]) {
    engine->operators[m] = true;
    const int32_t pid = PidOf(step.replica);
    tracks_.Thread(track, pid, pid + 2 + 2 * step.microbatch,
                   engine->operators.size() == 1
                       ? "operators"
                       : absl::StrCat("operators ", m));
  }
  for (const ShownOperator& op :
       operators_[engine->pool].Of(*step.work, step.begin, step.end)) {
    EventBytes* event = &tracks_.out.event.Begin(track).Name(
        op.times > 1 ? absl::StrCat(op.name, " x ", op.times) : op.name);
    if (!op.kernel.empty()) Arg(event, TraceKey::kKernel, op.kernel);
    Arg(event, TraceKey::kTimes, op.times);
    Arg(event, TraceKey::kAloneUs, op.alone_us);
    if (op.flops > 0) Arg(event, TraceKey::kFlops, op.flops);
    if (op.bytes > 0) Arg(event, TraceKey::kBytes, op.bytes);
    Arg(event, TraceKey::kStretch, op.stretch);
    tracks_.out.Write(Nanoseconds(op.begin));
    tracks_.out.event.End(track);
    tracks_.out.Write(Nanoseconds(op.end));
  }
}

void EngineTracks::WriteCounters(const sim::StepRecord& step, Engine* engine) {
  const sim::KvPool& cache = step.engine->cache();
  const std::array<int64_t, kCounters> values = {
      step.engine->running(), step.engine->waiting(), cache.used(),
      cache.options().prefix_caching ? cache.cached() : -1};
  for (size_t c = 0; c < kCounters; ++c) {
    if (values[c] == engine->counted[c]) continue;
    engine->counted[c] = values[c];
    tracks_.out.event.Count(engine->process + kFirstCounter + c, values[c]);
    tracks_.out.Write(Nanoseconds(step.end));
  }
}

uint64_t EngineTracks::NetworkTrack(uint32_t row) {
  Engine& engine = At(row);
  if (!engine.network) {
    engine.network = true;
    const int32_t pid = PidOf(row);
    tracks_.Thread(engine.process + kNetwork, pid, pid + pids_ - 2, "network");
  }
  return engine.process + kNetwork;
}

void EngineTracks::WriteMove(uint64_t track,
                             const sim::TransferRecord& transfer, bool sends,
                             uint64_t arrow) {
  EventBytes* event = &tracks_.out.event.Begin(track).Name(absl::StrCat(
      sends ? "send request " : "receive request ", transfer.job->request.id));
  Arg(event, TraceKey::kFrom, int64_t{transfer.from});
  Arg(event, TraceKey::kTo, int64_t{transfer.to});
  Arg(event, TraceKey::kMib, InMiB(transfer.bytes));
  if (sends && transfer.from != transfer.to) event->Leave(arrow);
  tracks_.out.Write(Nanoseconds(transfer.begin));
  event = &tracks_.out.event.End(track);
  if (!sends) event->Arrive(arrow);
  tracks_.out.Write(Nanoseconds(transfer.end));
}

void EngineTracks::Moves(const sim::TransferRecord& transfer) {
  const uint64_t arrow = tracks_.NewArrow();
  WriteMove(NetworkTrack(transfer.from), transfer, true, arrow);
  // An engine that keeps a request to itself sends it nowhere.
  if (transfer.from == transfer.to) return;
  WriteMove(NetworkTrack(transfer.to), transfer, false, arrow);
}

void EngineTracks::Switches(uint32_t row, sim::Instant at, bool up) {
  Engine& engine = At(row);
  if (engine.up == up) return;
  engine.up = up;
  const uint64_t track = engine.process + kService;
  if (up) {
    tracks_.out.event.Begin(track).Name("up");
  } else {
    tracks_.out.event.End(track);
  }
  tracks_.out.Write(Nanoseconds(at));
}

void EngineTracks::Ends(sim::Instant at) {
  for (uint32_t row = 0; row < engines_.size(); ++row) {
    if (engines_[row].up) Switches(row, at, false);
  }
}

}  // namespace scenarios
