#include "main/local_run.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <thread>

#include <fmt/format.h>

#include "base/scope_exit.h"
#include "base/text.h"
#include "base/wall_clock.h"
#include "cli/exit_codes.h"
#include "cli/secret_input.h"
#include "cli/summary.h"
#include "cli/view.h"
#include "definition/support.h"
#include "engine/dispatcher.h"
#include "main/asked_run.h"
#include "main/backends.h"
#include "main/checks.h"
#include "main/console.h"
#include "main/inspect.h"
#include "main/job_files.h"
#include "main/local_executor.h"
#include "main/local_host.h"
#include "main/selection.h"
#include "main/source_kit.h"
#include "main/upkeep.h"
#include "main/visit_server.h"
#include "objects/file/file_objects.h"
#include "os/files.h"
#include "source/git_command.h"
#include "store/owner.h"
#include "store/sqlite/sqlite_store.h"
#include "worker/journal_files.h"

namespace slipway::program {

namespace {

using namespace std::chrono_literals;

constexpr auto kLookUpLimit = 10min;  // a first fetch of a large repository included
constexpr auto kSweepLimit = 10s;

std::uint32_t slots_of(const cli::Settings& settings) {
  if (settings.max_parallel > 0) return static_cast<std::uint32_t>(settings.max_parallel);
  return std::max(1U, std::thread::hardware_concurrency());
}

// By name, the values of all secrets that the planned jobs may use.
using Secrets = std::map<std::string, std::string>;

// Every secret that the jobs use is there; all that are missing are named at once.
Result<void> check_secrets(const Secrets& given, const std::vector<model::Run>& runs) {
  std::vector<std::string> names, flags;
  std::string uses;
  const auto check = [&](const model::Group& group, const std::vector<model::SecretUse>& asked) {
    for (const model::SecretUse& use : asked) {
      if (given.contains(use.name) || std::ranges::find(names, use.name) != names.end()) continue;
      uses += fmt::format("{}{}:{}:{}: job {} needs the secret {}", names.empty() ? "" : "; ", use.place.file,
                          use.place.line, use.place.column, group.name, use.name);
      names.push_back(use.name);
      flags.push_back("--secret " + use.name);
    }
  };
  for (const model::Run& run : runs) {
    for (const model::Group& group : run.groups) {
      if (group.jobs.empty() && !group.expands_later) continue;
      if (is_kept(run, group)) continue;
      check(group, group.definition->secrets);
      for (const model::StepDefinition& step : group.definition->steps) check(group, step.secrets);
    }
  }
  if (names.empty()) return {};
  return fail(ErrorKind::invalid,
              fmt::format("{}: give {} with {} (from the environment or asked for) or in --secret-file", uses,
                          names.size() == 1 ? "it" : "them", join(flags, " ")));
}

Result<Secrets> gather_secrets(const Surroundings& around, const cli::RunOptions& options, const Selected& selected,
                               const std::vector<model::Run>& runs, const SignalWatch& signals) {
  cli::Prompt prompt = cli::Prompt::open(around.common.no_input ? cli::Prompt::Mode::never : cli::Prompt::Mode::ask,
                                         {signals.graceful(), os::Deadline::max()});
  SW_TRY(const cli::SecretsGiven read,
         cli::read_secrets(options.secrets, options.secret_file, around.environment, prompt));
  for (const std::string& warning : read.warnings) std::fputs(("slipway: " + warning + "\n").c_str(), stderr);
  Secrets given;
  for (const wire::SecretValue& secret : read.values) given[secret.name] = secret.value;
  for (const cli::DefinitionFile& file : selected.files) {
    for (const definition::SecretValue& secret : file.secret_values) given.try_emplace(secret.name, secret.value);
  }
  SW_CHECK(check_secrets(given, runs));
  return given;
}

// As views name them, or by their phase.
bool names_hook(std::string_view name) {
  return name.starts_with("hook ") || name.starts_with("plugins ") || model::phase_of(name);
}

// Where jobs are held. A step that no job of the runs has is a slip of the pen.
Result<std::vector<wire::Breakpoint>> breakpoints(const std::vector<std::string>& asked,
                                                  const std::vector<model::Run>& runs) {
  std::vector<std::string> steps;
  for (const model::Run& run : runs) {
    for (const model::Group& group : run.groups) {
      for (const model::StepDefinition& step : group.definition->steps) steps.push_back(step.name);
    }
  }
  std::vector<wire::Breakpoint> breaks;
  for (const std::string& text : asked) {
    wire::Breakpoint one = wire::parse_breakpoint(text);
    if (!one.step.empty() && std::ranges::find(steps, one.step) == steps.end()) {
      if (names_hook(one.step)) {
        return fail(ErrorKind::invalid,
                    fmt::format("--break: `{}` is no step: a hook or a plugin is only held where it "
                                "fails, with on-failure",
                                one.step));
      }
      const auto near = nearest(one.step, steps);
      return fail(ErrorKind::invalid, fmt::format("--break: no job of this run has a step `{}`{}", one.step,
                                                  near ? fmt::format("; did you mean `{}`?", *near) : ""));
    }
    breaks.push_back(std::move(one));
  }
  return breaks;
}

// Everything that lives as long as the runs, in the order of its construction.
class LocalEngine {
 public:
  LocalEngine(const cli::Settings& settings, Log& log) : settings_(settings), log_(log) {}

