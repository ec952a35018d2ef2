#include "init/environment.h"

#include <algorithm>

#include <fmt/format.h>

namespace slipway::init {

namespace {

constexpr std::string_view kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

using Map = std::map<std::string, std::string>;

void put_all(Map& map, const model::Variables& variables) {
  for (const auto& [name, value] : variables) map[name] = value;
}

void put_secrets(Map& map, const std::vector<model::SecretUse>& uses, const Map& secrets) {
  for (const model::SecretUse& use : uses) {
    const auto value = secrets.find(use.name);
    if (value == secrets.end() || !use.file.empty()) continue;
    map[use.env.empty() ? use.name : use.env] = value->second;
  }
}

std::vector<std::string> lines_of(const Map& map) {
  std::vector<std::string> environment;
  environment.reserve(map.size());
  for (const auto& [name, value] : map) {
    // A name or value that execve cannot carry would change the meaning of its neighbours.
    if (name.empty() || name.find('=') != std::string::npos || name.find('\0') != std::string::npos) continue;
    environment.push_back(fmt::format("{}={}", name, std::string_view(value).substr(0, value.find('\0'))));
  }
  return environment;
}

/// What every program expects.
Map base_of(const Identity& identity) {
  return {{"CI", "true"},
          {"HOME", identity.home},
          {"USER", identity.name},
          {"LOGNAME", identity.name},
          {"PATH", std::string(kDefaultPath)},
          {"TMPDIR", "/tmp"},
          {"LANG", "C.UTF-8"}};
}

}  // namespace

std::vector<std::string> step_environment(const model::JobSpec& job, const model::StepSpec& step,
                                          const Identity& identity, const StepPlaces& places, const Map& secrets) {
  Map map = base_of(identity);
  map["RUN_ID"] = job.run.value;
  map["JOB_ID"] = job.run.value + "/" + job.job;
  put_all(map, job.env);
  put_secrets(map, job.secrets, secrets);
  put_all(map, step.env);
  put_secrets(map, step.secrets, secrets);
  // What tells a step where it is cannot be overridden: `slipway` would speak for another step.
  map["SLIPWAY_JOB"] = job.job;
  map["SLIPWAY_STEP"] = step.name;
  map["SLIPWAY_ATTEMPT"] = fmt::format("{}", job.attempt_number);
  map["SLIPWAY_WORKFLOW"] = job.workflow;
  map["SLIPWAY_WORKSPACE"] = places.workspace;
  map["SLIPWAY_SOCKET"] = places.socket;
  if (!places.event_file.empty()) map["SLIPWAY_EVENT"] = places.event_file;
  map["PATH"] = fmt::format("{}/bin:{}", places.runtime_dir, map["PATH"]);
  // Behind the job's own, whose modules hold.
  if (std::string& path = map["PYTHONPATH"]; !places.python.empty()) {
    path = path.empty() ? places.python : fmt::format("{}:{}", path, places.python);
  } else if (path.empty()) {
    map.erase("PYTHONPATH");
  }
  return lines_of(map);
}

std::vector<std::string> sibling_environment(const model::JobSpec& job, const model::StepSpec& step,
                                             const Identity& identity) {
  Map map = base_of(identity);
  put_all(map, job.env);
  put_all(map, step.env);
  map["SLIPWAY_SANDBOX"] = "source";
  return lines_of(map);
}

void set_variable(std::vector<std::string>& environment, std::string_view name, std::string_view value) {
  const std::string prefix = fmt::format("{}=", name);
  std::erase_if(environment, [&](const std::string& entry) { return entry.starts_with(prefix); });
  environment.push_back(fmt::format("{}{}", prefix, value));
}

std::string_view value_in(const std::vector<std::string>& environment, std::string_view name) {
  for (const std::string& entry : environment) {
    const std::string_view view = entry;
    if (view.size() > name.size() && view.starts_with(name) && view[name.size()] == '=') {
      return view.substr(name.size() + 1);
    }
  }
  return {};
}

}  // namespace slipway::init
