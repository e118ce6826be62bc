#include "sim/text_file.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include <cassert>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "sim/read_text.h"
#include "sim/text_outline.h"
#include "sim/text_override.h"
#include "sim/text_schema.h"
#include "sim/text_syntax.h"

namespace sim {
namespace {

namespace fs = std::filesystem;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::OneofDescriptor;

std::unique_ptr<Message> NewLike(const Message& message) {
  return std::unique_ptr<Message>(message.New());
}

// The path without its last index or field: "run[2]" of "run[2].name", "run"
// of "run[2]", "" of "run". A map's key may itself hold dots and brackets.
std::string Outside(const std::string& path) {
  const char* end = absl::EndsWith(path, "\"]") ? "[\""
                    : absl::EndsWith(path, "]") ? "["
                                                : ".";
  const size_t cut = path.rfind(end);
  return cut == std::string::npos ? "" : path.substr(0, cut);
}

// Whether `path` leads from `type` to a field; keys of maps are not looked at.
[[maybe_unused]] bool HasField(const Descriptor& type, absl::string_view path) {
  path = path.substr(0, path.find("[\""));
  return path.empty() || ResolvePath(type, path).ok();
}

// What a row's path begins with: that of its holder, and a dot.
std::string HolderPrefix(const TextOutline& outline, const TextRow& row) {
  if (row.parent < 0) return "";
  return outline.rows()[static_cast<size_t>(row.parent)].path + ".";
}

// The field that holds the names of files to include, or null.
const FieldDescriptor* IncludeField(const Message& message) {
  const FieldDescriptor* field =
      message.GetDescriptor()->FindFieldByName("include");
  const bool fits = field != nullptr && field->is_repeated() &&
                    field->type() == FieldDescriptor::TYPE_STRING;
  return fits ? field : nullptr;
}

// Empties, in `message`, the lists that the outline's text is about to give.
// Those inside an element of a list go with that list.
void ClearLists(const TextOutline& outline, Message* message) {
  // The message each row's fields are in; null inside the elements of a list.
  std::vector<Message*> inside(outline.rows().size());
  for (size_t i = 0; i < inside.size(); ++i) {
    const TextRow& row = outline.rows()[i];
    Message* holder =
        row.parent < 0 ? message : inside[static_cast<size_t>(row.parent)];
    if (holder == nullptr) continue;
    if (row.field->is_repeated()) {
      holder->GetReflection()->ClearField(holder, row.field);
    } else if (row.field->message_type() != nullptr) {
      inside[i] = holder->GetReflection()->MutableMessage(holder, row.field);
    }
  }
}

}  // namespace

struct TextFile::Including {
  const Including* outer;
  std::string name;  // as errors print it
  fs::path file;     // as the file system knows it
};

TextFile::TextFile(const Message& message) : type_(message.GetDescriptor()) {}

absl::StatusOr<TextFile> TextFile::Load(const std::string& path,
                                        Message* message,
                                        std::span<const std::string> sets) {
  const absl::StatusOr<std::string> text = ReadText(path);
  if (!text.ok()) return text.status();
  return Parse(path, *text, message, sets);
}

absl::StatusOr<TextFile> TextFile::Parse(const std::string& name,
                                         const std::string& text,
                                         Message* message,
                                         std::span<const std::string> sets) {
  const absl::StatusOr<std::string> checked = AsText(name, text);
  if (!checked.ok()) return checked.status();
  TextFile file(*message);
  std::error_code error;
  const Including chain = {nullptr, name, fs::weakly_canonical(name, error)};
  const std::unique_ptr<Message> read = NewLike(*message);
  absl::Status status = file.Read(name, *checked, chain, read.get());
  if (status.ok()) status = file.SetAll(sets, read.get());
  if (!status.ok()) return status;
  message->GetReflection()->Swap(message, read.get());
  return file;
}

absl::Status TextFile::SetAll(std::span<const std::string> sets,
                              Message* message) {
  for (const std::string& assignment : sets) {
    const absl::Status status = Set(assignment, message);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// Merges one file, and those it includes before it, into `message`.
absl::Status TextFile::Read(const std::string& name, const std::string& text,
                            const Including& chain, Message* message) {
  const size_t source = sources_.size();
  sources_.push_back({name, /*is_file=*/true});
  const TextOutline outline(text, *message->GetDescriptor());
  const std::unique_ptr<Message> own = NewLike(*message);
  if (const auto problem = ReadFields(text, outline, own.get())) {
    const Spot spot = {source, problem->at.line, problem->at.column};
    return absl::InvalidArgumentError(
        absl::StrCat(Coordinates(spot), ": ", problem->path,
                     problem->path.empty() ? "" : ": ", problem->problem));
  }
  const absl::Status status = Include(*own, source, outline, chain, message);
  if (!status.ok()) return status;
  Merge(text, outline, /*prefix=*/"", source, message);
  return absl::OkStatus();
}

// Merges the files that `own` asks for into `message`.
absl::Status TextFile::Include(const Message& own, size_t source,
                               const TextOutline& outline,
                               const Including& chain, Message* message) {
  const FieldDescriptor* field = IncludeField(own);
  if (field == nullptr) return absl::OkStatus();
  int next = 0;  // of the elements of include
  for (const TextRow& row : outline.rows()) {
    if (row.field != field || row.token.empty()) continue;
    const std::string name =
        own.GetReflection()->GetRepeatedString(own, field, next++);
    const auto error = [&](absl::string_view problem) {
      return absl::InvalidArgumentError(
          absl::StrCat(Coordinates({source, row.value.line, row.value.column}),
                       ": ", row.path, ": ", problem));
    };
    const std::string path =
        (fs::path(chain.name).parent_path() / name).lexically_normal().string();
    std::error_code unknown;
    const Including inner = {&chain, path, fs::weakly_canonical(path, unknown)};
    std::string trail = path;
    for (const Including* outer = &chain; outer; outer = outer->outer) {
      trail = absl::StrCat(outer->name, " -> ", trail);
      if (outer->file != inner.file) continue;
      return error(absl::StrCat("the files include each other: ", trail,
                                "; leave one out"));
    }
    const absl::StatusOr<std::string> text = ReadText(path);
    if (!text.ok()) return error(text.status().message());
    const absl::Status status = Read(path, *text, inner, message);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// Merges a text that ReadFields found good into `message`, the paths of whose
// fields begin with `prefix`.
void TextFile::Merge(absl::string_view text, const TextOutline& outline,
                     const std::string& prefix, size_t source,
                     Message* message) {
  ClearLists(outline, message);
  google::protobuf::TextFormat::Parser parser;
  parser.AllowPartialMessage(true);
  [[maybe_unused]] const bool merged =
      parser.MergeFromString(std::string(text), message);
  assert(merged);

  for (const TextRow& row : outline.rows()) {
    ForgetReplaced(prefix + HolderPrefix(outline, row), *row.field);
  }
  for (const TextRow& row : outline.rows()) {
    spots_[prefix + row.path] = {source, row.begin.line, row.begin.column};
  }
}

absl::Status TextFile::Set(absl::string_view assignment, Message* message) {
  const std::string name = absl::StrCat("--set ", assignment);
  const auto error = [&](absl::string_view path, absl::string_view problem) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": ", path, path.empty() ? "" : ": ", problem));
  };
  assert(message->GetDescriptor() == type_);
  const absl::StatusOr<TextOverride> set = ParseOverride(assignment, *message);
  if (!set.ok()) return error("", set.status().message());
  const FieldDescriptor* field = set->steps.back().field;
  if (field == IncludeField(*message)) {
    return error(set->path, "only files include files; write it in one");
  }
  const Descriptor* type = field->containing_type();
  const TextOutline outline(set->text, *type);
  const std::unique_ptr<Message> own(
      message->GetReflection()->GetMessageFactory()->GetPrototype(type)->New());
  if (const auto problem = ReadFields(set->text, outline, own.get())) {
    return error(
        problem->path.empty() ? set->path : set->prefix + problem->path,
        problem->problem);
  }
  for (const TextRow& row : outline.rows()) {
    if (row.parent >= 0 || row.field == field) continue;
    return error(set->prefix + row.path,
                 "is a second field; give it a --set of its own");
  }
  const size_t source = sources_.size();
  sources_.push_back({name, /*is_file=*/false});
  MarkHolders(*set, source);
  Merge(set->text, outline, set->prefix, source, MutableHolder(*set, message));
  return absl::OkStatus();
}

TextFile TextFile::Merged(std::span<const Part> parts, Message* message) const {
  assert(!parts.empty());
  TextFile merged(*message);
  merged.sources_ = sources_;
  for (const Part& part : parts) {
    const std::string prefix = part.path + ".";
    const auto begin = spots_.lower_bound(prefix);
    auto end = begin;
    for (; end != spots_.end() && absl::StartsWith(end->first, prefix); ++end) {
      merged.MakeWay(absl::string_view(end->first).substr(prefix.size()),
                     message);
    }
    message->MergeFrom(*part.message);
    for (auto spot = begin; spot != end; ++spot) {
      merged.spots_[spot->first.substr(prefix.size())] = spot->second;
    }
  }
  merged.outside_ = parts.back().path;
  const Spot* top = Find(merged.outside_);
  if (top != nullptr) merged.top_ = *top;
  return merged;
}

// Empties the outermost list on the way to `path` in `message`, and forgets the
// spots of all that a new mention of `path` replaces.
void TextFile::MakeWay(absl::string_view path, Message* message) {
  path = path.substr(0, path.find('['));
  const absl::StatusOr<std::vector<FieldStep>> steps =
      ResolvePath(*type_, path);
  assert(steps.ok());
  std::string holder;
  for (const FieldStep& step : *steps) {
    ForgetReplaced(holder, *step.field);
    const google::protobuf::Reflection& reflection = *message->GetReflection();
    if (step.field->is_repeated()) {
      reflection.ClearField(message, step.field);
    } else if (step.field->message_type() != nullptr) {
      message = reflection.MutableMessage(message, step.field);
    }
    absl::StrAppend(&holder, step.field->name(), ".");
  }
}

// The messages around what is set are now given, too, if they were not.
void TextFile::MarkHolders(const TextOverride& set, size_t source) {
  std::string path;
  for (size_t i = 0; i + 1 < set.steps.size(); ++i) {
    const FieldStep& step = set.steps[i];
    const std::string holder = path.empty() ? "" : path + ".";
    if (!step.field->is_repeated()) ForgetReplaced(holder, *step.field);
    path = holder + step.field->name();
    if (step.index >= 0) absl::StrAppend(&path, "[", step.index, "]");
    spots_.try_emplace(path, Spot{source, 1, 1});
  }
}

// Forgets where the things stood that a new mention of `field` replaces.
void TextFile::ForgetReplaced(const std::string& holder,
                              const FieldDescriptor& field) {
  if (field.is_repeated()) Forget(holder + field.name());
  const OneofDescriptor* oneof = field.containing_oneof();
  for (int i = 0; oneof != nullptr && i < oneof->field_count(); ++i) {
    if (oneof->field(i) == &field) continue;
    Forget(holder + oneof->field(i)->name());
  }
}

// Forgets the field at `path` and all in it.
void TextFile::Forget(const std::string& path) {
  spots_.erase(path);
  for (const char* end : {".", "["}) {
    const std::string inside = path + end;
    auto spot = spots_.lower_bound(inside);
    while (spot != spots_.end() && absl::StartsWith(spot->first, inside)) {
      spot = spots_.erase(spot);
    }
  }
}

// Where the field at `path` was given; a list stands where its first element
// does. Null if it was not.
const TextFile::Spot* TextFile::Find(const std::string& path) const {
  auto spot = spots_.find(path);
  if (spot != spots_.end()) return &spot->second;
  spot = spots_.lower_bound(path + "[");
  const bool inside =
      spot != spots_.end() && absl::StartsWith(spot->first, path + "[");
  return inside ? &spot->second : nullptr;
}

std::string TextFile::Coordinates(const Spot& spot) const {
  const Source& source = sources_[spot.source];
  if (!source.is_file) return source.name;
  return absl::StrCat(source.name, ":", spot.line, ":", spot.column);
}

TextField TextFile::At(absl::string_view path) const {
  assert(HasField(*type_, path));
  return TextField(this, std::string(path));
}

absl::Status TextFile::Error(absl::string_view path,
                             absl::string_view problem) const {
  return At(path).Error(problem);
}

TextField TextField::At(absl::string_view path) const {
  return file_->At(absl::StrCat(path_, path_.empty() ? "" : ".", path));
}

TextField TextField::At(size_t index) const {
  return file_->At(absl::StrCat(path_, "[", index, "]"));
}

bool TextField::IsSet() const { return file_->Find(path_) != nullptr; }

std::string TextField::Place() const {
  for (std::string path = path_; !path.empty(); path = Outside(path)) {
    const TextFile::Spot* spot = file_->Find(path);
    if (spot != nullptr) return file_->Coordinates(*spot);
  }
  return file_->Coordinates(file_->top_);
}

std::string TextField::Origin() const {
  const TextFile::Spot* spot = file_->Find(path_);
  if (spot == nullptr) return "";
  const TextFile::Source& source = file_->sources_[spot->source];
  return source.is_file ? absl::StrCat(source.name, ":", spot->line) : "--set";
}

absl::Status TextField::Error(absl::string_view problem) const {
  const std::string& outside = file_->outside_;
  const std::string path = absl::StrCat(
      outside, outside.empty() || path_.empty() ? "" : ".", path_);
  return absl::InvalidArgumentError(
      absl::StrCat(Place(), ": ", path, path.empty() ? "" : ": ", problem));
}

}  // namespace sim
