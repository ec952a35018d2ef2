#include "worker/attempt_driver.h"

#include <algorithm>
#include <charconv>

#include "base/scope_exit.h"
#include "base/wall_clock.h"
#include "model/plan.h"
#include "worker/error_outcome.h"
#include "worker/journal_files.h"
#include "worker/services.h"
#include "worker/session.h"
#include "worker/siblings.h"

namespace slipway::worker {

using namespace std::chrono_literals;

namespace {

constexpr auto kSourceLimit = 10min;  // of a checkout, submodules and large files included
constexpr auto kImageLimit = 30min;   // of an image's fetch and unpacking
constexpr auto kStartLimit = 60s;     // of one sandbox, disk pool included
constexpr auto kEndLimit = 10s;       // from init's last word to the end of its last process

// `UID` or `UID:GID`; empty is root, as every builder of images has it.
Result<model::RunAs> user_of(const std::string& text) {
  const std::string user = text.substr(0, text.find(':'));
  if (user.empty() || user == "0") return model::RunAs{model::RunAs::Kind::root, 0};
  std::uint32_t uid = 0;
  const auto [end, bad] = std::from_chars(user.data(), user.data() + user.size(), uid);
  if (bad != std::errc() || end != user.data() + user.size()) {
    return fail(ErrorKind::invalid, "its user `" + user + "` is no number");
  }
  return model::RunAs{model::RunAs::Kind::number, uid};
}

// What the job does not say, its image may.
Result<void> take_facts(const sandbox::ImageFacts& image, model::JobSpec& job) {
  job.image = image.image;
  job.env.insert(job.env.begin(), image.env.begin(), image.env.end());
  if (!job.image_entrypoint) return {};
  if (image.entrypoint.empty()) return fail(ErrorKind::invalid, "it has no entrypoint: say what to run");
  if (job.image_user) {
    SW_TRY(job.run_as, user_of(image.user));
  }
  for (model::StepSpec& step : job.steps) {
    step.run_as = job.run_as;
    if (step.phase != model::Phase::steps) continue;
    step.action = model::Argv{image.entrypoint};
    if (step.working_dir.empty()) step.working_dir = image.working_dir.empty() ? "/" : image.working_dir;
  }
  return {};
}

sandbox::SandboxSpec sandbox_spec(const model::JobSpec& job, std::vector<sandbox::Mount> mounts) {
  sandbox::SandboxSpec spec;
  spec.id = SandboxId(job.attempt.value);
  spec.image = job.image;
  spec.mounts = std::move(mounts);
  spec.network = job.network;
  spec.limits = {job.resources.memory_bytes, job.resources.cpus, job.resources.pids, job.resources.disk_bytes};
  spec.run_as = job.run_as;
  spec.workspace = job.workspace;
  spec.read_only_root = job.read_only_root;
  spec.nested = job.nested;
  for (const std::string& device : job.devices) {
    spec.devices.push_back(device.starts_with("/dev/") ? device.substr(sizeof "/dev/" - 1) : device);
  }
  return spec;
}

// Untrusted source beside the job: the same image and limits, and nothing that was granted to job code.
sandbox::SandboxSpec sibling_spec(const sandbox::SandboxSpec& of_job, std::vector<sandbox::Mount> mounts) {
  sandbox::SandboxSpec spec;
  spec.image = of_job.image;
  spec.mounts = std::move(mounts);
  spec.network = of_job.network == model::Network::none ? model::Network::none : model::Network::nat;
  spec.limits = of_job.limits;
  spec.workspace = of_job.workspace;
  spec.read_only_root = of_job.read_only_root;
  spec.beside = sandbox::Beside{of_job.id, std::ranges::any_of(of_job.mounts, &sandbox::Mount::of_source), {}};
  return spec;
}

// What all sandboxes beside the job's begin with.
SiblingBase sibling_base(const sandbox::SandboxSpec& of_job, const sandbox::ImageFacts& image, PreparedSource source,
                         const model::JobSpec& job) {
  model::Variables env = image.env;
  env.insert(env.end(), source.env.begin(), source.env.end());
  return {sibling_spec(of_job, std::move(source.sibling_mounts)), std::move(env), job};
}

// One program a phase calls all plugins that take part in it, behind the phase's hooks.
void add_plugins(model::JobSpec& job, const Plugins& plugins) {
  // The working directory is no place for modules: what lies in it could stand for one of Python's.
  constexpr const char* kProgram =
      "import sys; sys.path[:1] = []; from slipway.run_plugins import main; sys.exit(main(sys.argv[1:]))";
  for (const model::Phase phase : plugins.phases) {
    model::StepSpec step;
    step.name = "plugins " + std::string(model::to_string(phase));
    step.phase = phase;
    std::vector<std::string> words = {"python3", "-c", kProgram, std::string(model::to_string(phase))};
    words.insert(words.end(), plugins.files.begin(), plugins.files.end());
    step.action = model::Argv{std::move(words)};
    step.working_dir = plugins.directory;
    step.run_as = job.run_as;
    step.timeout = model::kHookTimeout;
    job.steps.push_back(std::move(step));
  }
}

// The job as its init gets it: with what is known of the source, and what job code runs.
model::JobSpec with_source(model::JobSpec job, const PreparedSource& source) {
  for (const model::Variables* variables : {&source.job_env, &source.env}) {
    job.env.insert(job.env.begin(), variables->begin(), variables->end());
  }
  for (model::StepSpec& step : job.steps) {
    if (job.code_entrypoint && step.phase == model::Phase::steps) step.action = model::Argv{source.code_entrypoint};
  }
  add_plugins(job, source.plugins);
  return job;
}

// Of one that is given up should its init not end it; that one's own clock may have begun earlier.
os::Deadline deadline_of(const model::JobSpec& job) {
  return job.timeout ? os::Clock::now() + *job.timeout + job.grace + kOverrun : os::Deadline::max();
}

// Of an attempt that did not come to say itself how it ended.
model::AttemptReport without_steps(const model::JobSpec& job, model::Outcome outcome, std::string reason) {
  model::AttemptReport report;
  report.attempt = job.attempt;
  report.outcome = outcome;
  report.reason = std::move(reason);
  return report;
}

}  // namespace

Result<sandbox::ImageFacts> AttemptDriver::prepare_image(const model::JobSpec& job, AttemptControl& control) {
  const auto tell = [&](const sandbox::ImageNews& news) { parts_.host.image_progress(job, news); };
  const os::CallLimit limit = os::within(kImageLimit, control.stopping());
  const auto prepare = [&](const std::string& image) -> Result<sandbox::ImageFacts> {
    auto facts = parts_.sandboxes.prepare_image(image, tell, limit);
    if (!facts) return wrap(facts.error(), "image " + job.image);
    return facts;
  };
  SW_TRY(sandbox::ImageFacts facts, prepare(parts_.pins.of(job.image)));
  const std::string pinned = parts_.pins.keep(job.image, facts.image);
  if (pinned == facts.image) return facts;
  return prepare(pinned);  // the tag has moved since another job of the run looked
}

struct AttemptDriver::End {
  model::AttemptReport report;
  JournalEnd journal = JournalEnd::is_there;
};

Result<AttemptDriver::End> AttemptDriver::try_drive(const model::JobSpec& job, AttemptControl& control,
                                                    const ServiceRole* role) {
  SW_TRY(JournalFiles files, create_journal_files(parts_.runs_dir, job));
  parts_.host.started(job, files.journal);
  SW_TRY(PreparedSource source, parts_.host.prepare_source(job, os::within(kSourceLimit, control.stopping())));
  SW_TRY(const std::vector<wire::SecretValue> secrets, parts_.host.secrets(job));
  model::JobSpec ordered = with_source(job, source);
  SW_TRY(const sandbox::ImageFacts image, prepare_image(job, control));
  if (auto taken = take_facts(image, ordered); !taken) return wrap(taken.error(), "image " + job.image);
  sandbox::SandboxSpec spec = sandbox_spec(ordered, std::move(source.mounts));
  spec.private_network = role != nullptr ? role->network : Services::network_of(job);
  if (role != nullptr) spec.hostname = role->network.services.at(*role->network.self);
  // What services there are ends with this process.
  if (role == nullptr && job.services.empty()) spec.orphan_grace = parts_.orphan_grace;
  // The sandbox may exist from here on: whatever fails below, it is gone afterwards.
  const auto remove = removal_of(spec.id);
  const ScopeExit remove_at_end(remove);
  auto started = parts_.sandboxes.start(spec, os::within(kStartLimit, control.stopping()));
  if (!started) return wrap(started.error(), "starting the sandbox");

  // The job's init waits for its orders meanwhile.
  Services services(
      parts_, job, [&](std::string how) { control.cancel({wire::Cancel::Why::service_ended, false, std::move(how)}); });
  SW_TRY(std::optional<std::string> lost_service,
         services.start(os::within(kImageLimit + kStartLimit, control.stopping())));
  if (lost_service) {
    return End{without_steps(job, model::Outcome::failed, *std::move(lost_service)), JournalEnd::unknown};
  }
  SW_TRY(std::unique_ptr<Siblings> siblings,
         Siblings::make(parts_.sandboxes, parts_.log, sibling_base(spec, image, std::move(source), job)));
  AttemptSession session(parts_, ordered, control, *std::move(started), siblings.get(), role);
  SW_CHECK(session.send_orders(secrets, files));
  const auto served = session.serve(deadline_of(job));
  siblings.reset();  // none outlives its job
  auto end = end_of(job, files.journal, served, session.was_told_to_stop(), remove);
  if (end) end->report.took_untrusted = session.took_untrusted();
  return end;
}

std::function<void()> AttemptDriver::removal_of(const SandboxId& sandbox) {
  return [this, sandbox, is_gone = std::make_shared<bool>(false)] {
    if (std::exchange(*is_gone, true)) return;
    if (const auto gone = parts_.sandboxes.destroy(sandbox, os::within(kEndLimit)); !gone) {
      parts_.log.write(LogLevel::error, "sandbox_not_destroyed",
                       {{"sandbox", sandbox.value}, {"error", gone.error().what}});
    }
  };
}

Result<AttemptDriver::End> AttemptDriver::end_of(const model::JobSpec& job, const std::filesystem::path& journal,
                                                 const Result<void>& served, bool was_told_to_stop,
                                                 const std::function<void()>& remove) {
  const SandboxId sandbox(job.attempt.value);
  std::string lost;
  if (served) {
    // What the journal says stands, however slowly the last processes go.
    if (const auto gone = parts_.sandboxes.wait(sandbox, os::within(kEndLimit)); !gone) {
      parts_.log.write(LogLevel::warn, "sandbox_ends_slowly",
                       {{"sandbox", sandbox.value}, {"error", gone.error().what}});
    }
  } else {
    lost = how_it_was_lost(served.error(), sandbox);
    remove();  // a process that still writes could say otherwise after it was judged
  }
  auto report = report_from_journal(journal, job);
  if (report) return End{*std::move(report)};
  if (served) return wrap(report.error(), "reading how the job ended");
  if (was_told_to_stop) return fail(ErrorKind::cancelled, "cancelled; it did not end within its grace");
  return fail(ErrorKind::unavailable, std::move(lost));
}

Result<AttemptDriver::End> AttemptDriver::try_resume(const model::JobSpec& job, AttemptControl& control,
                                                     Result<sandbox::Started> adopted) {
  const std::filesystem::path journal = journal_path(parts_.runs_dir, job);
  const auto remove = removal_of(SandboxId(job.attempt.value));
  const ScopeExit remove_at_end(remove);
  parts_.host.started(job, journal);
  if (!adopted) {
    auto report = report_from_journal(journal, job);
    if (report) return End{*std::move(report)};
    return fail(ErrorKind::unavailable, "the slipway that ran it died, and no other took it over in time");
  }
  AttemptSession session(parts_, job, control, *std::move(adopted), nullptr, nullptr);
  const auto served = session.serve(deadline_of(job));
  auto end = end_of(job, journal, served, session.was_told_to_stop(), remove);
  if (end) end->report.took_untrusted = session.took_untrusted();
  return end;
}

Result<model::AttemptReport> AttemptDriver::resume(const model::JobSpec& job, AttemptControl& control) {
  const Time began = wall_now();
  // Not to be stopped: who wants the job to end finds a leash to say it on, a moment later.
  auto adopted = parts_.sandboxes.adopt(SandboxId(job.attempt.value), os::within(kStartLimit));
  if (!adopted && adopted.error().kind != ErrorKind::not_found) return std::unexpected(adopted.error());
  return close(job, try_resume(job, control, std::move(adopted)), began);
}

std::string AttemptDriver::how_it_was_lost(const Error& error, const SandboxId& sandbox) {
  if (error.kind == ErrorKind::timeout) return "slipway-init did not end the job in its time";
  if (error.kind != ErrorKind::unavailable) return "slipway-init: " + error.what;
  // Whoever made the sandbox may know why.
  const auto ended = parts_.sandboxes.wait(sandbox, os::within(kEndLimit));
  const bool is_known = !ended && ended.error().kind == ErrorKind::unavailable;
  return is_known ? ended.error().what : "slipway-init died";
}

model::AttemptReport AttemptDriver::drive(const model::JobSpec& job, AttemptControl& control, const ServiceRole* role) {
  const Time began = wall_now();
  return close(job, try_drive(job, control, role), began);
}

model::AttemptReport AttemptDriver::close(const model::JobSpec& job, Result<End> end, Time began) {
  if (!end) end = End{without_steps(job, outcome_of(end.error().kind), end.error().what), JournalEnd::unknown};
  if (end->journal == JournalEnd::unknown) {
    end->report.started = began;
    end->report.finished = wall_now();
    if (const std::string pinned = parts_.pins.of(job.image); pinned != job.image) end->report.image = pinned;
  }
  close_journal(parts_.runs_dir, job, end->report, end->journal, parts_.log);
  return std::move(end->report);
}

}  // namespace slipway::worker
