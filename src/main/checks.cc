#include "main/checks.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/exit_codes.h"
#include "definition/support.h"
#include "main/console.h"
#include "model/trust.h"
#include "sandbox/rootfs/reference.h"

namespace slipway::program {

namespace {

// On one line: these errors are shown without an excerpt.
std::string image_text(const definition::Problem& problem, const std::string& image, const cli::Settings& settings) {
  const bool from_setting = image == settings.image;
  const std::string where = from_setting
                                ? std::string("--image (or the setting `image`)")
                                : fmt::format("{}:{}:{}", problem.place.file, problem.place.line, problem.place.column);
  return fmt::format("{}: {}; give {} (slipway help {})", where, problem.message, problem.hint, problem.code);
}

Result<void> check_name(const std::string& image) {
  if (image == "host" || image.starts_with('/')) return {};
  SW_CHECK(sandbox::rootfs::parse_reference(image));
  return {};
}

Result<void> check_allowed(const std::string& at, const std::string& nested_at, model::Network network, bool nested,
                           const std::vector<std::string>& devices, const cli::Settings& settings) {
  if (network == model::Network::host && !settings.allow_host_network) {
    return fail(ErrorKind::denied,
                at + ": `network: host` is not allowed here; the operator may set sandbox.allow_host_network");
  }
  if (nested && !settings.allow_nested) {
    return fail(ErrorKind::denied,
                nested_at + ": `nested: true` is not allowed here; the operator may set sandbox.allow_nested");
  }
  for (const std::string& device : devices) {
    const std::string path = device.starts_with("/dev/") ? device : "/dev/" + device;
    if (std::ranges::find(settings.allow_devices, path) != settings.allow_devices.end()) continue;
    return fail(ErrorKind::denied, fmt::format("{}: the device {} is not allowed here; the operator may add it to "
                                               "sandbox.allow_devices",
                                               at, printable(path, Colour::strip)));
  }
  return {};
}

}  // namespace

definition::BuildSupport build_support(const cli::Settings& settings) {
  return {.named_images = true,
          .host_files = settings.backend != "docker",
          .image_files = settings.backend != "docker",
          .job_images = settings.image_of_all.empty(),
          .job_code = true,
          .source_steps = settings.backend == "fake" || (settings.backend == "native" && ::geteuid() == 0),
          .devices = true};
}

bool report_problems(const Selected& selected, const cli::CommonOptions& common, const cli::Settings& settings) {
  for (const std::string& warning : selected.warnings) std::fputs(("slipway: " + warning + "\n").c_str(), stderr);
  std::vector<cli::DefinitionFile> files = selected.files;
  cli::add_unsupported(files, build_support(settings));
  std::fputs(cli::problems_text(files, {common.json, false}).c_str(), common.json ? stdout : stderr);
  std::fflush(stdout);  // what comes next is written past this buffer
  if (!cli::has_errors(files)) return true;
  if (common.json) print_error_line({ErrorKind::invalid, "the definitions have errors"}, cli::kExitUsage);
  return false;
}

namespace {

model::Place place_of(const model::JobDefinition& definition, const char* key) {
  const auto place = definition.places.find(key);
  return place == definition.places.end() ? definition.place : place->second;
}

std::unexpected<Error> refused(const definition::Problem& problem, const std::string& job) {
  const model::Place& at = problem.place;
  return fail(ErrorKind::denied, fmt::format("{}:{}:{}: job {}: {} (slipway help {})", at.file, at.line, at.column, job,
                                             problem.message, problem.code));
}

// What the job takes in from others of the run, as far as the plan says who makes it.
Result<void> check_inputs(const std::vector<model::JobSpec>& jobs, const model::JobSpec& job,
                          const model::JobDefinition& definition) {
  for (const model::ArtifactUse& use : job.uses_artifacts) {
    for (const model::JobSpec& maker : jobs) {
      const bool makes = (use.job.empty() || use.job == maker.job) && maker.job != job.job &&
                         std::ranges::count(maker.artifacts, use.name, &model::ArtifactSpec::name) > 0;
      if (!makes || !model::may_be_of_source(maker, use.name, {})) continue;
      const std::string what = fmt::format("the artifact `{}` of job {}", use.name, maker.job);
      if (const auto problem = definition::tainted_problem(job, what, place_of(definition, "uses_artifacts")))
        return refused(*problem, job.job);
    }
  }
  return {};
}

// Of a job whose instances are not known yet: what its text says of itself.
Result<void> check_text(const model::Run& run, const model::JobDefinition& definition) {
  model::JobSpec job;
  job.text_trust = definition.trust;
  job.secrets_with_source = run.options.secrets_with_source;
  job.secrets = definition.secrets;
  for (const model::StepDefinition& step : definition.steps) job.steps.emplace_back().secrets = step.secrets;
  if (const auto problem = definition::trust_problem(job, place_of(definition, "secrets")))
    return refused(*problem, definition.name);
  return {};
}

// What is recorded of a job on a stranger's code.
model::Trace trust_trace(const model::JobSpec& job) {
  model::Trace because = {{"source", "untrusted: of a fork's pull request"},
                          {"text", job.text_trust == model::Trust::trusted ? "trusted" : "untrusted"}};
  if (!model::holds_secrets(job)) return because;
  if (job.secrets_with_source) {
    because.push_back({"--accept-risk secrets-with-source", "untrusted source may run beside its secrets"});
  } else if (job.separated) {
    because.push_back({"secrets", "the source is kept apart from them"});
  }
  return because;
}

Result<void> judge_trust_of(model::Run& run) {
  for (const model::Group& group : run.groups) {
    if (group.expands_later && group.jobs.empty()) SW_CHECK(check_text(run, *group.definition));
  }
  std::vector<model::JobSpec> jobs;
  for (model::JobIndex index = 0; index < run.jobs.size(); ++index) {
    SW_TRY(jobs.emplace_back(), model::resolve(run, index, AttemptId(), 1, model::Purpose::preview));
  }
  for (std::size_t index = 0; index < jobs.size(); ++index) {
    const model::JobSpec& job = jobs[index];
    const model::JobDefinition& definition = *run.groups[run.jobs[index].group].definition;
    if (const auto problem = definition::trust_problem(job, place_of(definition, "secrets")))
      return refused(*problem, job.job);
    if (model::holds_secrets(job)) SW_CHECK(check_inputs(jobs, job, definition));
    run.decisions.push_back({job.job, "trust", trust_trace(job)});
  }
  return {};
}

}  // namespace

Result<void> judge_trust(std::vector<cli::Planned>& planned) {
  for (cli::Planned& one : planned) {
    // Nothing to look for where all is trusted: a plan of thousands of jobs is not resolved once more.
    if (one.run && one.run->options.source_trust == model::Trust::untrusted) SW_CHECK(judge_trust_of(*one.run));
  }
  return {};
}

Result<void> check_policy(const std::vector<cli::Planned>& planned, const cli::Settings& settings) {
  for (const cli::Planned& one : planned) {
    if (!one.run) continue;
    const model::Run& run = *one.run;
    for (model::JobIndex index = 0; index < run.jobs.size(); ++index) {
      const model::Job& job = run.jobs[index];
      const model::JobDefinition& definition = *run.groups[job.group].definition;
      const auto at = [&](const char* key) {
        const auto place = definition.places.find(key);
        const model::Place& where = place == definition.places.end() ? definition.place : place->second;
        return fmt::format("{}:{}:{}: job {}", where.file, where.line, where.column, job.name);
      };
      SW_CHECK(check_allowed(at("network"), at("nested"), definition.network.value_or(model::Network::nat),
                             definition.nested, definition.devices, settings));
      SW_TRY(const model::JobSpec spec, model::resolve(run, index, AttemptId(), 1, model::Purpose::preview));
      const auto place = definition.places.find("image");
      const model::Place& where = place == definition.places.end() ? definition.place : place->second;
      if (const auto problem = definition::image_problem(spec.image, where, build_support(settings))) {
        return fail(ErrorKind::invalid, image_text(*problem, spec.image, settings));
      }
      for (std::size_t i = 0; i < spec.services.size(); ++i) {
        const std::string& image = spec.services[i].image;
        const auto problem = definition::image_problem(image, definition.services[i].place, build_support(settings));
        if (problem) return fail(ErrorKind::invalid, image_text(*problem, image, settings));
      }
      if (const auto named = check_name(spec.image); !named) return wrap(named.error(), at("image"));
    }
  }
  return {};
}

Result<void> check_policy(const model::JobSpec& job, const cli::Settings& settings) {
  const std::string at = "job " + job.job;
  if (const auto problem = definition::trust_problem(job, {})) {
    return fail(ErrorKind::denied, fmt::format("{}: {} (slipway help {})", at, problem->message, problem->code));
  }
  SW_CHECK(check_allowed(at, at, job.network, job.nested, job.devices, settings));
  if (const auto problem = definition::image_problem(job.image, {}, build_support(settings))) {
    return fail(ErrorKind::invalid, at + ": " + problem->message);
  }
  for (const model::ServiceSpec& service : job.services) {
    if (const auto problem = definition::image_problem(service.image, {}, build_support(settings))) {
      return fail(ErrorKind::invalid, fmt::format("{}: service {}: {}", at, service.name, problem->message));
    }
  }
  if (const auto named = check_name(job.image); !named) return wrap(named.error(), at);
  return {};
}

bool asks_for_disk(const std::vector<model::Run>& runs, const cli::Configuration& configuration) {
  const auto setting = configuration.values().find("sandbox.disk");
  if (setting != configuration.values().end() && setting->second.origin != "built in") return true;
  return std::ranges::any_of(runs, [](const model::Run& run) {
    return std::ranges::any_of(run.groups, [](const model::Group& group) {
      return group.definition->resources.disk_bytes || group.definition->late.contains("resources.disk");
    });
  });
}

Result<void> check_limits(const sandbox::Capabilities& can, const cli::Settings& settings, bool asks_for_disk) {
  std::vector<std::string> missing;
  if (!can.limits.memory) missing.emplace_back("memory");
  if (!can.limits.cpus) missing.emplace_back("cpu");
  if (!can.limits.pids) missing.emplace_back("pids");
  if (!can.limits.disk && (asks_for_disk || settings.require_limits)) {
    missing.push_back(fmt::format("disk ({})", can.limits.disk_how));
  }
  if (missing.empty() || can.name == "fake") return {};
  const std::string text = "limits that cannot be held here: " + join(missing, ", ") + " (slipway doctor says why)";
  if (settings.require_limits) return fail(ErrorKind::denied, text);
  std::fputs(("slipway: " + text + "\n").c_str(), stderr);
  return {};
}

}  // namespace slipway::program
