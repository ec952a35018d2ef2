#include "main/earlier_run.h"

#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "base/short_sha.h"
#include "base/text.h"
#include "objects/file/file_objects.h"
#include "os/files.h"
#include "store/sqlite/sqlite_store.h"

namespace slipway::program {

namespace {

using namespace std::chrono_literals;

constexpr auto kGitLimit = 10s;
constexpr auto kShareLimit = 60s;

bool is_bad(const store::JobRow& job) {
  return job.outcome && *job.outcome != model::Outcome::succeeded && *job.outcome != model::Outcome::skipped &&
         !job.failure_allowed;
}

// It has an end that only an attempt gives, and had none.
bool was_kept(const store::JobRow& job) {
  using model::Outcome;
  return job.attempts == 0 && job.outcome && *job.outcome != Outcome::skipped && *job.outcome != Outcome::cancelled &&
         *job.outcome != Outcome::rejected;
}

}  // namespace

Result<EarlierRun> EarlierRun::find(const Surroundings& around, const std::string& text) {
  const std::filesystem::path& state = around.configuration.settings().state_dir;
  SW_CHECK(os::make_directories(state, 0700));
  SW_TRY(const std::unique_ptr<store::Store> store, store::open_sqlite({.file = state / "store.db"}));
  SW_TRY(source::WorkingTree tree, source::read_working_tree(around.directory, os::within(kGitLimit)));
  SW_TRY(store::RunRow row, store->find_run(tree.root.string(), text));
  SW_TRY(AskedRun asked, parse_asked_run(row.options_json));
  EarlierRun earlier(std::move(row), std::move(asked), std::move(tree));
  if (!earlier.row_.outcome) return fail(ErrorKind::conflict, earlier.name() + " has not ended");
  SW_TRY(const std::vector<store::JobRow> jobs, store->jobs_of(earlier.row_.id));
  for (const store::JobRow& job : jobs) earlier.jobs_.emplace(job.name, job);
  SW_CHECK(earlier.read_attempts(*store));
  SW_TRY(const auto objects, objects::FileObjects::open_at(state / "objects", {}));
  SW_TRY(earlier.artifacts_, worker::Artifacts(*objects, state / "runs").list(earlier.row_.id));
  return earlier;
}

/// A job that this run had kept has its attempts in the run that it was kept from.
Result<void> EarlierRun::read_attempts(store::Store& store) {
  constexpr int kMostRuns = 100;  // that were run again one after the other
  store::RunRow run = row_;
  for (int i = 0; i < kMostRuns; ++i) {
    SW_TRY(const std::vector<store::AttemptRow> attempts, store.attempts_of(run.id));
    std::map<std::string, model::AttemptReport> last;
    for (const store::AttemptRow& attempt : attempts) {
      if (attempt.report) last[attempt.job] = *attempt.report;
    }
    for (auto& [job, report] : last) {
      const auto row = jobs_.find(job);
      if (i == 0 || (row != jobs_.end() && was_kept(row->second))) reports_.emplace(job, std::move(report));
    }
    const auto asked = parse_asked_run(run.options_json);
    if (!asked || asked->rerun_of.empty()) break;
    auto found = store.find_run(run.project, asked->rerun_of);
    if (!found) break;  // it was removed
    run = *std::move(found);
  }
  return {};
}

std::string EarlierRun::name() const {
  return row_.number > 0 ? fmt::format("run #{}", row_.number) : "run " + row_.id.value;
}

std::vector<std::string> EarlierRun::job_names() const {
  std::vector<std::string> names;
  for (const auto& [name, job] : jobs_) names.push_back(name);
  return names;
}

std::string EarlierRun::definition_of(const std::string& job) const {
  const auto row = jobs_.find(job);
  return row == jobs_.end() ? job : row->second.definition;
}

Result<EventFile> EarlierRun::event() const { return EventFile::parse(row_.event_json, "the event of " + name()); }

cli::Selection EarlierRun::selection(const std::filesystem::path& directory, std::vector<std::string>& notes) const {
  cli::Selection what = asked_.what;
  what.event_file.clear();  // its text was stored
  what.event_given = false;
  if (!what.git_url.empty()) {
    if (!row_.sha.empty()) what.git_ref = row_.sha;
    return what;
  }
  if (!what.source_url.empty()) {
    if (!row_.sha.empty()) what.source_ref = row_.sha;
    return what;
  }
  if (!what.file.empty() && ::access((directory / what.file).c_str(), F_OK) != 0 &&
      ::access((tree_.root / what.file).c_str(), F_OK) == 0) {
    what.file = (tree_.root / what.file).string();  // it was named from the project's own directory
  }
  if (row_.sha.empty()) {
    notes.push_back("on the directory as it is now: it is in no repository");
  } else if (what.commit.empty() && tree_.sha == row_.sha) {
    notes.push_back(fmt::format("on the working tree as it is now, at {} as then", short_sha(row_.sha)));
  } else {
    if (what.commit.empty()) {
      notes.push_back(
          fmt::format("at commit {}: the working tree has moved on since, and what was not committed then is "
                      "not in it",
                      short_sha(row_.sha)));
    }
    what.commit = row_.sha;
  }
  return what;
}

std::string EarlierRun::first_ref() const {
  return asked_.what.event_file.empty() ? ref_of(asked_.what) : std::string();
}

std::string EarlierRun::asked_again() const {
  AskedRun asked = asked_;
  asked.rerun_of = row_.id.value;
  return encode(asked);
}

Result<void> EarlierRun::choose(std::vector<cli::Planned>& planned) const {
  std::erase_if(planned, [&](const cli::Planned& one) { return !one.run || one.workflow->name != row_.workflow; });
  if (planned.size() > 1) {
    std::erase_if(planned, [&](const cli::Planned& one) { return one.workflow->file != row_.file; });
  }
  if (planned.size() == 1) return {};
  return fail(
      ErrorKind::not_found,
      fmt::format("the workflow `{}` of {} {}", row_.workflow, name(),
                  planned.empty() ? "is not there any more, or its `on` does not fit the event" : "is there twice"));
}

Result<std::set<std::string>> EarlierRun::asked_for(const Again& again, const model::Run& run) const {
  std::set<std::string> names;
  for (const model::Group& group : run.groups) {
    for (const std::string& name : jobs_of(run, group)) {
      const auto before = jobs_.find(name);
      if (again.all || before == jobs_.end() || (again.failed && is_bad(before->second))) names.insert(name);
    }
  }
  if (again.failed && names.empty()) return fail(ErrorKind::invalid, "nothing of " + name() + " failed");
  for (const std::string& wanted : again.jobs) {
    bool is_known = false;
    for (const model::Group& group : run.groups) {
      for (const std::string& name : jobs_of(run, group)) {
        if (name != wanted && group.name != wanted) continue;
        is_known = true;
        names.insert(name);
      }
    }
    if (is_known) continue;
    const auto near = nearest(wanted, job_names());
    return fail(ErrorKind::invalid, fmt::format("{} has no job `{}`{}", name(), wanted,
                                                near ? fmt::format("; did you mean `{}`?", *near) : ""));
  }
  return names;
}

/// What depends on it runs again too, what it depends on where that did not succeed, and what left nothing behind.
void EarlierRun::spread(const model::Run& run, std::set<std::string>& again, std::vector<std::string>& notes) const {
  for (bool grew = true; grew;) {
    const std::size_t before = again.size();
    for (const model::Group& group : run.groups) {
      const auto names = jobs_of(run, group);
      for (const std::string& name : names) {
        const std::vector<std::string> lost = lost_artifacts(name);
        if (lost.empty() || !again.insert(name).second) continue;
        notes.push_back(fmt::format("job {} runs again: of what it made, {} {} gone", name, join(lost, ", "),
                                    lost.size() == 1 ? "is" : "are"));
      }
      if (std::ranges::none_of(names, [&](const std::string& name) { return again.contains(name); })) continue;
      for (const model::GroupIndex next : group.dependents) {
        for (const std::string& name : jobs_of(run, run.groups[next])) again.insert(name);
      }
      for (const model::GroupIndex needed : group.depends_on) {
        for (const std::string& name : jobs_of(run, run.groups[needed])) {
          const auto row = jobs_.find(name);
          if (row != jobs_.end() && is_bad(row->second)) again.insert(name);
        }
      }
    }
    grew = again.size() != before;
  }
}

std::vector<std::string> EarlierRun::jobs_of(const model::Run& run, const model::Group& group) const {
  std::vector<std::string> names;
  for (const model::JobIndex job : group.jobs) names.push_back(run.jobs[job].name);
  if (!names.empty() || !group.expands_later) return names;
  for (const auto& [name, row] : jobs_) {
    if (row.definition == group.definition->name) names.push_back(name);
  }
  return names;
}

std::vector<std::string> EarlierRun::lost_artifacts(const std::string& job) const {
  std::vector<std::string> lost;
  const auto report = reports_.find(job);
  if (report == reports_.end()) return lost;
  for (const std::string& artifact : report->second.artifacts) {
    const bool is_there = std::ranges::any_of(
        artifacts_, [&](const worker::Artifact& stored) { return stored.job == job && stored.name == artifact; });
    if (!is_there) lost.push_back("`" + artifact + "`");
  }
  return lost;
}

Result<void> EarlierRun::take_over(const Again& wanted, model::Run& run, std::vector<std::string>& notes) {
  SW_TRY(std::set<std::string> again, asked_for(wanted, run));
  if (wanted.with_others) spread(run, again, notes);
  model::Kept kept;
  kept.from = name();
  for (const auto& [name, row] : jobs_) {
    if (again.contains(name) || !row.outcome) continue;
    const auto report = reports_.find(name);
    kept.jobs.emplace(name,
                      model::Kept::JobEnd{*row.outcome, row.exit_code, row.outputs,
                                          report == reports_.end() ? decltype(row.outputs)() : report->second.vars});
  }
  if (!wanted.begin_job.empty()) {
    if (has_workspace(wanted.begin_job)) {
      kept.begin_at.emplace(wanted.begin_job, wanted.begin_step);
    } else {
      notes.push_back(fmt::format("no workspace of job {} was kept (`slipway run --keep`): {}", wanted.begin_job,
                                  wanted.begin_step.empty()
                                      ? "the source is as it was checked out"
                                      : "its steps before `" + wanted.begin_step + "` run again"));
    }
  }
  for (const auto& [name, row] : jobs_) {
    if (!wanted.with_others) break;
    if (run.job_by_name.contains(name) || !row.outcome || *row.outcome == model::Outcome::skipped) continue;
    const bool expands = std::ranges::any_of(run.groups, [&](const model::Group& group) {
      return group.expands_later && group.definition->name == row.definition;
    });
    if (expands) continue;
    kept.jobs.erase(name);  // where it is asked for again, it runs again
    notes.push_back(fmt::format("job {} is left out: another job asked for it while it ran", name));
  }
  run.options.kept = std::move(kept);
  return {};
}

bool EarlierRun::has_workspace(const std::string& job) const {
  return std::ranges::any_of(artifacts_, [&](const worker::Artifact& stored) {
    return stored.job == job && stored.name == model::kept_workspace_name(job);
  });
}

Result<void> EarlierRun::share(const worker::Artifacts& artifacts, const model::Run& run) const {
  if (!run.options.kept) return {};
  const model::Kept& kept = *run.options.kept;
  for (const worker::Artifact& stored : artifacts_) {
    const bool is_workspace =
        kept.begin_at.contains(stored.job) && stored.name == model::kept_workspace_name(stored.job);
    if (!kept.jobs.contains(stored.job) && !is_workspace) continue;
    if (const auto shared = artifacts.share(stored, run.id, os::within(kShareLimit)); !shared) {
      return wrap(shared.error(), fmt::format("artifact `{}` of job {} of {}", stored.name, stored.job, name()));
    }
  }
  return {};
}

}  // namespace slipway::program
