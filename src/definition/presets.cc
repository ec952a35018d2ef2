#include "definition/presets.h"

#include <algorithm>

#include <fmt/format.h>

#include "definition/expression_parser.h"

namespace slipway::definition {

namespace {

constexpr std::string_view kReactorcide = "reactorcide";

/// As Reactorcide names what happened.
std::string event_type(const model::Event& event) {
  switch (event.kind) {
    case model::EventKind::push: return "push";
    case model::EventKind::tag: return "tag_created";
    case model::EventKind::pull_request: {
      const bool opened = event.action.empty() || event.action == "reopened";
      return "pull_request_" + (opened ? "opened" : event.action);
    }
    case model::EventKind::schedule:
    case model::EventKind::manual:
    case model::EventKind::api: break;
  }
  return std::string(model::to_string(event.kind));
}

model::TemplateMap reactorcide(const model::Event& event) {
  model::TemplateMap env;
  const auto put = [&](const char* name, const std::string& text) {
    env.emplace_back(name, model::Template::of(text));
  };
  const auto put_late = [&](const char* name, std::string_view text) {
    auto made = parse_template(text, on_one_line({"preset reactorcide", 0, 0}));
    SW_ASSERT(std::holds_alternative<model::Template>(made), "the preset is ours");
    env.emplace_back(name, std::get<model::Template>(std::move(made)));
  };
  put("REACTORCIDE_IN_CONTAINER", "true");
  put_late("REACTORCIDE_JOB_ID", "{{ run.id }}/{{ job.name }}");
  put("REACTORCIDE_CODE_DIR", "/job/src");
  put("REACTORCIDE_JOB_DIR", "/job/src");
  put("REACTORCIDE_SOURCE_TYPE", "git");
  put("REACTORCIDE_SOURCE_URL", "file:///job/source.git");
  put_late("REACTORCIDE_SOURCE_REF", "{{ sha }}");
  put("REACTORCIDE_CI_SOURCE_DIR", "/job/src");
  put("REACTORCIDE_CHECKOUT_MODE", "isolated");
  put("REACTORCIDE_TRIGGERS_FILE", "/job/triggers.json");
  put("REACTORCIDE_PROVIDER", "local");
  put("REACTORCIDE_EVENT_TYPE", event_type(event));
  put_late("REACTORCIDE_REPO", "{{ repo }}");
  put_late("REACTORCIDE_HEAD_ACTOR", "{{ actor }}");
  put_late("REACTORCIDE_SHA", "{{ sha }}");
  put("REACTORCIDE_BRANCH", event.kind == model::EventKind::tag ? event.tag : event.branch);
  if (event.pull_request) {
    const model::PullRequest& request = *event.pull_request;
    put("REACTORCIDE_PR_NUMBER", fmt::format("{}", request.number));
    put("REACTORCIDE_PR_REF", fmt::format("refs/pull/{}/head", request.number));
    put("REACTORCIDE_PR_BASE_REF", request.base);
    put("REACTORCIDE_HEAD_REF", request.head);
    put("REACTORCIDE_BASE_REF", request.base);
    put("REACTORCIDE_IS_FORK_PR", request.fork ? "true" : "false");
  }
  put("GIT_TERMINAL_PROMPT", "0");
  put_late("RC_WF_RUN_ID", "{{ run.id }}");
  put_late("RC_WF_NODE_ID", "{{ run.id }}/{{ job.name }}");
  put_late("RC_WF_NODE_NAME", "{{ job.name }}");
  put_late("RC_WF_VARS_JSON", "{{ vars }}");
  put("RC_WF_OUTPUT_FILE", "/job/workflow-output.json");
  return env;
}

}  // namespace

bool is_built_in_preset(std::string_view name) { return name == kReactorcide; }

void fill_presets(model::Workflow& workflow, const model::Event& event) {
  const auto takes = [](const model::JobDefinition& job) {
    return std::ranges::find(job.presets, kReactorcide) != job.presets.end();
  };
  const bool wanted = std::ranges::any_of(workflow.jobs, takes) ||
                      std::ranges::any_of(workflow.templates, [&](const auto& made) { return takes(made.second.job); });
  if (!wanted) return;
  workflow.presets[std::string(kReactorcide)] = reactorcide(event);
}

void fill_presets(model::JobDefinition& job, const model::Event& event) {
  const auto at = std::ranges::find(job.presets, kReactorcide);
  if (at == job.presets.end()) return;
  job.presets.erase(at);
  model::TemplateMap env = reactorcide(event);
  for (auto& [name, value] : job.env) {
    std::erase_if(env, [&](const auto& known) { return known.first == name; });
    env.emplace_back(name, std::move(value));
  }
  job.env = std::move(env);
}

}  // namespace slipway::definition
