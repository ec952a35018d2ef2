#include "main/rerun.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "base/scope_exit.h"
#include "base/text.h"
#include "main/attach.h"
#include "main/console.h"
#include "main/earlier_run.h"
#include "main/upkeep.h"

namespace slipway::program {

namespace {

void say(const Surroundings& around, const std::vector<std::string>& notes) {
  if (around.common.verbosity == cli::Verbosity::quiet) return;
  for (const std::string& note : notes) {
    std::fputs(("slipway: " + printable(note, Colour::strip) + "\n").c_str(), stderr);
  }
}

// The names of the secrets that the run of then was given, and that what runs again uses.
std::vector<std::string> secrets_of(const EarlierRun& earlier, const model::Run& run) {
  std::vector<std::string> names;
  const auto add = [&](const std::vector<model::SecretUse>& uses) {
    for (const model::SecretUse& use : uses) {
      if (std::ranges::find(earlier.row().secret_names, use.name) == earlier.row().secret_names.end()) continue;
      if (std::ranges::find(names, use.name) == names.end()) names.push_back(use.name);
    }
  };
  for (const model::Group& group : run.groups) {
    if (is_kept(run, group)) continue;
    add(group.definition->secrets);
    for (const model::StepDefinition& step : group.definition->steps) add(step.secrets);
  }
  return names;
}

// Where secrets come from a file, whoever runs it knows which those are.
void ask_for_secrets(const EarlierRun& earlier, const model::Run& run, cli::RunOptions& options) {
  if (!options.secret_file.empty()) return;
  for (const std::string& name : secrets_of(earlier, run)) {
    if (std::ranges::find(options.secrets, name) == options.secrets.end()) options.secrets.push_back(name);
  }
}

// The one job of the plan that has the step, or that `--from` is of by name.
Result<std::string> job_of_step(const EarlierRun& earlier, const model::Run& run, const std::string& step,
                                const std::vector<std::string>& jobs) {
  std::vector<std::string> found, known;
  for (const model::Group& group : run.groups) {
    const auto& steps = group.definition->steps;
    const bool has_step = std::ranges::find(steps, step, &model::StepDefinition::name) != steps.end();
    for (const std::string& name : earlier.jobs_of(run, group)) {
      if (!jobs.empty() && name != jobs.front() && group.name != jobs.front()) continue;
      for (const model::StepDefinition& one : steps) known.push_back(one.name);
      if (has_step) found.push_back(name);
    }
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    const auto near = nearest(step, known);
    return fail(ErrorKind::invalid, fmt::format("--from: no job of {} has a step `{}`{}", earlier.name(), step,
                                                near ? fmt::format("; did you mean `{}`?", *near) : ""));
  }
  return fail(ErrorKind::invalid,
              fmt::format("--from: {} have a step `{}`: name one of them", join(found, ", "), step));
}

// What of `run` is run again. Its secrets are asked for before they are gathered.
Result<void> take_over(const Surroundings& around, EarlierRun& earlier, const EarlierRun::Again& again, model::Run& run,
                       std::vector<std::string>& notes, cli::RunOptions& options) {
  SW_CHECK(earlier.take_over(again, run, notes));
  ask_for_secrets(earlier, run, options);
  say(around, notes);
  return {};
}

// Settings as they hold for its event: a fork's pull request brings none of its own. Flags of then hold again.
Result<cli::Configuration> configuration_for(const Surroundings& around, const EarlierRun& earlier,
                                             const EventFile& event) {
  std::vector<cli::SettingFlag> flags = earlier.flags();
  flags.insert(flags.end(), around.common.settings.begin(), around.common.settings.end());  // the last of a name counts
  cli::Configuration::Sources sources =
      cli::standard_sources(around.environment, earlier.tree().root, std::move(flags));
  sources.distrusts_project = event.trust() == model::Trust::untrusted;
  return cli::Configuration::load(sources);
}

// What every run that begins from `earlier` has of it; that outlives it.
Variation variation_of(const EarlierRun& earlier) {
  Variation variation;
  variation.asked = earlier.asked_again();
  variation.first_ref = earlier.first_ref();
  variation.start = [&earlier](const worker::Artifacts& artifacts, const std::vector<model::Run>& runs) {
    return earlier.share(artifacts, runs.front());
  };
  return variation;
}

Result<int> try_rerun(const Surroundings& around, const cli::RunsRerunOptions& asked, SignalWatch& signals) {
  SW_TRY(EarlierRun earlier, EarlierRun::find(around, asked.run));
  SW_TRY(EventFile event, earlier.event());
  SW_TRY(const cli::Configuration configuration, configuration_for(around, earlier, event));
  const std::optional<EventFile> given = std::move(event);
  const Surroundings then{around.environment, around.directory, around.common, configuration, given};
  std::vector<std::string> notes;
  cli::RunOptions options = asked.options;
  options.what = earlier.selection(around.directory, notes);
  std::string& first = notes.empty() ? notes.emplace_back("on the code of then") : notes.front();
  first = fmt::format("{} again, {}", earlier.name(), first);

  Variation variation = variation_of(earlier);
  variation.plans = [&](std::vector<cli::Planned>& planned) -> Result<void> {
    SW_CHECK(earlier.choose(planned));
    model::Run& run = *planned.front().run;
    EarlierRun::Again again{.all = !asked.failed && asked.jobs.empty() && asked.from_step.empty(),
                            .failed = asked.failed,
                            .jobs = asked.jobs,
                            .begin_job = {},
                            .begin_step = asked.from_step};
    if (!asked.from_step.empty()) {
      SW_TRY(again.begin_job, job_of_step(earlier, run, asked.from_step, asked.jobs));
      again.jobs = {again.begin_job};
    }
    return take_over(around, earlier, again, run, notes, options);
  };
  return run_locally(then, options, signals, variation);
}

// --- a shell ---

// Holds however the jobs ended that it depends on. Not `always`, which spares a job when its run is cancelled.
model::ExpressionPtr whatever_came_before() {
  using model::Expression;
  const auto failed = std::make_shared<const Expression>(Expression{model::Call{"any_failed", {}}, {}, "any_failed"});
  const auto not_failed = std::make_shared<const Expression>(
      Expression{model::Unary{model::UnaryOperator::negate, failed}, {}, "!any_failed"});
  return std::make_shared<const Expression>(Expression{
      model::Binary{model::BinaryOperator::logical_or, failed, not_failed}, {}, "any_failed || !any_failed"});
}

// What makes the job `name` more than a place to look around in.
void quieten(Selected& selected, const std::string& name) {
  for (cli::DefinitionFile& file : selected.files) {
    if (!file.workflow) continue;
    auto workflow = std::make_shared<model::Workflow>(*file.workflow);
    workflow->concurrency.reset();
    for (model::JobDefinition& job : workflow->jobs) {
      if (job.name != name) continue;
      job.concurrency.reset();
      job.condition = whatever_came_before();
      job.artifacts.clear();
      job.hooks.clear();
      job.tests.clear();
    }
    file.workflow = std::move(workflow);
  }
}

Result<std::string> job_for_shell(const EarlierRun& earlier, const std::string& wanted) {
  const std::vector<std::string> names = earlier.job_names();
  if (wanted.empty() && names.size() == 1) return names.front();
  if (wanted.empty()) {
    return fail(ErrorKind::invalid,
                fmt::format("{} has several jobs: which one? {}", earlier.name(), join(names, ", ")));
  }
  if (std::ranges::find(names, wanted) != names.end()) return wanted;
  const auto near = nearest(wanted, names);
  return fail(ErrorKind::invalid, fmt::format("{} has no job `{}`{}", earlier.name(), wanted,
                                              near ? fmt::format("; did you mean `{}`?", *near) : ""));
}

// The command in the job's sandbox, on a thread of its own once the job is held there. With it the run is over,
// wherever it stands by then.
class Look {
 public:
  Look(const Surroundings& around, const cli::RunsShellOptions& asked, std::string job, SignalWatch& signals)
      : around_(around), asked_(asked), job_(std::move(job)), signals_(signals) {}

