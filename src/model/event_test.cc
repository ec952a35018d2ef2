#include "model/event.h"

#include <gtest/gtest.h>

namespace slipway::model {
namespace {

Workflow on(Trigger trigger) {
  Workflow workflow;
  workflow.on = {std::move(trigger)};
  return workflow;
}
Event push(std::string branch, std::optional<std::vector<std::string>> files = {}) {
  return {.kind = EventKind::push, .branch = std::move(branch), .changed_files = std::move(files)};
}

struct Case {
  const char* what;
  Trigger trigger;
  Event event;
  bool starts;
};

TEST(Decide, AsksTheFiltersOfTheEvent) {
  const Trigger push_main{.event = EventKind::push, .branches = {"main", "release/*", "!release/old"}};
  const Trigger paths{.event = EventKind::push, .paths = {"**", "!docs/**"}};
  const Trigger request{.event = EventKind::pull_request, .branches = {"main"}};
  const Trigger closed{.event = EventKind::pull_request, .events = {"closed"}};
  const Trigger tag{.event = EventKind::tag, .tags = {"v*"}};
  const Trigger schedule{.event = EventKind::schedule, .schedules = {{"30 2 * * *", "UTC"}}};
  const Event to_main{.kind = EventKind::pull_request, .branch = "dev", .pull_request = PullRequest{.base = "main"}};
  Event to_main_closed = to_main;
  to_main_closed.action = "closed";
  const Event to_other{.kind = EventKind::pull_request, .branch = "main", .pull_request = PullRequest{.base = "other"}};
  const std::vector<Case> cases = {
      {"branch listed", push_main, push("main"), true},
      {"branch by pattern", push_main, push("release/2"), true},
      {"branch negated", push_main, push("release/old"), false},
      {"branch not listed", push_main, push("dev"), false},
      {"no branch", push_main, push(""), false},
      {"other event", push_main, {.kind = EventKind::tag, .tag = "main"}, false},
      {"unknown paths", paths, push("x"), true},
      {"one path left", paths, push("x", {{"docs/a", "src/b"}}), true},
      {"all paths negated", paths, push("x", {{"docs/a"}}), false},
      {"nothing changed", paths, push("x", std::vector<std::string>{}), false},
      {"request asks its base", request, to_main, true},
      {"request to another base", request, to_other, false},
      {"closed is not usual", request, to_main_closed, false},
      {"closed where asked for", closed, to_main_closed, true},
      {"tag", tag, {.kind = EventKind::tag, .tag = "v1"}, true},
      {"other tag", tag, {.kind = EventKind::tag, .tag = "x1"}, false},
      {"schedule line", schedule, {.kind = EventKind::schedule, .schedule = "30 2 * * *"}, true},
      {"any schedule", schedule, {.kind = EventKind::schedule}, true},
      {"other line", schedule, {.kind = EventKind::schedule, .schedule = "1 1 * * *"}, false},
  };
  for (const Case& c : cases) {
    const TriggerDecision decision = decide(on(c.trigger), c.event);
    EXPECT_EQ(decision.starts, c.starts) << c.what;
    EXPECT_FALSE(decision.because.empty()) << c.what;
  }
}

TEST(Decide, WithoutOnOnlyAPersonOrAProgramStartsIt) {
  EXPECT_TRUE(decide({}, {.kind = EventKind::manual}).starts);
  EXPECT_TRUE(decide({}, {.kind = EventKind::api}).starts);
  EXPECT_FALSE(decide({}, push("main")).starts);
}

const Named<InputDefinition> kInputs = {
    {"target",
     {.type = InputDefinition::Type::choice,
      .default_value = Value{std::string("staging")},
      .options = {"staging", "production"}}},
    {"count", {.type = InputDefinition::Type::number}},
    {"dry", {.type = InputDefinition::Type::boolean}},
    {"who", {.required = true}},
};

TEST(Inputs, GetTheirTypesAndDefaults) {
  const auto values = check_inputs(kInputs, {{"who", "ada"}, {"count", "2.5"}});
  ASSERT_TRUE(values) << values.error().what;
  EXPECT_EQ(values->at(0).second, Value{std::string("staging")});
  EXPECT_EQ(values->at(1).second, Value{2.5});
  EXPECT_EQ(values->at(2).second, Value{false});
  EXPECT_EQ(values->at(3).second, Value{std::string("ada")});
}

TEST(Inputs, AreAllWrongAtOnce) {
  const auto values = check_inputs(kInputs, {{"count", "2x"}, {"dry", "yes"}, {"target", "moon"}, {"targt", "x"}});
  ASSERT_FALSE(values);
  for (const char* part : {"`count` must be a number", "`dry` must be", "one of staging, production",
                           "`who` is required", "did you mean `target`"}) {
    EXPECT_NE(values.error().what.find(part), std::string::npos) << values.error().what;
  }
}

}  // namespace
}  // namespace slipway::model