  Result<void> open() {
    SW_CHECK(os::make_directories(settings_.state_dir, 0700));
    SW_CHECK(os::make_directories(settings_.state_dir / "runs", 0700));
    SW_TRY(store_, store::open_sqlite({.file = settings_.state_dir / "store.db"}));
    SW_TRY(store::Owner owner, store::Owner::claim(settings_.state_dir));
    owner_.emplace(std::move(owner));
    SW_TRY(backend_, make_backend(settings_.backend, settings_, log_));
    SW_TRY(objects_, objects::FileObjects::open_at(settings_.state_dir / "objects", {}));
    artifacts_.emplace(*objects_, settings_.state_dir / "runs");
    SW_TRY(worker::Caches caches, worker::Caches::open_at(settings_.state_dir / "caches", settings_.cache_limit_bytes));
    caches_.emplace(std::move(caches));
    return clear_after_the_dead();
  }

  Result<std::vector<engine::RunOutcome>> run(std::vector<engine::Submission> runs, LocalContext& context,
                                              const Selected& selected, std::vector<wire::Breakpoint> breaks,
                                              cli::View& view, const SignalWatch& signals) {
    const std::uint32_t slots = slots_of(settings_);
    const bool is_held = !breaks.empty();
    LocalExecutor executor({*backend_,
                            *artifacts_,
                            *caches_,
                            log_,
                            settings_.state_dir / "runs",
                            [&](engine::Reports& reports) { return std::make_unique<LocalHost>(context, reports); },
                            [this](const model::JobSpec& job) { return check_policy(job, settings_); },
                            {std::move(breaks), settings_.hold_limit}},
                           slots);
    const auto visits = VisitServer::start(settings_.state_dir, owner_->id(), executor, log_);
    if (!visits && is_held) return wrap(visits.error(), "--break: nobody could say how a job goes on");
    if (!visits) log_.write(LogLevel::warn, "jobs_cannot_be_attached_to", {{"error", visits.error().what}});
    const bool own_files = context.checkout && context.source_trust == model::Trust::untrusted;
    JobFiles files(own_files ? context.checkout->directory : context.source.directory,
                   own_files ? context.checkout_trust : context.source_trust, build_support(settings_), selected.event);
    files.add_registry(selected.files);
    engine::JsonTriggerReader triggers([&](const std::string& name) { return files.find(name); });
    engine::Dispatcher dispatcher(*store_, executor, triggers, view, log_,
                                  {slots, owner_->id(), settings_.state_dir / "groups"});
    return dispatcher.run_to_end(std::move(runs), {signals.graceful(), signals.at_once()});
  }

  sandbox::SandboxBackend& backend() { return *backend_; }
  store::Store& history() { return *store_; }
  const worker::Artifacts& artifacts() const { return *artifacts_; }
  const std::string& owner() const { return owner_->id(); }

  /// After the runs: nobody waits for it but the end of the process.
  void keep_house(const source::CheckoutStore& checkouts) {
    program::keep_house(*store_, *artifacts_, checkouts, settings_, log_);
  }

 private:
  // Runs, sandboxes and journals of processes that were killed. Nothing of a live one is touched.
  Result<void> clear_after_the_dead() {
    bool swept = false;
    const auto sweep = [&] {
      if (std::exchange(swept, true)) return;
      if (const auto done = backend_->sweep(os::within(kSweepLimit)); !done) {  // the next start tries again
        log_.write(LogLevel::warn, "sandboxes_not_swept", {{"error", done.error().what}});
      }
    };
    SW_CHECK(store::recover(*store_, settings_.state_dir, wall_now(), [&](const std::vector<store::AttemptRow>& ended) {
      sweep();  // first: only then nobody writes to their journals any more
      for (const store::AttemptRow& attempt : ended) {
        model::JobSpec job;
        job.run = attempt.run;
        job.attempt = attempt.id;
        const std::filesystem::path runs_dir = settings_.state_dir / "runs";
        worker::close_journal(runs_dir, job, *attempt.report, worker::JournalEnd::unknown, log_);
        worker::close_service_journals(runs_dir, job, log_);
      }
    }));
    sweep();
    return {};
  }

