#include "worker/attempt_driver.h"

#include <sys/inotify.h>

#include <algorithm>
#include <cstdlib>
#include <future>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

#include "journal/seal.h"
#include "journal/writer.h"
#include "objects/file/file_objects.h"
#include "os/files.h"
#include "os/test_directory.h"
#include "os/wait.h"
#include "sandbox/fake/fake_backend.h"
#include "wire/journal_json.h"
#include "wire/owner_json.h"
#include "worker/journal_files.h"
#include "worker/session.h"
#include "worker/test_support.h"

namespace slipway::worker {
namespace {

class QuietLog final : public Log {
 public:
  void write(LogLevel, std::string_view, std::initializer_list<LogField>) noexcept override {}
};

class TestHost final : public AttemptHost {
 public:
  Result<PreparedSource> prepare_source(const model::JobSpec&, const os::CallLimit& limit) override {
    if (source_hangs) {
      const os::SocketPair silent = os::make_socket_pair().value();
      SW_CHECK(os::wait_readable(silent.first.get(), limit));
    }
    if (source_error) return std::unexpected(*source_error);
    return PreparedSource{};
  }
  Result<std::vector<wire::SecretValue>> secrets(const model::JobSpec&) override {
    return std::vector<wire::SecretValue>{};
  }
  CacheScopes cache_scopes(const model::JobSpec&) override {
    if (on_sandbox_started) on_sandbox_started();
    return scopes_of({.project = "p", .branch = "main"});
  }
  void tell(const model::JobSpec&, const std::string& text) override {
    const std::scoped_lock lock(told_mutex);
    told.push_back(text);
  }
  void image_progress(const model::JobSpec&, const sandbox::ImageNews&) override {}
  void started(const model::JobSpec&, const std::filesystem::path& path) override {
    journal = path;
    if (on_started) on_started();
  }
  void tell_of_service(const model::JobSpec& job, const std::string& text) override { tell(job, text); }
  void progress(const model::JobSpec&, std::uint64_t bytes) override { journal_bytes = bytes; }
  void held(const model::JobSpec&, const wire::Held&) override {
    if (on_held) on_held();
  }
  Result<std::string> answer(const model::JobSpec&, const std::string&, const std::string&,
                             const os::CallLimit&) override {
    return std::string("{}");
  }

  Result<std::string> trigger(const model::JobSpec&, const std::string&, bool, const os::CallLimit&) override {
    return wire::trigger_answer_json("");
  }

  std::optional<Error> source_error;
  bool source_hangs = false;
  std::function<void()> on_started, on_sandbox_started, on_held;
  std::filesystem::path journal;
  std::uint64_t journal_bytes = 0;
  std::mutex told_mutex;  // services tell on threads of their own
  std::vector<std::string> told;
};

class AttemptDriverTest : public testing::Test {
 protected:
  AttemptDriverTest() {
    backend = sandbox::FakeBackend::create().value();
    objects = objects::FileObjects::open_at(dir / "objects", {}).value();
    artifacts.emplace(*objects, dir / "runs");
    caches.emplace(Caches::open_at(dir / "caches", 1 << 20).value());
  }

  static model::JobSpec job_of(std::vector<std::string> scripts) {
    model::JobSpec job;
    job.run = RunId(new_id());
    job.attempt = AttemptId(new_id());
    job.job = "test";
    for (std::string& script : scripts) {
      model::StepSpec step;
      step.name = "step " + std::to_string(job.steps.size());
      step.action = model::Script{std::move(script)};
      job.steps.push_back(std::move(step));
    }
    return job;
  }
  model::AttemptReport drive(const model::JobSpec& job) {
    AttemptDriver driver({*backend, *artifacts, *caches, host, log, dir / "runs", pins});
    return driver.drive(job, control);
  }

