#include "cli/completion.h"

#include <gtest/gtest.h>

#include "cli/command_table.h"
#include "os/files.h"
#include "os/subprocess.h"

namespace slipway::cli {
namespace {

class CompletionTest : public testing::TestWithParam<const char*> {};

TEST_P(CompletionTest, KnowsEveryCommandAndFlag) {
  const auto script = completion_script(GetParam());
  ASSERT_TRUE(script);
  const auto knows = [&](std::string_view word) { return script->find(word) != std::string::npos; };
  const bool is_fish = std::string_view(GetParam()) == "fish";
  for (const CommandRow& row : command_rows()) {
    EXPECT_TRUE(knows(row.name.substr(row.name.rfind(' ') + 1))) << row.name;
    for (const auto& group : row.options) {
      for (const OptionRow& option : group) {
        if (option.is_positional()) continue;
        EXPECT_TRUE(knows(is_fish ? "-l " + std::string(option.key().substr(2)) : std::string(option.key())))
            << option.key();
      }
    }
  }
  for (const char* value : {"pull_request", "dot", "zsh"}) EXPECT_TRUE(knows(value)) << value;
}

INSTANTIATE_TEST_SUITE_P(Shells, CompletionTest, testing::Values("bash", "zsh", "fish"));

std::string bash_completes(const std::string& line_words, int word, const std::string& before = "") {
  const auto script = completion_script("bash");
  EXPECT_TRUE(script);
  const std::string program = before + *script + "\nCOMP_WORDS=(" + line_words +
                              "); COMP_CWORD=" + std::to_string(word) +
                              "; COMPREPLY=(); _slipway; echo \"${COMPREPLY[*]}\"";
  const auto done = os::run_command({.argv = {"bash", "-c", program}}, 100'000, os::within(std::chrono::seconds(20)));
  EXPECT_TRUE(done);
  EXPECT_EQ(done->err, "");
  return done->out;
}

TEST(BashCompletion, OffersCommandsFlagsAndChoices) {
  EXPECT_EQ(bash_completes("slipway comp", 1), "completion\n");
  EXPECT_EQ(bash_completes("slipway runs ''", 2), "ls view rm artifacts tests report rerun shell\n");
  EXPECT_EQ(bash_completes("slipway -C dir run --max", 4), "--max-parallel\n");
  EXPECT_EQ(bash_completes("slipway run --event pu", 3), "push pull_request\n");
  EXPECT_EQ(bash_completes("slipway runs rm --al", 3), "--all --all-projects\n");
}

TEST(BashCompletion, AsksSlipwayForRunsJobsAndCodes) {
  // Stands for the program: says what it was asked.
  const std::string asked = "slipway() { echo \"${*//--/}\" | tr ' ' '_'; }; ";
  EXPECT_EQ(bash_completes("slipway runs view ''", 3, asked), "completion_words_runs\n");
  EXPECT_EQ(bash_completes("slipway logs ''", 2, asked), "completion_words_runs\n");
  EXPECT_EQ(bash_completes("slipway logs latest ''", 3, asked), "completion_words_jobs\n");
  EXPECT_EQ(bash_completes("slipway run a.yaml --job ''", 4, asked), "completion_words_jobs_workflow-file_a.yaml\n");
  EXPECT_EQ(bash_completes("slipway help ''", 2, asked), "completion_words_codes\n");
}

TEST(Completion, WordsForHelpAreCodesAndCommands) {
  const std::string words = help_words();
  EXPECT_NE(words.find("E012\n"), std::string::npos);
  EXPECT_NE(words.find("runs ls\n"), std::string::npos);
}

TEST(Completion, OtherShellsAreErrors) { EXPECT_FALSE(completion_script("csh")); }

}  // namespace
}  // namespace slipway::cli
