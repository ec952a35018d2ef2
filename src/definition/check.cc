#include "definition/check.h"

#include <unordered_map>

#include <fmt/format.h>

#include "base/text.h"
#include "definition/limits.h"
#include "definition/presets.h"

namespace slipway::definition {

namespace {

using model::JobDefinition;
using JobNumbers = std::unordered_map<std::string_view, std::size_t>;

model::Place place_of(const JobDefinition& job, const std::string& key) {
  const auto found = job.places.find(key);
  return found == job.places.end() ? job.place : found->second;
}

model::Place dependency_place(const JobDefinition& job, const std::string& wanted) {
  const auto found = job.places.find("depends_on/" + wanted);
  return found == job.places.end() ? place_of(job, "depends_on") : found->second;
}

std::vector<std::string> names_of(const std::vector<JobDefinition>& jobs) {
  std::vector<std::string> names;
  for (const JobDefinition& job : jobs) names.push_back(job.name);
  return names;
}

/// Names, dependencies and cycles among jobs. Linear in jobs and dependencies.
class JobGraph {
 public:
  JobGraph(Source& source, const std::vector<JobDefinition>& jobs) : source_(source), jobs_(jobs) {}

  void check() {
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      if (jobs_[i].name.empty()) {
        names_complete_ = false;  // a bad name was reported; do not blame those that depend on it
        continue;
      }
      const auto [first, is_new] = numbers_.try_emplace(jobs_[i].name, i);
      if (!is_new) {
        source_.report_at(place_of(jobs_[i], "name"), "E030", fmt::format("there are two jobs `{}`", jobs_[i].name),
                          fmt::format("the first is in line {}", jobs_[first->second].place.line));
      }
    }
    for (const JobDefinition& job : jobs_) check_dependencies(job);
    find_cycle();
  }

 private:
  void check_dependencies(const JobDefinition& job) {
    for (const std::string& wanted : job.depends_on) {
      if (wanted == job.name) {
        source_.report_at(dependency_place(job, wanted), "E032", fmt::format("job `{}` depends on itself", job.name));
      } else if (!numbers_.contains(wanted) && names_complete_) {
        source_.report_at(dependency_place(job, wanted), "E031",
                          fmt::format("job `{}` depends on `{}`, which is not there", job.name, wanted),
                          source_.suggestion(wanted, names_of_all()));
      }
    }
  }

  const std::vector<std::string>& names_of_all() {
    if (names_.empty()) names_ = names_of(jobs_);
    return names_;
  }

  // Takes away jobs that wait for nothing, over and over; what stays is in a cycle or behind one.
  void find_cycle() {
    std::vector<std::vector<std::size_t>> dependents(jobs_.size());
    std::vector<std::size_t> open(jobs_.size(), 0);
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      for (const std::string& wanted : jobs_[i].depends_on) {
        const auto found = numbers_.find(wanted);
        if (found == numbers_.end() || found->second == i) continue;
        dependents[found->second].push_back(i);
        ++open[i];
      }
    }
    std::vector<std::size_t> free;
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      if (open[i] == 0) free.push_back(i);
    }
    std::size_t done = 0;
    while (!free.empty()) {
      const std::size_t job = free.back();
      free.pop_back();
      ++done;
      for (const std::size_t next : dependents[job]) {
        if (--open[next] == 0) free.push_back(next);
      }
    }
    if (done < jobs_.size()) report_cycle(open);
  }

  void report_cycle(const std::vector<std::size_t>& open) {
    std::size_t at =
        static_cast<std::size_t>(std::ranges::find_if(open, [](std::size_t n) { return n > 0; }) - open.begin());
    std::vector<std::size_t> path;
    std::vector<bool> seen(jobs_.size(), false);
    while (!seen[at]) {
      seen[at] = true;
      path.push_back(at);
      for (const std::string& wanted : jobs_[at].depends_on) {
        const auto found = numbers_.find(wanted);
        if (found == numbers_.end() || found->second == at || open[found->second] == 0) continue;
        at = found->second;
        break;
      }
    }
    path.erase(path.begin(), std::ranges::find(path, at));
    constexpr std::size_t kMostShown = 10;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < std::min(path.size(), kMostShown); ++i) names.push_back(jobs_[path[i]].name);
    if (path.size() > kMostShown) names.emplace_back("...");
    names.push_back(jobs_[at].name);
    const std::string& wanted = jobs_[path.size() > 1 ? path[1] : at].name;
    source_.report_at(dependency_place(jobs_[at], wanted), "E032",
                      fmt::format("jobs wait for each other: {}", join(names, " → ")));
  }

  Source& source_;
  const std::vector<JobDefinition>& jobs_;
  JobNumbers numbers_;
  std::vector<std::string> names_;
  bool names_complete_ = true;
};

