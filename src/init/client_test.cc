#include "init/client.h"

#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include "init/test_job.h"
#include "os/files.h"
#include "os/test_directory.h"

namespace slipway::init {
namespace {

using namespace std::chrono_literals;
using journal::RecordType;
namespace control = wire::control;

class FixedInput final : public StdinText {
 public:
  Result<std::string> read(std::size_t) override { return std::string("from stdin\n"); }
  Result<std::string> read_file(const std::string& path, std::size_t) override { return "file " + path; }
};

Result<control::Request> parse(const std::vector<std::string>& arguments) {
  FixedInput input;
  return parse_command(arguments, {.working_dir = "/job/src"}, input);
}

template <class T>
T parsed(const std::vector<std::string>& arguments) {
  auto request = parse(arguments);
  EXPECT_TRUE(request) << (request ? "" : request.error().what);
  return request ? std::get<T>(*request) : T{};
}

TEST(Client, ReadsEveryCommand) {
  EXPECT_EQ(parsed<control::Set>({"output", "v", "1"}).variable.value, "1");
  EXPECT_EQ(parsed<control::Set>({"output", "v=1=2"}).variable.value, "1=2");
  EXPECT_EQ(parsed<control::Set>({"var", "v", "-"}).variable.value, "from stdin");
  EXPECT_EQ(parsed<control::Mask>({"mask", "-"}).value, "from stdin");
  EXPECT_EQ(parsed<control::Trigger>({"trigger", "t.json"}).json, "file t.json");
  EXPECT_EQ(parsed<control::Trigger>({"trigger", R"({"name":"x"})"}).json, R"({"name":"x"})");
  EXPECT_EQ(parsed<control::Trigger>({"trigger", "--json", "{}"}).json, "{}");
  EXPECT_EQ(parsed<control::Trigger>({"trigger", "--job", "x", "--env", "A=b", "--depends-on=y"}).json,
            R"({"type":"trigger_job","jobs":[{"job_name":"x","depends_on":["y"],"env":{"A":"b"}}]})");
  const auto annotation =
      parsed<control::Annotate>({"annotate", "--level=error", "--file", "a.c", "--line", "3", "bad"});
  EXPECT_EQ(annotation.annotation.line, 3);
  EXPECT_EQ(annotation.annotation.message, "bad");
  EXPECT_EQ(parsed<control::Artifact>({"artifact", "logs", "a", "/job/b"}).paths,
            (std::vector<std::string>{"/job/src/a", "/job/b"}));
  EXPECT_TRUE(parsed<control::Group>({"group", "start", "g"}).group.start);
  EXPECT_FALSE(parsed<control::Group>({"group", "end"}).group.start);
  EXPECT_EQ(parsed<control::AskOwner>({"state", "is-running", "j"}).json, R"({"what":"is_job_running","job":"j"})");
  EXPECT_EQ(parsed<control::AskOwner>({"changed-files", "a", "b"}).json, R"({"from":"a","to":"b"})");
  EXPECT_EQ(parsed<control::AskOwner>({"git-info"}).kind, "git_info");
  const auto sandbox =
      parsed<control::Sandbox>({"sandbox", "--share=../out", "--output", "a/b", "--", "make", "--", "x"}).request;
  EXPECT_EQ(sandbox.argv, (std::vector<std::string>{"make", "--", "x"}));
  EXPECT_EQ(sandbox.shares, (std::vector<std::string>{"/job/out"}));
  EXPECT_EQ(sandbox.outputs, (std::vector<std::string>{"a/b"}));
  EXPECT_EQ(sandbox.working_dir, "/job/src");
}

TEST(Client, SaysWhereFilesOfTheSourceArrive) {
  EXPECT_NE(std::string_view(kClientUsage).find("$SLIPWAY_WORKSPACE" + std::string(wire::kFromSource) + "/"),
            std::string_view::npos);
}

TEST(Client, ASandboxIsOfTheWorkspaceItIsCalledIn) {
  FixedInput input;
  const auto request = parse_command({"sandbox", "--output", "a", "--", "make"},
                                     {.working_dir = "/builds/src/sub", .workspace = "/builds"}, input);
  ASSERT_TRUE(request) << request.error().what;
  EXPECT_EQ(std::get<control::Sandbox>(*request).request.outputs, (std::vector<std::string>{"sub/a"}));
  EXPECT_EQ(std::get<control::Sandbox>(*request).request.working_dir, "/builds/src/sub");
  EXPECT_FALSE(parse_command({"sandbox", "--output", "a", "--", "make"}, {"/job/src", "/builds"}, input));
}

TEST(Client, RefusesWrongUsage) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{},
                                             {"frob"},
                                             {"output", "x"},
                                             {"mask"},
                                             {"sandbox"},
                                             {"sandbox", "--"},
                                             {"sandbox", "make"},
                                             {"sandbox", "--share", "x", "make"},
                                             {"sandbox", "--output", "../x", "--", "make"},
                                             {"sandbox", "--other", "x", "--", "make"},
                                             {"mask", "a", "b"},
                                             {"trigger"},
                                             {"trigger", "--job"},
                                             {"trigger", "--json", "{}", "--job", "x"},
                                             {"trigger", "--env", "A=b"},
                                             {"annotate"},
                                             {"annotate", "a", "b"},
                                             {"annotate", "--line", "x", "m"},
                                             {"annotate", "--level", "loud", "m"},
                                             {"artifact", "x"},
                                             {"group"},
                                             {"group", "start"},
                                             {"state", "is-running"},
                                             {"state", "what", "x"},
                                             {"changed-files", "a", "b", "c"},
                                             {"git-info", "x"}}) {
    const auto request = parse(arguments);
    ASSERT_FALSE(request) << (arguments.empty() ? "" : arguments[0]);
    EXPECT_EQ(request.error().kind, ErrorKind::invalid);
  }
}

