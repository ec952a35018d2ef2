#include <algorithm>

#include <fmt/format.h>

#include "model/instances.h"
#include "model/steering.h"
#include "model/trust.h"

namespace slipway::model {

// `workspace-test-gcc-17` of `test (gcc, 17)`: to be typed in a shell.
std::string kept_workspace_name(const std::string& job) {
  constexpr std::size_t kMost = 100;  // of an artifact's name, which may have 128
  std::string name = "workspace";
  bool gap = true;
  for (const char c : job.substr(0, kMost)) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
    if (plain) name += gap ? std::string("-") + c : std::string(1, c);
    gap = !plain;
  }
  return name;
}

namespace {

constexpr Duration kDefaultTimeout = std::chrono::hours(1);

/// Sets a variable where it stands, or appends it.
void set(Variables& variables, const std::string& name, const std::string& value) {
  const auto at = std::find_if(variables.begin(), variables.end(), [&](const auto& v) { return v.first == name; });
  if (at == variables.end())
    variables.emplace_back(name, value);
  else
    at->second = value;
}

/// The job's environment: its names in order, its values as `scope` already has them.
Variables environment(const Run& run, const Job& job, const JobDefinition& definition, const Scope& scope) {
  Variables variables;
  const auto take = [&](const std::string& name) {
    set(variables, name, std::get<std::string>(scope.values.at("env." + name).data));
  };
  for (const auto& [name, text] : run.workflow->env) take(name);
  for (const std::string& preset : definition.presets) {
    for (const auto& [name, text] : run.workflow->presets.at(preset)) take(name);
  }
  if (job.item && definition.for_each) take(definition.for_each->as);
  for (const auto& [name, text] : definition.env) take(name);
  for (const auto& [name, text] : run.options.env) take(name);
  return variables;
}

Result<std::string> expanded(const Template& text, const Scope& scope, std::string_view what) {
  auto value = expand(text, scope);
  if (!value) return wrap(std::move(value).error(), what);
  return value;
}

Result<std::vector<std::string>> expanded(const std::vector<Template>& texts, const Scope& scope,
                                          std::string_view what) {
  std::vector<std::string> values;
  values.reserve(texts.size());
  for (const Template& text : texts) {
    SW_TRY(values.emplace_back(), expanded(text, scope, what));
  }
  return values;
}

std::string in_workspace(const std::string& workspace, const std::string& directory) {
  if (directory.starts_with('/')) return directory;
  return directory.empty() || directory == "." ? workspace + "/src" : workspace + "/src/" + directory;
}

/// `bash` and `sh` alone stand for the careful way to call them.
std::vector<std::string> shell_of(const std::vector<std::string>& step, const std::vector<std::string>& job) {
  std::vector<std::string> shell = step.empty() ? job : step;
  if (shell.empty()) shell = {"sh"};
  if (shell.size() == 1 && shell.front() == "sh") return {"sh", "-e"};
  if (shell.size() == 1 && shell.front() == "bash") return {"bash", "-euo", "pipefail"};
  return shell;
}

std::string step_name(const StepDefinition& step, std::size_t index) {
  return step.name.empty() ? fmt::format("step {}", index + 1) : step.name;
}

Result<std::vector<std::size_t>> step_indexes(const JobDefinition& definition, const StepDefinition& step) {
  std::vector<std::size_t> indexes;
  for (const std::string& name : *step.depends_on) {
    const auto at = std::find_if(definition.steps.begin(), definition.steps.end(),
                                 [&](const StepDefinition& other) { return other.name == name; });
    if (at == definition.steps.end())
      return fail(ErrorKind::invalid, fmt::format("there is no step `{}` to depend on", name));
    indexes.push_back(static_cast<std::size_t>(at - definition.steps.begin()));
  }
  return indexes;
}

Result<StepSpec> resolve_step(const JobDefinition& definition, std::size_t index, const JobSpec& job, Scope scope) {
  const StepDefinition& step = definition.steps[index];
  StepSpec spec;
  spec.name = step_name(step, index);
  spec.action = step.action;
  if (std::holds_alternative<Script>(step.action)) spec.shell = shell_of(step.shell, definition.shell);
  for (const auto& [name, text] : step.env) {
    SW_TRY(const std::string value, expanded(text, scope, "env " + name));
    set(spec.env, name, value);
    scope.values.insert_or_assign("env." + name, Value{value});
  }
  const std::optional<Template>& directory = step.working_dir ? step.working_dir : definition.working_dir;
  spec.working_dir = in_workspace(job.workspace, "");
  if (directory) {
    SW_TRY(const std::string value, expanded(*directory, scope, "working_dir"));
    spec.working_dir = in_workspace(job.workspace, value);
  }
  spec.secrets = step.secrets;
  spec.run_as = step.run_as.value_or(job.run_as);
  spec.timeout = step.timeout;
  spec.no_output_timeout = step.no_output_timeout;
  spec.parallel = step.parallel;
  if (step.depends_on) {
    SW_TRY(spec.depends_on, step_indexes(definition, step));
  }
  if (step.condition) spec.condition = simplify(step.condition, scope);
  spec.continue_on_error = step.continue_on_error;
  if (step.retry) spec.retry = *step.retry;
  spec.end_children = step.end_children;
  return spec;
}

/// One that runs what the image says, once the image is there.
Result<StepSpec> entrypoint_step(const JobDefinition& definition, const JobSpec& job, const Scope& scope) {
  StepSpec spec;
  spec.name = "entrypoint";
  spec.action = Argv{};
  spec.run_as = job.run_as;
  if (definition.working_dir) {
    SW_TRY(const std::string value, expanded(*definition.working_dir, scope, "working_dir"));
    spec.working_dir = in_workspace(job.workspace, value);
  }
  return spec;
}

/// One that runs the file that `ci_code.path` names, once it is there.
Result<StepSpec> code_step(const JobDefinition& definition, const JobSpec& job, const Scope& scope) {
  SW_TRY(StepSpec spec, entrypoint_step(definition, job, scope));
  spec.name = "run";
  if (spec.working_dir.empty()) spec.working_dir = in_workspace(job.workspace, "");
  return spec;
}

/// Programs of job code around the steps, by priority: behind the job's own in the list, wherever they run. `spec` has
/// its trust.
void add_hooks(const JobDefinition& definition, JobSpec& spec) {
  std::vector<const Hook*> hooks;
  for (const Hook& hook : definition.hooks) hooks.push_back(&hook);
  std::ranges::stable_sort(hooks, [](const Hook* a, const Hook* b) {
    return a->phase != b->phase ? a->phase < b->phase : a->priority < b->priority;
  });
  int number = 0;
  const Hook* before = nullptr;
  for (const Hook* hook : hooks) {
    number = before != nullptr && before->phase == hook->phase ? number + 1 : 1;
    before = hook;
    StepSpec& step = spec.steps.emplace_back();
    step.name = fmt::format("hook {}{}", to_string(hook->phase), number > 1 ? fmt::format(" {}", number) : "");
    step.phase = hook->phase;
    step.action = Script{hook->run};
    step.shell = shell_of({}, definition.shell);
    // Where there is no job code, there is nothing of the source's to be run by mistake either.
    step.working_dir = job_code_directory(spec).value_or(spec.workspace);
    step.run_as = spec.run_as;
    step.timeout = hook->timeout.value_or(kHookTimeout);
  }
}

/// The job's own location, else the workflow's.
Result<std::optional<CodeSpec>> code_of(const Run& run, const std::optional<CodeLocation>& own,
                                        const std::optional<CodeLocation>& all, const Scope& scope,
                                        std::string_view what) {
  const std::optional<CodeLocation>& location = own ? own : all;
  if (!location) return std::optional<CodeSpec>();
  CodeSpec spec{location->url, {}, location->path, {}};
  SW_TRY(spec.ref, expanded(location->ref, scope, fmt::format("ref of {}", what)));
  const auto pin = std::ranges::find_if(
      run.options.code, [&](const CodePin& known) { return known.url == spec.url && known.ref == spec.ref; });
  if (pin != run.options.code.end()) spec.revision = pin->revision;
  return std::optional(std::move(spec));
}

/// A job that goes on where an earlier run of it was.
Result<void> begin_late(const Kept& kept, JobSpec& spec) {
  const auto at = kept.begin_at.find(spec.job);
  if (at == kept.begin_at.end()) return {};
  if (spec.separated) {  // nobody but the source writes to its checkout
    if (at->second.empty()) return {};
    return fail(ErrorKind::invalid,
                fmt::format("the source of job {} is kept apart from job code, and no workspace can be put back there: "
                            "run the whole job again, without --from {}",
                            spec.job, at->second));
  }
  spec.restore_workspace = true;
  const auto first = std::ranges::find(spec.steps, at->second, &StepSpec::name);
  if (first == spec.steps.end()) return {};
  for (auto step = spec.steps.begin(); step != first; ++step) {
    step->done_before = step->phase == Phase::steps;  // hooks are around this sandbox too
  }
  return {};
}

/// The one job that is sure to make the artifact; empty: any job of the run.
std::string maker_of(const Run& run, const Group& group, const std::string& artifact) {
  std::string maker;
  for (const GroupIndex index : group.depends_on) {
    const Group& dependency = run.groups[index];
    const auto& made = dependency.definition->artifacts;
    const bool makes = std::any_of(made.begin(), made.end(), [&](const ArtifactDefinition& definition) {
      return definition.name.is_literal() && definition.name.literal() == artifact;
    });
    if (!makes) continue;
    if (!maker.empty() || dependency.jobs.size() != 1) return {};
    maker = run.jobs[dependency.jobs.front()].name;
  }
  return maker;
}

Result<void> resolve_passed_on(const Run& run, const Group& group, const Scope& scope, JobSpec& spec) {
  const JobDefinition& definition = *group.definition;
  for (const CacheDefinition& cache : definition.cache) {
    CacheSpec& made = spec.cache.emplace_back();
    SW_TRY(made.key, expanded(cache.key, scope, "cache key"));
    SW_TRY(made.restore, expanded(cache.restore, scope, "cache restore"));
    SW_TRY(made.paths, expanded(cache.paths, scope, "cache paths"));
  }
  for (const ArtifactDefinition& artifact : definition.artifacts) {
    ArtifactSpec& made = spec.artifacts.emplace_back();
    SW_TRY(made.name, expanded(artifact.name, scope, "artifact name"));
    SW_TRY(made.paths, expanded(artifact.paths, scope, "artifact paths"));
    made.when = artifact.when;
    made.expires = artifact.expires;
  }
  SW_TRY(spec.tests, expanded(definition.tests, scope, "tests"));
  if (run.options.keep_workspaces) {
    spec.artifacts.push_back({kept_workspace_name(spec.job), {"**"}, ArtifactDefinition::When::always, {}});
  }
  const auto use = [&](const std::vector<Template>& texts) -> Result<void> {
    SW_TRY(const auto names, expanded(texts, scope, "uses_artifacts"));
    for (const std::string& name : names) {
      const bool known = std::any_of(spec.uses_artifacts.begin(), spec.uses_artifacts.end(),
                                     [&](const ArtifactUse& used) { return used.name == name; });
      if (!known) spec.uses_artifacts.push_back({name, maker_of(run, group, name)});
    }
    return {};
  };
  SW_CHECK(use(definition.uses_artifacts));
  for (const StepDefinition& step : definition.steps) SW_CHECK(use(step.uses_artifacts));
  spec.outputs = definition.outputs;
  return {};
}

Result<std::vector<ServiceSpec>> resolve_services(const JobDefinition& definition, const Scope& scope) {
  std::vector<ServiceSpec> services;
  for (const Service& service : definition.services) {
    ServiceSpec& made = services.emplace_back();
    made.name = service.name;
    SW_TRY(made.image, expanded(service.image, scope, fmt::format("image of service `{}`", service.name)));
    if (auto path = check_image_path(made.image); !path) {
      return wrap(std::move(path).error(), fmt::format("image of service `{}`", service.name));
    }
    for (const auto& [name, text] : service.env) {
      SW_TRY(const std::string value, expanded(text, scope, fmt::format("env {} of service `{}`", name, service.name)));
      set(made.env, name, value);
    }
    made.command = service.command;
    made.ready = service.ready;
  }
  return services;
}

/// The answer that holds whatever jobs will do; no value: it depends on them.
std::optional<bool> known_answer(const ExpressionPtr& simple, const Scope& scope, Trace& trace) {
  if (const auto* both = std::get_if<Binary>(&simple->node);
      both != nullptr && both->op == BinaryOperator::logical_and) {
    const auto left = known_answer(both->left, scope, trace);
    if (left == false) return false;
    const auto right = known_answer(both->right, scope, trace);
    if (right == false) return false;
    return left && right ? left : std::nullopt;
  }
  if (calls_status_function(*simple) || !names_in(*simple).empty()) return std::nullopt;
  const auto answer = holds(*simple, scope, trace);
  return answer ? std::optional<bool>(*answer) : std::nullopt;
}

Result<std::string> image_of(const Run& run, const JobDefinition& definition, const Scope& scope) {
  if (!run.options.image.empty()) return run.options.image;
  if (!definition.image) return run.options.default_image;
  SW_TRY(std::string image, expanded(*definition.image, scope, "image"));
  if (auto path = check_image_path(image); !path) return wrap(std::move(path).error(), "image");
  return image;
}

Resources with_defaults(Resources own, const Resources& defaults) {
  if (!own.cpus) own.cpus = defaults.cpus;
  if (!own.memory_bytes) own.memory_bytes = defaults.memory_bytes;
  if (!own.disk_bytes) own.disk_bytes = defaults.disk_bytes;
  if (!own.pids) own.pids = defaults.pids;
  return own;
}

}  // namespace

