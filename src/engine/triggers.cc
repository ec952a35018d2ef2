#include "engine/triggers.h"

#include <optional>
#include <set>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "base/json.h"
#include "base/text.h"
#include "model/plan.h"
#include "model/trust.h"

namespace slipway::engine {

namespace {

namespace json = boost::json;
using model::AskedJob;
using model::JobDefinition;

constexpr std::size_t kMaxTriggerBytes = 1U << 20U;
constexpr std::size_t kMaxJobsOfTrigger = 64;
constexpr int kMaxTimeoutSeconds = 7 * 24 * 3600;

/// The first of several keys that is there: people write both names.
std::string first_text_at(const json::object& object, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    if (std::string text = text_at(object, key); !text.empty()) return text;
  }
  return {};
}

Result<std::vector<std::string>> names_at(const json::object& object, std::string_view key) {
  std::vector<std::string> names;
  const json::value* value = object.if_contains({key.data(), key.size()});
  if (value == nullptr || value->is_null()) return names;
  if (!value->is_array()) return fail(ErrorKind::invalid, fmt::format("`{}` must be a list of strings", key));
  for (const json::value& entry : value->get_array()) {
    if (!entry.is_string()) return fail(ErrorKind::invalid, fmt::format("`{}` must be a list of strings", key));
    names.emplace_back(entry.get_string().data(), entry.get_string().size());
  }
  return names;
}

Result<model::Value> scalar(const json::value& value, std::string_view what) {
  if (value.is_string()) return model::Value{std::string(value.get_string().data(), value.get_string().size())};
  if (value.is_bool()) return model::Value{value.get_bool()};
  if (value.is_number()) return model::Value{value.to_number<double>()};
  return fail(ErrorKind::invalid, fmt::format("`{}` may hold strings, numbers and booleans only", what));
}

/// The conditions that the trigger format knows; expressions belong into files, where they are checked.
Result<model::ExpressionPtr> condition_of(const std::string& text) {
  const std::string_view name = trim(std::string_view(text).substr(0, text.find('(')));
  if (text.empty() || name == "all_success") return nullptr;
  if (name != "any_failed" && name != "always") {
    return fail(ErrorKind::invalid, fmt::format("condition `{}`: a trigger knows all_success, any_failed and always",
                                                printable(text, Colour::strip)));
  }
  return std::make_shared<const model::Expression>(
      model::Expression{model::Call{std::string(name), {}}, {}, std::string(name)});
}

Result<void> take_env(const json::object& object, JobDefinition& job) {
  const json::value* env = object.if_contains("env");
  if (env == nullptr || env->is_null()) return {};
  if (!env->is_object()) return fail(ErrorKind::invalid, "`env` must map names to values");
  for (const auto& [key, entry] : env->get_object()) {
    SW_TRY(const model::Value value, scalar(entry, "env"));
    SW_TRY(const std::string text, model::to_text(value));
    const std::string name(key.data(), key.size());
    std::erase_if(job.env, [&](const auto& known) { return known.first == name; });
    job.env.emplace_back(name, model::Template::of(text));
  }
  return {};
}

Result<void> take_for_each(const json::object& object, JobDefinition& job) {
  const json::value* list = object.if_contains("for_each");
  if (list == nullptr || list->is_null()) return {};
  if (!list->is_array()) return fail(ErrorKind::invalid, "`for_each` must be a list");
  model::ForEach for_each;
  model::ValueList items;
  for (const json::value& entry : list->get_array()) {
    SW_TRY(items.emplace_back(), scalar(entry, "for_each"));
  }
  for_each.in = std::move(items);
  if (std::string variable = text_at(object, "item_var"); !variable.empty()) for_each.as = std::move(variable);
  job.for_each = std::move(for_each);
  return {};
}

Result<void> take_timeout(const json::object& object, JobDefinition& job) {
  const json::value* timeout = object.if_contains("timeout");
  if (timeout == nullptr || timeout->is_null()) return {};
  boost::system::error_code error;
  const auto seconds = timeout->is_number() ? timeout->to_number<int>(error) : 0;
  if (error || seconds < 0 || seconds > kMaxTimeoutSeconds || !timeout->is_number()) {
    return fail(ErrorKind::invalid, fmt::format("`timeout` is a number of seconds, at most {}", kMaxTimeoutSeconds));
  }
  if (seconds > 0) job.timeout = std::chrono::seconds(seconds);
  return {};
}

/// A directory of this machine that is an image is chosen by who writes the workflow, not by what a job prints.
class Images {
 public:
  explicit Images(const model::Run& run) : run_(run) {}

