#include "model/steering.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "base/text.h"
#include "model/expression.h"
#include "model/plan.h"
#include "model/trust.h"

namespace slipway::model {

namespace {

// Of a pull request: what whoever opened it has named.
constexpr std::array<std::string_view, 5> kOfStrangers = {"vars", "pr.title", "pr.head", "branch", "actor"};

bool may_run_source(const Run& run, const JobDefinition& definition) {
  JobSpec job;
  const auto& ci_code = definition.ci_code ? definition.ci_code : run.workflow->ci_code;
  if (ci_code) job.ci_code = CodeSpec{ci_code->url, {}, {}, {}};
  job.checkout = definition.checkout;
  job.secrets = definition.secrets;
  for (const StepDefinition& step : definition.steps) {
    StepSpec& made = job.steps.emplace_back();
    made.secrets = step.secrets;
    made.run_as = step.run_as.value_or(definition.run_as.value_or(RunAs{}));
  }
  take_trust(run, definition, job);
  return may_run_source(job);
}

// Looks for names that a stranger may have given a value.
class Steering {
 public:
  Steering(const Run& run, const Group& group, const JobDefinition& definition)
      : run_(run), group_(group), definition_(definition) {}

  /// `step_env`: above the job's; null: none. The name, as the text or its variables have it; empty: there is none.
  std::string name_in(const Template& text, const TemplateMap* step_env = nullptr) {
    std::set<std::string> seen;
    return look(text, step_env, seen);
  }

 private:
  std::string look(const Template& text, const TemplateMap* step_env, std::set<std::string>& seen) {
    for (const Template::Part& part : text.parts) {
      if (!part.expression) continue;
      if (std::string found = look(*part.expression, step_env, seen); !found.empty()) return found;
    }
    return {};
  }

  std::string look(const Expression& expression, const TemplateMap* step_env, std::set<std::string>& seen) {
    for (const std::string& name : names_in(expression)) {
      if (is_strangers(name)) return name;
      if (!seen.insert(name).second) continue;
      if (std::string found = look_behind(name, step_env, seen); !found.empty()) return found;
    }
    return {};
  }

  bool is_strangers(const std::string& name) const {
    if (std::ranges::find(kOfStrangers, name) != kOfStrangers.end()) return true;
    if (!name.starts_with("outputs.")) return false;
    // A name that fits two jobs is of the worse.
    bool known = false;
    for (const GroupIndex index : group_.depends_on) {
      const Group& maker = run_.groups[index];
      if (!name.starts_with("outputs." + maker.name + ".")) continue;
      if (may_run_source(run_, *maker.definition)) return true;
      known = true;
    }
    return !known;
  }

  // What a variable or an item is made of.
  std::string look_behind(const std::string& name, const TemplateMap* step_env, std::set<std::string>& seen) {
    const auto& each = definition_.for_each;
    if (each && (name == "item" || name == "env." + each->as)) {
      if (const auto* list = std::get_if<ExpressionPtr>(&each->in)) {
        if (std::string found = look(**list, nullptr, seen); !found.empty()) return found;
      }
    }
    if (!name.starts_with("env.")) return {};
    std::vector<const TemplateMap*> all = {&run_.workflow->env, &definition_.env};
    for (const std::string& preset : definition_.presets) {
      const auto at = run_.workflow->presets.find(preset);
      if (at != run_.workflow->presets.end()) all.push_back(&at->second);
    }
    if (step_env != nullptr) all.push_back(step_env);
    for (const TemplateMap* variables : all) {
      for (const auto& [variable, text] : *variables) {
        if (name.substr(4) != variable) continue;
        if (std::string found = look(text, step_env, seen); !found.empty()) return found;
      }
    }
    return {};
  }

