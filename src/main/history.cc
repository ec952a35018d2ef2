#include "main/history.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "main/upkeep.h"
#include "store/owner.h"

namespace slipway::program {

namespace {

constexpr std::size_t kPage = 200;

cli::RunEntry entry_of(const store::RunRow& row, const std::filesystem::path& state_dir) {
  cli::RunEntry entry;
  entry.id = row.id;
  entry.number = row.number;
  entry.project = row.project;
  entry.workflow = row.workflow;
  entry.event = row.event;
  entry.branch = row.branch;
  entry.sha = row.sha;
  entry.file = row.file;
  entry.outcome = row.outcome;
  entry.is_alive = !row.outcome && store::is_alive(state_dir, row.owner);
  entry.exit_code = row.exit_code;
  entry.reason = row.reason;
  entry.started = row.started;
  entry.finished = row.finished;
  return entry;
}

cli::AttemptEntry entry_of(const store::AttemptRow& row, const std::filesystem::path& state_dir) {
  cli::AttemptEntry entry;
  entry.id = row.id;
  entry.number = row.number;
  entry.started = row.started;
  entry.journal = state_dir / row.journal_path;
  if (row.report) {
    entry.outcome = row.report->outcome;
    entry.exit_code = row.report->exit_code;
    entry.reason = row.report->reason;
    entry.image = row.report->image;
    entry.resources = row.report->resources;
    entry.finished = row.report->finished;
    entry.steps = row.report->steps;
    for (const model::StepResult& step : row.report->steps) entry.step_names.push_back(step.name);
  }
  return entry;
}

}  // namespace

Result<std::vector<cli::RunEntry>> LocalHistory::list(std::size_t most, const cli::WantedRuns& which) {
  store::RunFilter filter;
  if (which.projects == cli::Projects::this_one) filter.project = places_.project;
  filter.workflow = which.workflow;
  filter.outcome = which.outcome;
  std::vector<cli::RunEntry> entries;
  std::string cursor;
  while (entries.size() < most) {
    SW_TRY(const store::RunPage page, store_.list_runs(filter, std::min(kPage, most - entries.size()), cursor));
    for (const store::RunRow& row : page.runs) {
      cli::RunEntry entry = entry_of(row, places_.state_dir);
      SW_TRY(const std::vector<store::JobRow> jobs, store_.jobs_of(row.id));
      entry.jobs_total = jobs.size();
      entry.jobs_failed = static_cast<std::size_t>(std::ranges::count_if(jobs, [](const store::JobRow& job) {
        return job.outcome && model::ending_of(*job.outcome) == model::Ending::failed;
      }));
      entries.push_back(std::move(entry));
    }
    if (!page.next) break;
    cursor = *page.next;
  }
  return entries;
}

Result<cli::RunEntry> LocalHistory::find(const std::string& text) {
  SW_TRY(const store::RunRow row, store_.find_run(places_.project, text));
  cli::RunEntry entry = entry_of(row, places_.state_dir);
  SW_CHECK(add_jobs(entry));
  SW_CHECK(add_artifacts(entry));
  return entry;
}

Result<void> LocalHistory::add_jobs(cli::RunEntry& entry) {
  SW_TRY(const std::vector<store::JobRow> jobs, store_.jobs_of(entry.id));
  SW_TRY(const std::vector<store::AttemptRow> attempts, store_.attempts_of(entry.id));
  SW_TRY(const std::vector<store::DecisionRow> decisions, store_.decisions_of(entry.id));
  const bool is_abandoned = !entry.outcome && !entry.is_alive;
  std::map<std::string, std::size_t> by_name;
  for (const store::JobRow& row : jobs) {
    cli::JobEntry job;
    job.name = row.name;
    job.outcome = row.outcome;
    job.exit_code = row.exit_code;
    job.reason = row.reason;
    job.failure_allowed = row.failure_allowed;
    job.started = row.started;
    job.finished = row.finished;
    job.definition = row.definition;
    job.depends_on = row.depends_on;
    job.abandoned = is_abandoned && !job.outcome;
    if (row.outcome && model::ending_of(*row.outcome) == model::Ending::failed) ++entry.jobs_failed;
    by_name.emplace(job.name, entry.jobs.size());
    entry.jobs.push_back(std::move(job));
  }
  entry.jobs_total = jobs.size();
  for (const store::AttemptRow& row : attempts) {
    if (const auto at = by_name.find(row.job); at != by_name.end()) {
      cli::AttemptEntry& attempt = entry.jobs[at->second].attempts.emplace_back(entry_of(row, places_.state_dir));
      attempt.abandoned = is_abandoned && !attempt.outcome;
    }
  }
  for (const store::DecisionRow& row : decisions) {
    const auto at = by_name.find(row.decision.job);
    std::vector<cli::DecisionEntry>& to = at == by_name.end() ? entry.decisions : entry.jobs[at->second].decisions;
    to.push_back({row.decision.what, row.decision.because});
  }
  return {};
}

Result<void> LocalHistory::add_artifacts(cli::RunEntry& entry) {
  SW_TRY(const std::vector<worker::Artifact> stored, artifacts_.list(entry.id));
  for (const worker::Artifact& artifact : stored) {
    entry.artifacts.push_back({artifact.name, artifact.job, artifact.bytes, artifact.files, artifact.untrusted});
  }
  return {};
}

Result<std::vector<cli::TestEntry>> LocalHistory::tests(const RunId& run) {
  SW_TRY(std::vector<store::TestRow> rows, store_.tests_of(run, store::Store::TestDetail::with_texts));
  std::vector<cli::TestEntry> entries;
  for (store::TestRow& row : rows) {
    entries.push_back({std::move(row.job), std::move(row.result), model::judge(row.history)});
  }
  return entries;
}

Result<std::uint64_t> LocalHistory::remove(const RunId& run) {
  SW_TRY(const store::RunRow row, store_.find_run(places_.project, run.value));
  if (!row.outcome && store::is_alive(places_.state_dir, row.owner)) {
    return fail(ErrorKind::conflict, "run " + run.value + " is still running: stop it first");
  }
  return remove_run(store_, places_.state_dir, run);
}

Result<std::uint64_t> LocalHistory::sweep() { return sweep_content(artifacts_); }

Result<void> LocalHistory::get_artifact(const RunId& run, const std::string& name,
                                        const std::filesystem::path& directory) {
  SW_TRY(const worker::Artifact artifact, artifacts_.find(run, {name, {}}));
  SW_TRY(const os::BundleReport report, artifacts_.extract(artifact, directory));
  if (!report.refused.empty()) return fail(ErrorKind::denied, "not unpacked: " + join(report.refused, ", "));
  return {};
}

}  // namespace slipway::program