  Result<void> check(const std::string& image) {
    if (image == "host" || image == run_.options.default_image) return {};
    if (!of_jobs_) collect();
    if (of_jobs_->contains(image)) return {};
    return fail(ErrorKind::denied,
                fmt::format("image `{}`: a trigger may name `host` or the image of a job of this run",
                            printable(image, Colour::strip)));
  }

 private:
  // Once for all jobs that a trigger asks for: each of the run's is resolved.
  void collect() {
    of_jobs_.emplace();
    for (model::JobIndex index = 0; index < run_.jobs.size(); ++index) {
      const auto spec = model::resolve(run_, index, AttemptId(), 1, model::Purpose::preview);
      if (spec) of_jobs_->insert(spec->image);
    }
  }

  const model::Run& run_;
  std::optional<std::set<std::string>> of_jobs_;
};

/// What the JSON says goes above what the job is already.
Result<void> take_fields(Images& images, const json::object& object, JobDefinition& job) {
  if (const std::string image = first_text_at(object, {"container_image", "image"}); !image.empty()) {
    SW_CHECK(images.check(image));
    job.image = model::Template::of(image);
  }
  if (const std::string directory = text_at(object, "working_dir"); !directory.empty())
    job.working_dir = model::Template::of(directory);
  SW_TRY(std::vector<std::string> depends_on, names_at(object, "depends_on"));
  if (!depends_on.empty()) job.depends_on = std::move(depends_on);
  if (const std::string condition = text_at(object, "condition"); !condition.empty()) {
    SW_TRY(job.condition, condition_of(condition));
  }
  SW_CHECK(take_env(object, job));
  SW_CHECK(take_for_each(object, job));
  return take_timeout(object, job);
}

/// What a job that is asked for has of the one that asks, unless it says otherwise. Secrets are not among it.
void inherit(const model::Run& run, const model::Job& by, JobDefinition& job) {
  const JobDefinition& asker = *run.groups[by.group].definition;
  const auto index = run.job_by_name.find(by.name);
  // What it asks for may be the source's wish wherever source may have run.
  model::Trust trust = run.options.source_trust;
  if (index != run.job_by_name.end()) {
    // Expanded, because its own matrix and item mean nothing in another job.
    if (const auto spec =
            model::resolve(run, index->second, by.attempt, std::max(1, by.attempts), model::Purpose::execute)) {
      trust = model::may_run_source(*spec) ? model::Trust::untrusted : model::Trust::trusted;
      if (!job.image) job.image = model::Template::of(spec->image);
      if (!job.ci_code) job.ci_code = asker.ci_code;
      if (!job.source_code && asker.source_code) {
        job.source_code = asker.source_code;
        job.source_code->ref = model::Template::of(spec->source_code->ref);
      }
      model::TemplateMap env;
      for (const auto& [name, value] : spec->env) env.emplace_back(name, model::Template::of(value));
      for (auto& [name, value] : job.env) {
        std::erase_if(env, [&](const auto& known) { return known.first == name; });
        env.emplace_back(name, std::move(value));
      }
      job.env = std::move(env);
    }
  }
  job.trust = model::weaker(job.trust, trust);
  if (!job.timeout) job.timeout = asker.timeout;
  if (job.labels.empty()) job.labels = asker.labels;
}

Result<JobDefinition> from_template(const std::string& name, const model::JobTemplate& known,
                                    const json::object& object) {
  JobDefinition job = known.job;
  job.name = name;
  std::map<std::string, std::string> given;
  if (const json::value* with = object.if_contains("with"); with != nullptr && with->is_object()) {
    for (const auto& [key, entry] : with->get_object()) {
      SW_TRY(const model::Value value, scalar(entry, "with"));
      SW_TRY(given[std::string(key.data(), key.size())], model::to_text(value));
    }
  }
  SW_TRY(job.params, model::check_inputs(known.params, given));
  return job;
}

Result<JobDefinition> definition_of(const JsonTriggerReader::Find& find, Images& images, const model::Run& run,
                                    const model::Job& by, const std::string& name, const json::object& object) {
  if (name.empty()) return fail(ErrorKind::invalid, "a job of a trigger needs a `job_name`");
  JobDefinition job;
  const std::string script = first_text_at(object, {"job_command", "run"});
  if (!script.empty()) {
    job.name = name;
    model::StepDefinition step;
    step.name = name;
    step.action = model::Script{script};
    job.steps.push_back(std::move(step));
  } else if (const auto known = run.workflow->templates.find(name); known != run.workflow->templates.end()) {
    SW_TRY(job, from_template(name, known->second, object));
  } else {
    if (!find) return fail(ErrorKind::not_found, fmt::format("there is no job `{}`", printable(name, Colour::strip)));
    auto found = find(name);
    if (!found && found.error().kind == ErrorKind::not_found && run.group_by_name.contains(name)) {
      return fail(ErrorKind::invalid,
                  fmt::format("`{0}` is a job of this workflow and runs in its turn: a trigger asks for one of its "
                              "`templates` or for .slipway/jobs/{0}.yaml",
                              printable(name, Colour::strip)));
    }
    if (!found) return std::unexpected(std::move(found).error());
    job = std::move(*found);
    job.name = name;
  }
  SW_CHECK(take_fields(images, object, job));
  inherit(run, by, job);
  return job;
}

}  // namespace

