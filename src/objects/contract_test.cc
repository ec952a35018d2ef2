#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <thread>

#include <gtest/gtest.h>

#include "objects/file/file_objects.h"
#include "objects/objects.h"
#include "objects/staged_file.h"
#include "os/files.h"
#include "os/test_directory.h"

namespace slipway::objects {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

/// What every backend has to pass; a new one adds its name and how to make it.
struct Backend {
  const char* name;
  std::unique_ptr<Objects> (*make)(const fs::path& root);
};

class ObjectsContract : public testing::TestWithParam<Backend> {
 protected:
  ObjectsContract() : objects_(GetParam().make(root_.path())) {}

  Result<Object> put(std::string_view text, std::uint64_t most = 1 << 20) {
    SW_TRY(const auto upload, objects_->begin(most));
    SW_CHECK(os::write_all(upload->fd(), text));
    return upload->finish(os::within(10s));
  }
  std::string get(const Digest& digest) {
    const auto fd = objects_->open(digest);
    return fd ? os::read_all(fd->get(), 1 << 24).value() : fd.error().what;
  }

  os::TestDirectory root_;
  std::unique_ptr<Objects> objects_;
};

TEST_P(ObjectsContract, GivesBackWhatWasPut) {
  const auto object = put("hello");
  ASSERT_TRUE(object) << object.error().what;
  EXPECT_EQ(object->digest.text, "blake2b:324dcf027dd4a30a932c441f365a25e86b173defa4b8e58948253471b81b72cf");
  EXPECT_EQ(object->bytes, 5U);
  EXPECT_EQ(get(object->digest), "hello");
  EXPECT_TRUE(objects_->has(object->digest).value());
  EXPECT_TRUE(put(""));
}

TEST_P(ObjectsContract, PutReadsADescriptorToItsEnd) {
  const os::Fd in(::memfd_create("in", MFD_CLOEXEC));
  ASSERT_TRUE(os::write_all(in.get(), "hello"));
  ::lseek(in.get(), 0, SEEK_SET);
  EXPECT_EQ(objects_->put(in.get(), 4, {}).error().kind, ErrorKind::exhausted);
  ::lseek(in.get(), 1, SEEK_SET);
  EXPECT_EQ(get(objects_->put(in.get(), 4, {}).value().digest), "ello");
}

TEST_P(ObjectsContract, KeepsEqualContentOnce) {
  const auto first = put("same");
  const auto second = put("same");
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->digest, second->digest);
  EXPECT_EQ(objects_->list().value().size(), 1U);
}

TEST_P(ObjectsContract, RemovesAndForgets) {
  const auto object = put("gone");
  ASSERT_TRUE(object);
  const auto open = objects_->open(object->digest);
  ASSERT_TRUE(objects_->remove(object->digest));
  ASSERT_TRUE(objects_->remove(object->digest));
  EXPECT_FALSE(objects_->has(object->digest).value());
  EXPECT_EQ(objects_->open(object->digest).error().kind, ErrorKind::not_found);
  EXPECT_EQ(os::read_all(open->get(), 100).value(), "gone");
}

TEST_P(ObjectsContract, ADroppedUploadLeavesNothing) {
  {
    const auto upload = objects_->begin(100);
    ASSERT_TRUE(upload);
    ASSERT_TRUE(os::write_all((*upload)->fd(), "half"));
  }
  EXPECT_EQ(put("more than ten", 10).error().kind, ErrorKind::exhausted);
  EXPECT_TRUE(objects_->list().value().empty());
}

TEST_P(ObjectsContract, WritesAfterTheEndChangeNothing) {
  auto upload = objects_->begin(100);
  ASSERT_TRUE(upload);
  ASSERT_TRUE(os::write_all((*upload)->fd(), "good"));
  const os::Fd kept(::fcntl((*upload)->fd(), F_DUPFD_CLOEXEC, 3));
  const auto object = (*upload)->finish(os::within(10s));
  ASSERT_TRUE(object) << object.error().what;
  ASSERT_TRUE(os::write_all(kept.get(), " evil"));
  ASSERT_EQ(::ftruncate(kept.get(), 1), 0);
  EXPECT_EQ(get(object->digest), "good");
}