  const cli::Settings& settings_;
  Log& log_;
  std::unique_ptr<store::Store> store_;
  std::optional<store::Owner> owner_;
  std::unique_ptr<sandbox::SandboxBackend> backend_;
  std::unique_ptr<objects::FileObjects> objects_;
  std::optional<worker::Artifacts> artifacts_;
  std::optional<worker::Caches> caches_;
};

void say_nothing_starts(const Selected& selected, const std::vector<cli::Planned>& planned,
                        const cli::Selection& what) {
  std::string text = fmt::format("slipway: nothing starts on {}{}\n", to_string(selected.event.kind),
                                 selected.event.branch.empty() ? "" : " on " + selected.event.branch);
  for (const cli::Planned& one : planned) {
    for (const model::TraceEntry& entry : one.start.because) {
      text += fmt::format("  {}: {} → {}\n", one.workflow->file, entry.text, entry.outcome);
    }
  }
  if (!planned.empty()) {
    text += fmt::format("  to run one all the same: slipway run {}", planned.front().workflow->file);
    if (!what.source_url.empty()) {
      text += " --source-url " + cli::shell_quoted(source::RemoteUrl::parse(what.source_url).clean);
    }
    if (!what.source_ref.empty()) text += " --source-ref " + cli::shell_quoted(what.source_ref);
    text += '\n';
  }
  std::fputs(text.c_str(), stderr);
}

cli::ViewOptions view_options_of(const Surroundings& around, std::size_t runs) {
  const cli::Settings& settings = around.configuration.settings();
  cli::ViewOptions options;
  const auto term = around.environment.find("TERM");
  options.kind = cli::choose_view(around.common, STDOUT_FILENO, term == around.environment.end() ? "" : term->second);
  options.colour = cli::choose_colour(settings.colour, STDOUT_FILENO, around.environment);
  options.journal_root = settings.state_dir;
  options.several_runs = runs > 1;
  if (!settings.follow_triggers) {
    options.follow_command = options.program;
    for (const std::string& word : around.common.words) options.follow_command += " " + cli::shell_quoted(word);
    options.follow_command += " --follow";
  }
  return options;
}

std::vector<engine::Submission> submissions_of(std::vector<model::Run> runs, const LocalContext& context,
                                               const std::string& asked) {
  std::vector<std::string> secrets;
  for (const auto& [name, value] : context.secrets) secrets.push_back(name);
  std::vector<engine::Submission> submissions;
  for (model::Run& run : runs) submissions.push_back({std::move(run), context.project, asked, secrets});
  return submissions;
}

// Plans are made: opens the engine and drives them.
Result<int> drive(const Surroundings& around, const cli::RunOptions& options, SourceKit& kit, JobCode& job_code,
                  Selected& selected, std::vector<model::Run> runs, SignalWatch& signals, const Variation& variation) {
  const cli::Settings& settings = around.configuration.settings();
  SW_TRY(std::vector<wire::Breakpoint> breaks, breakpoints(options.breaks, runs));
  SW_TRY(Secrets secrets, gather_secrets(around, options, selected, runs, signals));
  StderrLog log(around.common.verbosity == cli::Verbosity::verbose ? LogLevel::debug : LogLevel::warn);
  LocalEngine engine(settings, log);
  SW_CHECK(engine.open());
  if (variation.start) SW_CHECK(variation.start(engine.artifacts(), runs));
  SW_CHECK(check_limits(engine.backend().capabilities(), settings, asks_for_disk(runs, around.configuration)));

  cli::ViewOptions view_options = view_options_of(around, runs.size());
  view_options.program_exit_code = [&](int code) { return after_signals(code, signals); };
  view_options.on_reader_gone = [&] { signals.request_stop(); };
  os::Fd nowhere;
  if (variation.is_silent) {
    SW_TRY(nowhere, os::open_file("/dev/null", O_WRONLY));
    view_options.fd = nowhere.get();
    view_options.kind = cli::ViewKind::quiet;
  }
  SW_TRY(const std::unique_ptr<cli::View> view, cli::make_view(std::move(view_options)));
  signals.on_signal(
      [&](int, int count) { view->say(count == 1 ? "stopping: again to stop at once" : "stopping at once"); });
  const ScopeExit forget([&] { signals.on_signal({}); });

  SW_TRY(std::unique_ptr<store::Store> reader, store::open_sqlite({.file = settings.state_dir / "store.db"}));
  LocalContext context{.project = selected.tree.root.string(),
                       .state_dir = settings.state_dir,
                       .sdk = find_sdk(),
                       .sources = kit.sources(),
                       .tree = selected.tree,
                       .source_spec = selected.source_spec,
                       .is_foreign = selected.is_foreign,
                       .source = std::move(selected.source),
                       .source_trust = selected.source_trust,
                       .checkout_trust = selected.checkout_trust,
                       .checkout = std::move(selected.checkout),
                       .code = job_code,
                       .event = selected.event.kind,
                       .pull_request = {},
                       .secrets = std::move(secrets),
                       .tell =
                           [&](const model::JobSpec& job, std::string code, const std::string& text) {
                             view->tell({job.run, job.job, job.attempt_number, std::move(code), text, wall_now()});
                           },
                       .reader = os::Guarded<std::unique_ptr<store::Store>>(std::move(reader))};
  if (variation.held) {
    context.held = [&](const model::JobSpec& job) { variation.held(job, engine.owner()); };
  }
  if (selected.event.pull_request && selected.event.pull_request->number > 0)
    context.pull_request = std::to_string(selected.event.pull_request->number);

  const std::string asked =
      variation.asked.empty() ? encode(AskedRun{options.what, around.common.settings, {}}) : variation.asked;
  const Result<std::vector<engine::RunOutcome>> outcomes =
      engine.run(submissions_of(std::move(runs), context, asked), context, selected, std::move(breaks), *view, signals);
  const auto closed = view->close();
  if (!closed && closed.error().kind != ErrorKind::unavailable) return std::unexpected(closed.error());
  std::optional<Result<int>> code;
  if (outcomes && variation.end) {
    code = variation.end(engine.history(), engine::worst_of(*outcomes).exit_code);
  }
  if (signals.received() == 0) engine.keep_house(kit.checkouts());
  if (!outcomes) return std::unexpected(outcomes.error());
  if (code && !*code) return *code;
  return after_signals(code ? **code : engine::worst_of(*outcomes).exit_code, signals);
}

Result<int> look_up_and_run(const Surroundings& around, const cli::RunOptions& options, SignalWatch& signals,
                            const Variation& variation) {
  const cli::Settings& settings = around.configuration.settings();
  const bool silent = around.common.json || around.common.verbosity == cli::Verbosity::quiet;
  SourceKit kit(settings, silent ? SourceKit::Progress::silent : SourceKit::Progress::told);
  SW_TRY(Selected selected, select(options.what, around.event, around.directory, kit.sources(),
                                   os::within(kLookUpLimit, signals.graceful()), variation.first_ref));
  if (variation.definitions) SW_CHECK(variation.definitions(selected));
  if (!report_problems(selected, around.common, settings)) return cli::kExitUsage;

  SW_TRY(std::vector<cli::Planned> planned, plan_all(selected, run_options(options.what, settings), wall_now()));
  if (variation.plans) SW_CHECK(variation.plans(planned));
  SW_CHECK(judge_trust(planned));
  JobCode job_code(kit.sources(), settings.state_dir);
  SW_CHECK(job_code.pin(planned, os::within(kLookUpLimit, signals.graceful())));
  SW_CHECK(check_policy(planned, settings));
  if (options.dry_run) return print_plan(planned, {options.what, false}, around);
  std::vector<model::Run> runs;
  for (cli::Planned& one : planned) {
    if (one.run) runs.push_back(*std::move(one.run));
  }
  if (runs.empty()) {
    say_nothing_starts(selected, planned, options.what);
    return cli::kExitSucceeded;
  }
  kit.hush();
  return drive(around, options, kit, job_code, selected, std::move(runs), signals, variation);
}

}  // namespace

model::RunOptions run_options(const cli::Selection& what, const cli::Settings& settings) {
  model::RunOptions options;
  options.env.assign(what.env.begin(), what.env.end());
  options.default_image = settings.image;
  options.image = settings.image_of_all;
  options.default_resources = {settings.cpus, settings.memory_bytes, settings.disk_bytes, settings.pids};
  options.only_jobs = what.jobs;
  options.with_dependencies = !what.alone;
  options.secrets_with_source = what.secrets_with_source;
  for (const auto& [axis, value] : what.matrix) options.only_matrix[axis] = value;
  if (settings.max_parallel > 0) options.max_parallel = static_cast<std::uint32_t>(settings.max_parallel);
  options.keep_workspaces = settings.keep;
  options.follow_triggers = settings.follow_triggers;
  options.stdout_triggers = settings.stdout_triggers;
  options.log_head_bytes = settings.log_cap_bytes;
  options.log_tail_bytes =
      std::min<std::uint64_t>(options.log_tail_bytes, std::max<std::uint64_t>(settings.log_cap_bytes / 4, 4096));
  return options;
}

int run_locally(const Surroundings& around, const cli::RunOptions& options, SignalWatch& signals,
                const Variation& variation) {
  const Result<int> code = look_up_and_run(around, options, signals, variation);
  return code ? *code : give_up(code.error(), around.common, signals);
}

}  // namespace slipway::program
