#include "worker/services.h"

#include <algorithm>
#include <deque>

#include <fmt/format.h>

#include "journal/lines.h"
#include "journal/seal.h"
#include "model/wording.h"
#include "wire/owner_json.h"

namespace slipway::worker {

using namespace std::chrono_literals;

namespace {

constexpr auto kGrace = 2s;  // between asking a service to end and ending it: its job is over
constexpr std::size_t kLastLines = 20;

model::JobSpec job_of(const model::JobSpec& job, const model::ServiceSpec& service) {
  model::JobSpec made;
  made.run = job.run;
  made.job = fmt::format("{} / {}", job.job, service.name);
  made.definition = job.definition;
  made.workflow = job.workflow;
  made.attempt = AttemptId(job.attempt.value + "." + service.name);
  made.attempt_number = job.attempt_number;
  made.image = service.image;
  made.network = model::Network::none;
  made.resources = job.resources;
  made.checkout.none = true;
  made.env = service.env;
  made.grace = kGrace;
  made.log_head_bytes = job.log_head_bytes;
  made.log_tail_bytes = job.log_tail_bytes;
  made.image_entrypoint = made.image_user = service.command.empty();
  model::StepSpec& step = made.steps.emplace_back();
  step.name = service.name;
  step.action = model::Argv{service.command};
  if (!made.image_entrypoint) step.working_dir = "/";
  return made;
}

// Its only step is not worth naming.
std::string reason_of(const model::JobSpec& service, const model::AttemptReport& report) {
  const std::string named = fmt::format("step `{}`: ", service.steps.front().name);
  return report.reason.starts_with(named) ? report.reason.substr(named.size()) : report.reason;
}

}  // namespace

struct Services::Service {
  enum class State { starting, ready, ended };

  const model::ServiceSpec* spec = nullptr;
  model::JobSpec job;
  std::unique_ptr<AttemptControl> control;
  std::filesystem::path journal;
  State state = State::starting;
  model::AttemptReport report;
  std::jthread thread;  // last: uses all above
};

/// What the attempt of a service needs: hardly anything.
class Services::Host final : public AttemptHost {
 public:
  Host(Services& services, Service& service) : services_(services), service_(service) {}

  Result<PreparedSource> prepare_source(const model::JobSpec&, const os::CallLimit&) override {
    return PreparedSource{};
  }
  Result<std::vector<wire::SecretValue>> secrets(const model::JobSpec&) override {
    return std::vector<wire::SecretValue>{};
  }
  CacheScopes cache_scopes(const model::JobSpec&) override { return {}; }
  void tell(const model::JobSpec&, const std::string& text) override { services_.tell(service_, text); }
  void image_progress(const model::JobSpec&, const sandbox::ImageNews& news) override {
    if (news.done_bytes == 0) services_.tell(service_, news.text);
  }
  void tell_of_service(const model::JobSpec&, const std::string&) override {}  // a service has none
  void started(const model::JobSpec&, const std::filesystem::path& journal) override {
    const std::scoped_lock lock(services_.mutex_);
    service_.journal = journal;
  }
  void progress(const model::JobSpec&, std::uint64_t) override {}
  void held(const model::JobSpec&, const wire::Held&) override {}  // a service never is
  Result<std::string> answer(const model::JobSpec&, const std::string& kind, const std::string&,
                             const os::CallLimit&) override {
    return fail(ErrorKind::denied, "a service cannot ask for " + kind);
  }
  Result<std::string> trigger(const model::JobSpec&, const std::string&, bool, const os::CallLimit&) override {
    return wire::trigger_answer_json("a service cannot ask for jobs");
  }

 private:
  Services& services_;
  Service& service_;
};

std::optional<sandbox::PrivateNetwork> Services::network_of(const model::JobSpec& job) {
  if (job.services.empty()) return std::nullopt;
  sandbox::PrivateNetwork network{SandboxId(job.attempt.value), {}, {}};
  for (const model::ServiceSpec& service : job.services) network.services.push_back(service.name);
  return network;
}

Services::Services(const DriverParts& parts, const model::JobSpec& job, std::function<void(std::string)> on_lost)
    : parts_(parts), job_(job), on_lost_(std::move(on_lost)) {}

Services::~Services() {
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
  }
  for (const auto& service : services_) service->control->cancel({wire::Cancel::Why::by_user, false, {}});
  for (const auto& service : services_) {
    if (service->thread.joinable()) service->thread.join();
  }
}

Result<void> Services::make_all() {
  for (const model::ServiceSpec& spec : job_.services) {
    auto service = std::make_unique<Service>();
    service->spec = &spec;
    service->job = job_of(job_, spec);
    SW_TRY(AttemptControl control, AttemptControl::make());
    service->control = std::make_unique<AttemptControl>(std::move(control));
    services_.push_back(std::move(service));
  }
  return {};
}

