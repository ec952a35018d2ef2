#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "os/message_socket.h"
#include "worker/attempt_driver.h"
#include "worker/journal_files.h"
#include "worker/siblings.h"
#include "worker/visitors.h"

namespace slipway::worker {

/// How late init may be with ending a job, on its own timeout or when told to, before it is given up.
inline constexpr Duration kOverrun = wire::kGatherAfterStop + std::chrono::seconds(30);

/// The talk with one `slipway-init` over its leash (wire/leash.h), from the orders to its last word.
/// One thread; ends with the attempt.
class AttemptSession {
 public:
  /// All references outlive the session. `job` is what init gets. `siblings`: null where the sandbox was adopted, and
  /// none can be made. `role`: of a service; null for a job.
  AttemptSession(const DriverParts& parts, const model::JobSpec& job, AttemptControl& control, sandbox::Started sandbox,
                 Siblings* siblings, const ServiceRole* role);

  /// Artifacts and caches that the job begins with go along.
  Result<void> send_orders(const std::vector<wire::SecretValue>& secrets, const JournalFiles& files);

  /// Until init has said its last word. `unavailable`: init died, or who keeps it is gone; `timeout`: it overran
  /// `deadline`.
  Result<void> serve(os::Deadline deadline);

  bool was_told_to_stop() const { return stopping_; }
  bool took_untrusted() const { return took_untrusted_; }

 private:
  struct OpenBundle {
    std::string name;  // of the artifact, or the cache's key
    std::unique_ptr<objects::Upload> artifact;
    std::optional<objects::StagedFile> cache;
  };

  // What the job begins with, and where it goes.
  struct Input {
    wire::InputBundle where;
    os::Fd bundle;
  };

  Result<std::vector<Input>> find_inputs(std::vector<std::string>& cache_news);
  Result<void> send(const wire::ToInit& message, const std::vector<int>& fds);
  Result<void> serve_one();
  Result<void> answer(const wire::Request& request, std::vector<os::Fd> fds);
  Result<void> answer_for_siblings();
  Result<void> start_sibling(const wire::Request& request, std::vector<os::Fd> fds);
  /// What untrusted source may have written, for whoever drives this attempt should this process die.
  Result<void> leave_note();
  void take_note(const std::string& text);
  std::vector<std::string> touched() const;
  Result<void> take_cancel(os::Deadline& deadline);
  /// For what a person who says "at once" does not wait for.
  os::CallLimit within(std::chrono::milliseconds time) const { return os::within(time, control_.stopping_at_once()); }
  Result<std::string> open_bundle(const wire::Request& request, int& fd);
  Result<std::string> close_bundle(const wire::Request& request);
  Result<std::string> save_cache(OpenBundle bundle);
  Result<std::string> store_artifact(OpenBundle bundle);

  const DriverParts& parts_;
  const model::JobSpec& job_;
  AttemptControl& control_;
  os::MessageSocket leash_;
  os::Fd lost_;  // sandbox::Started::lost
  Siblings* siblings_;
  const ServiceRole* role_;
  Visitors visitors_;
  std::optional<os::Deadline> held_since_;
  os::Deadline hold_ends_{};  // of one that is held: when init must have let it go on
  bool finished_ = false;
  bool stopping_ = false;
  bool gathering_began_ = false;
  bool took_untrusted_ = false;                  // an artifact or a cache that untrusted source may have written
  std::vector<std::string> touched_before_;      // Siblings::touched, of who drove it before
  std::map<std::uint64_t, OpenBundle> bundles_;  // by the id of the request that opened it
};

}  // namespace slipway::worker
