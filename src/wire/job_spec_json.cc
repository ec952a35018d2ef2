#include "wire/job_spec_json.h"

#include <array>

#include "base/scope_exit.h"
#include "wire/expression_json.h"
#include "wire/job_spec_value.h"

namespace slipway::wire {

namespace {

template <class E, std::size_t N>
using Words = std::array<std::pair<std::string_view, E>, N>;

constexpr Words<model::Network, 3> kNetworks = {
    {{"nat", model::Network::nat}, {"none", model::Network::none}, {"host", model::Network::host}}};
constexpr Words<model::RunAs::Kind, 4> kRunAs = {{{"runner", model::RunAs::Kind::runner},
                                                  {"root", model::RunAs::Kind::root},
                                                  {"number", model::RunAs::Kind::number},
                                                  {"source", model::RunAs::Kind::source}}};
constexpr Words<model::ArtifactDefinition::When, 3> kWhens = {{{"success", model::ArtifactDefinition::When::success},
                                                               {"failure", model::ArtifactDefinition::When::failure},
                                                               {"always", model::ArtifactDefinition::When::always}}};

template <class E, std::size_t N>
std::string word_of(const Words<E, N>& words, E value) {
  for (const auto& [word, known] : words) {
    if (known == value) return std::string(word);
  }
  return {};
}

template <class E, std::size_t N>
E value_of(const Words<E, N>& words, const Fields& fields, std::string_view key, E fallback) {
  if (fields.find(key) == nullptr) return fallback;
  const std::string text = fields.text(key);
  for (const auto& [word, known] : words) {
    if (word == text) return known;
  }
  fields.refuse(key, "a known word");
  return fallback;
}

json::array variables_to_json(const model::Variables& variables) {
  json::array list;
  for (const auto& [name, value] : variables) list.push_back(json::array{json::string(name), json::string(value)});
  return list;
}

model::Variables variables_of(const Fields& fields, std::string_view key) {
  model::Variables variables;
  const json::array* items = fields.array(key);
  if (items == nullptr) return variables;
  for (const json::value& item : *items) {
    const json::array* pair = item.if_array();
    if (pair == nullptr || pair->size() != 2 || !(*pair)[0].is_string() || !(*pair)[1].is_string()) {
      fields.refuse(key, "a list of pairs of texts");
      return variables;
    }
    variables.emplace_back(std::string((*pair)[0].get_string()), std::string((*pair)[1].get_string()));
  }
  return variables;
}

json::array secrets_to_json(const std::vector<model::SecretUse>& secrets) {
  json::array list;
  for (const model::SecretUse& use : secrets) {
    list.push_back(json::object{{"name", use.name}, {"env", use.env}, {"file", use.file}});
  }
  return list;
}

std::vector<model::SecretUse> secrets_of(const Fields& fields) {
  std::vector<model::SecretUse> secrets;
  const json::array* items = fields.array("secrets");
  if (items == nullptr) return secrets;
  for (const json::value& item : *items) {
    const Fields use(fields.as_object(item, "secrets"), fields.problem());
    secrets.push_back({use.required_text("name"), use.text("env"), use.text("file"), {}});
  }
  return secrets;
}

void put(json::object& object, std::string_view key, const std::optional<Duration>& duration) {
  if (duration) object[key] = duration->count();
}

void put(json::object& object, std::string_view key, const std::optional<std::uint64_t>& count) {
  if (count) object[key] = *count;
}

json::object run_as_to_json(const model::RunAs& run_as) {
  return {{"kind", word_of(kRunAs, run_as.kind)}, {"uid", run_as.uid}};
}

model::RunAs run_as_of(const Fields& fields) {
  model::RunAs run_as;
  const json::object* object = fields.object("run_as");
  if (object == nullptr) return run_as;
  const Fields inner(*object, fields.problem());
  run_as.kind = value_of(kRunAs, inner, "kind", model::RunAs::Kind::runner);
  const std::uint64_t uid = inner.count("uid");
  if (uid > UINT32_MAX) inner.refuse("uid", "a user id");
  run_as.uid = static_cast<std::uint32_t>(uid);
  return run_as;
}

json::object retry_to_json(const model::Retry& retry) {
  json::array on;
  for (const model::Outcome outcome : retry.on) {
    const std::string_view word = model::to_string(outcome);
    on.emplace_back(json::string(word.data(), word.size()));
  }
  return {{"attempts", retry.attempts}, {"on", std::move(on)}, {"backoff", retry.backoff.count()}};
}

model::Retry retry_of(const Fields& fields) {
  model::Retry retry{.attempts = 0, .on = {}};
  const json::object* object = fields.object("retry");
  if (object == nullptr) return retry;
  const Fields inner(*object, fields.problem());
  retry.attempts = static_cast<int>(inner.integer("attempts"));
  retry.backoff = inner.duration("backoff", retry.backoff);
  for (const std::string& word : inner.texts("on")) {
    const auto outcome = model::outcome_of(word);
    if (!outcome) inner.refuse("on", "a list of outcomes");
    if (outcome) retry.on.push_back(*outcome);
  }
  return retry;
}

json::object step_to_json(const model::StepSpec& step) {
  json::object object{{"name", step.name}, {"working_dir", step.working_dir}, {"run_as", run_as_to_json(step.run_as)}};
  std::visit(Overloaded{
                 [&](const model::Script& script) { object["script"] = script.text; },
                 [&](const model::Argv& argv) { object["argv"] = to_json_array(argv.words); },
             },
             step.action);
  object["shell"] = to_json_array(step.shell);
  object["env"] = variables_to_json(step.env);
  object["secrets"] = secrets_to_json(step.secrets);
  put(object, "timeout", step.timeout);
  put(object, "no_output_timeout", step.no_output_timeout);
  object["parallel"] = step.parallel;
  if (step.depends_on) {
    json::array indexes;
    for (const std::size_t index : *step.depends_on) indexes.push_back(std::uint64_t{index});
    object["depends_on"] = std::move(indexes);
  }
  if (step.condition) object["condition"] = to_json_value(*step.condition);
  object["continue_on_error"] = step.continue_on_error;
  object["retry"] = retry_to_json(step.retry);
  object["end_children"] = step.end_children;
  if (step.phase != model::Phase::steps) object["phase"] = std::string(model::to_string(step.phase));
  if (step.done_before) object["done_before"] = true;
  return object;
}

std::optional<std::vector<std::size_t>> dependencies_of(const Fields& fields) {
  const json::array* items = fields.array("depends_on");
  if (items == nullptr) return {};
  std::vector<std::size_t> indexes;
  for (const json::value& item : *items) {
    if (!item.is_number() || item.is_double()) {
      fields.refuse("depends_on", "a list of step numbers");
      return {};
    }
    indexes.push_back(item.to_number<std::size_t>());
  }
  return indexes;
}

model::StepSpec step_of(const Fields& fields) {
  model::StepSpec step;
  step.name = fields.text("name");
  if (fields.find("argv") != nullptr) {
    step.action = model::Argv{fields.texts("argv")};
  } else {
    step.action = model::Script{fields.text("script")};
  }
  step.shell = fields.texts("shell");
  step.working_dir = fields.text("working_dir");
  step.env = variables_of(fields, "env");
  step.secrets = secrets_of(fields);
  step.run_as = run_as_of(fields);
  step.timeout = fields.optional_duration("timeout");
  step.no_output_timeout = fields.optional_duration("no_output_timeout");
  step.parallel = fields.flag("parallel");
  step.depends_on = dependencies_of(fields);
  if (const json::value* condition = fields.find("condition")) {
    step.condition = expression_from_json(*condition, fields.problem());
  }
  step.continue_on_error = fields.flag("continue_on_error");
  step.retry = retry_of(fields);
  step.end_children = fields.flag("end_children");
  if (fields.find("phase") != nullptr) {
    const auto phase = model::phase_of(fields.text("phase"));
    if (!phase) fields.refuse("phase", "a phase of a job");
    step.phase = phase.value_or(model::Phase::steps);
  }
  step.done_before = fields.flag("done_before");
  return step;
}

template <class T, class F>
json::array list_to_json(const std::vector<T>& items, F&& one) {
  json::array list;
  list.reserve(items.size());
  for (const T& item : items) list.push_back(one(item));
  return list;
}

template <class T, class F>
std::vector<T> list_of(const Fields& fields, std::string_view key, F&& one) {
  std::vector<T> list;
  if (const json::array* items = fields.array(key)) {
    for (const json::value& item : *items) list.push_back(one(Fields(fields.as_object(item, key), fields.problem())));
  }
  return list;
}

json::object artifact_to_json(const model::ArtifactSpec& artifact) {
  json::object object{
      {"name", artifact.name}, {"paths", to_json_array(artifact.paths)}, {"when", word_of(kWhens, artifact.when)}};
  put(object, "expires", artifact.expires);
  return object;
}

json::object service_to_json(const model::ServiceSpec& service) {
  json::object object{{"name", service.name},
                      {"image", service.image},
                      {"env", variables_to_json(service.env)},
                      {"command", to_json_array(service.command)}};
  if (service.ready) object["ready"] = to_json_object(*service.ready);
  return object;
}

model::ServiceSpec service_of(const Fields& fields) {
  model::ServiceSpec service{
      fields.text("name"), fields.text("image"), variables_of(fields, "env"), fields.texts("command"), {}};
  if (const json::object* ready = fields.object("ready")) {
    service.ready = read_readiness(Fields(*ready, fields.problem()));
  }
  return service;
}

json::object code_to_json(const model::CodeSpec& code) {
  return {{"url", code.url}, {"ref", code.ref}, {"path", code.path}, {"revision", code.revision}};
}

std::optional<model::CodeSpec> code_of(const Fields& fields, std::string_view key) {
  const json::object* object = fields.object(key);
  if (object == nullptr) return std::nullopt;
  const Fields code(*object, fields.problem());
  return model::CodeSpec{code.text("url"), code.text("ref"), code.text("path"), code.text("revision")};
}

void put_needs(json::object& object, const model::JobSpec& job) {
  object["image"] = job.image;
  object["network"] = word_of(kNetworks, job.network);
  object["resources"] = resources_to_json(job.resources);
  object["run_as"] = run_as_to_json(job.run_as);
  object["workspace"] = job.workspace;
  object["read_only_root"] = job.read_only_root;
  object["nested"] = job.nested;
  object["devices"] = to_json_array(job.devices);
  object["image_of_text"] = job.image_of_text;
  object["image_entrypoint"] = job.image_entrypoint;
  object["image_user"] = job.image_user;
  json::object checkout{{"none", job.checkout.none},
                        {"submodules", job.checkout.submodules},
                        {"lfs", job.checkout.lfs},
                        {"clean", job.checkout.clean}};
  if (job.checkout.depth) checkout["depth"] = *job.checkout.depth;
  object["checkout"] = std::move(checkout);
  object["separated"] = job.separated;
  if (job.ci_code) object["ci_code"] = code_to_json(*job.ci_code);
  if (job.source_code) object["source_code"] = code_to_json(*job.source_code);
  object["code_entrypoint"] = job.code_entrypoint;
  object["text_trusted"] = job.text_trust == model::Trust::trusted;
  object["source_trusted"] = job.source_trust == model::Trust::trusted;
  object["secrets_with_source"] = job.secrets_with_source;
}

void read_needs(const Fields& fields, model::JobSpec& job) {
  job.image = fields.text("image");
  job.network = value_of(kNetworks, fields, "network", model::Network::nat);
  job.resources = resources_of(fields);
  job.run_as = run_as_of(fields);
  job.workspace = fields.text("workspace", "/job");
  job.read_only_root = fields.flag("read_only_root");
  job.nested = fields.flag("nested");
  job.devices = fields.texts("devices");
  job.image_of_text = fields.flag("image_of_text");
  job.image_entrypoint = fields.flag("image_entrypoint");
  job.image_user = fields.flag("image_user");
  if (const json::object* object = fields.object("checkout")) {
    const Fields checkout(*object, fields.problem());
    job.checkout = {
        checkout.flag("none"), {}, checkout.flag("submodules"), checkout.flag("lfs"), checkout.flag("clean")};
    if (checkout.find("depth") != nullptr) job.checkout.depth = static_cast<int>(checkout.integer("depth"));
  }
  job.separated = fields.flag("separated");
  job.ci_code = code_of(fields, "ci_code");
  job.source_code = code_of(fields, "source_code");
  job.code_entrypoint = fields.flag("code_entrypoint");
  // What nobody vouches for is not trusted.
  const auto trust = [&](std::string_view key) {
    return fields.flag(key) ? model::Trust::trusted : model::Trust::untrusted;
  };
  job.text_trust = trust("text_trusted");
  job.source_trust = trust("source_trusted");
  job.secrets_with_source = fields.flag("secrets_with_source");
}

void check_steps(const Fields& fields, const model::JobSpec& job) {
  for (const model::StepSpec& step : job.steps) {
    for (const std::size_t index : step.depends_on.value_or(std::vector<std::size_t>{})) {
      if (index >= job.steps.size()) fields.refuse("depends_on", "a list of numbers of steps of this job");
    }
  }
}

}  // namespace

json::object to_json_object(const model::Readiness& ready) {
  json::object object{{"http", ready.http},
                      {"log", ready.log},
                      {"command", to_json_array(ready.command)},
                      {"within", ready.within.count()}};
  if (ready.tcp) object["tcp"] = *ready.tcp;
  return object;
}

model::Readiness read_readiness(const Fields& fields) {
  constexpr std::int64_t kMostPort = 65'535;
  model::Readiness ready;
  if (fields.find("tcp") != nullptr) {
    const std::int64_t port = fields.integer("tcp");
    if (port < 1 || port > kMostPort) fields.refuse("tcp", "a port");
    ready.tcp = static_cast<int>(port);
  }
  ready.http = fields.text("http");
  ready.log = fields.text("log");
  ready.command = fields.texts("command");
  ready.within = fields.duration("within", ready.within);
  return ready;
}

json::object resources_to_json(const model::Resources& from) {
  json::object resources;
  if (from.cpus) resources["cpus"] = *from.cpus;
  put(resources, "memory", from.memory_bytes);
  put(resources, "disk", from.disk_bytes);
  put(resources, "pids", from.pids);
  return resources;
}

model::Resources resources_of(const Fields& fields) {
  model::Resources made;
  if (const json::object* object = fields.object("resources")) {
    const Fields resources(*object, fields.problem());
    made.cpus = resources.number("cpus");
    made.memory_bytes = resources.optional_count("memory");
    made.disk_bytes = resources.optional_count("disk");
    made.pids = resources.optional_count("pids");
  }
  return made;
}

json::object to_json_object(const model::JobSpec& job) {
  json::object object{{"run", job.run.value},           {"job", job.job},
                      {"definition", job.definition},   {"workflow", job.workflow},
                      {"attempt", job.attempt.value},   {"attempt_number", job.attempt_number},
                      {"grace", job.grace.count()},     {"event_json", job.event_json},
                      {"log_head", job.log_head_bytes}, {"log_tail", job.log_tail_bytes}};
  put_needs(object, job);
  object["env"] = variables_to_json(job.env);
  object["secrets"] = secrets_to_json(job.secrets);
  object["steps"] = list_to_json(job.steps, step_to_json);
  put(object, "timeout", job.timeout);
  put(object, "no_output_timeout", job.no_output_timeout);
  object["cache"] = list_to_json(job.cache, [](const model::CacheSpec& cache) {
    return json::object{
        {"key", cache.key}, {"restore", to_json_array(cache.restore)}, {"paths", to_json_array(cache.paths)}};
  });
  object["artifacts"] = list_to_json(job.artifacts, artifact_to_json);
  if (!job.tests.empty()) object["tests"] = to_json_array(job.tests);
  if (job.restore_workspace) object["restore_workspace"] = true;
  object["uses_artifacts"] = list_to_json(job.uses_artifacts, [](const model::ArtifactUse& use) {
    return json::object{{"name", use.name}, {"job", use.job}};
  });
  if (!job.services.empty()) object["services"] = list_to_json(job.services, service_to_json);
  object["outputs"] = to_json_array(job.outputs);
  object["may_write_trusted_cache"] = job.may_write_trusted_cache;
  object["stdout_triggers"] = job.stdout_triggers;
  return object;
}

model::JobSpec read_job_spec(const Fields& fields) {
  model::JobSpec job;
  job.run = RunId(fields.text("run"));
  job.job = fields.text("job");
  job.definition = fields.text("definition");
  job.workflow = fields.text("workflow");
  job.attempt = AttemptId(fields.text("attempt"));
  job.attempt_number = static_cast<int>(fields.integer("attempt_number", 1));
  read_needs(fields, job);
  job.env = variables_of(fields, "env");
  job.secrets = secrets_of(fields);
  job.steps = list_of<model::StepSpec>(fields, "steps", step_of);
  job.timeout = fields.optional_duration("timeout");
  job.no_output_timeout = fields.optional_duration("no_output_timeout");
  job.grace = fields.duration("grace", job.grace);
  job.cache = list_of<model::CacheSpec>(fields, "cache", [](const Fields& cache) {
    return model::CacheSpec{cache.text("key"), cache.texts("restore"), cache.texts("paths")};
  });
  job.artifacts = list_of<model::ArtifactSpec>(fields, "artifacts", [](const Fields& artifact) {
    return model::ArtifactSpec{artifact.text("name"), artifact.texts("paths"),
                               value_of(kWhens, artifact, "when", model::ArtifactDefinition::When::success),
                               artifact.optional_duration("expires")};
  });
  job.tests = fields.texts("tests");
  job.restore_workspace = fields.flag("restore_workspace");
  job.uses_artifacts = list_of<model::ArtifactUse>(fields, "uses_artifacts", [](const Fields& use) {
    return model::ArtifactUse{use.text("name"), use.text("job")};
  });
  job.services = list_of<model::ServiceSpec>(fields, "services", service_of);
  job.outputs = fields.texts("outputs");
  job.event_json = fields.text("event_json");
  job.may_write_trusted_cache = fields.flag("may_write_trusted_cache");
  job.stdout_triggers = fields.flag("stdout_triggers");
  job.log_head_bytes = fields.count("log_head", job.log_head_bytes);
  job.log_tail_bytes = fields.count("log_tail", job.log_tail_bytes);
  check_steps(fields, job);
  return job;
}

std::string to_json(const model::JobSpec& job) { return json::serialize(to_json_object(job)); }

Result<model::JobSpec> job_spec_from_json(std::string_view text) {
  SW_TRY(const json::object object, parse_object(text, "job"));
  std::string problem;
  return checked(read_job_spec(Fields(object, &problem)), problem, "job");
}

}  // namespace slipway::wire
