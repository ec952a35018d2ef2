#include "model/plan.h"

#include <gtest/gtest.h>

#include "model/builders_for_test.h"

namespace slipway::model {
namespace {

std::vector<std::string> names(const Run& run) {
  std::vector<std::string> found;
  for (const Job& job : run.jobs) found.push_back(job.name);
  return found;
}
std::vector<std::string> names(const Matrix& matrix) {
  JobDefinition definition = job("t");
  definition.matrix = matrix;
  return names(planned(workflow({definition})).value());
}

Matrix worked_example() {
  return {.axes = {{"compiler", {text("gcc"), text("clang")}}, {"std", {text("17"), text("20")}}},
          .exclude = {{{"compiler", text("clang")}, {"std", text("17")}}},
          .include = {{{"compiler", text("gcc")}, {"std", text("23")}, {"experimental", Value{true}}}}};
}

TEST(Matrix, IsTheProductMinusExcludePlusInclude) {
  EXPECT_EQ(names(worked_example()),
            (std::vector<std::string>{"t (gcc, 17)", "t (gcc, 20)", "t (clang, 20)", "t (gcc, 23, true)"}));
}

TEST(Matrix, AnIncludeExtendsTheCombinationsThatItDoesNotContradict) {
  Matrix matrix = worked_example();
  matrix.include = {{{"compiler", text("gcc")}, {"flag", text("f")}}, {{"colour", text("red")}}};
  EXPECT_EQ(names(matrix),
            (std::vector<std::string>{"t (gcc, 17, f, red)", "t (gcc, 20, f, red)", "t (clang, 20, red)"}));
}

TEST(Matrix, AnIncludeMayChangeWhatAnotherAddedButNoAxis) {
  Matrix matrix{
      .axes = {{"a", {Value{1.0}}}},
      .include = {{{"k", text("x")}}, {{"k", text("y")}}, {{"a", Value{2.0}}}, {{"k", text("z")}, {"a", Value{2.0}}}}};
  EXPECT_EQ(names(matrix), (std::vector<std::string>{"t (1, y)", "t (2)", "t (2, z)"}));
}

TEST(Matrix, OfIncludesAloneIsTheirList) {
  EXPECT_EQ(names(Matrix{.include = {{{"a", text("x")}}, {{"a", text("y")}}}}),
            (std::vector<std::string>{"t (x)", "t (y)"}));
}

TEST(Matrix, OverTheLimitIsRefusedBeforeItIsBuilt) {
  Matrix matrix;
  for (int axis = 0; axis < 40; ++axis)
    matrix.axes.emplace_back("a" + std::to_string(axis), std::vector<Value>(10, text("x")));
  EXPECT_EQ(combinations(matrix).error().kind, ErrorKind::exhausted);
}

TEST(Plan, NamesInstancesOfForEachAndKeepsEqualItemsApart) {
  JobDefinition deploy = job("deploy");
  deploy.for_each = ForEach{.in = std::vector<Value>{text("eu"), text("us"), text("eu")}};
  EXPECT_EQ(names(planned(workflow({deploy})).value()),
            (std::vector<std::string>{"deploy (eu)", "deploy (us)", "deploy (eu) #2"}));
}

TEST(Plan, RefusesCyclesUnknownDependenciesAndDoubleNames) {
  for (const auto& jobs : std::vector<std::vector<JobDefinition>>{
           {job("a", {"b"}), job("b", {"a"})}, {job("a", {"a"})}, {job("a", {"x"})}, {job("a"), job("a")}}) {
    const auto run = planned(workflow(jobs));
    ASSERT_FALSE(run);
    EXPECT_EQ(run.error().kind, ErrorKind::invalid);
  }
}

TEST(Plan, OnlyTheJobsAskedForWithOrWithoutWhatTheyDependOn) {
  const Workflow definition = workflow({job("a"), job("b", {"a"}), job("c", {"b"}), job("d")});
  EXPECT_EQ(names(planned(definition, {.only_jobs = {"b"}}).value()), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(names(planned(definition, {.only_jobs = {"b"}, .with_dependencies = false}).value()),
            std::vector<std::string>{"b"});
  EXPECT_FALSE(planned(definition, {.only_jobs = {"x"}}));
}

TEST(Plan, OneInstanceOfAMatrixByNameOrByValue) {
  const Workflow definition = workflow({matrix_job("t", {text("a"), text("b")}), job("z")});
  EXPECT_EQ(names(planned(definition, {.only_jobs = {"t (b)"}}).value()), std::vector<std::string>{"t (b)"});
  EXPECT_EQ(names(planned(definition, {.only_matrix = {{"x", "a"}}}).value()),
            (std::vector<std::string>{"t (a)", "z"}));
  EXPECT_FALSE(planned(definition, {.only_jobs = {"t (c)"}}));
  EXPECT_FALSE(planned(definition, {.only_matrix = {{"x", "q"}}}));
  EXPECT_FALSE(planned(definition, {.only_matrix = {{"y", "a"}}}));
}

JobSpec resolved(Workflow definition, RunOptions options = {}) {
  const auto run = planned(std::move(definition), std::move(options)).value();
  auto spec = resolve(run, 0, AttemptId("a1"), 1, Purpose::execute);
  EXPECT_TRUE(spec) << spec.error().what;
  return std::move(*spec);
}

TEST(Resolve, FillsInEveryDefault) {
  const JobSpec spec = resolved(workflow({job("t")}));
  EXPECT_EQ(spec.image, "host");
  EXPECT_EQ(spec.network, Network::nat);
  EXPECT_EQ(spec.timeout, std::chrono::hours(1));
  EXPECT_EQ(spec.steps[0].shell, (std::vector<std::string>{"sh", "-e"}));
  EXPECT_EQ(spec.steps[0].working_dir, "/job/src");
  EXPECT_EQ(spec.run_as.kind, RunAs::Kind::runner);
}

TEST(Resolve, MergesTheEnvironmentInOrder) {
  Workflow definition = workflow({job("t")});
  definition.env = {{"A", Template::of("workflow")},
                    {"B", Template::of("workflow")},
                    {"C", Template::of("workflow")},
                    {"D", Template::of("workflow")}};
  definition.presets["p"] = {
      {"B", Template::of("preset")}, {"C", Template::of("preset")}, {"D", Template::of("preset")}};
  definition.jobs[0].presets = {"p"};
  definition.jobs[0].env = {{"C", Template::of("job")}, {"D", Template::of("job")}, {"E", hole({"env", "C"})}};
  definition.jobs[0].steps[0].env = {{"F", hole({"env", "D"})}};
  const JobSpec spec = resolved(definition, {.env = {{"D", "option"}}});
  EXPECT_EQ(spec.env, (Variables{{"A", "workflow"}, {"B", "preset"}, {"C", "job"}, {"D", "option"}, {"E", "job"}}));
  EXPECT_EQ(spec.steps[0].env, (Variables{{"F", "option"}}));
}

TEST(Resolve, KnowsMatrixItemEventAndRun) {
  JobDefinition definition = matrix_job("t", {text("gcc")});
  definition.for_each = ForEach{.in = std::vector<Value>{text("eu")}, .as = "REGION"};
  definition.env = {{"X", hole({"matrix", "x"})},
                    {"I", hole({"item"})},
                    {"B", hole({"branch"})},
                    {"R", hole({"run", "id"})},
                    {"N", hole({"run", "attempt"})}};
  const JobSpec spec = resolved(workflow({definition}));
  EXPECT_EQ(spec.job, "t (gcc, eu)");
  EXPECT_EQ(spec.env, (Variables{{"REGION", "eu"}, {"X", "gcc"}, {"I", "eu"}, {"B", "main"}, {"R", "r"}, {"N", "1"}}));
}

TEST(Resolve, ShellsAndDirectoriesAreCompleted) {
  JobDefinition definition = job("t");
  definition.shell = {"bash"};
  definition.working_dir = Template::of("sub");
  definition.steps.push_back(definition.steps[0]);
  definition.steps[1].name = "second";
  definition.steps[1].shell = {"python3"};
  definition.steps[1].working_dir = Template::of("/tmp");
  definition.steps[1].depends_on = std::vector<std::string>{"main"};
  const JobSpec spec = resolved(workflow({definition}));
  EXPECT_EQ(spec.steps[0].shell, (std::vector<std::string>{"bash", "-euo", "pipefail"}));
  EXPECT_EQ(spec.steps[0].working_dir, "/job/src/sub");
  EXPECT_EQ(spec.steps[1].shell, std::vector<std::string>{"python3"});
  EXPECT_EQ(spec.steps[1].working_dir, "/tmp");
  EXPECT_EQ(spec.steps[1].depends_on, std::vector<std::size_t>{0});
}

TEST(Resolve, APreviewShowsOutputsThatAreNotThereYet) {
  JobDefinition maker = job("maker");
  maker.outputs = {"version"};
  JobDefinition user = job("user", {"maker"});
  user.env = {{"V", hole({"outputs", "maker", "version"})}};
  const auto run = planned(workflow({maker, user})).value();
  EXPECT_EQ(resolve(run, 1, {}, 1, Purpose::preview)->env, (Variables{{"V", "<outputs.maker.version>"}}));
  EXPECT_FALSE(resolve(run, 1, {}, 1, Purpose::execute));
}

TEST(Resolve, APreviewShowsOutputsThatAreNotDeclared) {
  JobDefinition user = job("user", {"maker"});
  user.env = {{"V", hole({"outputs", "maker", "version"})}};
  user.late = {{"timeout", hole({"outputs", "maker", "timeout"})}};
  const auto run = planned(workflow({job("maker"), user})).value();
  EXPECT_EQ(resolve(run, 1, {}, 1, Purpose::preview)->env, (Variables{{"V", "<outputs.maker.version>"}}));
  EXPECT_FALSE(resolve(run, 1, {}, 1, Purpose::execute));
}

TEST(Resolve, LateMembersAreSettledPerInstance) {
  JobDefinition definition = matrix_job("t", {text("true"), text("false")});
  definition.late = {{"continue_on_error", hole({"matrix", "x"})}};
  Player player({definition});
  player.run.groups[0].fail_fast_fired = true;  // let the second one run as well
  player.play({{"t (true)", Outcome::failed}, {"t (false)", Outcome::failed}});
  EXPECT_TRUE(player.job_of("t (true)").failure_allowed);
  EXPECT_FALSE(player.job_of("t (false)").failure_allowed);
}

TEST(Foreseen, SaysNoWhereNothingCanMakeItYes) {
  Trace trace;
  const auto run =
      planned(workflow({job("a", {}, equals(name({"branch"}), literal(text("dev")))), job("b", {}, call("always"))}))
          .value();
  EXPECT_EQ(foreseen(run, 0, trace), false);
  EXPECT_EQ(foreseen(run, 1, trace), std::nullopt);
}

}  // namespace
}  // namespace slipway::model
