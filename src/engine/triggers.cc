#include "engine/triggers.h"

#include <fmt/format.h>
#include <boost/json.hpp>

#include "base/json.h"
#include "base/text.h"
#include "engine/trigger_job.h"
#include "model/plan.h"
#include "model/trust.h"

namespace slipway::engine {

namespace {

namespace json = boost::json;
using model::AskedJob;
using model::JobDefinition;

constexpr std::size_t kMaxTriggerBytes = 1U << 20U;
constexpr std::size_t kMaxJobsOfTrigger = 64;
constexpr std::size_t kMaxName = 256;

/// What a job that is asked for has of the one that asks, unless it says otherwise. Secrets are not among it.
Result<void> inherit(const model::Run& run, const model::Job& by, JobDefinition& job) {
  const JobDefinition& asker = *run.groups[by.group].definition;
  SW_CHECK(model::check_inherited(run, run.groups[by.group], job));
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
  return {};
}

Result<JobDefinition> from_template(const std::string& name, const model::JobTemplate& known,
                                    const json::object& object) {
  JobDefinition job = known.job;
  job.name = name;
  std::map<std::string, std::string> given;
  if (const json::value* with = object.if_contains("with"); with != nullptr && !with->is_null()) {
    for (const auto& [key, entry] : with->get_object()) {
      const std::string parameter(key.data(), key.size());
      SW_TRY(given[parameter], plain_text(entry, "with." + parameter));
    }
  }
  SW_TRY(job.params, model::check_inputs(known.params, given));
  return job;
}

Result<FoundJob> looked_up(const JsonTriggerReader::Find& find, const model::Run& run, const std::string& name,
                           const json::object& object) {
  const std::string file = text_at(object, "job_file");
  if (file.empty()) {
    const auto known = run.workflow->templates.find(name);
    if (known != run.workflow->templates.end()) {
      SW_TRY(JobDefinition job, from_template(name, known->second, object));
      return FoundJob{std::move(job), {}};
    }
  }
  if (!find) return fail(ErrorKind::not_found, fmt::format("there is no job `{}`", shown(name)));
  auto found = find(file.empty() ? name : file);
  if (!found && file.empty() && found.error().kind == ErrorKind::not_found && run.group_by_name.contains(name)) {
    return fail(ErrorKind::invalid,
                fmt::format("`{0}` is a job of this workflow and runs in its turn: a trigger asks for one of its "
                            "`templates` or for .slipway/jobs/{0}.yaml",
                            shown(name)));
  }
  return found;
}

Result<FoundJob> job_of(const JsonTriggerReader::Find& find, const model::Run& run, const OfRun& known,
                        const model::Job& by, const std::string& name, const json::object& object,
                        const json::object& around) {
  SW_CHECK(check_keys(object));
  if (name.empty()) return fail(ErrorKind::invalid, "a job of a trigger needs a `job_name`");
  if (name.size() > kMaxName) return fail(ErrorKind::invalid, fmt::format("`job_name` is over {} bytes", kMaxName));
  FoundJob found;
  const std::string script = first_text_at(object, {"job_command", "run"});
  if (!script.empty()) {
    if (!text_at(object, "job_file").empty())
      return fail(ErrorKind::invalid, "a job has `job_command` or `job_file`, not both");
    model::StepDefinition step;
    step.name = name;
    step.action = model::Script{script};
    found.definition.steps.push_back(std::move(step));
  } else {
    SW_TRY(found, looked_up(find, run, name, object));
  }
  found.definition.name = name;
  SW_CHECK(take_fields(known, object, found.definition));
  take_vars(around, found.definition);
  SW_CHECK(inherit(run, by, found.definition));
  return found;
}

/// The jobs that the text asks for, each a JSON value.
struct Asked {
  json::array jobs;
  std::string operation;
  json::object around;  // what the jobs stand in
};
Result<Asked> parse(const std::string& text) {
  if (text.size() > kMaxTriggerBytes) return fail(ErrorKind::invalid, "the trigger is longer than 1 MiB");
  SW_TRY(const json::object object, parse_object(text, "the trigger"));
  const bool is_envelope = object.contains("jobs") || object.contains("type") || object.contains("workflows");
  if (!is_envelope) return Asked{json::array{object}, {}, {}};
  SW_CHECK(check_envelope(object));
  Asked asked{{}, text_at(object, "operation_id"), object};
  if (asked.operation.size() > kMaxName)
    return fail(ErrorKind::invalid, fmt::format("`operation_id` is over {} bytes", kMaxName));
  const json::value* list = object.if_contains("jobs");
  if (list == nullptr || list->is_null()) return fail(ErrorKind::invalid, "`jobs` is not there: a list of jobs");
  asked.jobs = list->get_array();
  return asked;
}

}  // namespace

Trigger JsonTriggerReader::read(const model::Run& run, const model::Job& by, const std::string& text,
                                model::Trust trust) {
  const auto broken = [&](std::string problem) {
    return Trigger{{AskedJob{"", nullptr, std::move(problem), text, {}}}, {}};
  };
  const auto parsed = parse(text);
  if (!parsed) return broken(parsed.error().what);
  if (parsed->jobs.size() > kMaxJobsOfTrigger)
    return broken(fmt::format("a trigger asks for at most {} jobs", kMaxJobsOfTrigger));

  const OfRun known(run);
  Trigger trigger{{}, parsed->operation};
  for (const json::value& entry : parsed->jobs) {
    AskedJob& job = trigger.jobs.emplace_back();
    job.json = json::serialize(entry);
    if (!entry.is_object()) {
      job.problem = fmt::format("a job of a trigger must be an object, not {}", kind_of(entry));
      continue;
    }
    job.name = first_text_at(entry.get_object(), {"job_name", "name"});
    auto made = job_of(find_, run, known, by, job.name, entry.get_object(), parsed->around);
    if (!made) {
      job.problem = std::move(made).error().what;
      continue;
    }
    made->definition.trust = model::weaker(made->definition.trust, trust);
    job.file = std::move(made->file);
    job.definition = std::make_shared<const JobDefinition>(std::move(made->definition));
  }
  return trigger;
}

}  // namespace slipway::engine
