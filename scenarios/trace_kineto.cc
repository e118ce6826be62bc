#include "scenarios/trace_kineto.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream.h"
#include "models/op.h"
#include "scenarios/trace.h"
#include "scenarios/whole_file.h"
#include "sim/column.h"
#include "sim/engine.h"
#include "sim/ledger.h"
#include "sim/program.h"
#include "sim/units.h"

namespace scenarios {
namespace {

namespace io = google::protobuf::io;

constexpr int kGzipLevel = 1;  // fastest; such files are large
constexpr size_t kBuffer = 1 << 16;
constexpr int64_t kHostThread = 1;
constexpr int64_t kFirstStream = 7;  // of PyTorch's compute

std::string Quoted(absl::string_view text) {
  return nlohmann::json(std::string(text))
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

const Note* Find(const SliceNotes& notes, absl::string_view key) {
  for (const Note& note : notes.notes) {
    if (note.key == key) return &note;
  }
  return nullptr;
}
absl::string_view TextOf(const SliceNotes& notes, absl::string_view key) {
  const Note* note = Find(notes, key);
  if (note == nullptr) return "";
  const auto* text = std::get_if<std::string>(&note->value);
  return text == nullptr ? absl::string_view() : absl::string_view(*text);
}
std::optional<int64_t> WholeOf(const SliceNotes& notes, absl::string_view key) {
  const Note* note = Find(notes, key);
  if (note == nullptr) return std::nullopt;
  const auto* whole = std::get_if<int64_t>(&note->value);
  if (whole == nullptr) return std::nullopt;
  return *whole;
}

// "all-reduce" -> "AllReduce".
std::string CamelCase(absl::string_view words) {
  std::string camel;
  for (absl::string_view word :
       absl::StrSplit(words, absl::ByAnyChar("-/_ "))) {
    if (word.empty()) continue;
    camel += absl::ascii_toupper(static_cast<unsigned char>(word.front()));
    camel += std::string(word.substr(1));
  }
  return camel;
}

std::optional<int64_t> BitsOfElement(absl::string_view name) {
  for (const models::DType dtype :
       {models::DType::kFp32, models::DType::kTf32, models::DType::kFp16,
        models::DType::kBf16, models::DType::kFp8, models::DType::kInt8,
        models::DType::kInt4}) {
    if (models::NameOf(dtype) == name) return models::BitsOf(dtype);
  }
  return std::nullopt;
}

std::string KernelName(absl::string_view label, const SliceNotes& notes) {
  const absl::string_view collective = TextOf(notes, kCollectiveNote);
  if (collective.empty()) return absl::StrCat("ncclKernel_", label);
  std::string name = absl::StrCat("ncclKernel_", CamelCase(collective));
  const absl::string_view algorithm = TextOf(notes, kAlgorithmNote);
  if (!algorithm.empty()) {
    absl::StrAppend(&name, "_", absl::AsciiStrToUpper(algorithm));
  }
  return name;
}

// The arguments that PyTorch records of a collective, each after a comma.
std::string CollectiveArguments(const SliceNotes& notes,
                                absl::string_view axis) {
  std::string name(TextOf(notes, kCollectiveNote));
  name.erase(std::remove(name.begin(), name.end(), '-'), name.end());
  std::string arguments =
      absl::StrCat(R"(,"Collective name":)", Quoted(name),
                   R"(,"Process Group Name":)", Quoted(axis));
  const std::optional<int64_t> ranks = WholeOf(notes, kGroupSizeNote);
  if (ranks) absl::StrAppend(&arguments, R"(,"Group size":)", *ranks);
  const absl::string_view dtype = TextOf(notes, kDTypeNote);
  if (!dtype.empty()) {
    absl::StrAppend(&arguments, R"(,"dtype":)", Quoted(dtype));
  }
  const std::optional<int64_t> bits = BitsOfElement(dtype);
  const std::optional<int64_t> bytes = WholeOf(notes, kBytesNote);
  if (!bits || !bytes) return arguments;
  // models::Collective's bytes: what an all-gather gives and a reduce-scatter
  // takes; the other side has one rank's part.
  const int64_t elements = *bytes * 8 / *bits;
  const int64_t part = elements / std::max<int64_t>(1, ranks.value_or(1));
  absl::StrAppend(
      &arguments, R"(,"In msg nelems":)", name == "allgather" ? part : elements,
      R"(,"Out msg nelems":)", name == "reducescatter" ? part : elements);
  return arguments;
}

std::string NoteArguments(const SliceNotes& notes) {
  std::string arguments;
  if (!notes.category.empty()) {
    absl::StrAppend(&arguments, R"(,"category":)", Quoted(notes.category));
  }
  for (const auto& [key, value] : notes.notes) {
    absl::StrAppend(&arguments, ",", Quoted(key), ":");
    if (const auto* text = std::get_if<std::string>(&value)) {
      arguments += Quoted(*text);
    } else if (const auto* whole = std::get_if<int64_t>(&value)) {
      absl::StrAppend(&arguments, *whole);
    } else {
      arguments += nlohmann::json(std::get<double>(value)).dump();
    }
  }
  return arguments;
}

constexpr int64_t Nanoseconds(sim::Instant t) {
  return t.since_start.count() / 1000;
}

// The end of a JSON text that is being written.
class JsonTail {
 public:
  explicit JsonTail(io::ZeroCopyOutputStream& stream) : out_(&stream) {}

  JsonTail& operator<<(absl::string_view text) {
    text_.append(text.data(), text.size());
    return *this;
  }
  JsonTail& operator<<(int64_t number) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
    text_.append(digits, end);
    return *this;
  }
  // Nanoseconds, as microseconds with three decimals.
  JsonTail& Microseconds(int64_t nanoseconds) {
    *this << nanoseconds / 1000;
    const int64_t rest = nanoseconds % 1000;
    const char decimals[] = {'.', static_cast<char>('0' + rest / 100),
                             static_cast<char>('0' + rest / 10 % 10),
                             static_cast<char>('0' + rest % 10)};
    text_.append(decimals, sizeof(decimals));
    return *this;
  }
  void FlushIfLong() {
    if (text_.size() >= kBuffer) Flush();
  }
  bool Finish() {
    Flush();
    out_.Trim();
    return !out_.HadError();
  }

 private:
  void Flush() {
    out_.WriteRaw(text_.data(), static_cast<int>(text_.size()));
    text_.clear();
  }

  io::CodedOutputStream out_;
  std::string text_;
};

class KinetoWriter {
 public:
  KinetoWriter(const TraceInputs& inputs, io::ZeroCopyOutputStream& stream)
      : inputs_(inputs), arrow_ends_(inputs), out_(stream) {}