std::vector<AskedJob> JsonTriggerReader::read(const model::Run& run, const model::Job& by, const std::string& text) {
  const auto broken = [&](std::string problem) {
    return std::vector<AskedJob>{{"", nullptr, std::move(problem), text}};
  };
  if (text.size() > kMaxTriggerBytes) return broken("the trigger is longer than 1 MiB");
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  if (error) return broken(fmt::format("the trigger is not JSON: {}", error.message()));

  json::array jobs;
  if (value.is_array()) {
    jobs = value.get_array();
  } else if (value.is_object()) {
    const json::object& object = value.get_object();
    const std::string type = text_at(object, "type");
    if (!type.empty() && type != "trigger_job")
      return broken(fmt::format("unknown type of trigger `{}`", printable(type, Colour::strip)));
    if (object.contains("version")) return broken("`version` is not a key of triggers");
    if (object.contains("workflows")) return broken("a job can ask for jobs, not for workflows");
    const json::value* list = object.if_contains("jobs");
    if (list == nullptr)
      jobs.push_back(value);
    else if (list->is_array())
      jobs = list->get_array();
    else
      return broken("`jobs` must be a list");
  } else {
    return broken("a trigger is an object or a list of jobs");
  }
  if (jobs.size() > kMaxJobsOfTrigger)
    return broken(fmt::format("a trigger asks for at most {} jobs", kMaxJobsOfTrigger));

  Images images(run);
  std::vector<AskedJob> asked;
  for (const json::value& entry : jobs) {
    AskedJob& job = asked.emplace_back();
    job.json = json::serialize(entry);
    if (!entry.is_object()) {
      job.problem = "a job of a trigger is an object";
      continue;
    }
    job.name = first_text_at(entry.get_object(), {"job_name", "name"});
    auto made = definition_of(find_, images, run, by, job.name, entry.get_object());
    if (made)
      job.definition = std::make_shared<const JobDefinition>(std::move(*made));
    else
      job.problem = std::move(made).error().what;
  }
  return asked;
}

}  // namespace slipway::engine
