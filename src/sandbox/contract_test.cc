// The contract of sandbox.h, held by every backend that this machine offers.
#include <poll.h>

#include <functional>
#include <thread>

#include <gtest/gtest.h>

#include "sandbox/docker/docker_backend.h"
#include "sandbox/fake/fake_backend.h"
#include "sandbox/native/test_support.h"

namespace slipway::sandbox {
namespace {

using namespace std::chrono_literals;

constexpr const char* kDockerImage = "slipway-contract-test";

struct Kind {
  std::string name;
  std::function<Result<std::unique_ptr<SandboxBackend>>(const TestPlace&, Log&)> make;
  std::string image = "host";
};

void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

class Contract : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    auto made = GetParam().make(place_, log_);
    if (!made) GTEST_SKIP() << made.error().what;
    backend_ = std::move(*made);
    const auto facts = backend_->prepare_image(GetParam().image, {}, soon());
    ASSERT_TRUE(facts) << facts.error().what;
    image_ = facts->image;
  }
  SandboxSpec spec() const {
    SandboxSpec made;
    made.id = SandboxId(new_id());
    made.image = image_;
    made.network = model::Network::none;
    return made;
  }
  static os::CallLimit soon() { return os::within(10s); }

  TestPlace place_;
  SilentLog log_;
  std::unique_ptr<SandboxBackend> backend_;
  std::string image_;
};

TEST_P(Contract, SandboxWaitsForItsOrdersAndEndsWithItsLeash) {
  auto started = backend_->start(spec(), soon());
  ASSERT_TRUE(started) << started.error().what;
  const auto early = backend_->wait(started->id, os::within(50ms));
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().kind, ErrorKind::timeout);
  started->leash.reset();
  const auto ended = backend_->wait(started->id, os::within(1s));
  EXPECT_TRUE(ended) << ended.error().what;
  EXPECT_TRUE(backend_->destroy(started->id, soon()));
}

TEST_P(Contract, AnImageThatIsPreparedCanBePreparedAgainByWhatItIsCalledNow) {
  const auto again = backend_->prepare_image(image_, {}, soon());
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(again->image, image_);
}

TEST_P(Contract, TheHostIsAnImageThatNeedsNoPreparation) {
  if (GetParam().image != "host") GTEST_SKIP() << "this backend cannot show the host's files";
  const auto facts = backend_->prepare_image("host", {}, soon());
  ASSERT_TRUE(facts) << facts.error().what;
  EXPECT_EQ(facts->image, "host");
  EXPECT_EQ(facts->digest, "");
}

TEST_P(Contract, DestroyEndsWhatRunsAndMayBeRepeated) {
  auto started = backend_->start(spec(), soon());
  ASSERT_TRUE(started) << started.error().what;
  EXPECT_TRUE(backend_->destroy(started->id, soon()));
  pollfd leash{started->leash.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&leash, 1, 1000), 1) << "init's end of the leash is still open";
  EXPECT_TRUE(backend_->destroy(started->id, soon()));
  EXPECT_TRUE(backend_->wait(started->id, soon()));
  EXPECT_TRUE(backend_->destroy(SandboxId("never-was"), soon()));
}

TEST_P(Contract, LiveSandboxesAreNeitherListedNorSwept) {
  auto started = backend_->start(spec(), soon());
  ASSERT_TRUE(started) << started.error().what;
  const auto listed = backend_->list_abandoned();
  ASSERT_TRUE(listed) << listed.error().what;
  EXPECT_TRUE(listed->empty());
  EXPECT_TRUE(backend_->sweep(soon()));
  EXPECT_FALSE(backend_->wait(started->id, os::within(20ms)));
  EXPECT_TRUE(backend_->destroy(started->id, soon()));
}

TEST_P(Contract, ManyThreadsMayStartAndDestroyAtOnce) {
  std::vector<std::jthread> threads;
  std::atomic<int> failures = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 5; ++round) {
        auto started = backend_->start(spec(), soon());
        if (!started || !backend_->destroy(started->id, soon())) ++failures;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(failures, 0);
}

TEST_P(Contract, UsageIsKnownUntilDestroy) {
  auto started = backend_->start(spec(), soon());
  ASSERT_TRUE(started) << started.error().what;
  EXPECT_TRUE(backend_->usage(started->id));
  EXPECT_TRUE(backend_->destroy(started->id, soon()));
  EXPECT_FALSE(backend_->usage(started->id));
}

TEST_P(Contract, StoppedCallerGetsItsCallBack) {
  std::stop_source stop;
  stop.request_stop();
  auto started = backend_->start(spec(), soon());
  ASSERT_TRUE(started) << started.error().what;
  const auto waited = backend_->wait(started->id, os::within(10s, stop.get_token()));
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().kind, ErrorKind::cancelled);
  EXPECT_TRUE(backend_->destroy(started->id, soon()));
}

// A daemon that runs already, with an image in it that holds nothing: slipway-init needs nothing of one.
Result<std::unique_ptr<SandboxBackend>> make_docker(const TestPlace& place, Log& log) {
  const char* host = std::getenv("DOCKER_HOST");
  const std::string docker_host = host != nullptr ? host : "";
  SW_TRY(const std::filesystem::path socket, docker::daemon_socket(docker_host));
  docker::Engine engine(socket);
  SW_CHECK(engine.negotiate(os::within(10s)));
  constexpr std::size_t kEndOfTar = 1024;
  SW_CHECK(engine.post(std::string("/images/create?fromSrc=-&repo=") + kDockerImage, std::string(kEndOfTar, '\0'),
                       os::within(10s)));
  return docker::DockerBackend::open({place.path() / "state", SLIPWAY_SHELL_INIT, docker_host}, log);
}

TEST(FakeBackend, TakesNoMoreThanItsThreadCanWaitFor) {
  const auto backend = FakeBackend::create();
  ASSERT_TRUE(backend);
  SandboxSpec spec;
  for (std::size_t i = 0; i < FakeBackend::kMost; ++i) {
    spec.id = SandboxId(std::to_string(i));
    ASSERT_TRUE((*backend)->start(spec, {})) << i;
  }
  spec.id = SandboxId("one-more");
  const auto refused = (*backend)->start(spec, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::exhausted);
  ASSERT_TRUE((*backend)->destroy(SandboxId("0"), os::within(std::chrono::seconds(20))));
  EXPECT_TRUE((*backend)->start(spec, {}));
}

INSTANTIATE_TEST_SUITE_P(Backends, Contract,
                         testing::Values(Kind{"fake",
                                              [](const TestPlace&, Log&) -> Result<std::unique_ptr<SandboxBackend>> {
                                                return FakeBackend::create();
                                              }},
                                         Kind{"native",
                                              [](const TestPlace& place,
                                                 Log& log) -> Result<std::unique_ptr<SandboxBackend>> {
                                                return native::NativeBackend::open(place.options(), log);
                                              }},
                                         Kind{"docker", make_docker, kDockerImage}),
                         [](const auto& backend) { return backend.param.name; });

}  // namespace
}  // namespace slipway::sandbox
