#include "init/job.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "base/scope_exit.h"
#include "base/wall_clock.h"
#include "init/secret_files.h"
#include "init/workspace_files.h"
#include "model/trust.h"
#include "os/files.h"

namespace slipway::init {

namespace {

using namespace std::chrono_literals;
using journal::RecordType;

constexpr auto kProgressEvery = 20ms;
constexpr auto kSyncEvery = 1s;
// Of a step's end; a job that has ended by then needs neither thread nor second sync.
constexpr auto kSyncWithin = 10ms;
constexpr auto kLeftovers = 1s;              // the grace of what the steps left running
constexpr auto kForcedLeftovers = 500ms;     // the same when the steps have used up the job's grace
constexpr auto kGatherAtOnce = 10s;          // for one that was stopped without grace
constexpr std::uint64_t kChildStepCaps = 4;  // so many log caps for all child steps together
constexpr auto kScanAtEnd = 5s;  // for late secrets; the owner waits meanwhile, and takes no silence for life

std::string reason_of(const wire::Cancel& cancel) {
  switch (cancel.why) {
    case wire::Cancel::Why::by_user: return "cancelled by the user";
    case wire::Cancel::Why::timeout: return "ran longer than its timeout";
    case wire::Cancel::Why::fail_fast: return "another job of its matrix failed";
    case wire::Cancel::Why::superseded: return "a newer run took its place";
    case wire::Cancel::Why::service_ended: return cancel.detail;
  }
  return "cancelled";
}

/// The package's place, where the sandbox has it.
std::string python_in(const std::string& workspace) {
  const std::string place = workspace + wire::kPythonInside;
  return ::access((place + "/slipway/__init__.py").c_str(), R_OK) == 0 ? place : "";
}

bool has_entries(const std::string& directory) {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return false;
  DIR* entries = ::fdopendir(fd);
  if (entries == nullptr) return false;
  const ScopeExit close([&] { ::closedir(entries); });
  while (const dirent* entry = ::readdir(entries)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") return true;
  }
  return false;
}

}  // namespace

Job::Job(Entry entry, Poller& poller, OwnerLink& owner, OwnerLink::Received received)
    : entry_(std::move(entry)),
      poller_(poller),
      owner_(owner),
      orders_(std::move(received.orders)),
      fds_(std::move(received.fds)) {}

int Job::run() {
  if (const auto made = make_parts(); !made) return 1;  // without a journal there is nowhere to say why
  if (const auto ready = set_up(); !ready) return fail_early(ready.error());
  begin();
  loop();
  return phase_ == Phase::abandoned || records_->is_broken() ? 1 : 0;
}

Result<void> Job::make_parts() {
  if (fds_.size() < wire::kFixedFds + orders_.inputs.size())
    return fail(ErrorKind::invalid, "the orders lack descriptors");
  started_ = wall_now();
  const journal::LogCap cap{orders_.job.log_head_bytes, orders_.job.log_tail_bytes};
  SW_TRY(records_, RecordKeeper::create(std::move(fds_[0]), std::move(fds_[1]), cap));
  records_->share_log_from(static_cast<std::uint16_t>(orders_.job.steps.size()),
                           kChildStepCaps * (cap.head_bytes + cap.tail_bytes));
  wire::payload::AttemptStarted payload{
      orders_.job.run.value, orders_.job.job, orders_.job.attempt.value, orders_.job.attempt_number, {}};
  const std::vector<secrets::Weakness> weaknesses = register_secrets();
  for (const model::StepSpec& step : orders_.job.steps) payload.steps.push_back(records_->masked(step.name));
  records_->append(RecordType::attempt_started, journal::kNoStep, payload);
  record_secrets(weaknesses);
  for (const std::string& text : orders_.cache_news) records_->notice(journal::kNoStep, "cache", text);
  SW_TRY(children_, Children::make(poller_));
  output_ = std::make_unique<OutputPump>(poller_, *records_);
  siblings_ = std::make_unique<Siblings>(
      Siblings::Parts{poller_, *children_, owner_, *output_, *records_, entry_, orders_.job,
                      [this](std::uint16_t step) { return static_cast<std::uint16_t>(steps_->root_of(step)); }});
  requests_ = std::make_unique<StepRequests>(*records_, owner_, *siblings_, orders_.job.artifacts);
  if (orders_.job.stdout_triggers) requests_->obey_triggers();
  output_->obey([this](std::uint16_t step, journal::Stream stream, std::string_view line) {
    requests_->printed(step, stream, line);
  });
  control_ = std::make_unique<ControlServer>(
      poller_, [this](std::uint16_t socket, wire::control::Request request, const ControlServer::Respond& respond) {
        return serve_control(socket, std::move(request), respond);
      });
  bundles_ = std::make_unique<Bundles>(poller_, *children_, owner_, *records_,
                                       orders_.job.resources.disk_bytes.value_or(os::BundleLimits().bytes));
  return {};
}

std::vector<secrets::Weakness> Job::register_secrets() {
  std::vector<secrets::Weakness> weaknesses;
  for (const wire::SecretValue& secret : orders_.secrets) {
    weaknesses.push_back(records_->secrets().add(secret.value));
    secrets_[secret.name] = secret.value;
  }
  return weaknesses;
}

/// One that is not masked is told by its name.
void Job::record_secrets(const std::vector<secrets::Weakness>& weaknesses) {
  for (std::size_t i = 0; i < weaknesses.size(); ++i) {
    const std::string& name = orders_.secrets[i].name;
    if (weaknesses[i] == secrets::Weakness::none) {
      records_->append(RecordType::secret_registered, journal::kNoStep, wire::payload::SecretRegistered{name});
    } else {
      records_->notice(journal::kNoStep, "weak_secret",
                       fmt::format("secret `{}` is not masked: {}", name, explain(weaknesses[i])));
    }
  }
  orders_.secrets.clear();
}

Result<void> Job::set_up() {
  SW_TRY(identity_, identity_of(orders_.job.run_as, entry_));
  for (const model::SecretUse& use : orders_.job.secrets) {
    if (!secrets_.contains(use.name))
      return fail(ErrorKind::unavailable, fmt::format("secret `{}` was not given", use.name));
  }
  SW_TRY(runtime_, OwnDirectory::open(entry_.runtime_dir));
  if (!secrets_.empty()) {  // a sandbox for the source has neither them nor their place
    SW_TRY(secret_files_, OwnDirectory::open(entry_.workspace + "/secrets"));
  }
  SW_CHECK(write_secret_files(orders_.job.secrets, secrets_, identity_, secret_files_ ? &*secret_files_ : nullptr));
  if (!orders_.job.event_json.empty()) {
    SW_CHECK(runtime_->write("event.json", orders_.job.event_json, 0444));
    event_file_ = runtime_->path_of("event.json");
  }
  steps_ = std::make_unique<StepRunner>(
      StepRunner::Parts{poller_, *children_, *output_, *records_, *control_, *siblings_, entry_, *runtime_,
                        secret_files_ ? &*secret_files_ : nullptr, orders_.job, secrets_, event_file_,
                        python_in(entry_.workspace), orders_.breaks},
      StepRunner::Events{[this] { at_border_ = true; }, [this] { end_children(); },
                         [this](std::uint16_t step, const std::vector<wire::payload::OutputVariable>& variables) {
                           return requests_->set_all(step, variables);
                         },
                         [this](std::size_t step, const StepRunner::Hold& hold) { on_held(step, hold); },
                         [this](std::size_t step) { requests_->begin(static_cast<std::uint16_t>(step)); }});
  attachments_ = std::make_unique<Attachments>(
      Attachments::Parts{poller_, *children_, owner_, *records_, *control_, entry_, *runtime_},
      [this](const std::string& socket) { return place_of_visitor(socket); });
  child_steps_ =
      std::make_unique<ChildSteps>(ChildSteps::Parts{*steps_, *requests_, *bundles_, identity_, entry_.workspace});
  return {};
}

/// What its author has to mend fails on every machine; the rest is worth another try.
Job::Forced Job::not_run(const Error& why) {
  const bool by_author = why.kind == ErrorKind::invalid;
  return {by_author ? model::Outcome::failed : model::Outcome::infra_failed, why.what};
}

/// The journal is there, the job cannot be run.
int Job::fail_early(const Error& why) {
  not_run_ = not_run(why);
  finish();
  return 0;
}

void Job::begin() {
  owner_.attach({[this](const wire::Cancel& cancel) { on_cancel(cancel); }, [this] { on_owner_lost(); },
                 [this] { on_adopted(); }, [this](const wire::Attach& visit) { attachments_->open(visit); },
                 [this](const wire::Detach& gone) { attachments_->close(gone.id); },
                 [this](wire::Resume how) { (void)resume(how); }});  // the owner knows whether the job is held
  owner_.send(wire::Running{});                                      // an owner that is gone by now is noticed here
  at_border_ = true;
  synced_at_ = os::Clock::now();
  watch_times();
  std::deque<Bundles::Input> inputs;
  for (std::size_t i = 0; i < orders_.inputs.size(); ++i) {
    inputs.push_back({orders_.inputs[i].path, orders_.inputs[i].keep_absolute, fds_[wire::kFixedFds + i].get()});
  }
  bundles_->unpack(identity_, std::move(inputs), [this](const Result<void>& done) {
    fds_.clear();
    // What was stopped half-way failed by no fault.
    if (!done && !forced_) not_run_ = not_run(done.error());
    if (!done || forced_) return end_children();  // people may have looked in already
    run_steps();
  });
}

void Job::loop() {
  after_turn();
  while (phase_ != Phase::ended && phase_ != Phase::abandoned) {
    poller_.turn(requests_->is_scanning() ? Poller::Wait::poll : Poller::Wait::block);
    after_turn();
  }
}

void Job::after_turn() {
  if (phase_ == Phase::ended || phase_ == Phase::abandoned) return;
  requests_->scan_some();
  if (phase_ == Phase::ending_children && !children_->any()) gather();
  if (phase_ == Phase::ended) return;
  records_->flush();
  report_progress();
}

void Job::start_sync() {
  records_->start_sync();
  synced_at_ = os::Clock::now();
  synced_bytes_ = records_->offset();
}

void Job::report_progress() {
  const os::Deadline now = os::Clock::now();
  const std::uint64_t bytes = records_->offset();
  if (bytes != synced_bytes_ && now - synced_at_ >= kSyncEvery) start_sync();
  if (records_->is_sync_asked() && sync_timer_ == Poller::kNone) {
    sync_timer_ = poller_.at(now + kSyncWithin, [this] {
      sync_timer_ = Poller::kNone;
      start_sync();
    });
  }
  if (bytes == told_bytes_ || !owner_.is_here()) return;
  if (!std::exchange(at_border_, false) && now - told_at_ < kProgressEvery) {
    if (progress_timer_ == Poller::kNone) {
      progress_timer_ = poller_.at(told_at_ + kProgressEvery, [this] { progress_timer_ = Poller::kNone; });
    }
    return;
  }
  told_at_ = now;
  if (owner_.try_send(wire::Progress{bytes})) {
    told_bytes_ = bytes;
  } else if (progress_timer_ == Poller::kNone) {  // the owner is busy: later, with what there is then
    progress_timer_ = poller_.at(now + kProgressEvery, [this] { progress_timer_ = Poller::kNone; });
  }
}

// --- what comes from outside, in any phase ---

void Job::on_cancel(const wire::Cancel& cancel) {
  const auto outcome = [&] {
    if (cancel.why == wire::Cancel::Why::timeout) return model::Outcome::timed_out;
    return cancel.why == wire::Cancel::Why::service_ended ? model::Outcome::failed : model::Outcome::cancelled;
  };
  at_once_ = at_once_ || cancel.at_once;
  stop(outcome(), reason_of(cancel), cancel.at_once ? Duration(0) : orders_.job.grace);
}

void Job::on_owner_lost() {
  // Process 1 takes everything with it when it ends; without a pid namespace this must do.
  children_->signal_all(SIGKILL);
  phase_ = Phase::abandoned;
}

void Job::stop(model::Outcome outcome, const std::string& reason, Duration grace) {
  // The steps were done in time: what they left running, or left to be packed, changes nothing of that; nor do its
  // services, which they no longer need.
  const bool steps_are_done = phase_ == Phase::ending_children || phase_ == Phase::gathering;
  if (steps_are_done && (outcome == model::Outcome::timed_out || outcome == model::Outcome::failed)) return;
  if (!forced_) forced_ = Forced{outcome, reason};
  end_hold(wire::Resume::abort);
  const os::Deadline kill_at = os::Clock::now() + grace;
  switch (phase_) {
    case Phase::unpacking:
    case Phase::gathering: return bundles_->abort();
    case Phase::steps: return steps_->stop(outcome, reason, kill_at);
    case Phase::ending_children:
      poller_.cancel(kill_);
      kill_ = poller_.at(kill_at, [this] { kill_children(); });
      return;
    case Phase::ended:
    case Phase::abandoned: return;
  }
}

void Job::watch_times() {
  const model::JobSpec& job = orders_.job;
  if (job.timeout) watch_timeout(*job.timeout);
  if (job.no_output_timeout) watch_silence();
}

void Job::watch_timeout(Duration left) {
  timeout_at_ = os::Clock::now() + left;
  timeout_ = poller_.at(timeout_at_, [this] {
    timeout_ = Poller::kNone;
    stop(model::Outcome::timed_out,
         fmt::format("the job ran longer than its timeout of {}", to_short_text(*orders_.job.timeout)),
         orders_.job.grace);
  });
}

void Job::watch_silence() {
  const Duration limit = *orders_.job.no_output_timeout;
  const bool held = steps_->is_held();
  const os::Deadline since = held ? os::Clock::now() : std::max(output_->last_output(), quiet_since_);
  poller_.at(since + limit, [this, limit] {
    if (phase_ != Phase::steps && phase_ != Phase::unpacking) return;
    const os::Deadline quiet = std::max(output_->last_output(), quiet_since_);
    if (steps_->is_held() || quiet + limit > os::Clock::now()) return watch_silence();
    stop(model::Outcome::timed_out, fmt::format("the job printed nothing for {}", to_short_text(limit)),
         orders_.job.grace);
  });
}

// --- the phases ---

/// False: it was abandoned, which nothing changes any more.
bool Job::enter(Phase next) {
  if (phase_ == Phase::abandoned) return false;
  phase_ = next;
  return true;
}

void Job::run_steps() {
  if (!enter(Phase::steps)) return;
  steps_->start();
  if (orders_.ready && phase_ == Phase::steps) watch_readiness();
}

/// A service's one step runs: from when on can it be used?
void Job::watch_readiness() {
  auto probe = steps_->surroundings(0);
  auto group = entry_.cgroups.create("ready");
  if (!probe || !group) {
    return stop(model::Outcome::infra_failed, (probe ? group.error() : probe.error()).what, Duration(0));
  }
  probe_group_ = std::move(*group);
  const Identity identity = probe->identity;
  readiness_ = std::make_unique<Readiness>(
      *orders_.ready, Readiness::Parts{poller_, *children_, identity, std::move(*probe), probe_group_},
      Readiness::Events{[this] { owner_.send(wire::Ready{}); },
                        [this](const std::string& missing) {
                          stop(model::Outcome::timed_out,
                               fmt::format("not ready within {}: {}", to_short_text(orders_.ready->within), missing),
                               orders_.job.grace);
                        }});
  output_->listen([this](std::string_view text) { readiness_->on_output(text); });
  readiness_->start();
}

/// Background children live until here.
void Job::end_children() {
  if (!enter(Phase::ending_children)) return;
  poller_.cancel(timeout_);
  if (!children_->any()) return gather();
  attachments_->close_all("the job has ended");
  children_->signal_all(SIGTERM);
  children_->signal_all(SIGCONT);  // what is stopped cannot end politely
  const auto grace = std::min(orders_.job.grace, forced_ ? Duration(kForcedLeftovers) : Duration(kLeftovers));
  kill_ = poller_.at(os::Clock::now() + grace, [this] { kill_children(); });
}

void Job::kill_children() {
  if (phase_ != Phase::ending_children) return;
  // Again and again: outside a pid namespace only children are seen, and theirs become ours when they are gone.
  children_->signal_all(SIGKILL);
  kill_ = poller_.at(os::Clock::now() + 10ms, [this] { kill_children(); });
}

void Job::gather() {
  if (!enter(Phase::gathering)) return;
  poller_.cancel(kill_);
  output_->finish();
  for (const std::uint16_t step : output_->take_late_steps()) records_->end_step_output(step);
  const Duration stopped = at_once_ ? Duration(kGatherAtOnce) : wire::kGatherAfterStop;
  poller_.at(os::Clock::now() + (forced_ ? stopped : wire::kGatherLimit), [this] { bundles_->abort(); });
  // Of a job that was stopped nobody waits to hear what became of its triggers.
  const auto go_on = [this] {
    if (forced_) return collect_tests();
    requests_->when_answered([this] { collect_tests(); });
  };
  if (left_nothing_behind()) return go_on();
  bundles_->run(
      identity_, {}, [workspace = entry_.workspace] { return read_workspace_files(workspace); },
      [this, go_on](const Result<std::string>& text) {
        take_workspace_files(text);
        go_on();
      });
}

std::deque<BundleTask> Job::bundle_tasks() {
  std::deque<BundleTask> tasks;
  const bool succeeded = outcome() == model::Outcome::succeeded;
  const auto add = [&](const std::string& name, const std::vector<std::string>& paths, std::uint16_t step) {
    auto task = requests_->task_of({name, paths, step}, entry_.workspace);
    if (task) tasks.push_back(std::move(*task));
  };
  for (const model::ArtifactSpec& artifact : orders_.job.artifacts) {
    using When = model::ArtifactDefinition::When;
    if (artifact.when == When::always || (artifact.when == When::success) == succeeded) {
      add(artifact.name, artifact.paths, journal::kNoStep);
    }
  }
  for (const AskedArtifact& asked : requests_->artifacts()) add(asked.name, asked.paths, asked.step);
  if (const std::string left = entry_.workspace + "/artifacts"; has_entries(left)) {
    tasks.push_back(
        {wire::BundleKind::artifact, std::string(model::kArtifactOfDirectory), left, {"**"}, journal::kNoStep, true});
  }
  if (succeeded) {
    for (const model::CacheSpec& cache : orders_.job.cache) {
      tasks.push_back(cache_task(entry_.workspace, identity_.home, cache.key, cache.paths));
    }
  }
  return tasks;
}

void Job::collect_bundles() {
  bundles_->collect(identity_, not_run_ ? std::deque<BundleTask>{} : bundle_tasks(),
                    [this](const Bundles::Stored&) { finish(); });
}

void Job::finish() {
  const os::Deadline last_look = os::Clock::now() + kScanAtEnd;
  while (requests_->is_scanning() && os::Clock::now() < last_look) requests_->scan_some();
  requests_->give_up_scans();
  records_->append(RecordType::attempt_finished, journal::kNoStep,
                   wire::payload::AttemptFinished{report(), requests_->triggers(), test_records_});
  records_->close();
  if (!enter(Phase::ended)) return;
  owner_.send(wire::Finished{records_->offset()});
}

model::Outcome Job::outcome() const {
  if (not_run_) return not_run_->outcome;
  if (forced_) return forced_->outcome;
  return steps_->verdict().outcome;
}

model::AttemptReport Job::report() const {
  model::AttemptReport report;
  report.attempt = orders_.job.attempt;
  report.image = orders_.job.image;
  report.resources = orders_.job.resources;
  report.outcome = outcome();
  report.started = started_;
  report.finished = wall_now();
  if (steps_) {
    report.steps = steps_->results();
    const model::StepPlan::Verdict verdict = steps_->verdict();
    if (verdict.step) {
      report.exit_code = report.steps[*verdict.step].exit_code;
      report.reason = fmt::format("step `{}`: {}", report.steps[*verdict.step].name, steps_->reason(*verdict.step));
    }
  }
  if (forced_) report.reason = forced_->reason;
  if (not_run_) report.reason = not_run_->reason;
  report.reason = records_->masked(report.reason);
  report.outputs = requests_->outputs();
  report.vars = requests_->vars();
  report.artifacts = bundles_->stored();
  return report;
}

}  // namespace slipway::init
