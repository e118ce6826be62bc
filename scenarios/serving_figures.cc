// What each figure of a serving report means.
#include "absl/strings/str_format.h"
#include "scenarios/serving_report.h"

namespace scenarios {
namespace {

constexpr FigureRow kRows[] = {
    {"scenario", "scenario", "", "the scenario's name"},
    {"model", "model", "", "of the first kind of engines"},
    {"cluster", "cluster", "", "kind of server"},
    {"profile", "profile", "", "engine profile (scenarios/profiles)"},
    {"gpus", "GPUs", "", "of all engines"},
    {"engines", "engines", "", "that start with the run"},
    {"load", "load", "", "how requests arrive"},
    {"fits", "fits", "", "whether every engine has room for its cache"},
    {"meets", "meets", "", "whether every objective is met often enough"},
    {"seconds", "time", "s",
     "from the first arrival to the last answer, of counted requests"},
    {"requests", "requests", "", "that arrived"},
    {"answered", "answered", "", "completely"},
    {"refused_too_long", "too long", "",
     "refused: longer than max_model_len, or than any cache"},
    {"refused_queue_full", "queue full", "", "refused: max_queue wait already"},
    {"unserved", "unserved", "", "not answered when the clock stopped"},
    {"counted", "counted", "", "answered and not excluded"},
    {"latency.mean_ms", "", "ms",
     "ttft: to the first token; tpot: (e2e - ttft) / (tokens - 1); itl: between "
     "two tokens, over all gaps; e2e: to the last token; normalised: e2e / "
     "tokens of the answer"},
    {"latency.p50_ms", "", "ms", "half are no longer"},
    {"latency.p90_ms", "", "ms", "nine in ten are no longer"},
    {"latency.p95_ms", "", "ms", "19 in 20 are no longer"},
    {"latency.p99_ms", "", "ms", "99 in 100 are no longer"},
    {"requests_per_second", "requests/s", "1/s", "counted / seconds"},
    {"input_tokens_per_second", "input tokens/s", "tokens/s",
     "of prompts, cached ones included"},
    {"output_tokens_per_second", "output tokens/s", "tokens/s", "generated"},
    {"output_tokens_per_second_per_gpu", "output tokens/s per GPU", "tokens/s",
     "output_tokens_per_second / gpus"},
    {"usd_per_million_output_tokens", "cost", "USD",
     "GPU hours x gpu_hour_usd, of a million tokens"},
    {"joules_per_output_token", "energy", "J",
     "GPUs at board power, times power usage effectiveness"},
    {"goodput_requests_per_second", "goodput", "1/s",
     "requests that meet their objective / seconds"},
    {"attainment.share", "", "", "of its requests, refused ones included"},
    {"attainment.wanted", "", "", "that the objective asks for"},
    {"attainment.requests", "", "", "of its class"},
    {"mean_running", "running", "", "sequences in a step, mean over step time"},
    {"most_running", "most running", "", "at one engine"},
    {"mean_waiting", "waiting", "", "at an engine, mean over step time"},
    {"most_waiting", "most waiting", "", "at one engine"},
    {"mean_cache_used", "cache used", "", "part of the blocks, likewise"},
    {"most_cache_used", "most cache used", "", "at one engine"},
    {"mean_cache_waste", "cache waste", "",
     "part of the blocks in use that no token fills: ends of last blocks and "
     "what is reserved"},
    {"prefix_hit_rate", "prefix hits", "",
     "part of the prompts' tokens found in the cache"},
    {"preemptions", "preemptions", "", "requests put aside for want of room"},
    {"steps", "steps", "", "of all engines"},
    {"busy", "busy", "", "part of the engines' time in steps"},
    {"mfu", "MFU", "", "FLOPs of matrix products / peak at the weights' type"},
    {"mbu", "MBU", "",
     "weights of every step and keys and values it reads / memory bandwidth"},
    {"parts.mean_ms", "", "ms", "mean over counted requests; they sum to e2e"},
    {"parts.share", "", "", "of e2e"},
    {"parts.late_mean_ms", "", "ms", "of requests that miss their objective"},
    {"parts.late_share", "", "", "of their e2e"},
    {"pools.model", "model", "", "that these engines serve"},
    {"pools.gpu", "GPU", "", "of these engines"},
    {"pools.role", "role", "", "prefill, decode or both"},
    {"pools.engines", "engines", "", "of this kind"},
    {"pools.gpus_of_engine", "GPUs", "", "of one engine"},
    {"pools.split", "split", "", "over the GPUs of one engine"},
    {"pools.capacity_gib", "capacity", "GiB", "of a GPU"},
    {"pools.weights_gib", "weights", "GiB", "of a GPU"},
    {"pools.activations_gib", "activations", "GiB", "of the largest step"},
    {"pools.overhead_gib", "overhead", "GiB", "context, NCCL, workspaces"},
    {"pools.cache_gib", "cache", "GiB", "of keys and values"},
    {"pools.cache_tokens", "cache tokens", "", "that an engine holds"},
    {"pools.missing_gib", "missing", "GiB", "for one block of cache"},
    {"series.arrived", "arrived", "", "in the interval"},
    {"series.answered", "answered", "", "in the interval"},
    {"series.output_tokens_per_second", "output tokens/s", "tokens/s",
     "in the interval"},
    {"series.running", "running", "", "sequences in a step"},
    {"series.waiting", "waiting", "", "at an engine"},
    {"series.cache_used", "cache used", "", "part of the blocks"},
    {"series.busy", "busy", "", "part of the engines' time"},
};

}  // namespace

std::span<const FigureRow> ServingFigureRows() { return kRows; }

std::string ServingFigureMeanings() {
  std::string out;
  for (const FigureRow& row : kRows) {
    absl::StrAppendFormat(&out, "  %-32s %-9s %s\n", row.key, row.unit,
                          row.meaning);
  }
  return out;
}

}  // namespace scenarios