void check_steps(Source& source, const JobDefinition& job) {
  std::vector<std::string> earlier;
  std::unordered_map<std::string_view, std::size_t> numbers;
  for (std::size_t i = 0; i < job.steps.size(); ++i) numbers.try_emplace(job.steps[i].name, i);
  for (std::size_t i = 0; i < job.steps.size(); ++i) {
    const model::StepDefinition& step = job.steps[i];
    const std::size_t first = numbers.at(step.name);
    if (first != i) {
      source.report_at(step.place, "E033", fmt::format("job `{}` has two steps `{}`", job.name, step.name),
                       fmt::format("the first is in line {}", job.steps[first].place.line));
    }
    for (const std::string& wanted : step.depends_on.value_or(std::vector<std::string>())) {
      const auto found = numbers.find(wanted);
      if (found == numbers.end()) {
        source.report_at(
            step.place, "E034",
            fmt::format("step `{}` depends on `{}`, which job `{}` does not have", step.name, wanted, job.name),
            source.suggestion(wanted, earlier));
      } else if (found->second >= i) {
        source.report_at(step.place, "E035",
                         fmt::format("step `{}` depends on `{}`, which does not stand before it", step.name, wanted),
                         "a step waits only for earlier ones");
      }
    }
    earlier.push_back(step.name);
  }
}

// What the sandbox of a source step is not given: asked for, it would not be there.
void check_source_steps(Source& source, const JobDefinition& job) {
  for (const model::StepDefinition& step : job.steps) {
    if (!step.run_as || step.run_as->kind != model::RunAs::Kind::source) continue;
    for (const model::SecretUse& use : step.secrets) {
      source.report_at(use.place, "E060",
                       fmt::format("step `{}` runs as `source`, which never gets a secret", step.name),
                       "give it to a step of job code");
    }
    if (!step.uses_artifacts.empty()) {
      source.report_at(
          step.place, "E019",
          fmt::format("step `{}` runs as `source`, which sees the source only, and no artifacts", step.name),
          "a step of job code may share them: `slipway sandbox --share /job/inputs/NAME -- COMMAND`");
    }
  }
}

void check_presets(Source& source, const model::Workflow& workflow, const JobDefinition& job) {
  for (const std::string& preset : job.presets) {
    if (workflow.presets.contains(preset) || is_built_in_preset(preset)) continue;
    std::vector<std::string> names;
    for (const auto& [name, env] : workflow.presets) names.push_back(name);
    source.report_at(place_of(job, "presets"), "E044", fmt::format("there is no preset `{}`", preset),
                     source.suggestion(preset, names));
  }
}

// Two of a kind that would overwrite each other.
void check_repetitions(Source& source, const JobDefinition& job) {
  std::vector<std::string> names;
  for (const model::ArtifactDefinition& artifact : job.artifacts) {
    if (!artifact.name.is_literal()) continue;
    const std::string name = artifact.name.literal();
    if (std::ranges::find(names, name) != names.end()) {
      source.report_at(artifact.place, "E062", fmt::format("job `{}` has two artifacts `{}`", job.name, name),
                       "one entry may have several `paths`");
    }
    names.push_back(name);
  }
  std::vector<std::string> variables;
  for (const model::SecretUse& use : job.secrets) {
    const std::string& place = use.file.empty() ? use.env : use.file;
    if (std::ranges::find(variables, place) != variables.end()) {
      source.report_at(use.place, "E060", fmt::format("two secrets want to be `{}`", place));
    }
    variables.push_back(place);
  }
}

