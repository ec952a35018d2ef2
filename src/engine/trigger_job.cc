#include "engine/trigger_job.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <span>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "base/json.h"
#include "base/paths.h"
#include "base/text.h"
#include "model/plan.h"
#include "model/units.h"

namespace slipway::engine {

namespace {

namespace json = boost::json;
using model::JobDefinition;

constexpr int kMaxTimeoutSeconds = 7 * 24 * 3600;
constexpr std::int64_t kMostPriority = 100;
constexpr std::size_t kMostVariables = 1'000, kMostItems = 1'000;
constexpr std::string_view kVarsJson = "RC_WF_VARS_JSON";

/// A key and what may stand behind it: `kind_of` of its value (empty: said elsewhere), or `null`.
struct Key {
  std::string_view name, kind = "a text", of_what = {};
};
constexpr Key kJobKeys[] = {{"job_name"},
                            {"name"},
                            {"job_file"},
                            {"job_command"},
                            {"run"},
                            {"condition"},
                            {"source_type"},
                            {"source_url"},
                            {"source_ref"},
                            {"ci_source_type"},
                            {"ci_source_url"},
                            {"ci_source_ref"},
                            {"image"},
                            {"container_image"},
                            {"code_dir"},
                            {"job_dir"},
                            {"working_dir"},
                            {"run_as_user"},
                            {"item_var"},
                            {"worker_class"},
                            {"priority", "a number"},
                            {"timeout", "a number", " of seconds"},
                            {"depends_on", "a list"},
                            {"capabilities", "a list"},
                            {"for_each", "a list"},
                            {"with", "an object"},
                            {"env", "an object"},
                            {"characteristics", "an object"},
                            {"resources", "an object"}};
constexpr Key kEnvelopeKeys[] = {
    {"type"}, {"operation_id"}, {"trigger_type"}, {"jobs", "a list"}, {"workflow", "an object"}};
constexpr Key kWorkflowKeys[] = {{"name"}, {"vars", "an object"}};
constexpr Key kResourceKeys[] = {{"cpu", "an object", " with a `limit`"}, {"memory", "an object", " with a `limit`"}};
constexpr Key kAmountKeys[] = {{"limit", ""}, {"request", ""}};

/// Of the format, without a meaning for a job that asks here: may be there, empty.
struct Meaningless {
  std::string_view key, why;
};
constexpr Meaningless kOfJob[] = {{"ci_origin", "who defines a job is not for the job to say"},
                                  {"execution_profile", "who may do what is not for a job to say"},
                                  {"image_pull_secrets", "images are fetched with the logins of whoever runs slipway"},
                                  {"disable_run_local", "it is asked for in a run of this machine"},
                                  {"run_local", "it is for another program's local runs"}};
constexpr Meaningless kOfEnvelope[] = {{"workflows", "a job can ask for jobs, not for workflows"},
                                       {"policy_violations", "it is of an evaluation, not of a job"},
                                       {"changed_ci_paths", "it is of an evaluation, not of a job"},
                                       {"actor_subjects", "it is of an evaluation, not of a job"}};

bool is_empty(const json::value& value) {
  if (value.is_null()) return true;
  if (value.is_bool()) return !value.get_bool();
  if (value.is_string()) return value.get_string().empty();
  if (value.is_array()) return value.get_array().empty();
  return value.is_object() && value.get_object().empty();
}

std::unexpected<Error> wrong_type(std::string_view key, std::string_view expected, const json::value& got) {
  return fail(ErrorKind::invalid, fmt::format("`{}` must be {}, not {}", shown(key), expected, kind_of(got)));
}

/// What an object may hold. `within`: before its keys in errors.
struct Shape {
  std::span<const Key> keys;
  std::span<const Meaningless> meaningless = {};
  std::string within = {};
};

Result<void> check_one(std::string_view key, const json::value& value, const Shape& shape) {
  const auto found = std::ranges::find(shape.keys, key, &Key::name);
  if (found != shape.keys.end()) {
    if (value.is_null() || found->kind.empty() || kind_of(value) == found->kind) return {};
    return wrong_type(fmt::format("{}{}", shape.within, key), fmt::format("{}{}", found->kind, found->of_what), value);
  }
  if (key == "version") return fail(ErrorKind::invalid, "`version` is not a key of triggers");
  if (key == "org" || key == "org_id" || key == "organization") {
    return fail(ErrorKind::denied, fmt::format("`{}`: whose a job is, is not for the job to say", key));
  }
  const auto at = std::ranges::find(shape.meaningless, key, &Meaningless::key);
  if (at != shape.meaningless.end()) {
    if (is_empty(value)) return {};
    return fail(ErrorKind::denied, fmt::format("`{}`: {}", key, at->why));
  }
  std::vector<std::string> names;
  for (const Key& one : shape.keys) names.emplace_back(one.name);
  const auto near = nearest(key, names);
  return fail(ErrorKind::invalid, fmt::format("unknown key `{}{}` in a trigger{}", shape.within, shown(key),
                                              near ? fmt::format(": did you mean `{}`?", *near) : std::string()));
}

Result<void> check_all(const json::object& object, const Shape& shape) {
  for (const auto& [key, value] : object) SW_CHECK(check_one(std::string_view(key), value, shape));
  return {};
}

const json::value* there(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains({key.data(), key.size()});
  return value == nullptr || value->is_null() ? nullptr : value;
}

Result<std::vector<std::string>> texts_at(const json::object& object, std::string_view key) {
  std::vector<std::string> texts;
  const json::value* value = there(object, key);
  if (value == nullptr) return texts;
  for (const json::value& entry : value->get_array()) {
    if (!entry.is_string())
      return fail(ErrorKind::invalid, fmt::format("`{}` must be a list of texts: it holds {}", key, kind_of(entry)));
    texts.emplace_back(entry.get_string().data(), entry.get_string().size());
  }
  return texts;
}

/// The conditions that the trigger format knows; expressions belong into files, where they are checked.
Result<model::ExpressionPtr> condition_of(const std::string& text) {
  const std::string_view name = trim(std::string_view(text).substr(0, text.find('(')));
  const std::string_view inside = trim(std::string_view(text).substr(std::min(text.find('('), text.size())));
  // The jobs that it depends on may stand there: they are what it asks in any case.
  const bool is_of_needs = inside.empty() || inside == "()" || (inside.ends_with(')') && name != "always");
  if (is_of_needs && name == "all_success") return nullptr;
  if (!is_of_needs || (name != "any_failed" && name != "always")) {
    return fail(ErrorKind::invalid,
                fmt::format("condition `{}`: a trigger knows all_success, any_failed and always", shown(text)));
  }
  return std::make_shared<const model::Expression>(
      model::Expression{model::Call{std::string(name), {}}, {}, std::string(name)});
}

Result<void> take_env(const json::object& object, JobDefinition& job) {
  const json::value* env = there(object, "env");
  if (env == nullptr) return {};
  if (env->get_object().size() > kMostVariables)
    return fail(ErrorKind::exhausted, fmt::format("`env` may hold {} names", kMostVariables));
  for (const auto& [key, entry] : env->get_object()) {
    const std::string name(key.data(), key.size());
    SW_TRY(std::string text, plain_text(entry, "env." + name));
    std::erase_if(job.env, [&](const auto& known) { return known.first == name; });
    job.env.emplace_back(name, model::Template::of(std::move(text)));
  }
  return {};
}

Result<model::Value> item_of(const json::value& entry) {
  SW_TRY(std::string text, plain_text(entry, "for_each[]"));
  if (entry.is_bool()) return model::Value{entry.get_bool()};
  if (entry.is_number()) {
    // Numbers of our expressions are doubles: one with more digits than these hold stays a text.
    model::Value number{entry.to_number<double>()};
    SW_TRY(const std::string again, model::to_text(number));
    if (again == text) return number;
  }
  return model::Value{std::move(text)};
}

Result<void> take_for_each(const json::object& object, JobDefinition& job) {
  const json::value* list = there(object, "for_each");
  if (list == nullptr) return {};
  if (list->get_array().size() > kMostItems)
    return fail(ErrorKind::exhausted, fmt::format("`for_each` may hold {} items", kMostItems));
  if (list->get_array().empty()) return {};  // as programs write that there is none
  model::ForEach for_each;
  model::ValueList items;
  for (const json::value& entry : list->get_array()) {
    SW_TRY(items.emplace_back(), item_of(entry));
  }
  for_each.in = std::move(items);
  if (std::string variable = text_at(object, "item_var"); !variable.empty()) for_each.as = std::move(variable);
  job.for_each = std::move(for_each);
  return {};
}

Result<std::optional<std::int64_t>> integer_at(const json::object& object, std::string_view key, std::int64_t most,
                                               std::string_view what) {
  const json::value* value = there(object, key);
  if (value == nullptr) return std::optional<std::int64_t>();
  boost::system::error_code error;
  const auto number = value->to_number<std::int64_t>(error);
  if (error || number < 0 || number > most)
    return fail(ErrorKind::invalid, fmt::format("`{}` is {}, not {}", key, what, *scalar_text(*value)));
  return std::optional(number);
}

Result<void> take_numbers(const json::object& object, JobDefinition& job) {
  SW_TRY(const auto timeout, integer_at(object, "timeout", kMaxTimeoutSeconds,
                                        fmt::format("a number of seconds, at most {}", kMaxTimeoutSeconds)));
  if (timeout && *timeout > 0) job.timeout = std::chrono::seconds(*timeout);
  SW_TRY(const auto priority, integer_at(object, "priority", kMostPriority, "a number from 0 to 100"));
  if (priority) job.priority = static_cast<int>(*priority);
  return {};
}

/// `runner`, `root`, `N` or `N:N`: a user of the sandbox.
Result<void> take_user(const json::object& object, JobDefinition& job) {
  const std::string user = text_at(object, "run_as_user");
  if (user.empty()) return {};
  if (user == "runner") {
    job.run_as = model::RunAs{};
  } else if (user == "root" || user == "0" || user == "0:0") {
    job.run_as = model::RunAs{model::RunAs::Kind::root, 0};
  } else {
    const std::string number = user.substr(0, user.find(':'));
    std::uint32_t uid = 0;
    const auto [end, bad] = std::from_chars(number.data(), number.data() + number.size(), uid);
    const bool same_group = number.size() == user.size() || user.substr(number.size() + 1) == number;
    if (bad != std::errc() || end != number.data() + number.size() || !same_group) {
      return fail(ErrorKind::invalid, fmt::format("`run_as_user`: `{}` is not runner, root, N or N:N", shown(user)));
    }
    job.run_as = model::RunAs{model::RunAs::Kind::number, uid};
  }
  return {};
}

Result<void> take_directory(const json::object& object, JobDefinition& job) {
  const std::string workspace = job.workspace.empty() ? "/job" : job.workspace;
  for (const std::string_view key : {"job_dir", "code_dir"}) {
    const std::string directory = text_at(object, key);
    if (directory.empty() || lies_below(directory, workspace)) continue;
    return fail(ErrorKind::invalid, fmt::format("`{}`: `{}` does not lie below {}", key, shown(directory), workspace));
  }
  if (const std::string directory = first_text_at(object, {"working_dir", "job_dir", "code_dir"}); !directory.empty())
    job.working_dir = model::Template::of(directory);
  return {};
}

/// `{"cpu": {"limit": "2"}, "memory": {"limit": "4Gi"}}`; what is requested and not a limit is for a scheduler.
Result<void> take_resources(const json::object& object, JobDefinition& job) {
  const json::value* resources = there(object, "resources");
  if (resources == nullptr) return {};
  SW_CHECK(check_all(resources->get_object(), {.keys = kResourceKeys, .within = "resources."}));
  const auto limit_of = [&](std::string_view key) -> Result<std::string> {
    const json::value* one = there(resources->get_object(), key);
    if (one == nullptr) return std::string();
    SW_CHECK(check_all(one->get_object(), {.keys = kAmountKeys, .within = fmt::format("resources.{}.", key)}));
    const json::value* limit = there(one->get_object(), "limit");
    if (limit == nullptr) return std::string();
    return plain_text(*limit, fmt::format("resources.{}.limit", key));
  };
  SW_TRY(const std::string cpu, limit_of("cpu"));
  if (!cpu.empty()) {
    const auto cpus = model::parse_cpu(cpu);
    if (!cpus) return fail(ErrorKind::invalid, "`resources.cpu`: " + cpus.error().message);
    job.resources.cpus = *cpus;
  }
  SW_TRY(const std::string memory, limit_of("memory"));
  if (!memory.empty()) {
    const auto bytes = model::parse_size(memory);
    if (!bytes) return fail(ErrorKind::invalid, "`resources.memory`: " + bytes.error().message);
    job.resources.memory_bytes = *bytes;
  }
  return {};
}

/// What chooses workers.
Result<void> take_labels(const json::object& object, JobDefinition& job) {
  SW_TRY(std::vector<std::string> labels, texts_at(object, "capabilities"));
  if (std::string one = text_at(object, "worker_class"); !one.empty()) labels.push_back("worker_class=" + one);
  if (const json::value* map = there(object, "characteristics")) {
    for (const auto& [key, entry] : map->get_object()) {
      SW_TRY(const std::string text, plain_text(entry, fmt::format("characteristics.{}", std::string_view(key))));
      labels.push_back(fmt::format("{}={}", std::string_view(key), text));
    }
  }
  for (std::string& label : labels) job.labels.push_back(model::Template::of(std::move(label)));
  return {};
}

/// `prefix`: `ci_` for job code.
Result<void> take_code(const OfRun& known, const json::object& object, const std::string& prefix,
                       std::optional<model::CodeLocation>& code) {
  const std::string type = text_at(object, prefix + "source_type");
  const std::string url = text_at(object, prefix + "source_url");
  const std::string ref = text_at(object, prefix + "source_ref");
  if (!type.empty() && type != "git" && type != "none") {
    return fail(ErrorKind::invalid, fmt::format("`{}source_type`: `{}` is not git or none", prefix, shown(type)));
  }
  if (url.empty()) {
    if (ref.empty()) return {};
    if (!code || code->url.empty())
      return fail(ErrorKind::invalid, fmt::format("`{0}source_ref` without a `{0}source_url`", prefix));
  } else {
    SW_CHECK(known.check_url(url));
    code = model::CodeLocation{url, {}, code && code->url == url ? code->path : std::string(), {}};
  }
  code->ref = model::Template::of(ref);
  return {};
}

}  // namespace

OfRun::OfRun(const model::Run& run) : run_(run) {
  if (run.workflow->ci_code) urls_.insert(run.workflow->ci_code->url);
  if (run.workflow->source_code) urls_.insert(run.workflow->source_code->url);
  for (const model::Group& group : run.groups) take(*group.definition);
  for (const auto& [name, one] : run.workflow->templates) take(one.job);
}

Result<void> OfRun::check_image(const std::string& image) const {
  if (image == "host" || image == run_.options.default_image || images_.contains(image)) return {};
  if (!resolved_) {
    resolved_.emplace();
    for (model::JobIndex index = 0; index < run_.jobs.size(); ++index) {
      const auto spec = model::resolve(run_, index, AttemptId(), 1, model::Purpose::preview);
      if (spec) resolved_->insert(spec->image);
    }
  }
  if (resolved_->contains(image)) return {};
  return fail(ErrorKind::denied,
              fmt::format("image `{}`: a trigger may name `host` or the image of a job of this run", shown(image)));
}

Result<void> OfRun::check_url(const std::string& url) const {
  if (urls_.contains(url)) return {};
  return fail(ErrorKind::denied,
              fmt::format("`{}`: a trigger may name a place of code that a job of this run has already: others would "
                          "be fetched with your rights",
                          shown(url)));
}

void OfRun::take(const JobDefinition& job) {
  if (job.ci_code) urls_.insert(job.ci_code->url);
  if (job.source_code) urls_.insert(job.source_code->url);
  if (job.image && job.image->is_literal()) images_.insert(job.image->literal());
}

std::string shown(std::string_view text) { return printable(text.substr(0, 200), Colour::strip); }

Result<void> check_keys(const json::object& job) { return check_all(job, {kJobKeys, kOfJob}); }

Result<void> check_envelope(const json::object& trigger) {
  SW_CHECK(check_all(trigger, {kEnvelopeKeys, kOfEnvelope}));
  const std::string type = text_at(trigger, "type");
  if (!type.empty() && type != "trigger_job")
    return fail(ErrorKind::invalid, fmt::format("unknown type of trigger `{}`", shown(type)));
  const std::string kind = text_at(trigger, "trigger_type");
  if (!kind.empty() && kind != "runnerlib")
    return fail(ErrorKind::invalid, fmt::format("`trigger_type`: `{}` is not for jobs", shown(kind)));
  const json::value* workflow = there(trigger, "workflow");
  if (workflow == nullptr) return {};
  return check_all(workflow->get_object(), {.keys = kWorkflowKeys, .within = "workflow."});
}

void take_vars(const json::object& trigger, JobDefinition& job) {
  const json::value* workflow = there(trigger, "workflow");
  const json::value* vars = workflow == nullptr ? nullptr : there(workflow->get_object(), "vars");
  const bool says_own = std::ranges::any_of(job.env, [](const auto& one) { return one.first == kVarsJson; });
  if (vars == nullptr || is_empty(*vars) || says_own) return;
  job.env.emplace_back(std::string(kVarsJson), model::Template::of(json::serialize(*vars)));
}

std::string first_text_at(const json::object& object, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    if (std::string text = text_at(object, key); !text.empty()) return text;
  }
  return {};
}