Result<JobSpec> resolve(const Run& run, JobIndex index, const AttemptId& attempt, int number, Purpose purpose) {
  const Job& job = run.jobs[index];
  const Group& group = run.groups[job.group];
  SW_TRY(Scope scope, scope_of(run, index, purpose));
  scope.values["run.attempt"] = Value{static_cast<double>(number)};
  SW_TRY(const auto settled_one, settled(run, job, scope));
  const JobDefinition& definition = *settled_one;

  JobSpec spec;
  spec.run = run.id;
  spec.job = job.name;
  spec.definition = definition.name;
  spec.workflow = run.workflow->name;
  spec.attempt = attempt;
  spec.attempt_number = number;
  SW_TRY(spec.image, image_of(run, definition, scope));
  spec.image_of_text = definition.image && run.options.image.empty();
  spec.network = definition.network.value_or(Network::nat);
  spec.resources = with_defaults(definition.resources, run.options.default_resources);
  spec.run_as = definition.run_as.value_or(RunAs{});
  if (!definition.workspace.empty()) spec.workspace = definition.workspace;
  spec.read_only_root = definition.read_only_root;
  spec.nested = definition.nested;
  spec.devices = definition.devices;
  spec.image_entrypoint = definition.image_entrypoint;
  spec.image_user = definition.image_entrypoint && !definition.run_as;
  spec.checkout = definition.checkout;
  SW_TRY(spec.ci_code, code_of(run, definition.ci_code, run.workflow->ci_code, scope, "ci_code"));
  SW_TRY(spec.source_code, code_of(run, definition.source_code, run.workflow->source_code, scope, "source_code"));
  spec.env = environment(run, job, definition, scope);
  spec.secrets = definition.secrets;
  spec.timeout = definition.timeout.value_or(kDefaultTimeout);
  spec.no_output_timeout = definition.no_output_timeout;
  spec.event_json = run.event.json;
  spec.may_write_trusted_cache = run.options.may_write_trusted_cache;
  spec.stdout_triggers = run.options.stdout_triggers;
  spec.log_head_bytes = run.options.log_head_bytes;
  spec.log_tail_bytes = run.options.log_tail_bytes;
  SW_CHECK(resolve_passed_on(run, group, scope, spec));
  SW_TRY(spec.services, resolve_services(definition, scope));
  if (spec.image_entrypoint) {
    SW_TRY(spec.steps.emplace_back(), entrypoint_step(definition, spec, scope));
  } else if (definition.steps.empty()) {
    spec.code_entrypoint = true;
    SW_TRY(spec.steps.emplace_back(), code_step(definition, spec, scope));
  }
  spec.steps.reserve(definition.steps.size());
  for (std::size_t i = 0; i < definition.steps.size(); ++i) {
    auto step = resolve_step(definition, i, spec, scope);
    if (!step) return wrap(std::move(step).error(), fmt::format("step `{}`", step_name(definition.steps[i], i)));
    spec.steps.push_back(std::move(*step));
  }
  take_trust(run, definition, spec);
  add_hooks(definition, spec);
  SW_CHECK(check_steering(run, group, definition, spec));
  if (run.options.kept) SW_CHECK(begin_late(*run.options.kept, spec));
  return spec;
}

Result<std::optional<RunConcurrency>> concurrency_of(const Run& run) {
  if (!run.workflow->concurrency) return std::nullopt;
  SW_TRY(const Scope scope, scope_of(run));
  SW_TRY(std::string group, expanded(run.workflow->concurrency->group, scope, "concurrency group"));
  return RunConcurrency{std::move(group), run.workflow->concurrency->policy};
}

std::string group_owner(const Run& run) {
  if (weaker(run.options.source_trust, run.options.checkout_trust) == Trust::trusted) return {};
  return fmt::format("pull request {}", run.event.pull_request ? run.event.pull_request->number : 0);
}

std::optional<bool> foreseen(const Run& run, JobIndex job, Trace& trace) {
  const auto& definition = *run.groups[run.jobs[job].group].definition;
  if (!definition.condition) return std::nullopt;
  auto scope = scope_of(run, job, Purpose::preview);
  if (!scope) return std::nullopt;
  for (const auto& [name, text] : definition.env) {
    if (asks_open_outputs(text, *scope)) scope->values.erase("env." + name);
  }
  return known_answer(simplify(definition.condition, *scope), *scope, trace);
}

}  // namespace slipway::model
