#include "model/expression.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "model/definition.h"

namespace slipway::model {
namespace {

ExpressionPtr made(decltype(Expression::node) node, std::string text) {
  return std::make_shared<const Expression>(Expression{std::move(node), {"ci.yaml", 3, 7}, std::move(text)});
}
ExpressionPtr text(const std::string& value) { return made(Literal{Value{value}}, "\"" + value + "\""); }
ExpressionPtr number(double value) { return made(Literal{Value{value}}, "1"); }
ExpressionPtr name(const std::string& dotted) {
  Name made_name;
  for (const auto part : split(dotted, '.')) made_name.path.emplace_back(part);
  return made(made_name, dotted);
}
ExpressionPtr binary(BinaryOperator op, ExpressionPtr left, ExpressionPtr right, std::string written) {
  return made(Binary{op, std::move(left), std::move(right)}, std::move(written));
}
ExpressionPtr call(const std::string& function, std::vector<ExpressionPtr> arguments = {}) {
  return made(Call{function, std::move(arguments)}, function + "()");
}
ExpressionPtr on_main() { return binary(BinaryOperator::equal, name("branch"), text("main"), "branch == \"main\""); }

bool truth(const ExpressionPtr& expression, const Scope& scope) {
  Trace trace;
  const auto value = holds(*expression, scope, trace);
  EXPECT_TRUE(value) << value.error().what;
  return value.value_or(false);
}
std::string error_of(const ExpressionPtr& expression, const Scope& scope) {
  Trace trace;
  const auto value = evaluate(*expression, scope, trace);
  EXPECT_FALSE(value);
  return value ? "" : value.error().what;
}

class OneFile final : public Facts {
 public:
  Result<std::string> hash(const std::vector<std::string>& patterns) const override {
    if (patterns[0] == "deps.lock") return std::string("abc123");
    return fail(ErrorKind::not_found, "no file matches");
  }
  std::optional<bool> changed(const std::vector<std::string>& patterns) const override {
    if (patterns[0] == "docs/**") return false;
    return std::nullopt;
  }
};

TEST(Expression, ComparisonTellsWhatItSaw) {
  Scope scope{.values = {{"branch", Value{"dev"}}}};
  Trace trace;
  EXPECT_EQ(evaluate(*on_main(), scope, trace).value(), Value{false});
  ASSERT_EQ(trace.size(), 1U);
  EXPECT_EQ(trace[0].text, "branch == \"main\"");
  EXPECT_EQ(trace[0].outcome, "false (branch is \"dev\")");
}

TEST(Expression, ConjunctionStopsAtTheFirstFalse) {
  Scope scope{.values = {{"branch", Value{"dev"}}}};
  Trace trace;
  const auto both = binary(BinaryOperator::logical_and, on_main(), name("nonsense"), "...");
  EXPECT_EQ(evaluate(*both, scope, trace).value(), Value{false});
  EXPECT_EQ(trace.size(), 1U);
}

TEST(Expression, DifferentTypesAreNotCompared) {
  const auto mixed = binary(BinaryOperator::equal, text("1"), number(1), "\"1\" == 1");
  EXPECT_EQ(error_of(mixed, {}), "ci.yaml:3:7: `\"1\" == 1` compares a string with a number: nothing is converted");
}

TEST(Expression, EverythingMayBeComparedWithNull) {
  Scope scope{.values = {{"pr.number", Value{}}}};
  EXPECT_TRUE(truth(binary(BinaryOperator::equal, name("pr.number"), made(Literal{}, "null"), ""), scope));
  EXPECT_TRUE(truth(binary(BinaryOperator::not_equal, number(1), made(Literal{}, "null"), ""), scope));
}

TEST(Expression, UnknownNameIsAnErrorWithItsPlace) {
  EXPECT_EQ(error_of(name("branhc"), {}), "ci.yaml:3:7: `branhc` is not known here");
}

TEST(Expression, DefaultStandsForNullAndForMissingNames) {
  Scope scope{.values = {{"pr.base", Value{}}}};
  Trace trace;
  EXPECT_EQ(evaluate(*call("default", {name("pr.base"), text("x")}), scope, trace).value(), Value{"x"});
  EXPECT_EQ(evaluate(*call("default", {name("matrix.y"), text("x")}), scope, trace).value(), Value{"x"});
}

TEST(Expression, WithoutDependenciesAllSucceededAndNoneFailed) {
  EXPECT_TRUE(truth(call("all_success"), {}));
  EXPECT_TRUE(truth(call("success"), {}));
  EXPECT_FALSE(truth(call("any_failed"), {}));
  EXPECT_FALSE(truth(call("failed"), {}));
}

TEST(Expression, CancelledAndSkippedAreNeitherSuccessNorFailure) {
  for (const Ending ending : {Ending::cancelled, Ending::skipped}) {
    Scope scope{.endings = {{"a", ending}}};
    EXPECT_FALSE(truth(call("all_success"), scope));
    EXPECT_FALSE(truth(call("any_failed"), scope));
  }
}

TEST(Expression, NamedStatusFunctionsAskOnlyAboutThose) {
  Scope scope{.endings = {{"a", Ending::succeeded}, {"b", Ending::failed}}};
  EXPECT_TRUE(truth(call("success", {text("a")}), scope));
  EXPECT_FALSE(truth(call("failed", {text("a")}), scope));
  EXPECT_TRUE(truth(call("failed", {text("a"), text("b")}), scope));
  EXPECT_EQ(error_of(call("failed", {text("c")}), scope), "ci.yaml:3:7: `c` is not among what this depends on");
}

TEST(Expression, CancelledWithNamesAsksAboutThose) {
  Scope scope{.endings = {{"a", Ending::succeeded}, {"b", Ending::cancelled}}};
  EXPECT_TRUE(truth(call("cancelled", {text("a"), text("b")}), scope));
  EXPECT_FALSE(truth(call("cancelled", {text("a")}), scope));
  EXPECT_FALSE(truth(call("cancelled"), scope));
  scope.cancelled = true;
  EXPECT_FALSE(truth(call("cancelled", {text("b")}), scope));  // nothing new starts by it
}

TEST(Expression, OnlyAlwaysAndCancelledHoldAfterCancellation) {
  Scope scope{.endings = {{"a", Ending::failed}}, .cancelled = true};
  EXPECT_TRUE(truth(call("always"), scope));
  EXPECT_TRUE(truth(call("cancelled"), scope));
  EXPECT_FALSE(truth(call("any_failed"), scope));
  EXPECT_FALSE(truth(call("all_success"), scope));
}

TEST(Expression, FunctionsOnText) {
  EXPECT_TRUE(truth(call("glob", {text("release/1"), text("release/*")}), {}));
  EXPECT_TRUE(truth(call("contains", {text("abc"), text("b")}), {}));
  EXPECT_TRUE(truth(call("starts_with", {text("abc"), text("ab")}), {}));
  EXPECT_FALSE(truth(call("ends_with", {text("abc"), text("ab")}), {}));
  EXPECT_FALSE(error_of(call("glob", {text("a")}), {}).empty());
}

TEST(Expression, UnknownChangesCountAsChanged) {
  const OneFile facts;
  Scope scope{.facts = &facts};
  EXPECT_FALSE(truth(call("changed", {text("docs/**")}), scope));
  EXPECT_TRUE(truth(call("changed", {text("src/**")}), scope));
  EXPECT_EQ(error_of(call("changed", {text("x")}), {}), "ci.yaml:3:7: changed() cannot be asked here");
}

TEST(Expression, HashKeepsTheKindOfItsError) {
  const OneFile facts;
  Scope scope{.facts = &facts};
  Trace trace;
  EXPECT_EQ(evaluate(*call("hash", {text("nothing")}), scope, trace).error().kind, ErrorKind::not_found);
}

TEST(Expression, TextOfValues) {
  EXPECT_EQ(to_text(Value{17.0}).value(), "17");
  EXPECT_EQ(to_text(Value{0.5}).value(), "0.5");
  EXPECT_EQ(to_text(Value{true}).value(), "true");
  EXPECT_FALSE(to_text(Value{ValueList{}}));
  EXPECT_FALSE(to_text(Value{}));
}

TEST(Expression, TemplatesAreFilledIn) {
  Template text_template = Template::of("ci-");
  text_template.parts.push_back({"", name("branch")});
  EXPECT_EQ(expand(text_template, {.values = {{"branch", Value{"dev"}}}}).value(), "ci-dev");
}

TEST(Expression, SimplifiedConditionNeedsOnlyEndings) {
  const OneFile facts;
  Scope plan{.values = {{"branch", Value{"main"}}}, .facts = &facts};
  const auto condition = binary(BinaryOperator::logical_and,
                                binary(BinaryOperator::logical_and, on_main(), call("changed", {text("src/**")}), "a"),
                                call("any_failed"), "b");
  const ExpressionPtr simple = simplify(condition, plan);
  EXPECT_TRUE(names_in(*simple).empty());
  EXPECT_TRUE(calls_status_function(*simple));
  EXPECT_TRUE(truth(simple, {.endings = {{"unit", Ending::failed}}}));
  Trace trace;
  EXPECT_FALSE(holds(*simple, {}, trace).value());
  EXPECT_EQ(trace[0].outcome, "true (branch is \"main\")");
}

TEST(Expression, OutcomesAreReadAsTheyAreWritten) {
  for (int i = 0; i < 8; ++i) EXPECT_EQ(outcome_of(to_string(Outcome(i))), Outcome(i));
  EXPECT_EQ(ending_of(Outcome::timed_out), Ending::failed);
  EXPECT_EQ(event_kind_of("pull_request"), EventKind::pull_request);
  EXPECT_EQ(event_kind_of("merge"), std::nullopt);
}

}  // namespace
}  // namespace slipway::model
