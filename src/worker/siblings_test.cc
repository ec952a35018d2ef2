#include "worker/siblings.h"

#include <fcntl.h>

#include <semaphore>

#include <gtest/gtest.h>

#include "os/files.h"
#include "os/message_socket.h"
#include "os/wait.h"

namespace slipway::worker {
namespace {

using namespace std::chrono_literals;

class SilentLog final : public Log {
 public:
  void write(LogLevel, std::string_view, std::initializer_list<LogField>) noexcept override {}
};

/// The test plays the init of each sandbox; what is done to sandboxes is noted in order.
class Recorder final : public sandbox::SandboxBackend {
 public:
  sandbox::Capabilities capabilities() override { return {}; }
  Result<sandbox::ImageFacts> prepare_image(const std::string& image, const sandbox::ImageProgress&,
                                            const os::CallLimit&) override {
    return sandbox::ImageFacts{.image = image};
  }
  Result<sandbox::Started> start(const sandbox::SandboxSpec& spec, const os::CallLimit&) override {
    note("start " + spec.id.value);
    if (refuses) return fail(ErrorKind::denied, "not here");
    SW_TRY(os::SocketPair pair, os::make_socket_pair());
    inits.with([&](auto& all) { all.emplace_back(std::move(pair.second)); });
    started.release();
    return sandbox::Started{spec.id, std::move(pair.first)};
  }
  Result<std::vector<SandboxId>> list_orphans() override { return std::vector<SandboxId>{}; }
  Result<sandbox::Started> adopt(const SandboxId&, const os::CallLimit&) override {
    return fail(ErrorKind::not_found, "nothing to adopt");
  }
  Result<void> wait(const SandboxId& id, const os::CallLimit&) override {
    note("wait " + id.value);
    return {};
  }
  Result<sandbox::Usage> usage(const SandboxId&) override { return sandbox::Usage{}; }
  Result<os::Fd> open_source_file(const SandboxId&, const std::string& path) override {
    note("open " + path);
    if (path == "link") return fail(ErrorKind::denied, "a link");
    return os::open_file("/dev/null", O_RDONLY);
  }
  Result<void> destroy(const SandboxId& id, const os::CallLimit&) override {
    note("destroy " + id.value);
    return {};
  }
  Result<std::vector<SandboxId>> list_abandoned() override { return std::vector<SandboxId>{}; }
  Result<void> sweep(const os::CallLimit&) override { return {}; }

  void note(std::string what) {
    done.with([&](auto& all) { all.push_back(std::move(what)); });
  }
  std::vector<std::string> notes() {
    return done.with([](auto& all) { return all; });
  }

  bool refuses = false;
  os::Guarded<std::vector<std::string>> done;
  os::Guarded<std::vector<os::MessageSocket>> inits;
  std::counting_semaphore<> started{0};
};

class SiblingsTest : public testing::Test {
 protected:
  SiblingsTest() {
    SiblingBase base;
    base.job.attempt = AttemptId("a");
    base.job.env = {{"OF_JOB", "1"}};
    base.job.grace = Duration(0);
    model::StepSpec& step = base.job.steps.emplace_back();
    step.name = "build";
    step.action = model::Argv{{"make"}};
    step.env = {{"OF_STEP", "2"}};
    base.env = {{"OF_SOURCE", "3"}};
    base.spec.beside = sandbox::Beside{SandboxId("a"), true, {}};
    siblings_ = Siblings::make(backend_, log_, std::move(base)).value();
  }

  ~SiblingsTest() override {  // inits that are still there die: nobody waits for their grace
    backend_.inits.with([](auto& all) { all.clear(); });
  }

  static std::vector<os::Fd> pipes() {
    std::vector<os::Fd> fds;
    for (int i = 0; i < 2; ++i) fds.push_back(os::make_pipe().value().write);
    return fds;
  }
  static wire::SandboxRequest command(std::vector<std::string> outputs = {}) {
    wire::SandboxRequest request;
    request.argv = {"true"};
    request.shares = {"/job/share"};
    request.outputs = std::move(outputs);
    return request;
  }

  /// The init of the sandbox that was started as number `index`, with its orders.
  std::pair<os::MessageSocket, wire::Orders> init(std::size_t index) {
    std::optional<os::MessageSocket> socket;
    while (!socket && backend_.started.try_acquire_for(10s)) {
      backend_.inits.with([&](auto& all) {
        if (all.size() > index) socket.emplace(std::move(all[index]));
      });
    }
    const os::Message message = socket->receive(os::within(10s)).value();
    EXPECT_EQ(message.fds.size(), 2U);
    return {std::move(*socket), std::get<wire::Orders>(wire::decode_to_init(message.text).value())};
  }
  static void end(os::MessageSocket& leash) {
    EXPECT_TRUE(leash.send(wire::encode(wire::ToOwner(wire::Ended{model::Outcome::succeeded, 0, "", 1, 2})), {},
                           os::within(10s)));
  }
  std::vector<Siblings::Answer> answers() {
    EXPECT_TRUE(os::wait_readable(siblings_->wake_fd(), os::within(10s)));
    return siblings_->take_answers();
  }

