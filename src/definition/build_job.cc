#include "definition/build_job.h"

#include <array>

#include <fmt/format.h>

#include "base/text.h"
#include "definition/limits.h"
#include "definition/validate.h"
#include "model/units.h"

namespace slipway::definition {

namespace {

// A job does one of these: who says another one above replaces it.
constexpr std::array<std::string_view, 3> kActions = {"steps", "run", "command"};

bool is_action(std::string_view key) { return std::ranges::find(kActions, key) != kActions.end(); }

constexpr std::string_view kWorkspace = "/job";

// Is `target` a word of the command that `text` begins with?
bool names(std::string_view text, std::string_view target) {
  for (std::string_view word : split(text.substr(0, text.find_first_of(";&|)#\n")), ' ')) {
    while (!word.empty() && (word.front() == '"' || word.front() == '\'')) word.remove_prefix(1);
    while (!word.empty() && (word.back() == '"' || word.back() == '\'' || word.back() == '/')) word.remove_suffix(1);
    if (word == target) return true;
  }
  return false;
}

bool clones_by_itself(const model::JobDefinition& job) {
  const std::string source = (job.workspace.empty() ? std::string(kWorkspace) : job.workspace) + "/src";
  for (const model::StepDefinition& step : job.steps) {
    const auto* script = std::get_if<model::Script>(&step.action);
    if (script == nullptr) continue;
    for (const std::string_view line : split(script->text, '\n')) {
      for (std::size_t at = line.find("git clone"); at != line.npos; at = line.find("git clone", at + 1)) {
        if (names(line.substr(at), source)) return true;
      }
    }
  }
  return false;
}

}  // namespace

bool JobBuilder::is_late(model::JobDefinition& job, Node& node, const std::string& where) {
  if (!has_expression(node)) return false;
  if (auto late = values_.template_of(&node)) job.late.emplace(where, std::move(*late));
  return true;
}

template <class T, class F>
void JobBuilder::late_or(model::JobDefinition& job, Node* node, const std::string& where, std::optional<T>& member,
                         const F& read) {
  if (node == nullptr || is_late(job, *node, where)) return;
  if (const auto value = read(node->text)) member = static_cast<T>(*value);
}

std::optional<model::Retry> JobBuilder::retry_of(model::JobDefinition& job, Node* node, const std::string& where,
                                                 model::Retry standard) {
  if (node == nullptr) return std::nullopt;
  const Fields fields(*find_key(kJobContext, "retry")->shape->context, node);
  if (Node* attempts = fields.get("attempts")) is_late(job, *attempts, where);
  return values_.retry_of(node, std::move(standard));
}

Node* JobBuilder::merged(Node& upper, Node& lower) {
  Node& made = document_.nodes.emplace_back(upper);
  made.entries.clear();
  for (const Node::Entry& low : lower.entries) {
    const auto over =
        std::ranges::find_if(upper.entries, [&](const Node::Entry& e) { return e.key->text == low.key->text; });
    made.entries.push_back(over == upper.entries.end() ? low : *over);
  }
  for (const Node::Entry& high : upper.entries) {
    const bool there =
        std::ranges::any_of(lower.entries, [&](const Node::Entry& e) { return e.key->text == high.key->text; });
    if (!there) made.entries.push_back(high);
  }
  return &made;
}

void JobBuilder::merge(const Layer& layer) {
  const bool acts_above = std::ranges::any_of(kActions, [&](std::string_view key) { return entries_.contains(key); });
  for (const Node::Entry& entry : layer.mapping->entries) {
    const Key* key = find_key(*layer.context, entry.key->text);
    if (key == nullptr || entry.value->bad || entry.key->bad) continue;
    if (acts_above && is_action(key->name)) continue;
    if (key->name == "params") continue;  // of the template, not of the job
    const auto [known, is_new] =
        entries_.try_emplace(std::string(key->name), Entry{entry.key, entry.value, layer.origin});
    if (is_new || known->second.value->kind != Node::Kind::mapping || entry.value->kind != Node::Kind::mapping)
      continue;
    merged_entries_ += known->second.value->entries.size() + entry.value->entries.size();
    if (merged_entries_ > kMaxNodes) {
      source_.report(*known->second.value, "E007",
                     "with `defaults` and templates written out, the file has too many values",
                     fmt::format("at most {}", kMaxNodes));
      continue;
    }
    known->second.value = merged(*known->second.value, *entry.value);
  }
}

Node* JobBuilder::get(std::string_view key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : found->second.value;
}

model::JobDefinition JobBuilder::build(Node& node, const std::string& name, const std::vector<Layer>& layers,
                                       bool code_may_run) {
  entries_.clear();
  for (const Layer& layer : layers) merge(layer);
  model::JobDefinition job;
  job.name = name;
  job.place = values_.place(node);
  for (const auto& [key, entry] : entries_) job.places.emplace(key, values_.place(*entry.key));
  // `depends_on/NAME`: each job in it, so that a wrong one is shown itself.
  if (const Node* wanted = get("depends_on"); wanted != nullptr) {
    for (const Node* item : wanted->items) job.places.emplace("depends_on/" + item->text, values_.place(*item));
    if (wanted->kind == Node::Kind::scalar) job.places.emplace("depends_on/" + wanted->text, values_.place(*wanted));
  }
  read_what_it_is(job);
  read_where_it_runs(job);
  read_limits(job);
  read_code_and_results(job);
  read_steps(job, node, code_may_run);
  if (get("checkout") == nullptr && clones_by_itself(job)) {
    job.checkout.none = true;
    job.origins.emplace("checkout", fmt::format("a step clones into {}/src",
                                                job.workspace.empty() ? std::string(kWorkspace) : job.workspace));
  }
  note_origins(job);
  return job;
}

void JobBuilder::read_what_it_is(model::JobDefinition& job) {
  job.description = text_of(get("description"));
  job.depends_on = texts_of(get("depends_on"));
  job.condition = values_.expression_of(get("condition"));
  job.environment = values_.template_of(get("environment"));
  job.concurrency = values_.concurrency_of(get("concurrency"));
  job.priority = integer_of(get("priority"));
  job.labels = values_.templates_of(get("labels"));
  job.matrix = values_.matrix_of(get("matrix"));
  job.for_each = values_.for_each_of(get("for_each"));
  if (job.matrix && job.for_each) {
    source_.report(*get("for_each"), "E019", fmt::format("job `{}` has both `matrix` and `for_each`", job.name),
                   "make the list an axis of the matrix");
  }
}

void JobBuilder::read_where_it_runs(model::JobDefinition& job) {
  job.image = values_.template_of(get("image"));
  if (Node* network = get("network")) {
    job.network = network->text == "none"   ? model::Network::none
                  : network->text == "host" ? model::Network::host
                                            : model::Network::nat;
  }
  if (Node* resources = get("resources")) {
    const Fields fields(*find_key(kJobContext, "resources")->shape->context, resources);
    late_or(job, fields.get("cpu"), "resources.cpu", job.resources.cpus, model::parse_cpu);
    late_or(job, fields.get("memory"), "resources.memory", job.resources.memory_bytes, model::parse_size);
    late_or(job, fields.get("disk"), "resources.disk", job.resources.disk_bytes, model::parse_size);
    late_or(job, fields.get("pids"), "resources.pids", job.resources.pids,
            [](std::string_view text) { return model::parse_integer(text, 8, 4'194'304); });
  }
  job.services = values_.services_of(get("services"));
  if (!job.services.empty() && job.network == model::Network::host) {
    source_.report(*get("network"), "E019", "a job on the network of the host cannot have services",
                   "`nat` or `none`: services are on a network of the job's own");
  }
  job.devices = texts_of(get("devices"));
  job.run_as = values_.run_as_of(get("run_as"), false);
  if (Node* workspace = get("workspace")) {
    job.workspace = workspace->text;
    const bool good = job.workspace.size() > 1 && job.workspace[0] == '/' &&
                      job.workspace.find("..") == std::string::npos && !job.workspace.ends_with('/') &&
                      job.workspace.find("//") == std::string::npos;
    static constexpr std::string_view kSystem[] = {"/bin",  "/boot", "/dev",  "/etc", "/lib", "/lib32", "/lib64",
                                                   "/proc", "/run",  "/sbin", "/sys", "/tmp", "/usr",   "/var/run"};
    const bool of_system = std::ranges::any_of(kSystem, [&](std::string_view taken) {
      return job.workspace == taken || (job.workspace.starts_with(taken) && job.workspace[taken.size()] == '/');
    });
    if (good && of_system)
      source_.report(*workspace, "E061",
                     fmt::format("the workspace cannot be `{}`: the system lies there", job.workspace),
                     "a place of its own, as /workspace");
    if (!good)
      source_.report(*workspace, "E061", fmt::format("the workspace cannot be `{}`", job.workspace),
                     "an absolute path, as /workspace");
  }
  values_.set_workspace(job.workspace.empty() ? std::string(kWorkspace) : job.workspace);
  job.read_only_root = boolean_of(get("read_only_root"), false);
  job.nested = boolean_of(get("nested"), false);
  job.kubernetes = values_.opaque_of(get("kubernetes"));
}

void JobBuilder::read_limits(model::JobDefinition& job) {
  late_or(job, get("timeout"), "timeout", job.timeout, model::parse_duration);
  late_or(job, get("no_output_timeout"), "no_output_timeout", job.no_output_timeout, model::parse_duration);
  job.retry = retry_of(job, get("retry"), "retry.attempts", model::Retry());
  std::optional<bool> allowed;
  late_or(job, get("continue_on_error"), "continue_on_error", allowed, model::parse_boolean);
  job.continue_on_error = allowed.value_or(false);
}

void JobBuilder::read_code_and_results(model::JobDefinition& job) {
  job.shell = values_.shell_of(get("shell"));
  job.working_dir = values_.template_of(get("working_dir"));
  job.env = values_.env_of(get("env"));
  job.presets = texts_of(get("presets"));
  job.secrets = values_.secrets_of(get("secrets"));
  job.hooks = values_.hooks_of(get("hooks"));
  job.checkout = values_.checkout_of(get("checkout")).value_or(model::Checkout());
  job.ci_code = values_.code_of(get("ci_code"), "ci_code");
  job.source_code = values_.code_of(get("source_code"), "source_code");
  job.cache = values_.cache_of(get("cache"));
  job.artifacts = values_.artifacts_of(get("artifacts"));
  job.tests = values_.templates_of(get("tests"));
  job.uses_artifacts = values_.templates_of(get("uses_artifacts"));
  job.outputs = texts_of(get("outputs"));
}

void JobBuilder::read_single_step(model::JobDefinition& job, std::string_view key) {
  Node& action = *get(key);
  model::StepDefinition step;
  step.name = "run";
  step.place = values_.place(action);
  if (action.kind == Node::Kind::sequence)
    step.action = model::Argv{texts_of(&action)};
  else
    step.action = model::Script{action.text};
  if (action.text.empty() && action.kind == Node::Kind::scalar) {
    source_.report_at(values_.place(*entries_.find(key)->second.key), "E036",
                      fmt::format("`{}` of job `{}` is empty", key, job.name));
  }
  job.steps.push_back(std::move(step));
}

void JobBuilder::read_steps(model::JobDefinition& job, Node& node, bool code_may_run) {
  std::vector<std::string_view> given;
  for (const std::string_view key : kActions) {
    if (entries_.contains(key)) given.push_back(key);
  }
  if (given.size() > 1) {
    source_.report(*entries_.find(given[1])->second.key, "E019",
                   fmt::format("job `{}` has both `{}` and `{}`", job.name, given[0], given[1]), "keep one");
  }
  if (Node* steps = get("steps")) {
    const std::vector<Node*> items = items_of(steps);
    for (Node* item : items) job.steps.push_back(step_of(*item, job.steps.size(), job));
    return;
  }
  if (!given.empty()) return read_single_step(job, given[0]);
  // What is there but bad was reported: one error a fault is enough.
  const bool bad_one =
      std::ranges::any_of(node.entries, [](const Node::Entry& e) { return e.value->bad || e.key->bad; });
  if (bad_one || node.bad) return;
  const auto image = entries_.find("image");
  const bool own_image = image != entries_.end() && !image->second.origin.starts_with("defaults");
  const bool runs_nothing = own_image && job.image && job.image->is_literal() &&
                            (job.image->literal() == "host" || job.image->literal().starts_with('/'));
  if (own_image && !runs_nothing) {
    job.image_entrypoint = true;
    return;
  }
  const bool entry_point = (job.ci_code && !job.ci_code->path.empty()) || code_may_run;
  if (entry_point) return;
  source_.report_at(job.place, "E036", fmt::format("job `{}` has nothing to do", job.name),
                    "add `steps`, `run` or `command`, or name the image whose own entrypoint is to run");
}

model::StepDefinition JobBuilder::step_of(Node& node, std::size_t index, model::JobDefinition& job) {
  model::StepDefinition step;
  step.place = values_.place(node);
  step.name = fmt::format("step {}", index + 1);
  if (node.kind == Node::Kind::scalar) {
    step.action = model::Script{node.text};
    return step;
  }
  const Fields fields(kStepContext, &node);
  if (Node* name = fields.get("name")) step.name = name->text;
  Node* run = fields.get("run");
  Node* command = fields.get("command");
  const bool some_bad =
      std::ranges::any_of(node.entries, [](const Node::Entry& e) { return e.value->bad || e.key->bad; });
  if (run != nullptr && command != nullptr) {
    source_.report(node, "E019", fmt::format("step `{}` has both `run` and `command`", step.name), "keep one");
  } else if (run == nullptr && command == nullptr && !some_bad) {
    source_.report(node, "E036", fmt::format("step `{}` has nothing to do", step.name), "add `run` or `command`");
  }
  if (run != nullptr && trim(run->text).empty())
    source_.report(*run, "E036", fmt::format("`run` of step `{}` is empty", step.name));
  if (command != nullptr)
    step.action = model::Argv{texts_of(command)};
  else
    step.action = model::Script{text_of(run)};
  step.shell = values_.shell_of(fields.get("shell"));
  step.working_dir = values_.template_of(fields.get("working_dir"));
  step.env = values_.env_of(fields.get("env"));
  step.secrets = values_.secrets_of(fields.get("secrets"));
  step.run_as = values_.run_as_of(fields.get("run_as"), true);
  const std::string where = fmt::format("steps.{}.", index);
  late_or(job, fields.get("timeout"), where + "timeout", step.timeout, model::parse_duration);
  late_or(job, fields.get("no_output_timeout"), where + "no_output_timeout", step.no_output_timeout,
          model::parse_duration);
  std::optional<bool> allowed;
  late_or(job, fields.get("continue_on_error"), where + "continue_on_error", allowed, model::parse_boolean);
  step.continue_on_error = allowed.value_or(false);
  step.parallel = boolean_of(fields.get("parallel"), false);
  if (Node* depends_on = fields.get("depends_on")) step.depends_on = texts_of(depends_on);
  step.condition = values_.expression_of(fields.get("condition"));
  using model::Outcome;
  step.retry = retry_of(job, fields.get("retry"), where + "retry.attempts",
                        {.attempts = 2, .on = {Outcome::failed, Outcome::timed_out, Outcome::out_of_memory}});
  step.uses_artifacts = values_.templates_of(fields.get("uses_artifacts"));
  step.end_children = text_of(fields.get("end_children")) == "step";
  return step;
}

void JobBuilder::note_origins(model::JobDefinition& job) const {
  for (const auto& [key, entry] : entries_) {
    if (!entry.origin.empty()) job.origins.emplace(key, entry.origin);
  }
  constexpr std::array<std::string_view, 8> kBuiltIn = {"network", "shell",       "run_as",   "timeout",
                                                        "retry",   "working_dir", "checkout", "condition"};
  for (const std::string_view key : kBuiltIn) {
    if (!entries_.contains(key)) job.origins.emplace(std::string(key), "built in");
  }
}

}  // namespace slipway::definition
