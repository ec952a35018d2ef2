#include "definition/reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "definition/expression_parser.h"
#include "definition/support.h"

namespace slipway::definition {
namespace {

using std::chrono::minutes;

model::Workflow must(std::string_view text) {
  ReadResult read = read_workflow(text, "ci.yaml");
  for (const Problem& problem : read.problems) ADD_FAILURE() << render(problem, text);
  return read.workflow.value_or(model::Workflow());
}

bool has(std::string_view text, std::string_view code) {
  const ReadResult read = read_workflow(text, "ci.yaml");
  return std::ranges::any_of(read.problems, [&](const Problem& problem) { return problem.code == code; });
}

TEST(Reader, SingleJobTakesItsNameFromTheFile) {
  const model::Workflow workflow = must("job: {run: make}\n");
  EXPECT_TRUE(workflow.is_single_job);
  ASSERT_EQ(workflow.jobs.size(), 1U);
  EXPECT_EQ(workflow.jobs[0].name, "ci");
  EXPECT_EQ(std::get<model::Script>(workflow.jobs[0].steps[0].action).text, "make");
}

TEST(Reader, AMistypedDependencyIsShownWithTheNearestJob) {
  const std::string text =
      "workflow:\n  jobs:\n    - {name: build, run: x}\n    - name: test\n      run: x\n      depends_on: [biuld]\n";
  const ReadResult read = read_workflow(text, "ci.yaml");
  ASSERT_EQ(read.problems.size(), 1U);
  EXPECT_EQ(render(read.problems[0], text),
            "ci.yaml:6:20: job `test` depends on `biuld`, which is not there\n"
            "    6 |       depends_on: [biuld]\n"
            "      |                    ^~~~~ did you mean `build`?\n");
}

TEST(Reader, JobsAtTheTopAreToldWhereTheyBelong) {
  const ReadResult read = read_workflow("jobs:\n  - {name: a, run: x}\n", "ci.yaml");
  ASSERT_EQ(read.problems.size(), 1U) << "no other hint contradicts it";
  EXPECT_EQ(read.problems[0].hint, "put all of it below `workflow:`, as `workflow: {jobs: [...]}`");
}

TEST(Reader, ErrorReadsAsTheLanguageShowsIt) {
  const std::string text = "workflow:\n  jobs:\n    - name: package\n      run: x\n      dependson: [test]\n";
  const ReadResult read = read_workflow(text, "ci.yaml");
  ASSERT_EQ(read.problems.size(), 1U);
  EXPECT_EQ(render(read.problems[0], text),
            "ci.yaml:5:7: unknown key `dependson` in job `package`\n"
            "    5 |       dependson: [test]\n"
            "      |       ^~~~~~~~~ did you mean `depends_on`?\n");
  EXPECT_EQ(
      to_json(read.problems[0]),
      R"({"type":"problem","code":"E012","severity":"error","file":"ci.yaml","line":5,"column":7,"message":"unknown key `dependson` in job `package`","hint":"did you mean `depends_on`?"})");
}

TEST(Reader, AliasesAreRead) {
  const model::Workflow workflow = must(
      "workflow:\n  jobs:\n    - {name: a, command: make all}\n    - {name: b, needs: a, if: always, run: x, ci_code: "
      "{git_url: /u, git_ref: r}}\n");
  EXPECT_EQ(std::get<model::Script>(workflow.jobs[0].steps[0].action).text, "make all");
  EXPECT_EQ(workflow.jobs[1].depends_on, std::vector<std::string>{"a"});
  EXPECT_NE(workflow.jobs[1].condition, nullptr);
  EXPECT_EQ(workflow.jobs[1].ci_code->ref.literal(), "r");
}

TEST(Reader, PlacesOfCodeAreReadAndOnlyASourcesRefIsATemplate) {
  const model::Workflow workflow = must(
      "workflow:\n  source_code: {url: \"https://git.example.org/app.git\", ref: \"refs/pull/{{ pr.number }}/head\"}\n"
      "  jobs:\n    - {name: a, ci_code: {path: ci/run.sh}}\n");
  EXPECT_FALSE(workflow.source_code->ref.is_literal());
  EXPECT_EQ(workflow.jobs[0].ci_code->path, "ci/run.sh");
  EXPECT_TRUE(workflow.jobs[0].steps.empty());
  for (const char* code : {"{ref: main}", "{}", "{url: app}", "{path: /ci}", "{path: a/../b}",
                           "{url: \"https://u:p@host/x\"}", "{url: \"https://token@host/x\"}"}) {
    EXPECT_TRUE(has(std::string("job:\n  run: x\n  ci_code: ") + code + "\n", "E064")) << code;
  }
  EXPECT_FALSE(
      read_workflow("job: {run: x, ci_code: {url: /app, ref: \"{{ branch }}\"}}\n", "ci.yaml").problems.empty());
}

TEST(Reader, JobsMayBeAMapping) {
  const model::Workflow workflow = must("workflow: {jobs: {b: {run: x}, a: {run: y}}}\n");
  EXPECT_EQ(workflow.jobs[0].name, "b");
  EXPECT_EQ(workflow.jobs[1].name, "a");
}

TEST(Reader, WhatTheJobSaysWinsAndMappingsAreMerged) {
  const model::Workflow workflow = must(
      "workflow:\n  defaults: {timeout: 20m, env: {A: d, B: d}}\n"
      "  templates: {t: {params: {p: {default: q}}, env: {B: t, C: t}, run: x}}\n"
      "  jobs: [{name: j, template: t, env: {C: j}, steps: [y]}]\n");
  const model::JobDefinition& job = workflow.jobs[0];
  std::map<std::string, std::string> env;
  for (const auto& [name, value] : job.env) env[name] = value.literal();
  EXPECT_EQ(env, (std::map<std::string, std::string>{{"A", "d"}, {"B", "t"}, {"C", "j"}}));
  EXPECT_EQ(job.timeout, minutes(20));
  EXPECT_EQ(job.origins.at("timeout"), "defaults at ci.yaml:2");
  EXPECT_EQ(job.steps.size(), 1U);
  EXPECT_EQ(std::get<model::Script>(job.steps[0].action).text, "y");
  EXPECT_EQ(job.params[0].second, model::Value{"q"});
}

TEST(Reader, AmountsWithExpressionsWaitForThePlanner) {
  const model::Workflow workflow = must("job: {run: x, matrix: {axes: {t: [1m, 2m]}}, timeout: \"{{ matrix.t }}\"}\n");
  EXPECT_TRUE(workflow.jobs[0].late.contains("timeout"));
  EXPECT_FALSE(workflow.jobs[0].timeout);
}

TEST(Reader, BooleansAreThoseOfYaml12) {
  EXPECT_TRUE(has("job: {run: x, nested: \"true\"}\n", "E013"));
  EXPECT_TRUE(has("job: {run: x, nested: on}\n", "E013"));
  EXPECT_TRUE(must("job: {run: x, nested: true}\n").jobs[0].nested);
}

TEST(Reader, CloningIntoTheSourceDirectoryTurnsTheCheckoutOff) {
  EXPECT_TRUE(must("job: {run: git clone https://example.org/x /job/src}\n").jobs[0].checkout.none);
  EXPECT_TRUE(must("job: {run: 'cd / && git clone \"$URL\" \"/job/src/\" && make'}\n").jobs[0].checkout.none);
  EXPECT_FALSE(
      must("job: {run: git clone https://example.org/x /tmp/x && diff -r /tmp/x /job/src}\n").jobs[0].checkout.none);
  EXPECT_FALSE(must("job: {run: git clone https://example.org/x /job/src/vendor}\n").jobs[0].checkout.none);
}

std::string hint_of(std::string_view text, std::string_view code) {
  const ReadResult read = read_workflow(text, "ci.yaml");
  if (read.problems.size() != 1 || read.problems[0].code != code) {
    std::string all;
    for (const Problem& problem : read.problems) all += problem.code + " " + render(problem, text);
    return all;
  }
  return fmt::format("{}:{} {}", read.problems[0].place.line, read.problems[0].place.column, read.problems[0].hint);
}

TEST(Reader, EveryUnknownKeyHasAHint) {
  EXPECT_EQ(hint_of("job: {run: x, scirpt: make}\n", "E012"), "1:15 here it is `run`");
  EXPECT_EQ(hint_of("job: {run: x, runs_on: y}\n", "E012"), "1:15 here it is `image`");
  EXPECT_TRUE(hint_of("job: {run: x, zzz: y}\n", "E012").starts_with("1:15 known are "));
}

TEST(Reader, ATextBlockThatIsNotIndentedIsShownAtItsKey) {
  EXPECT_EQ(hint_of("job:\n  run: |\n  make\n", "E003"), "2:3 indent the lines below");
  EXPECT_EQ(hint_of("job:\n  steps:\n    - run: |\n    make all\n", "E003"), "3:7 indent the lines below");
  EXPECT_EQ(hint_of("job:\n  env: {A: b}\n  run: |\nmake all\n", "E003"), "3:3 indent the lines below");
}

TEST(Reader, QuotesInQuotesAreShown) {
  const char* const hint = "use single quotes inside, or write \\\" for each inner quote";
  EXPECT_EQ(hint_of("job:\n  run: \"echo \"hi\"\"\n", "E003"), fmt::format("2:15 {}", hint));
  EXPECT_EQ(hint_of("job:\n  env: {T: \"{{ default(branch, \"y\") }}\"}\n  run: x\n", "E003"),
            fmt::format("2:33 {}", hint));
}

TEST(Reader, ATimeZoneIsOneOfTheMachinesDatabase) {
  const auto zoned = [](std::string_view zone) {
    return fmt::format(
        "workflow:\n  on: {{schedule: [{{cron: \"0 0 * * *\", timezone: {}}}]}}\n  jobs: [{{name: a, run: x}}]\n",
        zone);
  };
  if (!std::filesystem::exists("/usr/share/zoneinfo/UTC")) GTEST_SKIP() << "no time zones here";
  EXPECT_TRUE(has(zoned("Europe/Berln"), "E056"));
  EXPECT_TRUE(has(zoned("Europe"), "E056"));
  EXPECT_FALSE(has(zoned("Europe/Berlin"), "E056"));
  EXPECT_FALSE(has(zoned("UTC"), "E056"));
}

TEST(Reader, AMatrixWithAWrongAxisIsToldSoOnce) {
  EXPECT_EQ(hint_of("job: {run: x, matrix: {axes: {cc: gcc}}}\n", "E013"), "1:35 it wants a list");
  EXPECT_EQ(hint_of("job: {run: x, matrix: gcc}\n", "E013").substr(0, 36), "1:23 it wants a mapping, as `matrix:");
}

TEST(Reader, ImageAloneRunsItsEntrypointUnlessItHasNone) {
  EXPECT_TRUE(must("job: {image: tool:1}\n").jobs[0].image_entrypoint);
  EXPECT_TRUE(has("job: {image: host}\n", "E036"));
  EXPECT_TRUE(has("workflow: {defaults: {image: tool}, jobs: [{name: a}]}\n", "E036"));
}

TEST(Reader, ProblemsBeyondTheLimitAreCounted) {
  std::string text = "workflow:\n  jobs:\n";
  for (int i = 0; i < 150; ++i) text += "    - {name: j" + std::to_string(i) + ", run: x, foo: y}\n";
  const ReadResult read = read_workflow(text, "ci.yaml");
  EXPECT_EQ(read.problems.size(), 100U);
  EXPECT_EQ(read.more_problems, 50U);
  EXPECT_FALSE(read.workflow);
}

TEST(Reader, KnowsWhereDefinitionsLie) {
  EXPECT_TRUE(is_definition_file(".slipway/workflows/ci.yaml"));
  EXPECT_TRUE(is_definition_file(".slipway/jobs/a.yml"));
  EXPECT_FALSE(is_definition_file(".slipway/workflows/sub/ci.yaml"));
  EXPECT_FALSE(is_definition_file(".slipway/config.yaml"));
}

TEST(Support, WhatCannotBeHonouredIsAnErrorAndWhatHasNoEffectANote) {
  const model::Workflow workflow = must(
      "job:\n  image: debian:12\n  labels: [gpu]\n  services: [{name: db, image: x}]\n  devices: [/dev/kvm]\n  "
      "ci_code: {path: ci}\n"
      "  steps: [{run: x, run_as: source}]\n");
  std::vector<std::string> codes;
  for (const Problem& problem : unsupported(workflow, {})) codes.push_back(problem.code);
  EXPECT_EQ(codes, (std::vector<std::string>{"E102", "E110", "E102", "E106", "E103", "E105"}));
  EXPECT_TRUE(unsupported(must("job: {image: /srv/root, run: x}\n"), {}).empty());
  const model::Workflow of_files =
      must("job: {image: \"oci:/i:t\", run: x, services: [{name: d, image: \"oci:/i\"}]}\n");
  EXPECT_EQ(unsupported(of_files, {.named_images = true, .image_files = false}).size(), 2U);
  EXPECT_TRUE(unsupported(of_files, {.named_images = true}).empty());
}

std::string shape_of(std::string_view text) {
  const auto parsed = parse_expression(text, on_one_line({"f", 1, 1}));
  const auto* expression = std::get_if<model::ExpressionPtr>(&parsed);
  if (expression == nullptr) return std::get<SyntaxError>(parsed).message;
  const auto* binary = std::get_if<model::Binary>(&(*expression)->node);
  return binary == nullptr ? (*expression)->text : binary->left->text + " | " + binary->right->text;
}

TEST(ExpressionParser, AndBindsStrongerThanOr) {
  EXPECT_EQ(shape_of("a || b && c"), "a | b && c");
  EXPECT_EQ(shape_of("a && b || c"), "a && b | c");
  EXPECT_EQ(shape_of("!a == b"), "!a | b");
  EXPECT_EQ(shape_of("a == b == c"), "comparisons cannot be chained");
}

TEST(ExpressionParser, LiteralBracesAreWrittenAsAnExpression) {
  const auto parsed = parse_template("a {{ \"{{\" }} b", on_one_line({"f", 1, 1}));
  EXPECT_EQ(model::expand(std::get<model::Template>(parsed), {}).value(), "a {{ b");
}

// The text behind the place is shorter than any word it is compared with: it must not be read behind its end.
TEST(ExpressionParser, AStrayByteAtTheEndIsNamed) {
  EXPECT_EQ(shape_of("hash(\"x\"$)"), "unexpected `$`");
  EXPECT_EQ(shape_of("a $"), "unexpected `$`");
}

TEST(ExpressionParser, NestingIsLimited) {
  const std::string deep = std::string(60, '(') + "true" + std::string(60, ')');
  EXPECT_EQ(shape_of(deep), "an expression may be nested 50 deep");
}

}  // namespace
}  // namespace slipway::definition