  os::TestDirectory dir;
  QuietLog log;
  TestHost host;
  ImagePins pins;
  AttemptControl control = AttemptControl::make().value();
  std::unique_ptr<sandbox::FakeBackend> backend;
  std::unique_ptr<objects::FileObjects> objects;
  std::optional<Artifacts> artifacts;
  std::optional<Caches> caches;
};

TEST_F(AttemptDriverTest, ReportsWhatTheJournalSays) {
  const model::JobSpec job = job_of({"true", "exit 7", "true"});
  const model::AttemptReport report = drive(job);
  EXPECT_EQ(report.outcome, model::Outcome::failed);
  EXPECT_EQ(report.exit_code, 7);
  ASSERT_EQ(report.steps.size(), 3U);
  EXPECT_EQ(report.steps[2].outcome, model::Outcome::skipped);
  EXPECT_EQ(report.attempt, job.attempt);
  const auto again = report_from_journal(host.journal, job);
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(again->outcome, model::Outcome::failed);
  EXPECT_EQ(again->journal_bytes, host.journal_bytes);
}

TEST_F(AttemptDriverTest, CancelReachesAJobThatWaits) {
  host.on_sandbox_started = [&] { control.cancel({wire::Cancel::Why::by_user, false}); };
  const model::AttemptReport report = drive(job_of({"sleep-forever"}));
  EXPECT_EQ(report.outcome, model::Outcome::cancelled);
}

TEST_F(AttemptDriverTest, CancelReachesAnAttemptWhoseSourceIsStillPrepared) {
  host.source_hangs = true;
  host.on_started = [&] { control.cancel({wire::Cancel::Why::by_user, false}); };
  EXPECT_EQ(drive(job_of({"true"})).outcome, model::Outcome::cancelled);
}

TEST_F(AttemptDriverTest, AJobBeginsOnceItsServicesAreReadyAndTheyEndWithIt) {
  model::JobSpec job = job_of({"echo begun"});
  job.services = {{"db", "host", {}, {"serve"}, {}}, {"cache", "host", {}, {"serve"}, {}}};
  EXPECT_EQ(drive(job).outcome, model::Outcome::succeeded);
  EXPECT_EQ(std::ranges::count(host.told, "service db: ready"), 1);
  EXPECT_EQ(std::ranges::count(host.told, "service cache: ready"), 1);
  model::JobSpec db = job;
  db.attempt = AttemptId(job.attempt.value + ".db");
  const auto ended = report_from_journal(dir / "runs" / job.run.value / (db.attempt.value + ".journal"), db);
  ASSERT_TRUE(ended) << ended.error().what;
  EXPECT_EQ(ended->outcome, model::Outcome::cancelled);
}

TEST_F(AttemptDriverTest, AServiceThatDoesNotStartFailsTheJobWhoseJournalSaysWhy) {
  model::JobSpec job = job_of({"true"});
  job.services = {{"db", "host", {}, {"exit", "3"}, {}}};
  const model::AttemptReport report = drive(job);
  EXPECT_EQ(report.outcome, model::Outcome::failed);
  EXPECT_TRUE(report.reason.starts_with("service `db` ended before the job began")) << report.reason;
  const auto said = report_from_journal(host.journal, job);
  ASSERT_TRUE(said) << said.error().what;
  EXPECT_EQ(said->reason, report.reason);
}

TEST_F(AttemptDriverTest, AJobIsCancelledWhileItsServicesStart) {
  model::JobSpec job = job_of({"true"});
  job.services = {{"db", "host", {}, {"serve"}, {}}};
  control.cancel({wire::Cancel::Why::by_user, false});
  EXPECT_EQ(drive(job).outcome, model::Outcome::cancelled);
}

/// Its last processes never seem to go.
class SlowEnd final : public sandbox::SandboxBackend {
 public:
  explicit SlowEnd(sandbox::SandboxBackend& real) : real_(real) {}
  sandbox::Capabilities capabilities() override { return real_.capabilities(); }
  Result<sandbox::ImageFacts> prepare_image(const std::string& image, const sandbox::ImageProgress& progress,
                                            const os::CallLimit& limit) override {
    return real_.prepare_image(image, progress, limit);
  }
  Result<sandbox::Started> start(const sandbox::SandboxSpec& spec, const os::CallLimit& limit) override {
    return real_.start(spec, limit);
  }
  Result<std::vector<SandboxId>> list_orphans() override { return real_.list_orphans(); }
  Result<sandbox::Started> adopt(const SandboxId& id, const os::CallLimit& limit) override {
    return real_.adopt(id, limit);
  }
  Result<void> wait(const SandboxId&, const os::CallLimit&) override { return fail(ErrorKind::timeout, "it lingers"); }
  Result<sandbox::Usage> usage(const SandboxId& id) override { return real_.usage(id); }
  Result<os::Fd> open_source_file(const SandboxId& id, const std::string& path) override {
    return real_.open_source_file(id, path);
  }
  Result<void> destroy(const SandboxId& id, const os::CallLimit& limit) override { return real_.destroy(id, limit); }
  Result<std::vector<SandboxId>> list_abandoned() override { return real_.list_abandoned(); }
  Result<void> sweep(const os::CallLimit& limit) override { return real_.sweep(limit); }