/// A job whose steps find the real `slipway` command.
class ClientInAJob : public testing::Test {
 protected:
  ClientInAJob() { job_.put_command(SLIPWAY_INIT_PROGRAM); }
  TestJob job_;
};

TEST_F(ClientInAJob, OutputsVariablesTriggersAnnotationsAndGroupsReachTheJournal) {
  job_.add(
      "slipway output version 1.2; slipway var colour red; slipway trigger --job next;\n"
      "slipway annotate --level warning --file a.c --line 3 careful; slipway group start g; slipway group end");
  const Outcome outcome = job_.run();
  EXPECT_EQ(outcome.report.outcome, model::Outcome::succeeded) << outcome.output(0, RecordType::output_stderr);
  EXPECT_EQ(outcome.report.outputs.at("version"), "1.2");
  EXPECT_EQ(outcome.report.vars.at("colour"), "red");
  EXPECT_EQ(outcome.count(RecordType::trigger, 0), 1U);
  EXPECT_EQ(outcome.count(RecordType::annotation, 0), 1U);
  EXPECT_EQ(outcome.count(RecordType::group, 0), 2U);
}

TEST_F(ClientInAJob, AMaskedValueIsHiddenInEveryLaterByte) {
  job_.add("slipway mask late-secret-value; echo late-secret-value; printf late-sec; printf 'ret-value\n'");
  const Outcome outcome = job_.run();
  EXPECT_EQ(outcome.output(0), "***\n***\n");
  EXPECT_EQ(outcome.count(RecordType::secret_registered, 0), 1U);
}

TEST_F(ClientInAJob, AValuePrintedBeforeItWasMaskedIsReportedAsExposed) {
  job_.add("echo early-secret-value");
  job_.add("slipway mask early-secret-value");
  const Outcome outcome = job_.run();
  ASSERT_EQ(outcome.count(RecordType::annotation, 0), 1U);
  EXPECT_NE(outcome.payloads(RecordType::annotation)[0].find("exposed secret"), std::string::npos);
  EXPECT_EQ(outcome.payloads(RecordType::annotation)[0].find("early-secret-value"), std::string::npos);
}

TEST_F(ClientInAJob, AValueInAnEarlierOutputVariableIsReportedAsExposed) {
  job_.add("slipway output name $(printf early-%s secret-value)");
  job_.add("slipway mask $(printf early-%s secret-value)");
  const Outcome outcome = job_.run();
  ASSERT_EQ(outcome.count(RecordType::annotation, 0), 1U);
  EXPECT_EQ(outcome.count(RecordType::annotation, 1), 0U);
  EXPECT_EQ(outcome.report.outputs.at("name"), "***");
}

