#include "engine/rows.h"

namespace slipway::engine {

store::RunRow row_of(const Submission& submission, const std::string& owner) {
  const model::Run& run = submission.run;
  store::RunRow row = row_of(run, owner);
  row.project = submission.project;
  row.workflow = run.workflow->name;
  row.file = run.workflow->file;
  row.event = std::string(model::to_string(run.event.kind));
  row.event_json = run.event.json;
  row.branch = run.event.branch;
  row.sha = run.event.sha;
  row.commit = run.options.commit;
  row.trust = model::weaker(run.options.source_trust, run.options.checkout_trust);
  row.created = run.created;
  row.options_json = submission.options_json;
  row.secret_names = submission.secret_names;
  return row;
}

store::RunRow row_of(const model::Run& run, const std::string& owner) {
  store::RunRow row;
  row.id = run.id;
  row.number = run.number;
  row.state = run.state;
  if (run.state == model::RunState::finished) row.outcome = run.outcome;
  row.exit_code = run.exit_code;
  row.reason = run.reason;
  row.started = run.started;
  row.finished = run.finished;
  row.owner = owner;
  return row;
}

store::JobRow row_of(const model::Run& run, model::JobIndex index) {
  const model::Job& job = run.jobs[index];
  store::JobRow row;
  row.run = run.id;
  row.index = index;
  row.name = job.name;
  row.definition = run.groups[job.group].definition->name;
  row.state = job.state;
  if (job.state == model::JobState::finished) row.outcome = job.outcome;
  row.exit_code = job.exit_code;
  row.reason = job.reason;
  row.failure_allowed = job.failure_allowed;
  row.attempts = job.attempts;
  row.attempt = job.attempt;
  row.started = job.started;
  row.finished = job.finished;
  row.outputs = job.outputs;
  row.environment = job.environment;
  for (const model::GroupIndex group : run.groups[job.group].depends_on) {
    row.depends_on.push_back(run.groups[group].name);
  }
  return row;
}

namespace {

void add_notice_rows(const model::Run& run, const model::Notice& notice, Time now, store::Batch& batch) {
  if (const auto* began = std::get_if<model::AttemptStarted>(&notice)) {
    batch.attempts.push_back(
        {began->attempt, run.id, began->job, began->number, began->journal_path, began->at, std::nullopt});
  } else if (const auto* ended = std::get_if<model::AttemptFinished>(&notice)) {
    const model::Job& job = run.jobs[run.job_by_name.at(ended->job)];
    batch.attempts.push_back({ended->report.attempt, run.id, ended->job, job.attempts, job.journal_path,
                              job.attempt_started, ended->report});
    if (!ended->report.tests.empty()) batch.tests.push_back({run.id, ended->job, job.attempts, ended->report.tests});
  } else if (const auto* asked = std::get_if<model::Triggered>(&notice)) {
    batch.triggers.push_back({run.id, asked->by_job, asked->job, asked->json, asked->accepted, asked->reason, now});
  }
}

}  // namespace

void add_rows(const model::Run& run, const model::Changes& changes, const std::string& owner, Time now,
              store::Batch& batch) {
  if (changes.run_changed) batch.runs.push_back(row_of(run, owner));
  for (const model::Decision& decision : changes.decisions) batch.decisions.push_back({run.id, decision, now});
  for (const model::Effect& effect : changes.effects) {
    if (const auto* notify = std::get_if<model::Notify>(&effect)) add_notice_rows(run, notify->notice, now, batch);
  }
}

}  // namespace slipway::engine