Result<std::string> plain_text(const json::value& value, std::string_view key) {
  if (auto text = scalar_text(value)) return *std::move(text);
  return wrong_type(key, "a text, number or boolean", value);
}

Result<void> take_fields(const OfRun& known, const json::object& object, JobDefinition& job) {
  if (const std::string image = first_text_at(object, {"container_image", "image"}); !image.empty()) {
    if (!job.image || !job.image->is_literal() || job.image->literal() != image) SW_CHECK(known.check_image(image));
    job.image = model::Template::of(image);
  }
  SW_TRY(std::vector<std::string> depends_on, texts_at(object, "depends_on"));
  if (!depends_on.empty()) job.depends_on = std::move(depends_on);
  if (const std::string condition = text_at(object, "condition"); !condition.empty()) {
    SW_TRY(job.condition, condition_of(condition));
  }
  SW_CHECK(take_env(object, job));
  SW_CHECK(take_for_each(object, job));
  SW_CHECK(take_numbers(object, job));
  SW_CHECK(take_user(object, job));
  SW_CHECK(take_directory(object, job));
  SW_CHECK(take_resources(object, job));
  SW_CHECK(take_labels(object, job));
  SW_CHECK(take_code(known, object, "", job.source_code));
  return take_code(known, object, "ci_", job.ci_code);
}

}  // namespace slipway::engine
