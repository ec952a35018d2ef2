#include "cli/definitions.h"

#include <gtest/gtest.h>

#include "cli/planned.h"
#include "cli/view_test_support.h"
#include "model/plan.h"

namespace slipway::cli {
namespace {

constexpr const char* kWorkflow = R"(workflow:
  name: ci
  on: {push: {branches: [main]}}
  defaults: {timeout: 20m}
  jobs:
    - name: test
      matrix: {axes: {cc: [gcc, clang]}}
      env: {CC: "{{ matrix.cc }}"}
      steps:
        - name: build
          run: |
            make
            make check
    - {name: deploy, depends_on: [test], condition: branch == "release", run: ./deploy.sh}
    - {name: report, depends_on: [test, deploy], condition: always, run: ./report.sh}
)";

class DefinitionsTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(os::make_directories(directory_.path() / ".slipway/workflows", 0700)); }
  void write(const char* name, const char* text) {
    ASSERT_TRUE(os::replace_file(directory_.path() / ".slipway/workflows" / name, text, 0600));
  }
  std::vector<Planned> plan(const char* branch) {
    write("ci.yaml", kWorkflow);
    auto files = read_definitions({}, directory_.path(), directory_.path());
    EXPECT_TRUE(files) << files.error().what;
    EXPECT_TRUE(files->at(0).workflow) << problems_text(*files, {});
    model::Event event;
    event.kind = model::EventKind::push;
    event.branch = branch;
    Planned planned{
        .workflow = files->at(0).workflow, .start = model::decide(*files->at(0).workflow, event), .run = {}};
    if (planned.start.starts) {
      auto run = model::plan({.id = RunId("r"),
                              .workflow = planned.workflow,
                              .event = event,
                              .options = {},
                              .facts = nullptr,
                              .now = kStart});
      EXPECT_TRUE(run) << run.error().what;
      planned.run = std::move(*run);
    }
    std::vector<Planned> all;
    all.push_back(std::move(planned));
    return all;
  }

  TestDirectory directory_;
};

TEST_F(DefinitionsTest, LintShowsAllProblemsOfAllFiles) {
  write("a.yaml", "workflow:\n  name: a\n  jobs:\n    - {name: x, dependson: [y], run: x}\n");
  write("b.yaml", "workflow:\n  name: b\n  jbos: []\n");
  write("ignored.txt", "not yaml: [");
  const auto answer = lint({}, directory_.path(), directory_.path(), {}, {});
  ASSERT_TRUE(answer) << answer.error().what;
  EXPECT_EQ(answer->exit_code, 2);
  EXPECT_NE(answer->text.find(".slipway/workflows/a.yaml:4:"), std::string::npos) << answer->text;
  EXPECT_NE(answer->text.find("did you mean `depends_on`?"), std::string::npos) << answer->text;
  EXPECT_NE(answer->text.find(".slipway/workflows/b.yaml:3:3"), std::string::npos) << answer->text;
  EXPECT_NE(answer->text.find("✗ 2 files, "), std::string::npos) << answer->text;
  EXPECT_TRUE(lint({}, directory_.path(), directory_.path(), {}, {.json = true})
                  .value()
                  .text.starts_with("{\"type\":\"problem\",\"code\":\"E"));
}

TEST_F(DefinitionsTest, LintOfGoodFilesEndsWithZero) {
  write("ci.yaml", kWorkflow);
  EXPECT_EQ(lint({}, directory_.path(), directory_.path(), {}, {}).value().text, "✓ 1 file, no errors\n");
  EXPECT_EQ(lint({{".slipway/workflows/co.yaml"}}, directory_.path(), directory_.path(), {}, {}).error().what,
            "there is no file .slipway/workflows/co.yaml, did you mean .slipway/workflows/ci.yaml?");
}

TEST_F(DefinitionsTest, LintOfADirectoryReadsTheDefinitionsBelowIt) {
  write("ci.yaml", kWorkflow);
  for (const char* name : {".", ".slipway", ".slipway/workflows/"}) {
    const auto answer = lint({{name}}, directory_.path(), directory_.path(), {}, {});
    ASSERT_TRUE(answer) << answer.error().what;
    EXPECT_EQ(answer->text, "✓ 1 file, no errors\n") << name;
  }
  ASSERT_TRUE(os::make_directories(directory_.path() / "docs", 0700));
  const auto none = lint({{"docs"}}, directory_.path(), directory_.path(), {}, {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ErrorKind::invalid);
}

TEST_F(DefinitionsTest, LintReportsWhatRunWouldRefuse) {
  write("ci.yaml", "workflow:\n  jobs:\n    - {name: a, image: \"debian:12\", run: make}\n");
  const auto answer = lint({}, directory_.path(), directory_.path(), {}, {});
  ASSERT_TRUE(answer) << answer.error().what;
  EXPECT_EQ(answer->exit_code, 2);
  EXPECT_NE(answer->text.find("slipway help E102"), std::string::npos) << answer->text;
  EXPECT_EQ(lint({}, directory_.path(), directory_.path(), {.named_images = true}, {}).value().exit_code, 0);
}

TEST_F(DefinitionsTest, PlanSaysWhatRunsAndWhyNot) {
  const std::string text = show_plan(plan("main"), {}, {}).value();
  for (const char* part : {"✓ ci (.slipway/workflows/ci.yaml) starts\n", "✓ test (gcc)", "✓ test (clang)", "↷ deploy ",
                           "skipped: branch == \"release\" -> false", "report        decided when "}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  EXPECT_NE(show_plan(plan("dev"), {}, {}).value().find("↷ ci (.slipway/workflows/ci.yaml) does not start\n"),
            std::string::npos);
}

TEST_F(DefinitionsTest, ResolvedPlanShowsDefaultsWithTheirOrigin) {
  const std::string text = show_plan(plan("main"), {.what = {}, .resolved = true}, {}).value();
  for (const char* part :
       {"  - name: test (gcc)\n", "    definition: test\n", "    timeout: 20m  # ", "      CC: gcc\n",
        "    network: nat  # ", "      - name: build\n        run: |\n          make\n          make check\n"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
}

TEST_F(DefinitionsTest, ExplainNamesConditionAndDependencies) {
  const std::string text = explain_planned(plan("main"), "deploy", {}).value();
  for (const char* part :
       {"↷ deploy: skipped\n", "it is decided when test has ended", "condition: branch == \"release\""}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  EXPECT_EQ(explain_planned(plan("main"), "deplo", {}).error().what, "there is no job `deplo`, did you mean `deploy`?");
  EXPECT_NE(explain_planned(plan("dev"), "deploy", {}).value().find("workflow ci does not start"), std::string::npos);
}

TEST_F(DefinitionsTest, GraphsInAllFormats) {
  EXPECT_EQ(show_graph(plan("main"), Format::text),
            "ci\n  test x2\n    deploy <- test\n      report <- deploy, test\n");
  const std::string dot = show_graph(plan("main"), Format::dot);
  EXPECT_NE(dot.find("    w0_0 -> w0_1;\n"), std::string::npos) << dot;
  const std::string json = show_graph(plan("main"), Format::json);
  const std::string expected = R"j({"name":"deploy","level":1,"depends_on":["test"],"instances":["deploy"]})j";
  EXPECT_NE(json.find(expected), std::string::npos) << json;
}

}  // namespace
}  // namespace slipway::cli