 private:
  sandbox::SandboxBackend& real_;
};

TEST_F(AttemptDriverTest, WhatTheJournalSaysStandsHoweverSlowlyTheSandboxEnds) {
  SlowEnd slow(*backend);
  AttemptDriver driver({slow, *artifacts, *caches, host, log, dir / "runs", pins});
  const model::AttemptReport report = driver.drive(job_of({"exit 7"}), control);
  EXPECT_EQ(report.outcome, model::Outcome::failed);
  EXPECT_EQ(report.exit_code, 7);
}

TEST_F(AttemptDriverTest, SourceThatIsNotThereIsRejectedAndItsJournalEnds) {
  host.source_error = Error{ErrorKind::not_found, "no branch x"};
  const model::JobSpec job = job_of({"true"});
  const model::AttemptReport report = drive(job);
  EXPECT_EQ(report.outcome, model::Outcome::rejected);
  EXPECT_EQ(report.reason, "no branch x");
  const auto said = report_from_journal(host.journal, job);
  ASSERT_TRUE(said) << said.error().what;
  EXPECT_EQ(said->outcome, model::Outcome::rejected);
}

TEST_F(AttemptDriverTest, TriggersAreFoundWhereverTheyStandInTheJournal) {
  const model::JobSpec job = job_of({"true"});
  JournalFiles files = create_journal_files(dir / "runs", job).value();
  auto writer = journal::Writer::create(std::move(files.journal_fd)).value();
  const auto put = [&](journal::RecordType type, std::string_view payload) {
    ASSERT_TRUE(writer.append(type, 0, 0, Time{}, payload));
  };
  put(journal::RecordType::trigger, wire::payload::encode(wire::payload::Trigger{R"({"job_name":"first"})"}));
  for (int i = 0; i < 3; ++i)
    put(journal::RecordType::output_stdout, std::string(900'000, 'x'));  // checkpoints between
  put(journal::RecordType::trigger, wire::payload::encode(wire::payload::Trigger{R"({"job_name":"second"})"}));
  put(journal::RecordType::attempt_finished, wire::payload::encode(wire::payload::AttemptFinished{{}, 2}));
  ASSERT_TRUE(writer.close());
  const auto report = report_from_journal(files.journal, job);
  ASSERT_TRUE(report) << report.error().what;
  ASSERT_EQ(report->triggers.size(), 2U);
  EXPECT_EQ(report->triggers[0].json, R"({"job_name":"first"})");
  EXPECT_EQ(report->triggers[1].json, R"({"job_name":"second"})");
}

TEST_F(AttemptDriverTest, WhoStillWritesAJournalHasTheLastWord) {
  const model::JobSpec job = job_of({"true"});
  JournalFiles files = create_journal_files(dir / "runs", job).value();
  auto dying = journal::Writer::create(std::move(files.journal_fd)).value();
  const os::Fd closings(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  ASSERT_GE(::inotify_add_watch(closings.get(), files.journal.c_str(), IN_CLOSE_WRITE), 0);
  model::AttemptReport lost;
  lost.outcome = model::Outcome::infra_failed;
  auto closing =
      std::async(std::launch::async, [&] { close_journal(dir / "runs", job, lost, JournalEnd::unknown, log); });
  // It has opened the journal and let go of it again, since it is locked.
  EXPECT_TRUE(os::wait_readable(closings.get(), os::within(std::chrono::seconds(10))));
  model::AttemptReport last;
  last.outcome = model::Outcome::timed_out;
  ASSERT_TRUE(dying.append(journal::RecordType::attempt_finished, journal::kNoStep, 0, Time{},
                           wire::payload::encode(wire::payload::AttemptFinished{last})));
  ASSERT_TRUE(dying.close());
  closing.get();
  const auto report = report_from_journal(files.journal, job);
  ASSERT_TRUE(report) << report.error().what;
  EXPECT_EQ(report->outcome, model::Outcome::timed_out);
}

TEST_F(AttemptDriverTest, BrokenMachineIsInfrastructureAndBlamesNobody) {
  host.source_error = Error{ErrorKind::unavailable, "the disk is gone"};
  EXPECT_EQ(drive(job_of({"true"})).outcome, model::Outcome::infra_failed);
}

TEST_F(AttemptDriverTest, ACacheThatCannotBeLookedUpIsToldAndTheJobRuns) {
  ASSERT_TRUE(os::make_directories(dir / "caches/index.json", 0700));  // reading it fails
  model::JobSpec job = job_of({"true"});
  job.cache.push_back({.key = "deps", .restore = {}, .paths = {"x"}});
  EXPECT_EQ(drive(job).outcome, model::Outcome::succeeded);
  ASSERT_EQ(host.told.size(), 1U);
  EXPECT_TRUE(host.told[0].starts_with("cache deps: not restored: ")) << host.told[0];
}

/// Plays init by hand: the test holds the other end of the leash.
class LeashInHand final : public sandbox::SandboxBackend {
 public:
  sandbox::Capabilities capabilities() override { return {}; }
  Result<sandbox::ImageFacts> prepare_image(const std::string& image, const sandbox::ImageProgress&,
                                            const os::CallLimit&) override {
    return sandbox::ImageFacts{.image = image};
  }
  Result<sandbox::Started> start(const sandbox::SandboxSpec& spec, const os::CallLimit&) override {
    return begin(spec.id);
  }
  Result<std::vector<SandboxId>> list_orphans() override { return std::vector<SandboxId>{}; }
  Result<sandbox::Started> adopt(const SandboxId& id, const os::CallLimit&) override { return begin(id); }
  Result<void> wait(const SandboxId&, const os::CallLimit&) override { return {}; }
  Result<sandbox::Usage> usage(const SandboxId&) override { return sandbox::Usage{}; }
  Result<os::Fd> open_source_file(const SandboxId&, const std::string&) override {
    return fail(ErrorKind::not_found, "no source");
  }
  Result<void> destroy(const SandboxId&, const os::CallLimit&) override { return {}; }
  Result<std::vector<SandboxId>> list_abandoned() override { return std::vector<SandboxId>{}; }
  Result<void> sweep(const os::CallLimit&) override { return {}; }

  std::function<void(os::MessageSocket&)> play;
  std::jthread init;

 private:
  Result<sandbox::Started> begin(const SandboxId& id) {
    SW_TRY(os::SocketPair pair, os::make_socket_pair());
    init = std::jthread([this, leash = std::make_shared<os::MessageSocket>(std::move(pair.second))] { play(*leash); });
    return sandbox::Started{id, std::move(pair.first)};
  }
};

TEST_F(AttemptDriverTest, MoreInputsThanOneMessageCarriesAllArrive) {
  model::JobSpec job = job_of({"true"});
  constexpr std::size_t kMany = 150;
  for (std::size_t i = 0; i < kMany; ++i) {
    const std::string name = "part" + std::to_string(i);
    const auto upload = artifacts->begin().value();
    test::write_bundle(upload->fd(), {{"file", name}});
    ASSERT_TRUE(artifacts->store({.run = job.run, .job = "make", .attempt = AttemptId("a"), .name = name}, *upload,
                                 os::within(std::chrono::seconds(10))));
    job.uses_artifacts.push_back({name, {}});
  }
  LeashInHand backend_in_hand;
  std::vector<std::string> paths;
  std::size_t fds = 0;
  backend_in_hand.play = [&](os::MessageSocket& leash) {
    for (;;) {
      const auto message = leash.receive(os::within(std::chrono::seconds(10)));
      if (!message) return;
      fds += message->fds.size();
      const auto said = wire::decode_to_init(message->text);
      const auto* more = std::get_if<wire::Inputs>(&*said);
      const auto* orders = std::get_if<wire::Orders>(&*said);
      for (const auto& input : more != nullptr ? more->inputs : orders->inputs) paths.push_back(input.path);
      if (orders != nullptr) return;  // the leash breaks: that is how this test ends the attempt
    }
  };
  AttemptDriver driver({backend_in_hand, *artifacts, *caches, host, log, dir / "runs", pins});
  EXPECT_EQ(driver.drive(job, control).outcome, model::Outcome::infra_failed);
  backend_in_hand.init.join();
  ASSERT_EQ(paths.size(), kMany);
  EXPECT_EQ(paths.front(), "/job/inputs/part0");
  EXPECT_EQ(paths.back(), "/job/inputs/part149");
  EXPECT_EQ(fds, kMany + 2);
}

TEST_F(AttemptDriverTest, MoreInputsThanAJobMayHaveAreRejected) {
  model::JobSpec job = job_of({"true"});
  for (std::size_t i = 0; i <= wire::kMaxInputs; ++i) job.uses_artifacts.push_back({"dist", {}});
  const model::AttemptReport report = drive(job);
  EXPECT_EQ(report.outcome, model::Outcome::rejected);
  EXPECT_NE(report.reason.find("501 artifacts"), std::string::npos) << report.reason;
}

TEST_F(AttemptDriverTest, ATimedOutJobMayPackItsArtifactsBeyondItsTimeout) {
  model::JobSpec job = job_of({"true"});
  job.timeout = std::chrono::milliseconds(1);
  job.grace = Duration(0);
  LeashInHand backend_in_hand;
  backend_in_hand.play = [&](os::MessageSocket& leash) {
    const auto message = leash.receive(os::within(std::chrono::seconds(10)));
    ASSERT_TRUE(message);
    // The timeout has long passed; init is still at it and says so.
    os::SocketPair silent = os::make_socket_pair().value();
    (void)os::wait_readable(silent.first.get(), os::within(std::chrono::milliseconds(300)));
    auto writer = journal::Writer::create(os::Fd(::dup(message->fds.at(0).get()))).value();
    model::AttemptReport report;
    report.outcome = model::Outcome::timed_out;
    ASSERT_TRUE(writer.append(journal::RecordType::attempt_finished, journal::kNoStep, 0, Time{},
                              wire::payload::encode(wire::payload::AttemptFinished{report, 0})));
    ASSERT_TRUE(writer.close());
    ASSERT_TRUE(leash.send(wire::encode(wire::ToOwner(wire::Finished{1})), {}, os::within(std::chrono::seconds(5))));
  };
  AttemptDriver driver({backend_in_hand, *artifacts, *caches, host, log, dir / "runs", pins});
  EXPECT_EQ(driver.drive(job, control).outcome, model::Outcome::timed_out);
  static_assert(kOverrun > wire::kGatherAfterStop);  // init ends packing before its owner gives it up
}

// A slipway that dies while the job runs, and the next one.
class ResumeTest : public AttemptDriverTest {
 protected:
  DriverParts parts() {
    return {*backend, *artifacts, *caches, host, log, dir / "runs", pins, std::chrono::seconds(20)};
  }
  // What the driver of the dead one had done until then.
  void begin_and_die(const model::JobSpec& job) {
    JournalFiles files = create_journal_files(dir / "runs", job).value();
    sandbox::SandboxSpec spec;
    spec.id = SandboxId(job.attempt.value);
    spec.orphan_grace = std::chrono::seconds(20);
    os::MessageSocket leash(backend->start(spec, os::within(std::chrono::seconds(5))).value().leash);
    wire::Orders orders;
    orders.job = job;
    ASSERT_TRUE(leash.send(wire::encode(wire::ToInit(orders)), {files.journal_fd.get(), files.tail_fd.get()},
                           os::within(std::chrono::seconds(5))));
    ASSERT_TRUE(leash.receive(os::within(std::chrono::seconds(5)))) << "it runs";
  }
};

TEST_F(ResumeTest, GoesOnWithAJobWhoseOwnerDied) {
  const model::JobSpec job = job_of({"echo begun", "sleep-forever"});
  begin_and_die(job);
  control.cancel({wire::Cancel::Why::by_user, false});
  const auto report = AttemptDriver(parts()).resume(job, control);
  ASSERT_TRUE(report) << report.error().what;
  EXPECT_EQ(report->outcome, model::Outcome::cancelled);
  ASSERT_EQ(report->steps.size(), 2U);
  EXPECT_EQ(report->steps[0].outcome, model::Outcome::succeeded);
  EXPECT_TRUE(backend->list_orphans()->empty());
  EXPECT_FALSE(std::filesystem::exists(dir / "runs" / job.run.value / (job.attempt.value + ".tail")));
}

TEST_F(ResumeTest, ReadsWhatCameToItsEndMeanwhile) {
  const model::JobSpec job = job_of({"exit 7"});
  begin_and_die(job);
  ASSERT_TRUE(backend->wait(SandboxId(job.attempt.value), os::within(std::chrono::seconds(5))));
  const auto report = AttemptDriver(parts()).resume(job, control);
  ASSERT_TRUE(report) << report.error().what;
  EXPECT_EQ(report->outcome, model::Outcome::failed);
  EXPECT_EQ(report->exit_code, 7);
}

TEST_F(ResumeTest, GivesAnEndToAJobThatWasLost) {
  const model::JobSpec job = job_of({"sleep-forever"});
  begin_and_die(job);
  ASSERT_TRUE(backend->destroy(SandboxId(job.attempt.value), os::within(std::chrono::seconds(5))));
  const auto report = AttemptDriver(parts()).resume(job, control);
  ASSERT_TRUE(report) << report.error().what;
  EXPECT_EQ(report->outcome, model::Outcome::infra_failed);
  const auto said = report_from_journal(host.journal, job);
  ASSERT_TRUE(said) << said.error().what;
  EXPECT_EQ(said->outcome, model::Outcome::infra_failed);
}

TEST_F(ResumeTest, LeavesAJobAloneThatSomebodyElseDrives) {
  const model::JobSpec job = job_of({"sleep-forever"});
  begin_and_die(job);
  const SandboxId id(job.attempt.value);
  const auto first = backend->adopt(id, os::within(std::chrono::seconds(5)));
  ASSERT_TRUE(first) << first.error().what;
  const auto report = AttemptDriver(parts()).resume(job, control);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, ErrorKind::conflict);
  EXPECT_FALSE(backend->wait(id, os::within(std::chrono::milliseconds(20)))) << "it runs on";
}

TEST_F(ResumeTest, AJobThatIsHeldGoesOnByTheWordOfWhoComesFirst) {
  const model::JobSpec job = job_of({"sleep-forever"});
  ASSERT_TRUE(create_journal_files(dir / "runs", job));
  LeashInHand init;
  std::vector<wire::Resume> heard;
  init.play = [&](os::MessageSocket& leash) {
    const wire::ToOwner held = wire::Held{"test", "exit code 1", true, std::chrono::hours(1)};
    ASSERT_TRUE(leash.send(wire::encode(held), {}, os::within(std::chrono::seconds(5))));
    while (const auto message = leash.receive(os::within(std::chrono::seconds(5)))) {
      const auto said = wire::decode_to_init(message->text);
      if (const auto* how = std::get_if<wire::Resume>(&*said)) heard.push_back(*how);
      if (!heard.empty()) return;  // the leash breaks: that is how this test ends the attempt
    }
  };
  std::vector<os::MessageSocket> people;
  wire::LiveJob state;
  host.on_held = [&] {
    state = control.state();
    for (int i = 0; i < 2; ++i) {
      os::SocketPair pair = os::make_socket_pair().value();
      people.emplace_back(std::move(pair.first));
      const wire::VisitRequest request{
          wire::VisitRequest::What::resume, job.run.value, job.job, {}, wire::Resume::retry};
      ASSERT_TRUE(control.visit({request, os::MessageSocket(std::move(pair.second))}));
    }
  };
  AttemptDriver driver({init, *artifacts, *caches, host, log, dir / "runs", pins, std::chrono::seconds(20)});
  ASSERT_TRUE(driver.resume(job, control));
  init.init.join();
  EXPECT_EQ(state.step, "test");
  EXPECT_EQ(heard, std::vector<wire::Resume>{wire::Resume::retry});
  std::vector<std::string> told;
  for (os::MessageSocket& person : people) {
    told.push_back(
        wire::decode_visit_reply(person.receive(os::within(std::chrono::seconds(5))).value().text).value().error);
  }
  EXPECT_EQ(told, (std::vector<std::string>{"", "the job is not held"}));
}

TEST_F(ResumeTest, ASecondOwnerKnowsWhatUntrustedSourceMayHaveWritten) {
  model::JobSpec job = job_of({"sleep-forever"});
  std::string note;
  LeashInHand init;
  init.play = [&](os::MessageSocket& leash) {
    for (;;) {
      const auto message = leash.receive(os::within(std::chrono::seconds(10)));
      if (!message) return;
      const auto said = wire::decode_to_init(message->text);
      if (const auto* left = std::get_if<wire::Note>(&*said)) note = left->text;
      if (std::holds_alternative<wire::Note>(*said) && note.find("/job/shared") != std::string::npos) return;
      if (!std::holds_alternative<wire::Orders>(*said)) continue;
      const os::Pipe out = os::make_pipe().value();
      const std::string asked = wire::encode(wire::SandboxRequest{7, {"true"}, "/job/src", {"/job/shared"}, {}});
      ASSERT_TRUE(leash.send(wire::encode(wire::ToOwner(wire::Request{1, "sandbox", asked})),
                             {out.write.get(), out.write.get()}, os::within(std::chrono::seconds(5))));
    }
  };
  DriverParts of_dead = parts();
  AttemptDriver driver({init, *artifacts, *caches, host, log, dir / "runs", pins, of_dead.orphan_grace});
  EXPECT_EQ(driver.drive(job, control).outcome, model::Outcome::infra_failed);
  init.init.join();
  EXPECT_EQ(note, R"({"took_untrusted":false,"touched":["/job/shared"]})");
}

TEST_F(AttemptDriverTest, MissingArtifactSaysWhichOne) {
  model::JobSpec job = job_of({"true"});
  job.uses_artifacts.push_back({"dist", {}});
  const model::AttemptReport report = drive(job);
  EXPECT_EQ(report.outcome, model::Outcome::rejected);
  EXPECT_NE(report.reason.find("dist"), std::string::npos) << report.reason;
}

}  // namespace
}  // namespace slipway::worker