Result<std::optional<std::string>> Services::start(const os::CallLimit& limit) {
  SW_CHECK(make_all());
  for (std::size_t i = 0; i < services_.size(); ++i) {
    tell(*services_[i], "starting");
    services_[i]->thread = std::jthread([this, i] { drive(*services_[i], i); });
  }
  using State = Service::State;
  const auto decided = [this] {
    const auto is = [](State state) { return [state](const auto& service) { return service->state == state; }; };
    return std::ranges::any_of(services_, is(State::ended)) || std::ranges::all_of(services_, is(State::ready));
  };
  std::unique_lock lock(mutex_);
  const bool in_time = changed_.wait_until(lock, limit.stop, limit.deadline, decided);
  if (limit.stop.stop_requested()) return fail(ErrorKind::cancelled, "cancelled while its services started");
  if (!in_time) return fail(ErrorKind::timeout, "its services take too long to start");
  const auto ended = std::ranges::find(services_, State::ended, [](const auto& service) { return service->state; });
  if (ended == services_.end()) return std::optional<std::string>();
  lost_ = true;  // told by this call
  lock.unlock();
  return why_not(**ended);
}

Result<std::optional<std::string>> Services::why_not(const Service& failed) {
  tell_last_lines(failed);
  const std::string why = model::service_reason(failed.spec->name, ": " + reason_of(failed.job, failed.report));
  switch (failed.report.outcome) {
    case model::Outcome::infra_failed: return fail(ErrorKind::unavailable, why);
    case model::Outcome::rejected: return fail(ErrorKind::invalid, why);
    case model::Outcome::succeeded:
      return std::optional(model::service_reason(failed.spec->name, " ended before the job began: exit code 0"));
    case model::Outcome::failed:
    case model::Outcome::out_of_memory:
      return std::optional(model::service_reason(
          failed.spec->name, " ended before the job began: " + reason_of(failed.job, failed.report)));
    default: return std::optional(why);
  }
}

void Services::drive(Service& service, std::size_t index) {
  Host host(*this, service);
  const DriverParts parts{parts_.sandboxes, parts_.artifacts, parts_.caches, host,
                          parts_.log,       parts_.runs_dir,  parts_.pins};
  ServiceRole role{service.spec->ready.value_or(model::Readiness{}), *network_of(job_), [&] { on_ready(service); }};
  role.network.self = index;
  const model::AttemptReport report = AttemptDriver(parts).drive(service.job, *service.control, &role);
  on_end(service, report);
}

void Services::on_ready(Service& service) {
  tell(service, "ready");
  {
    const std::scoped_lock lock(mutex_);
    service.state = Service::State::ready;
  }
  changed_.notify_all();
}

void Services::on_end(Service& service, const model::AttemptReport& report) {
  bool is_lost = false;
  {
    const std::scoped_lock lock(mutex_);
    is_lost = !ending_ && service.state == Service::State::ready && !std::exchange(lost_, true);
    service.state = Service::State::ended;
    service.report = report;
  }
  changed_.notify_all();
  if (!is_lost) return;
  tell_last_lines(service);
  const std::string how = report.outcome == model::Outcome::succeeded ? "exit code 0" : reason_of(service.job, report);
  on_lost_(model::service_reason(service.spec->name, " ended while the job ran: " + how));
}

void Services::tell(const Service& service, std::string_view text) {
  parts_.host.tell_of_service(job_, fmt::format("service {}: {}", service.spec->name, text));
}

/// Best effort: the whole log is in the journal.
void Services::tell_last_lines(const Service& service) {
  auto source = journal::open_source(service.journal);
  auto lines = source ? journal::LineReader::open(std::move(*source), {}) : std::unexpected(source.error());
  if (!lines) return;
  std::deque<std::string> last;
  const auto keep = [&](const journal::Line& line) {
    if (line.lost_bytes > 0) return;
    last.emplace_back(line.text);
    if (last.size() > kLastLines) last.pop_front();
  };
  for (;;) {
    const auto next = lines->next();
    if (!next || next->what == journal::LineReader::Next::What::end) break;
    if (next->what == journal::LineReader::Next::What::line) keep(next->line);
  }
  while (const auto open = lines->take_open_line()) keep(*open);
  for (const std::string& text : last) {
    parts_.host.tell_of_service(job_, fmt::format("service {} | {}", service.spec->name, text));
  }
  tell(service, fmt::format("all it printed: slipway logs {} --service {}", job_.run.value, service.spec->name));
}

}  // namespace slipway::worker