  // Ranks first .. first + count - 1 of inputs.ranks.
  bool Write(size_t first, size_t count) {
    alone_ = count == 1;
    DescribeLabels(first, count);
    WriteHead(first, count);
    for (size_t rank = first; rank < first + count; ++rank) {
      WriteNames(rank);
      WriteTasks(rank);
      WriteMemory(rank);
    }
    out_ << "\n]}\n";
    return out_.Finish();
  }

 private:
  const sim::Script& ScriptOf(size_t rank) const {
    const sim::RankId id = inputs_.ranks[rank].rank;
    return inputs_.program.scripts[inputs_.program.script[id]];
  }
  void DescribeLabels(size_t first, size_t count);
  void WriteHead(size_t first, size_t count);
  void WriteNames(size_t rank);
  void WriteName(absl::string_view what, int64_t pid, int64_t tid,
                 absl::string_view name);
  void WriteTasks(size_t rank);
  void WriteLaunch(int64_t pid, int64_t start, int64_t end);
  void WriteKernel(int64_t pid, const sim::Task& task, int64_t start,
                   int64_t finish);
  void WriteArrow(int64_t pid, const sim::Task& task, int64_t start,
                  const ArrowEnd& arrow);
  void WriteMemory(size_t rank);

  const TraceInputs& inputs_;
  ArrowEnds arrow_ends_;
  JsonTail out_;
  bool alone_ = false;  // the file has one rank: arrows would lead nowhere
  int64_t correlation_ = 0;
  struct Text {
    std::string name;       // quoted
    std::string arguments;  // each after a comma
  };
  sim::Column<sim::LabelId, Text> labels_;
};

void KinetoWriter::DescribeLabels(size_t first, size_t count) {
  const size_t labels = inputs_.program.labels.size();
  sim::Column<sim::LabelId, sim::AxisId> axis(labels, sim::kNoAxis);
  for (size_t rank = first; rank < first + count; ++rank) {
    for (const sim::Task& task : ScriptOf(rank).tasks) {
      if (task.axis != sim::kNoAxis) axis[task.label] = task.axis;
    }
  }
  for (size_t row = 0; row < labels; ++row) {
    const auto id = sim::AsId<sim::LabelId>(row);
    const std::string& label = inputs_.program.labels[id];
    const SliceNotes& notes = inputs_.notes[id];
    Text text{Quoted(label), NoteArguments(notes)};
    if (axis[id] != sim::kNoAxis) {
      text.name = Quoted(KernelName(label, notes));
      text.arguments += absl::StrCat(
          R"(,"label":)", Quoted(label),
          CollectiveArguments(notes, inputs_.program.axes[axis[id]]));
    }
    labels_.Append(std::move(text));
  }
}

void KinetoWriter::WriteHead(size_t first, size_t count) {
  out_ << R"({"schemaVersion":1,"deviceProperties":[)";
  for (size_t rank = first; rank < first + count; ++rank) {
    out_ << (rank == first ? R"({"id":)" : R"(,{"id":)")
         << inputs_.ranks[rank].number << R"(,"name":)"
         << Quoted(inputs_.device) << "}";
  }
  out_ << R"(],"distributedInfo":{"backend":"nccl","rank":)"
       << (count == 0 ? 0 : inputs_.ranks[first].number) << R"(,"world_size":)"
       << inputs_.world_size << R"(},"traceEvents":[)"
       << "\n"
       << R"({"ph":"M","name":"trace","args":{"writer":"Orrery"}})";
}

void KinetoWriter::WriteNames(size_t rank) {
  const TracedRank& traced = inputs_.ranks[rank];
  WriteName("process_name", traced.number, 0, traced.name);
  WriteName("thread_name", traced.number, kHostThread, "host");
  for (size_t lane = 0; lane < inputs_.program.lanes.size(); ++lane) {
    const auto stream = kFirstStream + static_cast<int64_t>(lane);
    WriteName("thread_name", traced.number, stream,
              inputs_.program.lanes[sim::AsId<sim::LaneId>(lane)]);
  }
  const int64_t done =
      Nanoseconds(inputs_.timeline.done[inputs_.ranks[rank].rank]);
  out_ << R"(,
{"ph":"X","cat":"user_annotation","name":"ProfilerStep#0","pid":)"
       << traced.number << R"(,"tid":)" << kHostThread
       << R"(,"ts":0.000,"dur":)";
  out_.Microseconds(done) << R"(,"args":{}})";
}

void KinetoWriter::WriteName(absl::string_view what, int64_t pid, int64_t tid,
                             absl::string_view name) {
  out_ << ",\n"
       << R"({"ph":"M","name":")" << what << R"(","pid":)" << pid
       << R"(,"tid":)" << tid << R"(,"args":{"name":)" << Quoted(name) << "}}";
}

void KinetoWriter::WriteTasks(size_t rank) {
  const sim::RankId id = inputs_.ranks[rank].rank;
  const int64_t pid = inputs_.ranks[rank].number;
  const std::span<const sim::Instant> starts = inputs_.timeline.start(id);
  const std::span<const sim::Instant> finishes = inputs_.timeline.finish(id);
  arrow_ends_.Start(rank);
  sim::Instant issued_from;  // start of the script or end of a host_sync task
  int64_t launched = 0;      // end of the launch before this one
  size_t row = 0;
  for (const sim::Task& task : ScriptOf(rank).tasks) {
    const int64_t start = Nanoseconds(starts[row]);
    const int64_t finish = Nanoseconds(finishes[row]);
    const int64_t launch =
        std::max(launched, Nanoseconds(issued_from + task.issue));
    ++correlation_;
    WriteLaunch(pid, launched, launch);
    WriteKernel(pid, task, start, finish);
    const ArrowEnd arrow = arrow_ends_.Next(task.axis);
    if (arrow.side != ArrowEnd::kNone && start < finish && !alone_) {
      WriteArrow(pid, task, start, arrow);
    }
    out_.FlushIfLong();
    launched = launch;
    if (task.host_sync) {
      issued_from = finishes[row];
      launched = std::max(launched, finish);
    }
    ++row;
  }
}

void KinetoWriter::WriteLaunch(int64_t pid, int64_t start, int64_t end) {
  out_ << R"(,
{"ph":"X","cat":"cuda_runtime","name":"cudaLaunchKernel","pid":)"
       << pid << R"(,"tid":)" << kHostThread << R"(,"ts":)";
  out_.Microseconds(start) << R"(,"dur":)";
  out_.Microseconds(end - start)
      << R"(,"args":{"correlation":)" << correlation_ << "}}";
}

void KinetoWriter::WriteKernel(int64_t pid, const sim::Task& task,
                               int64_t start, int64_t finish) {
  const int64_t stream =
      kFirstStream + static_cast<int64_t>(sim::Row(task.lane));
  const Text& label = labels_[task.label];
  out_ << R"(,
{"ph":"X","cat":"kernel","name":)"
       << label.name << R"(,"pid":)" << pid << R"(,"tid":)" << stream
       << R"(,"ts":)";
  out_.Microseconds(start) << R"(,"dur":)";
  out_.Microseconds(finish - start)
      << R"(,"args":{"correlation":)" << correlation_ << R"(,"stream":)"
      << stream << R"(,"device":)" << pid << R"(,"context":1,"pass":)"
      << static_cast<int64_t>(task.pass) << label.arguments << "}}";
}

void KinetoWriter::WriteArrow(int64_t pid, const sim::Task& task, int64_t start,
                              const ArrowEnd& arrow) {
  // Slices that an arrow joins begin together, and readers drop an arrow that
  // ends before it starts: its last end comes a nanosecond into the slice.
  const bool last = arrow.side == ArrowEnd::kLast;
  out_ << R"(,
{"ph":")"
       << (last                             ? "f"
           : arrow.side == ArrowEnd::kFirst ? "s"
                                            : "t")
       << R"(","bp":"e","cat":"comm","name":"comm","id":)"
       << static_cast<int64_t>(arrow.id) << R"(,"pid":)" << pid << R"(,"tid":)"
       << kFirstStream + static_cast<int64_t>(sim::Row(task.lane))
       << R"(,"ts":)";
  out_.Microseconds(start + (last ? 1 : 0)) << "}";
}

void KinetoWriter::WriteMemory(size_t rank) {
  const auto& [id, number, name, memory] = inputs_.ranks[rank];
  const std::vector<sim::Instant> times = sim::TimesOf(
      memory, inputs_.timeline.start(id), inputs_.timeline.done[id]);
  for (size_t point = 0; point < memory.size(); ++point) {
    for (const bool allocated : {true, false}) {
      out_ << R"(,
{"ph":"C","name":")"
           << (allocated ? "memory allocated" : "memory reserved")
           << R"(","pid":)" << number << R"(,"ts":)";
      out_.Microseconds(Nanoseconds(times[point]))
          << R"(,"args":{"bytes":)"
          << (allocated ? memory[point].allocated : memory[point].reserved)
                 .count()
          << "}}";
    }
    out_.FlushIfLong();
  }
}

}  // namespace

absl::Status WriteKineto(const TraceInputs& inputs,
                         const std::filesystem::path& path) {
  const auto write = [&](io::ZeroCopyOutputStream& stream) {
    return KinetoWriter(inputs, stream).Write(0, inputs.ranks.size());
  };
  return path.extension() == ".gz" ? WriteWholeGzip(path, kGzipLevel, write)
                                   : WriteWhole(path, write);
}

absl::Status WriteKinetoFolder(const TraceInputs& inputs,
                               const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return absl::ErrnoToStatus(
        error.value(), absl::StrCat(folder.string(), ": cannot make folder"));
  }
  for (size_t rank = 0; rank < inputs.ranks.size(); ++rank) {
    const absl::Status written = WriteWhole(
        folder / absl::StrCat("rank-", inputs.ranks[rank].number, ".json"),
        [&](io::ZeroCopyOutputStream& stream) {
          return KinetoWriter(inputs, stream).Write(rank, 1);
        });
    if (!written.ok()) return written;
  }
  return absl::OkStatus();
}

}  // namespace scenarios
