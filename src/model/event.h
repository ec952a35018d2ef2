#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/definition.h"
#include "model/expression.h"

/// What happened, and which workflows it starts. Pure.
namespace slipway::model {

struct PullRequest {
  int number = 0;
  std::string title, base, head;  ///< base and head are branches
  bool fork = false;
};

/// Something that happened to a project. What is not known stays empty.
struct Event {
  EventKind kind = EventKind::manual;
  std::string branch;  ///< pushed to, checked out; of a pull request: its head
  std::string tag;
  std::string sha;
  std::string default_branch;
  std::string action;  ///< `opened`, `updated`, `reopened`, `closed`, ...; empty: the usual one
  std::string actor, repo;
  std::optional<PullRequest> pull_request;
  std::map<std::string, std::string> inputs;              ///< as given by a person or a program, not checked yet
  std::optional<std::vector<std::string>> changed_files;  ///< no value: unknown, which matches every path filter
  std::string schedule;                                   ///< the cron line that fired; empty: any
  std::string json;                                       ///< the payload that a job finds behind SLIPWAY_EVENT
};

/// May `event` start the workflow, and why. `because` names every filter that was asked, in order, also those that
/// held: `branches [main, release/*]` → `matches main`.
struct TriggerDecision {
  bool starts = false;
  Trace because;
};

/// The rules of `on`: a workflow without `on` starts only by `manual` and `api`. A push asks `branches` and `paths`,
/// a pull request the branch it wants to go to, `events` (default opened, updated, reopened) and `paths`, a tag `tags`,
/// a schedule its cron line. Empty filters hold.
TriggerDecision decide(const Workflow& workflow, const Event& event);

/// Checks what was given against what is declared, fills in the defaults and gives every value its type. An input
/// without default that is not required is the empty value of its type. Errors: `invalid`, naming every
/// unknown, missing or wrong input at once, with the nearest name or the options.
Result<Named<Value>> check_inputs(const Named<InputDefinition>& declared,
                                  const std::map<std::string, std::string>& given);

/// The inputs that `on` declares for the kind of event; empty where it declares none.
const Named<InputDefinition>& declared_inputs(const Workflow& workflow, EventKind kind);

}  // namespace slipway::model
