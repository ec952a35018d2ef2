#include "cli/secret_input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <thread>

#include <gtest/gtest.h>

#include "cli/view_test_support.h"

namespace slipway::cli {
namespace {

std::map<std::string, std::string> parsed(std::string_view text) {
  const auto values = parse_secrets(text);
  EXPECT_TRUE(values) << values.error().what;
  std::map<std::string, std::string> map;
  if (values) {
    for (const wire::SecretValue& value : *values) map[value.name] = value.value;
  }
  return map;
}

TEST(Secrets, DotenvFiles) {
  EXPECT_EQ(parsed("# comment\nA=1\n\n export B = two words \nC='as $it is\\n'\nD=\"line\\nnext \\\"q\\\"\" # why\n"
                   "E='-----BEGIN\nabc\n-----END'\nF="),
            (std::map<std::string, std::string>{{"A", "1"},
                                                {"B", "two words"},
                                                {"C", "as $it is\\n"},
                                                {"D", "line\nnext \"q\""},
                                                {"E", "-----BEGIN\nabc\n-----END"},
                                                {"F", ""}}));
}

TEST(Secrets, JsonFiles) {
  EXPECT_EQ(parsed(R"({"A": "1", "B": "x\ny"})"), (std::map<std::string, std::string>{{"A", "1"}, {"B", "x\ny"}}));
}

TEST(Secrets, ErrorsNameLinesAndNeverValues) {
  for (const char* text : {"A=1\nhunter2\n", "A=1\n2hunter2=x", "A=1\nB='hunter2\n", "A=1\nB='x' hunter2"}) {
    const auto values = parse_secrets(text);
    ASSERT_FALSE(values) << text;
    EXPECT_TRUE(values.error().what.starts_with("line 2: ")) << values.error().what;
    EXPECT_EQ(values.error().what.find("hunter2"), std::string::npos) << values.error().what;
  }
  EXPECT_FALSE(parse_secrets(R"({"A": 1})"));
  EXPECT_FALSE(parse_secrets("{hunter2"));
}

TEST(Secrets, ComeFromTheEnvironmentBeforeTheFile) {
  const TestDirectory directory;
  const auto file = directory.path() / "s.env";
  ASSERT_TRUE(os::replace_file(file, "A=file\nB=file\n", 0644));
  Prompt nobody = Prompt::open(Prompt::Mode::never);
  const auto given = read_secrets({"A"}, file, {{"A", "environment"}, {"B", "not asked for"}}, nobody);
  ASSERT_TRUE(given) << given.error().what;
  ASSERT_EQ(given->values.size(), 2U);
  EXPECT_EQ(given->values[0].value, "environment");
  EXPECT_EQ(given->values[1].value, "file");
  ASSERT_EQ(given->warnings.size(), 1U);
  EXPECT_NE(given->warnings[0].find("can be read by others"), std::string::npos);
}

TEST(Secrets, WithoutATerminalAMissingOneIsAnErrorThatSaysWhatToDo) {
  Prompt nobody = Prompt::open(Prompt::Mode::never);
  const auto given = read_secrets({"KEY"}, "", {}, nobody);
  ASSERT_FALSE(given);
  EXPECT_EQ(given.error().what,
            "secret KEY is not in the environment, and nobody can be asked: set it, or use --secret-file");
}

/// A terminal with a person at the other end.
struct Terminal {
  os::Fd person, program;
  Terminal() : person(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    EXPECT_EQ(::grantpt(person.get()), 0);
    EXPECT_EQ(::unlockpt(person.get()), 0);
    program = os::Fd(::open(::ptsname(person.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
    EXPECT_TRUE(program);
  }
  std::string shown() const {
    std::string text(4096, '\0');
    const ssize_t got = ::read(person.get(), text.data(), text.size());
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return text;
  }
};

TEST(Prompt, DoesNotEchoASecretAndRestoresTheTerminal) {
  const Terminal terminal;
  termios before{}, after{};
  ASSERT_EQ(::tcgetattr(terminal.program.get(), &before), 0);
  Prompt prompt(os::Fd(::dup(terminal.program.get())));
  Result<std::string> answer;
  {
    const std::jthread program([&] { answer = prompt.secret("KEY: "); });
    EXPECT_EQ(terminal.shown(), "KEY: ");  // the settings are made by now
    ASSERT_TRUE(os::write_all(terminal.person.get(), "hunX\x7fter2\n"));
  }
  ASSERT_TRUE(answer) << answer.error().what;
  EXPECT_EQ(*answer, "hunter2");
  EXPECT_EQ(terminal.shown().find("hunter"), std::string::npos);
  ASSERT_EQ(::tcgetattr(terminal.program.get(), &after), 0);
  EXPECT_EQ(before.c_lflag, after.c_lflag);
}

TEST(Prompt, AStopEndsTheQuestionAndRestoresTheTerminal) {
  const Terminal terminal;
  termios before{}, after{};
  ASSERT_EQ(::tcgetattr(terminal.program.get(), &before), 0);
  std::stop_source stop;
  Prompt prompt(os::Fd(::dup(terminal.program.get())),
                {stop.get_token(), os::within(std::chrono::seconds(20)).deadline});
  Result<std::string> answer;
  {
    const std::jthread program([&] { answer = prompt.secret("KEY: "); });
    EXPECT_EQ(terminal.shown(), "KEY: ");
    stop.request_stop();
  }
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::cancelled);
  ASSERT_EQ(::tcgetattr(terminal.program.get(), &after), 0);
  EXPECT_EQ(before.c_lflag, after.c_lflag);
}

TEST(Prompt, CtrlCCancels) {
  const Terminal terminal;
  Prompt prompt(os::Fd(::dup(terminal.program.get())));
  Result<bool> answer;
  {
    const std::jthread program([&] { answer = prompt.confirm("Sure?"); });
    EXPECT_EQ(terminal.shown(), "Sure? [y/N] ");
    ASSERT_TRUE(os::write_all(terminal.person.get(), "\x03"));
  }
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::cancelled);
}

}  // namespace
}  // namespace slipway::cli