/// Could an artifact that is called `made` be the one that is asked for as `wanted`? Expressions may become anything.
bool may_be(const model::Template& made, const model::Template& wanted) {
  if (made.is_literal() && wanted.is_literal()) return made.literal() == wanted.literal();
  const auto pattern = [](const model::Template& text) {
    std::string glob;
    for (const model::Template::Part& part : text.parts)
      glob += part.expression != nullptr ? std::string("**") : part.text;
    return glob;
  };
  if (wanted.is_literal()) return glob_match(pattern(made), wanted.literal());
  if (made.is_literal()) return glob_match(pattern(wanted), made.literal());
  return true;
}

void check_artifacts_asked_for(Source& source, const model::Workflow& workflow) {
  // A job that is asked for at run time may make artifacts that the file does not show.
  if (workflow.is_single_job || !workflow.templates.empty()) return;
  // Names with expressions are compared one by one; beyond this many comparisons nothing is said.
  constexpr std::size_t kMostComparisons = 1'000'000;
  std::vector<const model::Template*> open_names;
  std::vector<std::string> names;
  for (const JobDefinition& job : workflow.jobs) {
    for (const model::ArtifactDefinition& artifact : job.artifacts) {
      if (artifact.name.is_literal())
        names.push_back(artifact.name.literal());
      else
        open_names.push_back(&artifact.name);
    }
  }
  names.emplace_back("artifacts");  // every job may make it, declared or not
  std::ranges::sort(names);
  std::size_t comparisons = 0;
  const auto check = [&](const model::Template& wanted, const std::string& who) {
    const std::string shown = wanted.is_literal() ? wanted.literal() : "{{ ... }}";
    if (wanted.is_literal() && std::ranges::binary_search(names, shown)) return;
    comparisons += open_names.size() + (wanted.is_literal() ? 0 : names.size());
    if (comparisons > kMostComparisons) return;
    if (std::ranges::any_of(open_names, [&](const model::Template* name) { return may_be(*name, wanted); })) return;
    const auto fits = [&](const std::string& name) { return may_be(model::Template::of(name), wanted); };
    if (!wanted.is_literal() && std::ranges::any_of(names, fits)) return;
    source.report_at(wanted.place, "E063", fmt::format("{} uses the artifact `{}`, which no job makes", who, shown),
                     source.suggestion(shown, names));
  };
  for (const JobDefinition& job : workflow.jobs) {
    for (const model::Template& wanted : job.uses_artifacts) check(wanted, fmt::format("job `{}`", job.name));
    for (const model::StepDefinition& step : job.steps) {
      for (const model::Template& wanted : step.uses_artifacts) check(wanted, fmt::format("step `{}`", step.name));
    }
  }
}

}  // namespace

void check_workflow(Source& source, const model::Workflow& workflow) {
  if (!workflow.is_single_job) JobGraph(source, workflow.jobs).check();
  const auto check_job = [&](const JobDefinition& job) {
    check_steps(source, job);
    check_presets(source, workflow, job);
    check_source_steps(source, job);
    check_repetitions(source, job);
  };
  for (const JobDefinition& job : workflow.jobs) check_job(job);
  for (const auto& [name, made] : workflow.templates) check_job(made.job);
  if (workflow.is_single_job && workflow.group.empty()) {
    for (const JobDefinition& job : workflow.jobs) {
      if (job.depends_on.empty()) continue;
      source.report_at(place_of(job, "depends_on"), "E031", "a file with one job has no other jobs to depend on",
                       "write a `workflow`");
    }
  }
  check_artifacts_asked_for(source, workflow);
  check_names(source, workflow);
}

}  // namespace slipway::definition
