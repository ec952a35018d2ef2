#include "init/junit.h"

#include <gtest/gtest.h>

namespace slipway::init {
namespace {

using enum model::TestOutcome;

std::vector<model::TestResult> read(std::string_view xml) {
  std::vector<model::TestResult> results;
  const auto problem = parse_junit(xml, {}, results);
  EXPECT_FALSE(problem) << problem->message;
  return results;
}

std::string problem_of(std::string_view xml, const JunitLimits& limits = {}) {
  std::vector<model::TestResult> results;
  const auto problem = parse_junit(xml, limits, results);
  return problem ? problem->message : "";
}

TEST(Junit, ReadsCasesWithSuiteTimeAndReason) {
  const auto tests = read(R"(<?xml version="1.0"?>
<testsuites><testsuite name="s"><properties><property name="a" value="b"/></properties>
<testcase classname="pkg.Numbers" name="adds" time="1,000.25"/>
<testcase name="breaks"><failure message="expected 2 &lt; 1">trace
line 2</failure><system-out>printed</system-out></testcase>
<testcase name="later"><skipped>not here</skipped></testcase>
<testcase name="dies"><error>boom
at main</error></testcase></testsuite></testsuites>)");
  ASSERT_EQ(tests.size(), 4U);
  EXPECT_EQ(tests[0].suite, "pkg.Numbers");
  EXPECT_EQ(tests[0].took, Duration(1'000'250'000));
  EXPECT_EQ(tests[1].outcome, failed);
  EXPECT_EQ(tests[1].suite, "s");
  EXPECT_EQ(tests[1].message, "expected 2 < 1");
  EXPECT_EQ(tests[1].text, "trace\nline 2\nprinted");
  EXPECT_EQ(tests[2].outcome, skipped);
  EXPECT_EQ(tests[2].message, "not here");
  EXPECT_EQ(tests[3].message, "boom");
}

TEST(Junit, MalformedFilesAreProblemsAndKeepWhatWasRead) {
  std::vector<model::TestResult> results;
  const auto problem = parse_junit("<testsuite>\n<testcase name='a'/>\n<testcase name='b'>\n</testsuite>", {}, results);
  ASSERT_TRUE(problem);
  EXPECT_EQ(problem->line, 4);
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(problem_of("<html/>"), "not a JUnit file");
  EXPECT_NE(problem_of(""), "");
  EXPECT_NE(problem_of("\x1f\x8b\x08 not xml"), "");
  EXPECT_NE(problem_of("<testsuite><testcase name='\xff'/></testsuite>"), "");
}

TEST(Junit, NoEntityCanBeDefined) {
  EXPECT_EQ(problem_of("<!DOCTYPE t [<!ENTITY a 'x'><!ENTITY b '&a;&a;&a;'>]><testsuite name='&b;'/>"),
            "a document type declaration is refused");
  EXPECT_EQ(problem_of("<!DOCTYPE t SYSTEM 'file:///etc/passwd'><testsuite/>"),
            "a document type declaration is refused");
  EXPECT_NE(problem_of("<testsuite name='&undefined;'/>"), "");
}

TEST(Junit, DepthCountAndLengthsHaveLimits) {
  std::string deep = "<testsuite>";
  for (int i = 0; i < 100; ++i) deep += "<x>";
  EXPECT_EQ(problem_of(deep), "elements are nested too deeply");
  std::string many = "<testsuite>";
  for (int i = 0; i < 20; ++i) many += "<testcase name='a'/>";
  EXPECT_EQ(problem_of(many + "</testsuite>", {.cases = 10}),
            "there are more test results than are kept: the rest is left out");
  const std::string name(5'000, 'x');
  const auto tests = read("<testsuite><testcase name='" + name + "\xc3\xa4'><failure>" + std::string(1 << 20, 'y') +
                          "</failure></testcase></testsuite>");
  EXPECT_EQ(tests[0].name.size(), 1'000U);
  EXPECT_LE(tests[0].text.size(), 16'000U);
}

TEST(Junit, RerunsOfSurefireThatPassedInTheEndPass) {
  EXPECT_EQ(read("<testsuite><testcase name='a'><flakyFailure message='m'>t</flakyFailure></testcase></testsuite>")
                .at(0)
                .outcome,
            passed);
}

}  // namespace
}  // namespace slipway::init
