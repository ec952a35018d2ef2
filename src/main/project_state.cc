#include "main/project_state.h"

#include <boost/json.hpp>

#include "store/owner.h"

namespace slipway::program {

namespace json = boost::json;

namespace {

bool is_strangers(const store::RunRow& run) { return run.trust == model::Trust::untrusted; }

bool runs_now(const store::JobRow& job) {
  return job.state == model::JobState::starting || job.state == model::JobState::running;
}

bool is_named(const store::JobRow& job, const std::string& name) { return job.name == name || job.definition == name; }

json::string text_of(std::string_view text) { return json::string(text.data(), text.size()); }

std::string running_json(const char* key, const std::vector<store::JobResult>& jobs) {
  json::array runs;
  for (const store::JobResult& one : jobs) runs.push_back({{"run", one.run.value}, {"job", one.job.name}});
  const bool any = !runs.empty();
  return json::serialize(json::object{{key, any}, {"jobs", std::move(runs)}});
}

std::string result_json(const store::JobResult& result) {
  json::object outputs;
  for (const auto& [name, value] : result.job.outputs) outputs[name] = value;
  const model::Outcome outcome = result.job.outcome.value_or(model::Outcome::infra_failed);
  // What never came to an exit code must not look like success to `exit_code == 0`.
  const int exit_code = result.job.exit_code != 0 ? result.job.exit_code : model::exit_code_of(outcome);
  return json::serialize(json::object{{"run", result.run.value},
                                      {"job", result.job.name},
                                      {"outcome", text_of(model::to_string(outcome))},
                                      {"exit_code", exit_code},
                                      {"outputs", std::move(outputs)}});
}

}  // namespace

// A stranger's words are nothing that a trusted job goes by, nor are other runs' any business of a stranger's.
Result<bool> ProjectState::may_see(const store::RunRow& run) const {
  if (run.id == asker_.run) return true;
  if (is_strangers(run)) return false;
  SW_TRY(const store::RunRow own, store_.find_run(project_, asker_.run.value));
  return !is_strangers(own);
}

bool ProjectState::is_live(const store::RunRow& run) const {
  return run.project == project_ && !run.outcome && store::is_alive(state_dir_, run.owner);
}

Result<std::vector<store::JobResult>> ProjectState::running(const std::string& job) const {
  SW_TRY(std::vector<store::JobResult> found, store_.running_jobs(project_, job));
  std::vector<store::JobResult> live;
  for (store::JobResult& one : found) {
    if (is_asker(one.run, one.job)) continue;
    SW_TRY(const store::RunRow run, store_.find_run(project_, one.run.value));
    SW_TRY(const bool seen, may_see(run));
    if (seen && is_live(run)) live.push_back(std::move(one));
  }
  return live;
}

Result<std::vector<store::JobResult>> ProjectState::deploying(const std::string& environment) const {
  SW_TRY(const std::vector<store::RunRow> runs, store_.unfinished_runs());
  std::vector<store::JobResult> live;
  for (const store::RunRow& run : runs) {
    if (!is_live(run)) continue;
    SW_TRY(const bool seen, may_see(run));
    if (!seen) continue;
    SW_TRY(std::vector<store::JobRow> jobs, store_.jobs_of(run.id));
    for (store::JobRow& job : jobs) {
      if (runs_now(job) && job.environment == environment && !is_asker(run.id, job)) live.push_back({run.id, job});
    }
  }
  return live;
}

Result<store::JobResult> ProjectState::newest_result(const std::string& job) const {
  SW_TRY(std::vector<store::JobRow> own, store_.jobs_of(asker_.run));
  store::JobRow* newest = nullptr;
  for (store::JobRow& row : own) {
    if (!row.outcome || !is_named(row, job)) continue;
    if (newest == nullptr || row.finished >= newest->finished) newest = &row;
  }
  if (newest != nullptr) return store::JobResult{asker_.run, std::move(*newest)};
  SW_TRY(const store::RunRow asking, store_.find_run(project_, asker_.run.value));
  std::optional<store::JobResult> elsewhere;
  if (!is_strangers(asking)) {
    SW_TRY(elsewhere, store_.newest_result(project_, job));
  }
  if (!elsewhere) return fail(ErrorKind::not_found, "no finished job " + job + " in this project");
  return std::move(*elsewhere);
}

Result<std::string> answer_question(const ProjectState& state, const std::string& what, const std::string& name) {
  if (name.empty()) return fail(ErrorKind::invalid, "which job or environment?");
  if (what == "is_job_running") {
    SW_TRY(const auto running, state.running(name));
    return running_json("running", running);
  }
  if (what == "deploy_in_progress") {
    SW_TRY(const auto deploying, state.deploying(name));
    return running_json("in_progress", deploying);
  }
  if (what != "job_result") return fail(ErrorKind::invalid, "unknown question `" + what + "`");
  SW_TRY(const store::JobResult result, state.newest_result(name));
  return result_json(result);
}

}  // namespace slipway::program
