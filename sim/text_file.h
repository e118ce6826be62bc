// A .textproto file read whole into a message, which remembers where each field
// stood, so that checks made later can say so.
//
//   scenarios::proto::Scenario scenario;
//   auto file = sim::TextFile::Load("a.textproto", &scenario);
//   file->Error("training.parallel.pipeline", "7 does not divide 80 layers;
//   …");
//       // a.textproto:7:3: training.parallel.pipeline: 7 does not divide …
//   const sim::TextField run = file->At("run").At(2);    // run[2], to hand on
//   run.At("measured").Error("is missing; …");
//
// Include: where the outermost message has `repeated string include`, the files
// it names (relative to the naming file) are merged in their order first, and
// the file itself last. Merging goes field by field: a scalar replaces, even by
// its default; messages merge; a list or map that is given at all, even empty,
// replaces the earlier one; a member of a oneof replaces the others.
//
// Every error is `path:line:col: field: problem; what would work`; of what came
// from --set, `--set a.b=2: field: …`. Columns are bytes, from 1.
#ifndef SIM_TEXT_FILE_H_
#define SIM_TEXT_FILE_H_

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace google::protobuf {
class Descriptor;
class FieldDescriptor;
class Message;
}  // namespace google::protobuf

namespace sim {

struct TextOverride;
class TextField;
class TextOutline;

class TextFile {
 public:
  // Reads the file at `path` into `message`, then applies `sets` in order as
  // Set() does. Fails with the first error; `message` is then as it was.
  // An empty file is an error, and so is NaN, an infinite number, an enum value
  // by number and a map key given twice.
  static absl::StatusOr<TextFile> Load(const std::string& path,
                                       google::protobuf::Message* message,
                                       std::span<const std::string> sets = {});

  // The same for text at hand; `name` stands for the path in errors, and files
  // to include are sought beside it.
  static absl::StatusOr<TextFile> Parse(const std::string& name,
                                        const std::string& text,
                                        google::protobuf::Message* message,
                                        std::span<const std::string> sets = {});

  // Applies one `--set`: "training.micro_batch=2", "model.preset=llama3-70b",
  // "training.parallel={ tensor: 4 }" (merges), "run[1].layers=[4, 6]"
  // (replaces). Fails with `message` as it was.
  // REQUIRES: `message` is the one this file was loaded into.
  absl::Status Set(absl::string_view assignment,
                   google::protobuf::Message* message);

  // A message of this file, and the path where it stands: "run[2]".
  struct Part {
    std::string path;
    const google::protobuf::Message* message = nullptr;
  };

  // The file that would give `message` what the parts give it, one merged over
  // the other in their order as included files are. It is like any other, but
  // its errors name fields as the last part's: `a.textproto:7:3: run[2].name:`.
  // REQUIRES: `parts` is not empty; they and `message` are of one type, and
  // `message` is empty.
  TextFile Merged(std::span<const Part> parts,
                  google::protobuf::Message* message) const;

  // The field at a path such as "training.parallel.pipeline" or
  // "run[2].measured"; "" is the outermost message.
  // REQUIRES: the message's type has the field; the element need not be there.
  TextField At(absl::string_view path) const;

  // At(path).Error(problem).
  absl::Status Error(absl::string_view path, absl::string_view problem) const;

 private:
  friend class TextField;

  struct Source {
    std::string name;
    bool is_file = true;  // else a --set
  };
  struct Spot {
    size_t source = 0;
    int line = 1;
    int column = 1;
  };
  struct Including;  // the files being read, outermost first

  explicit TextFile(const google::protobuf::Message& message);

  absl::Status Read(const std::string& name, const std::string& text,
                    const Including& chain, google::protobuf::Message* message);
  absl::Status Include(const google::protobuf::Message& own, size_t source,
                       const TextOutline& outline, const Including& chain,
                       google::protobuf::Message* message);
  absl::Status SetAll(std::span<const std::string> sets,
                      google::protobuf::Message* message);
  void Merge(absl::string_view text, const TextOutline& outline,
             const std::string& prefix, size_t source,
             google::protobuf::Message* message);
  void MarkHolders(const TextOverride& set, size_t source);
  void MakeWay(absl::string_view path, google::protobuf::Message* message);
  void ForgetReplaced(const std::string& holder,
                      const google::protobuf::FieldDescriptor& field);
  void Forget(const std::string& path);
  const Spot* Find(const std::string& path) const;
  std::string Coordinates(const Spot& spot) const;

  const google::protobuf::Descriptor* type_;  // of the outermost message
  std::vector<Source> sources_;               // the file, then others read
  std::string outside_;  // path of the outermost message, of a merged file
  Spot top_;             // where the outermost message stands
  absl::btree_map<std::string, Spot> spots_;  // of each field given, by path
};

// One field of a loaded file, by its path. A view of the file: copy it freely,
// while the file stays where it is.
class TextField {
 public:
  // A field of this message; an element of this list.
  TextField At(absl::string_view path) const;
  TextField At(size_t index) const;

  const std::string& path() const { return path_; }

  // Whether a file or a --set gave it.
  bool IsSet() const;

  // "a.textproto:7:3" or "--set a.b=2": where it stands, or if it was not
  // given, the nearest message around it that was; else the top of the file.
  std::string Place() const;

  // "a.textproto:7", "--set", or "" if it was not given.
  std::string Origin() const;

  // `place: path: problem`. End the problem with "; " and what would work.
  absl::Status Error(absl::string_view problem) const;

 private:
  friend class TextFile;
  TextField(const TextFile* file, std::string path)
      : file_(file), path_(std::move(path)) {}

  const TextFile* file_;
  std::string path_;
};

}  // namespace sim

#endif  // SIM_TEXT_FILE_H_
