#include "main/asked_run.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include <boost/json.hpp>

#include "base/json.h"
#include "model/event.h"
#include "source/git_command.h"

namespace slipway::program {

namespace json = boost::json;

namespace {

// What jobs run on; the others say how they are watched.
constexpr std::string_view kFlagsOfRuns[] = {"backend", "image", "require_limits"};

}  // namespace

std::string encode(const AskedRun& run) {
  const cli::Selection& what = run.what;
  json::object asked{{"event", model::to_string(what.event)}};
  const auto put = [&](const char* key, const std::string& value) {
    if (!value.empty()) asked[key] = value;
  };
  put("file", what.file);
  put("event_file", what.event_file);
  put("commit", what.commit);
  put("base", what.base);
  put("git_url", source::RemoteUrl::parse(what.git_url).clean);
  put("git_ref", what.git_ref);
  put("source_url", source::RemoteUrl::parse(what.source_url).clean);
  put("source_ref", what.source_ref);
  put("job_command", what.job_command);
  put("registry", what.registry);
  put("project", what.project);
  if (what.is_job_file) asked["job_file"] = true;
  if (!what.jobs.empty()) asked["jobs"] = json::array(what.jobs.begin(), what.jobs.end());
  if (what.alone) asked["no_deps"] = true;
  if (what.secrets_with_source) asked["accept_risk"] = json::array{"secrets-with-source"};
  const auto put_all = [&](const char* key, const cli::Pairs& pairs) {
    json::array all;  // in the order given: the last of a name decides
    for (const auto& [name, value] : pairs) all.push_back({name, value});
    if (!all.empty()) asked[key] = std::move(all);
  };
  put_all("env", what.env);
  put_all("inputs", what.inputs);
  put_all("matrix", what.matrix);
  json::object flags;
  for (const cli::SettingFlag& flag : run.flags) {
    if (std::ranges::find(kFlagsOfRuns, flag.key) != std::end(kFlagsOfRuns)) flags[flag.key] = flag.value;
  }
  if (!flags.empty()) asked["flags"] = std::move(flags);
  put("rerun_of", run.rerun_of);
  return json::serialize(asked);
}

Result<AskedRun> parse_asked_run(const std::string& text) {
  SW_TRY(const json::object asked, parse_object(text, "what the run was asked for"));
  AskedRun run;
  cli::Selection& what = run.what;
  what.event = model::event_kind_of(text_at(asked, "event")).value_or(what.event);
  what.file = text_at(asked, "file");
  what.event_file = text_at(asked, "event_file");
  what.commit = text_at(asked, "commit");
  what.base = text_at(asked, "base");
  what.git_url = text_at(asked, "git_url");
  what.git_ref = text_at(asked, "git_ref");
  what.source_url = text_at(asked, "source_url");
  what.source_ref = text_at(asked, "source_ref");
  what.job_command = text_at(asked, "job_command");
  what.registry = text_at(asked, "registry");
  what.project = text_at(asked, "project");
  what.is_job_file = asked.contains("job_file");
  if (const json::value* jobs = asked.if_contains("jobs"); jobs != nullptr && jobs->is_array()) {
    for (const json::value& job : jobs->get_array()) {
      if (job.is_string()) what.jobs.emplace_back(job.get_string());
    }
  }
  what.alone = asked.contains("no_deps");
  what.secrets_with_source = asked.contains("accept_risk");
  const auto take_all = [&](const char* key, cli::Pairs& pairs) {
    const json::value* all = asked.if_contains(key);
    if (all == nullptr || !all->is_array()) return;
    for (const json::value& pair : all->get_array()) {
      if (!pair.is_array() || pair.get_array().size() != 2) continue;
      const json::array& both = pair.get_array();
      if (both[0].is_string() && both[1].is_string()) {
        pairs.emplace_back(std::string(both[0].get_string()), std::string(both[1].get_string()));
      }
    }
  };
  take_all("env", what.env);
  take_all("inputs", what.inputs);
  take_all("matrix", what.matrix);
  if (const json::value* flags = asked.if_contains("flags"); flags != nullptr && flags->is_object()) {
    for (const std::string_view key : kFlagsOfRuns) {
      std::string value = text_at(flags->get_object(), key);
      if (!value.empty()) run.flags.push_back({std::string(key), std::move(value), "--" + std::string(key)});
    }
  }
  run.rerun_of = text_at(asked, "rerun_of");
  return run;
}

}  // namespace slipway::program