  SilentLog log_;
  Recorder backend_;
  std::unique_ptr<Siblings> siblings_;
};

TEST_F(SiblingsTest, ACommandIsAnsweredOnceNothingOfItsSandboxIsLeft) {
  ASSERT_TRUE(siblings_->start(7, command({"out", "link"}), pipes()));
  auto [leash, orders] = init(0);
  EXPECT_TRUE(orders.sibling);
  EXPECT_TRUE(orders.secrets.empty());
  EXPECT_EQ(orders.job.env, (model::Variables{{"OF_SOURCE", "3"}}));
  EXPECT_EQ(std::get<model::Argv>(orders.job.steps.at(0).action).words, std::vector<std::string>{"true"});
  end(leash);
  const auto given = answers();
  ASSERT_EQ(given.size(), 1U);
  EXPECT_EQ(given[0].id, 7U);
  EXPECT_EQ(given[0].reply.outputs, std::vector<std::string>{"out"});
  EXPECT_EQ(given[0].reply.refused, std::vector<std::string>{"output link: a link"});
  EXPECT_EQ(given[0].files.size(), 1U);
  EXPECT_EQ(backend_.notes(),
            (std::vector<std::string>{"start a-s7", "wait a-s7", "open out", "open link", "destroy a-s7"}));
  EXPECT_EQ(siblings_->touched(), (std::vector<std::string>{"/job/from-source", "/job/share"}));
}

TEST_F(SiblingsTest, AStepOfSourceGetsWhatItsAuthorDeclared) {
  ASSERT_TRUE(siblings_->start(1, {}, pipes()));
  auto [leash, orders] = init(0);
  EXPECT_EQ(std::get<model::Argv>(orders.job.steps.at(0).action).words, std::vector<std::string>{"make"});
  EXPECT_EQ(orders.job.env, (model::Variables{{"OF_SOURCE", "3"}, {"OF_JOB", "1"}}));
  EXPECT_EQ(orders.job.steps.at(0).env, (model::Variables{{"OF_STEP", "2"}}));
  end(leash);
  EXPECT_EQ(answers().size(), 1U);
}

TEST_F(SiblingsTest, ASandboxThatCannotBeMadeIsAnAnswer) {
  backend_.refuses = true;
  ASSERT_TRUE(siblings_->start(1, command(), pipes()));
  const auto given = answers();
  ASSERT_EQ(given.size(), 1U);
  EXPECT_EQ(given[0].reply.end.outcome, model::Outcome::rejected);
  EXPECT_EQ(given[0].reply.end.reason, "not here");
}

TEST_F(SiblingsTest, AStopGoesToTheInitAndADeadInitIsInfrastructure) {
  ASSERT_TRUE(siblings_->start(1, command(), pipes()));
  {
    auto [leash, orders] = init(0);
    siblings_->stop({1, false});
    const auto said = wire::decode_to_init(leash.receive(os::within(10s)).value().text).value();
    EXPECT_TRUE(std::holds_alternative<wire::Cancel>(said));
  }
  EXPECT_EQ(answers().at(0).reply.end.outcome, model::Outcome::infra_failed);
}

TEST_F(SiblingsTest, AFewRunAtOnceAndTheOthersWaitForTheirTurnOrTheirStop) {
  for (std::uint64_t id = 1; id <= Siblings::kAtOnce + 2; ++id) ASSERT_TRUE(siblings_->start(id, command(), pipes()));
  siblings_->stop({Siblings::kAtOnce + 2, true});
  const auto stopped = answers();
  ASSERT_EQ(stopped.size(), 1U);
  EXPECT_EQ(stopped[0].reply.end.outcome, model::Outcome::cancelled);
  auto [first, orders] = init(0);
  end(first);
  EXPECT_EQ(answers().size(), 1U);
  auto [last, more] = init(Siblings::kAtOnce);  // its turn has come
  end(last);
  EXPECT_EQ(answers().size(), 1U);
}

TEST_F(SiblingsTest, ANumberThatIsTakenIsRefusedAndTheOneThatHasItGoesOn) {
  for (std::uint64_t id = 1; id <= Siblings::kAtOnce + 1; ++id) ASSERT_TRUE(siblings_->start(id, command(), pipes()));
  EXPECT_FALSE(siblings_->start(1, command(), pipes()));                      // it runs
  EXPECT_FALSE(siblings_->start(Siblings::kAtOnce + 1, command(), pipes()));  // it waits
  auto [first, orders] = init(0);
  end(first);
  EXPECT_EQ(answers().size(), 1U);
}

TEST_F(SiblingsTest, TheEndOfTheJobEndsAll) {
  ASSERT_TRUE(siblings_->start(1, command(), pipes()));
  auto [leash, orders] = init(0);
  std::jthread dies([&leash = leash] {
    const auto said = leash.receive(os::within(10s));
    EXPECT_TRUE(said);
    leash = os::MessageSocket(os::Fd());
  });
  siblings_.reset();
  EXPECT_EQ(backend_.notes().back(), "destroy a-s1");
}

TEST_F(SiblingsTest, BrokenRequestsAreRefused) {
  EXPECT_FALSE(siblings_->start(1, command(), {}));
  wire::SandboxRequest request = command();
  request.step = 9;
  EXPECT_FALSE(siblings_->start(1, request, pipes()));
  EXPECT_TRUE(siblings_->touched().empty());
}

}  // namespace
}  // namespace slipway::worker