  void begin(const model::JobSpec& job, const std::string& owner) {
    const std::scoped_lock lock(mutex_);
    if (thread_.joinable() || code_) return;  // held at its next step
    if (job.job != job_) {
      code_ = fail(ErrorKind::conflict, fmt::format("job {} would have to run before it", job.job));
      return signals_.request_stop();
    }
    thread_ = std::jthread([this, owner, live = wire::LiveJob{job.run.value, job.job, {}, {}, false}] {
      const ScopeExit end_run([this] { signals_.request_stop(); });
      try {
        const bool terminal = asked_.command.empty() || asked_.terminal;
        code_ = look_into(around_, owner, live, asked_.command, terminal, signals_.graceful());
      } catch (const std::exception& problem) {  // a thread's top frame
        code_ = fail(ErrorKind::internal, problem.what());
      }
    });
  }

  /// After the run. No value: it never came to that.
  std::optional<Result<int>> end() {
    if (thread_.joinable()) thread_.join();
    return code_;
  }

 private:
  const Surroundings& around_;
  const cli::RunsShellOptions& asked_;
  const std::string job_;
  SignalWatch& signals_;
  std::mutex mutex_;                 // several jobs may be held at once, each on its thread
  std::optional<Result<int>> code_;  // once there is a thread: its own
  std::jthread thread_;              // last: uses all of the above
};

Result<int> try_shell(const Surroundings& around, const cli::RunsShellOptions& asked, SignalWatch& signals) {
  if (asked.command.empty() || asked.terminal) SW_CHECK(check_terminal(around));
  SW_TRY(EarlierRun earlier, EarlierRun::find(around, asked.run));
  SW_TRY(const std::string job, job_for_shell(earlier, asked.job));
  SW_TRY(EventFile event, earlier.event());
  SW_TRY(const cli::Configuration configuration, configuration_for(around, earlier, event));
  const std::optional<EventFile> given = std::move(event);
  const Surroundings then{around.environment, around.directory, around.common, configuration, given};
  std::vector<std::string> notes;
  cli::RunOptions options = asked.options;
  options.what = earlier.selection(around.directory, notes);
  options.what.jobs = {earlier.definition_of(job)};  // its other instances are kept, as all else
  options.what.alone = false;
  options.breaks = {"before:"};  // every step

  RunId run;
  Look look(then, asked, job, signals);
  Variation variation = variation_of(earlier);
  variation.is_silent = true;
  variation.definitions = [&](Selected& selected) -> Result<void> {
    quieten(selected, earlier.definition_of(job));
    return {};
  };
  variation.plans = [&](std::vector<cli::Planned>& planned) -> Result<void> {
    SW_CHECK(earlier.choose(planned));
    run = planned.front().run->id;
    const EarlierRun::Again again{.jobs = {job}, .with_others = false, .begin_job = job, .begin_step = {}};
    return take_over(around, earlier, again, *planned.front().run, notes, options);
  };
  variation.held = [&](const model::JobSpec& held, const std::string& owner) { look.begin(held, owner); };
  variation.end = [&](store::Store& store, int) -> Result<int> {
    std::optional<Result<int>> code = look.end();
    SW_TRY(const store::RunRow row, store.find_run(earlier.row().project, run.value));
    SW_CHECK(remove_run(store, configuration.settings().state_dir, run));
    if (!code) return fail(ErrorKind::unavailable, "there is no sandbox to look into: " + row.reason);
    return *code;
  };
  return run_locally(then, options, signals, variation);
}

}  // namespace

int rerun(const Surroundings& around, const cli::RunsRerunOptions& options, SignalWatch& signals) {
  const Result<int> code = try_rerun(around, options, signals);
  return code ? *code : give_up(code.error(), around.common, signals);
}

int shell(const Surroundings& around, const cli::RunsShellOptions& options, SignalWatch& signals) {
  const Result<int> code = try_shell(around, options, signals);
  return code ? *code : give_up(code.error(), around.common, signals);
}

}  // namespace slipway::program
