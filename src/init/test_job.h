#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "init/poller.h"
#include "journal/record.h"
#include "os/message_socket.h"
#include "os/test_directory.h"
#include "wire/journal_json.h"
#include "wire/leash.h"

/// A job run by init::run in a plain child process of the test: no namespaces, no groups, one id.
namespace slipway::init {

/// A record of the journal, kept.
struct Recorded {
  journal::RecordType type;
  std::uint16_t step = 0;
  std::string payload;
  std::uint64_t offset = 0;
};

/// What a job left behind.
struct Outcome {
  std::vector<Recorded> records;
  model::AttemptReport report;
  bool finished = false;  ///< there is an `attempt_finished`

  std::string output(std::uint16_t step, journal::RecordType stream = journal::RecordType::output_stdout) const;
  std::vector<std::string> payloads(journal::RecordType type) const;
  bool has_notice(std::string_view code) const;
  std::size_t count(journal::RecordType type, std::uint16_t step) const;
};

class TestJob {
 public:
  TestJob();
  ~TestJob();

  model::JobSpec spec;
  std::vector<wire::SecretValue> secrets;
  Duration orphan_grace{0};                  ///< more than 0: init is told to wait for another owner
  std::optional<model::Readiness> ready;     ///< makes it a service
  std::function<void()> when_ready = [] {};  ///< called once init says so
  std::vector<wire::Breakpoint> breaks;
  Duration hold_limit = std::chrono::seconds(20);
  std::function<void(const wire::Held&)> when_held = [](const wire::Held&) {};  ///< each time
  std::function<void(const wire::Attached&)> when_attached = [](const wire::Attached&) {};
  std::function<void(const wire::AttachEnded&)> when_left = [](const wire::AttachEnded&) {};
  std::vector<std::pair<wire::InputBundle, int>> inputs;
  std::size_t inputs_ahead = 0;  ///< so many are sent before the orders

  /// Adds a `sh -e` step and answers its spec.
  model::StepSpec& add(const std::string& script);
  const std::string& workspace() const { return workspace_; }
  std::string file(const std::string& name) const;

  /// Sends the orders. The rest happens in `wait`.
  void start();
  void send(const wire::ToInit& message);
  void close_leash();
  /// The path of the socket that waits for another owner.
  std::string listener() const { return directory_ + "/next-owner"; }
  /// As another owner, who knows of no bundle: what `kept` says, and its descriptors.
  std::pair<wire::Kept, std::vector<os::Fd>> adopt();
  /// Called in `wait` once the journal holds this text; the test may then act.
  void when_printed(std::string text, std::function<void()> then) {
    triggers_.emplace_back(std::move(text), std::move(then));
  }
  /// Until init has ended (fails after 30 s).
  Outcome wait();
  Outcome run() {
    start();
    return wait();
  }
  /// Bundles that init stored, by kind and name: the bytes.
  const std::map<std::string, std::string>& bundles() const { return stored_; }
  std::function<void()> before_bundle = [] {};  ///< called when init wants to store one
  std::function<void()> before_stored = [] {};  ///< called when one is to be kept
  std::vector<std::string> refused_caches;      ///< keys that the owner has already
  pid_t pid() const { return pid_; }
  /// Steps find `program` as `slipway`.
  void put_command(const std::string& program);

 private:
  void serve_one();
  void answer(const wire::Request& request);
  Outcome read_journal() const;

  os::TestDirectory own_;
  std::string directory_ = own_.path().string(), workspace_ = directory_ + "/job";
  os::Fd journal_, ring_;
  std::unique_ptr<os::MessageSocket> leash_;
  pid_t pid_ = -1;
  std::vector<std::pair<std::string, std::function<void()>>> triggers_;
  std::map<std::uint64_t, std::pair<std::string, os::Fd>> open_;
  std::map<std::string, std::string> stored_;
};

}  // namespace slipway::init
