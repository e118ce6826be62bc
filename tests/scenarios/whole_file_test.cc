#include "scenarios/whole_file.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/gzip_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/status/status.h"
#include "tests/scenarios/trace_processor.h"

namespace scenarios {
namespace {

namespace fs = std::filesystem;
namespace io = google::protobuf::io;

bool WriteHello(io::ZeroCopyOutputStream& stream) {
  io::CodedOutputStream out(&stream);
  out.WriteString("hello");
  return !out.HadError();
}

TEST(WriteWhole, ReplacesWhatWasThere) {
  const fs::path path = Scratch("replaced");
  std::ofstream(path) << "something longer than the new text";
  ASSERT_TRUE(WriteWhole(path, WriteHello).ok());
  EXPECT_EQ(BytesOf(path), "hello");
  EXPECT_FALSE(fs::exists(path.string() + ".partial"));
}

TEST(WriteWhole, SaysWhyAFileCannotBeWritten) {
  const fs::path nowhere = Scratch("no/such/folder/file");
  EXPECT_EQ(WriteWhole(nowhere, WriteHello).message(),
            nowhere.string() + ": cannot write: No such file or directory");
}

TEST(WriteWhole, AFailureLeavesWhatWasThereAndNothingElse) {
  // A file cannot take the place of a folder.
  const fs::path folder = Scratch("taken/folder");
  fs::create_directories(folder);
  std::ofstream(folder / "inside") << "still here";
  EXPECT_EQ(WriteWhole(folder, WriteHello).message(),
            folder.string() + ": cannot write: Is a directory");
  EXPECT_EQ(BytesOf(folder / "inside"), "still here");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.parent_path()), {}), 1);
}

TEST(WriteWhole, DevicesAndPipesStay) {
  const fs::path pipe = Scratch("pipe");
  fs::remove(pipe);
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(
      WriteWhole(pipe, WriteHello).message(),
      pipe.string() + ": is no regular file, and would be replaced by one");
  EXPECT_TRUE(fs::is_fifo(pipe));
}

TEST(WriteWhole, AFullDiskIsAFailure) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "there is no /dev/full";
  for (const bool gzip : {false, true}) {
    const fs::path path = Scratch("full");
    fs::remove(path.string() + ".partial");
    fs::create_symlink("/dev/full", path.string() + ".partial");
    const absl::Status status = gzip ? WriteWholeGzip(path, 1, WriteHello)
                                     : WriteWhole(path, WriteHello);
    EXPECT_EQ(status.message(),
              path.string() + ": cannot write: No space left on device");
    EXPECT_FALSE(fs::exists(path));
    EXPECT_FALSE(fs::is_symlink(path.string() + ".partial"));
  }
}

TEST(WriteWholeGzip, TheContentIsTheTextGzipped) {
  const fs::path path = Scratch("hello.gz");
  ASSERT_TRUE(WriteWholeGzip(path, 6, WriteHello).ok());
  const std::string bytes = BytesOf(path);
  io::ArrayInputStream packed(bytes.data(), static_cast<int>(bytes.size()));
  io::GzipInputStream unpacked(&packed, io::GzipInputStream::GZIP);
  io::CodedInputStream in(&unpacked);
  std::string text;
  ASSERT_TRUE(in.ReadString(&text, 5));
  EXPECT_EQ(text, "hello");
  EXPECT_FALSE(in.ReadString(&text, 1));
}

}  // namespace
}  // namespace scenarios
