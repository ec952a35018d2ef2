#include "worker/artifacts.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "objects/file/file_objects.h"
#include "worker/test_support.h"

namespace slipway::worker {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

const RunId kRun{"run1"};
const Time kNow = from_micros(1'700'000'000'000'000);

class ArtifactsTest : public testing::Test {
 protected:
  Result<Artifact> store(const std::string& job, const std::string& name, const std::string& text = "x",
                         std::optional<Time> expires = std::nullopt, const RunId& run = kRun) {
    SW_TRY(const auto upload, artifacts_.begin());
    test::write_bundle(upload->fd(), {{"dist/app", text}});
    return artifacts_.store(
        {.run = run, .job = job, .attempt = AttemptId{"a1"}, .name = name, .created = kNow, .expires = expires},
        *upload, os::within(10s));
  }

  test::TestDirectory dir_;
  std::unique_ptr<objects::Objects> objects_ = std::move(*objects::FileObjects::open_at(dir_.path() / "objects", {}));
  Artifacts artifacts_{*objects_, dir_.path() / "runs"};
};

TEST_F(ArtifactsTest, WhatOneJobStoresAnotherFinds) {
  const auto stored = store("build", "dist", "hello");
  ASSERT_TRUE(stored) << stored.error().what;
  EXPECT_EQ(stored->files, 1U);
  EXPECT_EQ(stored->bytes, 5U);
  const auto found = artifacts_.find(kRun, {.name = "dist", .job = ""});
  ASSERT_TRUE(found) << found.error().what;
  EXPECT_EQ(found->digest, stored->digest);
  EXPECT_EQ(found->attempt, AttemptId{"a1"});
  EXPECT_EQ(found->created, kNow);
  const auto report = artifacts_.extract(*found, dir_.path() / "out/dist");
  ASSERT_TRUE(report) << report.error().what;
  EXPECT_EQ(os::read_file(dir_.path() / "out/dist/dist/app", 100).value(), "hello");
  EXPECT_EQ(artifacts_.content(*found)->front().path, "dist/app");
}

TEST_F(ArtifactsTest, OnlyTheJobThatIsNamedCounts) {
  ASSERT_TRUE(store("build", "dist"));
  const auto other = artifacts_.find(kRun, {.name = "dist", .job = "lint"});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().kind, ErrorKind::not_found);
  EXPECT_NE(other.error().what.find("`dist` of build"), std::string::npos);
  EXPECT_TRUE(artifacts_.find(kRun, {.name = "dist", .job = "build"}));
  EXPECT_FALSE(artifacts_.find(RunId{"run2"}, {.name = "dist", .job = ""}));
}

TEST_F(ArtifactsTest, TwoProducersOfOneNameAreAnError) {
  ASSERT_TRUE(store("test (gcc)", "report"));
  ASSERT_TRUE(store("test (clang)", "report"));
  EXPECT_EQ(artifacts_.find(kRun, {.name = "report", .job = ""}).error().kind, ErrorKind::invalid);
  EXPECT_TRUE(artifacts_.find(kRun, {.name = "report", .job = "test (gcc)"}));
}

TEST_F(ArtifactsTest, ALaterAttemptReplacesItsOwn) {
  ASSERT_TRUE(store("build", "dist", "first"));
  ASSERT_TRUE(store("build", "dist", "second"));
  const auto all = artifacts_.list(kRun);
  ASSERT_EQ(all->size(), 1U);
  EXPECT_EQ(all->front().bytes, 6U);
}

TEST_F(ArtifactsTest, ABrokenBundleIsNotNoted) {
  const auto upload = artifacts_.begin();
  ASSERT_TRUE(os::write_all((*upload)->fd(), "no bundle at all"));
  EXPECT_EQ(artifacts_.store({.run = kRun, .job = "build", .name = "dist"}, **upload, {}).error().kind,
            ErrorKind::invalid);
  EXPECT_TRUE(artifacts_.list(kRun)->empty());
}

TEST_F(ArtifactsTest, NamesAndRunsCannotEscape) {
  for (const char* name : {"", ".", "..", "../x", "a/b", "-rf", "a\nb", "\x1b[2J"}) {
    EXPECT_EQ(store("build", name).error().kind, ErrorKind::invalid) << name;
  }
  EXPECT_EQ(store("build", "ok", "x", {}, RunId{"../.."}).error().kind, ErrorKind::invalid);
  EXPECT_TRUE(store("build", "test-gcc 12 (17, debug).tar@v1+2"));
}

TEST_F(ArtifactsTest, JobsOfOneRunStoreAtOnce) {
  std::vector<std::jthread> jobs;
  for (int job = 0; job < 8; ++job) {
    jobs.emplace_back([this, job] { EXPECT_TRUE(store("job" + std::to_string(job), "dist", std::to_string(job))); });
  }
  jobs.clear();
  EXPECT_EQ(artifacts_.list(kRun)->size(), 8U);
  EXPECT_GE(objects_->list()->size(), 1U);  // equal bundles are one object; they are equal when their times are
}

TEST_F(ArtifactsTest, ASweepForgetsWhatExpiredAndItsContent) {
  const auto old = store("build", "old", "old", kNow + 1h);
  const auto kept = store("build", "kept", "kept", std::nullopt, RunId{"run2"});
  ASSERT_TRUE(old && kept);
  const auto swept = artifacts_.sweep(kNow + 2h, os::within(10s));
  ASSERT_TRUE(swept) << swept.error().what;
  ASSERT_EQ(swept->expired.size(), 1U);
  EXPECT_EQ(swept->expired.front().name, "old");
  EXPECT_GT(swept->freed_bytes, 0U);
  EXPECT_TRUE(artifacts_.list(kRun)->empty());
  EXPECT_FALSE(objects_->has(old->digest).value());
  EXPECT_TRUE(objects_->has(kept->digest).value());
}

TEST_F(ArtifactsTest, ASweepWaitsForWhoStoresAndTakesNothingOfTheirs) {
  std::atomic<bool> done = false;
  std::jthread sweeper([&] {
    while (!done) EXPECT_TRUE(artifacts_.sweep(kNow, os::within(10s)));
  });
  for (int i = 0; i < 50; ++i) {
    const auto stored = store("build", "dist" + std::to_string(i), std::to_string(i));
    ASSERT_TRUE(stored) << stored.error().what;
    EXPECT_TRUE(objects_->has(stored->digest).value()) << i;
  }
  done = true;
}

TEST_F(ArtifactsTest, ADamagedNoteIsAnErrorAndNotAMissingArtifact) {
  ASSERT_TRUE(store("build", "dist"));
  for (const auto& file : fs::directory_iterator(dir_.path() / "runs/run1/artifacts")) {
    ASSERT_TRUE(os::replace_file(file.path(), "{\"name\": 1}", 0600));
  }
  EXPECT_EQ(artifacts_.list(kRun).error().kind, ErrorKind::internal);
}

}  // namespace
}  // namespace slipway::worker
