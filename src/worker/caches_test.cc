#include "worker/caches.h"

#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include <gtest/gtest.h>

#include "os/wait.h"
#include "worker/test_support.h"

namespace slipway::worker {
namespace {

using namespace std::chrono_literals;
using model::EventKind;

const Time kNow = from_micros(1'700'000'000'000'000);

CacheScopes scopes(EventKind event, const std::string& branch, bool trusted = true) {
  return scopes_of({.project = "p",
                    .event = event,
                    .branch = branch,
                    .default_branch = "main",
                    .pull_request = event == EventKind::pull_request ? "7" : "",
                    .trusted = trusted});
}
const CacheScopes kMain = scopes(EventKind::push, "main");
const CacheScopes kDev = scopes(EventKind::push, "dev");
const CacheScopes kPull = scopes(EventKind::pull_request, "dev");

class CachesTest : public testing::Test {
 protected:
  Result<Caches::Saved> save(const CacheScopes& scope, const std::string& key, Time now = kNow,
                             const std::string& text = "x", bool untrusted = false) {
    SW_TRY(objects::StagedFile file, caches_.begin());
    test::write_bundle(file.fd(), {{"f", text}});
    return caches_.save(scope, key, untrusted, std::move(file), now, os::within(10s));
  }
  /// `scope key` of what is found; empty: nothing.
  std::string found(const CacheScopes& scope, const std::string& key, const std::vector<std::string>& restore = {},
                    Time now = kNow) {
    const auto hit = caches_.find(scope, key, restore, now, os::within(10s));
    EXPECT_TRUE(hit) << hit.error().what;
    if (!hit || !*hit) return {};
    EXPECT_EQ((*hit)->exact, (*hit)->entry.key == key);
    return (*hit)->entry.scope + " " + (*hit)->entry.key;
  }

  test::TestDirectory dir_;
  Caches caches_ = *Caches::open_at(dir_.path(), 1 << 20);
};

TEST_F(CachesTest, GivesBackTheBundle) {
  ASSERT_TRUE(save(kMain, "k", kNow, "hello"));
  const auto hit = caches_.find(kMain, "k", {}, kNow, os::within(10s));
  ASSERT_TRUE(hit && *hit);
  const auto target = os::open_file(dir_.path() / "staging", O_RDONLY | O_DIRECTORY);
  ASSERT_TRUE(os::unpack((*hit)->bundle.get(), target->get(), os::Links::inside, {}));
  EXPECT_EQ(os::read_file(dir_.path() / "staging/f", 100).value(), "hello");
}

TEST_F(CachesTest, PrefersTheExactKeyThenTheNewestByPrefixInOrder) {
  ASSERT_TRUE(save(kMain, "deps-gcc-1", kNow));
  ASSERT_TRUE(save(kMain, "deps-gcc-2", kNow + 1s));
  ASSERT_TRUE(save(kMain, "deps-clang-1", kNow + 2s));
  EXPECT_EQ(found(kMain, "deps-gcc-1", {"deps-"}), "p#branch:main deps-gcc-1");
  EXPECT_EQ(found(kMain, "deps-gcc-3", {"deps-gcc-", "deps-"}), "p#branch:main deps-gcc-2");
  EXPECT_EQ(found(kMain, "deps-msvc-1", {"deps-msvc-", "deps-"}), "p#branch:main deps-clang-1");
  EXPECT_EQ(found(kMain, "other", {"none-"}), "");
}

TEST_F(CachesTest, AnotherBranchReadsTheDefaultBranchsAndItsOwnFirst) {
  ASSERT_TRUE(save(kMain, "k"));
  EXPECT_EQ(found(kDev, "k"), "p#branch:main k");
  ASSERT_TRUE(save(kDev, "k"));
  EXPECT_EQ(found(kDev, "k"), "p#branch:dev k");
  EXPECT_EQ(found(kMain, "k"), "p#branch:main k");
}

TEST_F(CachesTest, APullRequestReadsMainAndWritesOnlyItsOwn) {
  ASSERT_TRUE(save(kMain, "k"));
  EXPECT_EQ(found(kPull, "k"), "p#branch:main k");
  ASSERT_TRUE(save(kPull, "k", kNow, "poison", true));
  ASSERT_TRUE(save(kPull, "mine", kNow, "poison", true));
  EXPECT_EQ(found(kPull, "k"), "p#pull-request:7 k");
  EXPECT_EQ(found(kMain, "k"), "p#branch:main k");
  EXPECT_EQ(found(kMain, "mine"), "");
  EXPECT_EQ(found(kDev, "mine", {"m"}), "");
}

TEST_F(CachesTest, AnUntrustedRunHasAScopeThatNoTrustedOneReads) {
  const auto untrusted = scopes(EventKind::push, "main", false);
  ASSERT_TRUE(save(untrusted, "k", kNow, "x", true));
  EXPECT_EQ(found(kMain, "k"), "");
  EXPECT_FALSE(untrusted.trusted);
}

TEST_F(CachesTest, WhatUntrustedSourceCouldWriteNeverEntersATrustedScope) {
  EXPECT_EQ(save(kMain, "k", kNow, "x", true).error().kind, ErrorKind::denied);
  EXPECT_EQ(found(kMain, "k"), "");
}

TEST_F(CachesTest, TheSameKeyIsReplaced) {
  ASSERT_TRUE(save(kMain, "k", kNow, "one"));
  ASSERT_TRUE(save(kMain, "k", kNow, std::string(1000, 'x')));
  const auto entries = caches_.list({});
  ASSERT_EQ(entries->size(), 1U);
  EXPECT_GT(entries->front().bytes, 1000U);
  EXPECT_TRUE(caches_.has(kMain, "k", {}).value());
  EXPECT_FALSE(caches_.has(kDev, "k", {}).value());
}

TEST_F(CachesTest, EvictsTheLeastRecentlyUsedAndSaysSo) {
  const std::string large(300'000, 'x');
  ASSERT_TRUE(save(kMain, "a", kNow, large));
  ASSERT_TRUE(save(kMain, "b", kNow + 1s, large));
  ASSERT_TRUE(save(kMain, "c", kNow + 2s, large));
  EXPECT_EQ(found(kMain, "a", {}, kNow + 3s), "p#branch:main a");
  const auto saved = save(kMain, "d", kNow + 4s, large);
  ASSERT_TRUE(saved) << saved.error().what;
  ASSERT_EQ(saved->evicted.size(), 1U);
  EXPECT_EQ(saved->evicted[0].key, "b");
  EXPECT_EQ(saved->evicted[0].last_used, kNow + 1s);
  EXPECT_GT(saved->evicted[0].bytes, 300'000U);
  EXPECT_EQ(found(kMain, "b"), "");
  EXPECT_EQ(save(kMain, "huge", kNow, std::string(2 << 20, 'x')).error().kind, ErrorKind::exhausted);
  EXPECT_EQ(caches_.list({})->size(), 3U);
}

TEST_F(CachesTest, AnOpenHitOutlivesItsEviction) {
  const std::string large(400'000, 'x');
  ASSERT_TRUE(save(kMain, "a", kNow, large));
  const auto hit = caches_.find(kMain, "a", {}, kNow, {});
  ASSERT_TRUE(save(kMain, "b", kNow + 1s, large));
  EXPECT_EQ(save(kMain, "c", kNow + 2s, large)->evicted.size(), 1U);
  EXPECT_EQ(os::list_bundle((*hit)->bundle.get(), {})->size(), 1U);
}

TEST_F(CachesTest, ABrokenBundleIsNotKept) {
  auto file = caches_.begin();
  ASSERT_TRUE(os::write_all(file->fd(), "SLIPBND1 cut"));
  EXPECT_EQ(caches_.save(kMain, "k", false, std::move(*file), kNow, {}).error().kind, ErrorKind::invalid);
  EXPECT_EQ(found(kMain, "k"), "");
}

TEST_F(CachesTest, ADamagedIndexCostsTheCachesAndNoJob) {
  ASSERT_TRUE(save(kMain, "k"));
  ASSERT_TRUE(os::replace_file(dir_.path() / "index.json", "{\"caches\": [{}, 1", 0600));
  EXPECT_EQ(found(kMain, "k"), "");
  ASSERT_TRUE(save(kMain, "l"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir_.path() / "data"), {}), 1);
}

TEST_F(CachesTest, AWriterKilledAtAnyMomentLeavesWholeCaches) {
  const auto never = os::make_pipe();
  ASSERT_TRUE(never);
  const auto bundle = os::open_file(dir_.path() / "bundle", O_RDWR | O_CREAT, 0600);
  ASSERT_TRUE(bundle);
  test::write_bundle(bundle->get(), {{"f", std::string(50'000, 'x')}});
  const std::string bytes = os::read_file(dir_.path() / "bundle", 1 << 20).value();
  for (int delay = 0; delay < 30; ++delay) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      for (int i = 0;; ++i) {
        auto file = caches_.begin();
        if (file && os::write_all(file->fd(), bytes)) {
          (void)caches_.save(kMain, "k" + std::to_string(i % 3), false, std::move(*file), kNow, os::within(10s));
        }
      }
    }
    // Where it is hit shall differ. Nothing ever comes out of the pipe.
    (void)os::wait_readable(never->read.get(), {{}, os::Clock::now() + 500us * delay});
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const auto entries = caches_.list(os::within(10s));
    ASSERT_TRUE(entries);
    for (const CacheEntry& entry : *entries) {
      const auto hit = caches_.find(kMain, entry.key, {}, kNow, os::within(10s));
      ASSERT_TRUE(hit && *hit);
      EXPECT_TRUE(os::list_bundle((*hit)->bundle.get(), {}));
    }
  }
  ASSERT_TRUE(save(kMain, "last"));
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path() / "staging"));
}

TEST_F(CachesTest, ManySaveAndFindAtOnce) {
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 10; ++i) {
        const std::string key = "k" + std::to_string((t + i) % 3);
        EXPECT_TRUE(save(kMain, key));
        EXPECT_FALSE(found(kMain, key).empty());
      }
    });
  }
  threads.clear();
  EXPECT_EQ(caches_.list({})->size(), 3U);
}

}  // namespace
}  // namespace slipway::worker