TEST_P(ObjectsContract, AWritableMappingChangesNothing) {
  auto upload = objects_->begin(100);
  ASSERT_TRUE(upload);
  ASSERT_TRUE(os::write_all((*upload)->fd(), "good"));
  void* mapped = ::mmap(nullptr, 4, PROT_READ | PROT_WRITE, MAP_SHARED, (*upload)->fd(), 0);
  ASSERT_NE(mapped, MAP_FAILED);
  const auto object = (*upload)->finish(os::within(10s));
  ASSERT_TRUE(object) << object.error().what;
  std::memcpy(mapped, "evil", 4);
  EXPECT_EQ(get(object->digest), "good");
  ::munmap(mapped, 4);
}

TEST_P(ObjectsContract, ASweepTakesWhatNobodyKeepsAndIsOld) {
  const auto kept = put("kept");
  const auto dropped = put("dropped");
  ASSERT_TRUE(kept && dropped);
  EXPECT_TRUE(objects_->sweep({}, kept->used).value().empty());  // both too new
  const auto removed = objects_->sweep({kept->digest}, dropped->used + 1s);
  ASSERT_TRUE(removed) << removed.error().what;
  ASSERT_EQ(removed->size(), 1U);
  EXPECT_EQ(removed->front().digest, dropped->digest);
  EXPECT_TRUE(objects_->has(kept->digest).value());
}

TEST_P(ObjectsContract, ASweepLeavesUploadsAlone) {
  auto upload = objects_->begin(100);
  ASSERT_TRUE(upload);
  ASSERT_TRUE(os::write_all((*upload)->fd(), "slow"));
  ASSERT_TRUE(objects_->sweep({}, Time::max()));
  EXPECT_TRUE((*upload)->finish(os::within(10s)));
}

TEST_P(ObjectsContract, RefusesDigestsThatItDoesNotMake) {
  for (const char* text : {"", "blake2b:", "blake2b:../../etc/passwd", "sha256:00", "blake2b:zz"}) {
    EXPECT_EQ(objects_->open({text}).error().kind, ErrorKind::invalid) << text;
    EXPECT_EQ(objects_->remove({text}).error().kind, ErrorKind::invalid) << text;
  }
}

TEST_P(ObjectsContract, ManyPutTheSameAtOnceWhileASweepRuns) {
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < 25; ++i) {
        const auto object = put("content " + std::to_string(i % 5));
        ASSERT_TRUE(object) << object.error().what;
        EXPECT_TRUE(objects_->has(object->digest).value());
      }
    });
  }
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(objects_->sweep({}, from_micros(0)));
  threads.clear();
  EXPECT_EQ(objects_->list().value().size(), 5U);
}

std::unique_ptr<Objects> make_files(const fs::path& root) {
  return std::move(*FileObjects::open_at(root, {.verify = FileObjects::Options::Verify::on_open}));
}

INSTANTIATE_TEST_SUITE_P(Backends, ObjectsContract, testing::Values(Backend{"file", make_files}),
                         [](const auto& backend) { return std::string(backend.param.name); });

TEST(FileObjects, SaysWhenContentIsDamaged) {
  const os::TestDirectory root;
  const auto objects = make_files(root.path());
  const auto upload = objects->begin(100);
  ASSERT_TRUE(os::write_all((*upload)->fd(), "hello"));
  const auto object = (*upload)->finish({});
  ASSERT_TRUE(object);
  const auto path = root.path() / object->digest.text.substr(8, 2) / object->digest.text.substr(10);
  ::chmod(path.c_str(), 0644);
  ASSERT_TRUE(os::write_all(os::open_file(path, O_WRONLY)->get(), "jello"));
  EXPECT_EQ(objects->open(object->digest).error().kind, ErrorKind::internal);
}

TEST(FileObjects, ASweepRemovesWhatADeadWriterLeft) {
  const os::TestDirectory root;
  const auto objects = make_files(root.path());
  ASSERT_TRUE(os::replace_file(root.path() / "staging/orphan", "x", 0600));
  ASSERT_TRUE(objects->sweep({}, from_micros(0)));
  EXPECT_FALSE(fs::exists(root.path() / "staging/orphan"));
}

}  // namespace
}  // namespace slipway::objects
