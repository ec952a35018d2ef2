#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "worker/attempt_driver.h"

namespace slipway::worker {

/// The programs beside one job (model::ServiceSpec). Each is an attempt of its own, of one step, driven on a thread:
/// its log is a journal beside the job's, `ATTEMPT.NAME.journal`. They begin once the job's sandbox is there, since
/// their network hangs on it, and end with this object.
class Services {
 public:
  /// All references outlive this object. `on_lost`, on a service's thread: one ended that should not have, once all
  /// were ready; called at most once.
  Services(const DriverParts& parts, const model::JobSpec& job, std::function<void(std::string)> on_lost);
  ~Services();
  Services(const Services&) = delete;
  Services& operator=(const Services&) = delete;

  /// Starts all; blocks until each is ready. A text: why the job cannot run, by a service's own fault; its last lines
  /// have been told then. Errors: what is wrong around a service (its image, its sandbox), `cancelled`.
  Result<std::optional<std::string>> start(const os::CallLimit& limit);

  /// The private network as the job's own sandbox is to have it; no value: there are no services.
  static std::optional<sandbox::PrivateNetwork> network_of(const model::JobSpec& job);

 private:
  struct Service;
  class Host;

  Result<void> make_all();
  Result<std::optional<std::string>> why_not(const Service& failed);
  void drive(Service& service, std::size_t index);
  void on_ready(Service& service);
  void on_end(Service& service, const model::AttemptReport& report);
  void tell(const Service& service, std::string_view text);
  void tell_last_lines(const Service& service);

  const DriverParts& parts_;
  const model::JobSpec& job_;
  const std::function<void(std::string)> on_lost_;
  std::mutex mutex_;  // of what stands in the services below, and of the two after it
  std::condition_variable_any changed_;
  bool ending_ = false, lost_ = false;
  std::vector<std::unique_ptr<Service>> services_;  // last: their threads use all above
};

}  // namespace slipway::worker