  const Run& run_;
  const Group& group_;
  const JobDefinition& definition_;
};

}  // namespace

void take_trust(const Run& run, const JobDefinition& definition, JobSpec& spec) {
  spec.source_trust = run.options.source_trust;
  spec.text_trust = definition.trust;
  // Job code of the checkout is as good as its commit; of another place, as good as the text that names the place.
  if (spec.ci_code && spec.ci_code->url.empty()) spec.text_trust = weaker(spec.text_trust, run.options.checkout_trust);
  spec.secrets_with_source = run.options.secrets_with_source;
  const bool beside_secrets = spec.source_trust == Trust::untrusted && spec.text_trust == Trust::trusted &&
                              holds_secrets(spec) && !spec.secrets_with_source && !spec.checkout.none;
  spec.separated = beside_secrets || std::ranges::any_of(spec.steps, [](const StepSpec& step) {
                     return step.run_as.kind == RunAs::Kind::source;
                   });
}

Result<void> check_steering(const Run& run, const Group& group, const JobDefinition& definition, const JobSpec& spec) {
  if (spec.source_trust == Trust::trusted || !holds_secrets(spec) || spec.secrets_with_source) return {};
  Steering steering(run, group, definition);
  const auto check = [&](std::string_view what, const Template& text,
                         const TemplateMap* step_env = nullptr) -> Result<void> {
    const std::string name = steering.name_in(text, step_env);
    if (name.empty()) return {};
    return fail(ErrorKind::denied,
                fmt::format("{} is chosen by `{}`, which untrusted source or whoever opened the pull request may have "
                            "set, and the job holds secrets: choose it by what is yours, or accept that by "
                            "--accept-risk secrets-with-source (slipway help E112)",
                            what, name));
  };
  const auto check_all = [&](std::string_view what, const std::vector<Template>& texts) -> Result<void> {
    for (const Template& text : texts) SW_CHECK(check(what, text));
    return {};
  };
  if (definition.image && spec.image_of_text) SW_CHECK(check("`image`", *definition.image));
  for (const Service& service : definition.services) {
    SW_CHECK(check(fmt::format("`image` of service `{}`", service.name), service.image));
  }
  for (const CacheDefinition& cache : definition.cache) SW_CHECK(check_all("a cache's `paths`", cache.paths));
  for (const ArtifactDefinition& artifact : definition.artifacts) {
    SW_CHECK(check_all("an artifact's `paths`", artifact.paths));
  }
  if (definition.working_dir) SW_CHECK(check("`working_dir`", *definition.working_dir));
  for (const StepDefinition& step : definition.steps) {
    const auto& directory = step.working_dir ? step.working_dir : definition.working_dir;
    if (directory) SW_CHECK(check("`working_dir` of a step", *directory, &step.env));
  }
  return {};
}

Result<void> check_inherited(const Run& run, const Group& asker, const JobDefinition& asked) {
  const bool holds_secrets = !asked.secrets.empty() || std::ranges::any_of(asked.steps, [](const StepDefinition& step) {
    return !step.secrets.empty();
  });
  if (run.options.source_trust == Trust::trusted || !holds_secrets || run.options.secrets_with_source) return {};
  const JobDefinition& definition = *asker.definition;
  Steering steering(run, asker, definition);
  std::string name;
  const auto look = [&](const Template& text) {
    if (name.empty()) name = steering.name_in(text);
  };
  if (definition.image && !asked.image) look(*definition.image);
  const auto look_all = [&](const TemplateMap& variables) {
    for (const auto& [variable, text] : variables) look(text);
  };
  look_all(definition.env);
  for (const std::string& preset : definition.presets) look_all(run.workflow->presets.at(preset));
  if (definition.for_each) {
    if (const auto* list = std::get_if<ExpressionPtr>(&definition.for_each->in)) look(Template{{{{}, *list}}, {}});
  }
  if (name.empty()) return {};
  return fail(ErrorKind::denied,
              fmt::format("it holds secrets, and would inherit from `{}` what `{}` chose, which untrusted source or "
                          "whoever opened the pull request may have set; accept that by --accept-risk "
                          "secrets-with-source (slipway help E112)",
                          asker.name, name));
}

Result<void> check_image_path(std::string_view image) {
  // `oci:/DIR:TAG`: a colon too ends a part.
  const bool leads_up = std::ranges::any_of(split(image, '/'), [](std::string_view part) {
    return std::ranges::any_of(split(part, ':'), [](std::string_view piece) { return piece == ".."; });
  });
  if (!leads_up) return {};
  return fail(ErrorKind::invalid,
              "`" + printable(image.substr(0, 200), Colour::strip) + "`: an image's path has no `..` in it");
}

}  // namespace slipway::model