TEST_F(ClientInAJob, AValueHalfInTheHeadAndHalfInTheTailIsReportedAsExposed) {
  job_.spec.log_head_bytes = 100;
  job_.spec.log_tail_bytes = 64U << 10U;
  job_.add(
      "printf %090d%s 0 hunter2-at-the-border; printf %01000d 0; sleep 0.2\n"  // lets the output be read
      "slipway mask $(printf hunter2-%s at-the-border)");
  const Outcome outcome = job_.run();
  ASSERT_EQ(outcome.count(RecordType::annotation, 0), 1U);
}

TEST_F(ClientInAJob, AWeakValueIsRefusedAndSaidSo) {
  job_.add("slipway mask ab || echo code $?");
  const Outcome outcome = job_.run();
  EXPECT_EQ(outcome.output(0), "code 1\n");
  EXPECT_TRUE(outcome.has_notice("weak_secret"));
}

TEST_F(ClientInAJob, ASecretInAnOutputIsPassedOnMasked) {
  job_.secrets = {{"KEY", "hunter2-hunter2"}};
  job_.spec.secrets = {{"KEY", "KEY", "", {}}};
  job_.add("slipway output leak \"$KEY\"");
  const Outcome outcome = job_.run();
  EXPECT_EQ(outcome.report.outputs.at("leak"), "***");
  EXPECT_TRUE(outcome.has_notice("secret_in_output"));
}

TEST_F(ClientInAJob, QuestionsAreAnsweredByTheOwner) {
  job_.add("slipway changed-files; slipway state result other; slipway git-info");
  EXPECT_EQ(job_.run().output(0), "a.c\nb.c\n{\"kind\":\"state\"}\n{\"kind\":\"git_info\"}\n");
}

TEST_F(ClientInAJob, ArtifactsAskedForAtRunTimeAreCollectedAtTheEnd) {
  job_.add("slipway artifact logs '*.log'; echo x > later.log; exit 1");
  EXPECT_EQ(job_.run().report.artifacts, (std::vector<std::string>{"logs"}));
}

TEST_F(ClientInAJob, NoStepGivesItsFilesTheNameOfAnArtifactThatTheJobDeclares) {
  job_.spec.artifacts = {{"signed", {"signed.txt"}, model::ArtifactDefinition::When::success, {}}};
  job_.add(
      "echo a > signed.txt; echo b > b\n"
      "for name in signed artifacts other; do slipway artifact $name b || echo refused $name; done");
  const Outcome outcome = job_.run();
  EXPECT_EQ(outcome.output(0), "refused signed\nrefused artifacts\n");
  EXPECT_EQ(outcome.report.artifacts, (std::vector<std::string>{"signed", "other"}));
}

TEST_F(ClientInAJob, ExitCodesTellUsageFromRefusalFromAbsence) {
  job_.add(
      "slipway frob 2>/dev/null || echo $?; slipway output 'a b' 1 2>/dev/null || echo $?;\n"
      "SLIPWAY_SOCKET=/nowhere slipway git-info 2>/dev/null || echo $?");
  EXPECT_EQ(job_.run().output(0), "2\n1\n3\n");
}

/// A job that listens and then does nothing more.
class DeafJob : public testing::Test {
 protected:
  DeafJob() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path().data(), path().size());
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(fd_.get(), 0), 0);
  }
  std::string path() const { return (directory_ / "s").string(); }

  static constexpr ClientLimits kShort{.connect = 20ms, .answer = 20ms, .owners_answer = 40ms};
  os::TestDirectory directory_;
  os::Fd fd_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
};

TEST_F(DeafJob, AClientWaitsForItsAnswerNoLongerThanItMay) {
  const auto answer = ask_job(path(), control::Mask{"value"}, kShort);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::unavailable);
  EXPECT_NE(answer.error().what.find("did not answer"), std::string::npos) << answer.error().what;
}

TEST_F(DeafJob, AClientThatIsNotLetInSaysWhy) {
  os::Fd waiting(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path().data(), path().size());
  ASSERT_EQ(::connect(waiting.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);  // the queue
  const auto answer = ask_job(path(), control::Mask{"value"}, kShort);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::unavailable);
  EXPECT_NE(answer.error().what.find("took no connection"), std::string::npos) << answer.error().what;
}

}  // namespace
}  // namespace slipway::init
