#include <gtest/gtest.h>

#include "wire/job_spec_json.h"
#include "wire/journal_json.h"
#include "wire/leash.h"
#include "wire/owner_json.h"
#include "wire/sandbox_json.h"

namespace slipway::wire {
namespace {

using namespace std::chrono_literals;

template <class T>
T must(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << result.error().what;
    return T{};
  }
  return std::move(*result);
}

model::ExpressionPtr call(std::string function, std::vector<model::ExpressionPtr> arguments = {}) {
  return std::make_shared<const model::Expression>(
      model::Expression{model::Call{std::move(function), std::move(arguments)}, {"ci.yaml", 3, 5}, "text"});
}

model::JobSpec full_job() {
  model::JobSpec job;
  job.run = RunId("r1");
  job.job = "test (gcc, 17)";
  job.attempt = AttemptId("a1");
  job.attempt_number = 3;
  job.image = "host";
  job.network = model::Network::none;
  job.resources = {1.5, 1024, {}, 64};
  job.run_as = {model::RunAs::Kind::number, 1234};
  job.checkout.depth = 5;
  job.env = {{"A", "1"}, {"A", "2"}, {"EMPTY", ""}};
  job.secrets = {{"KEY", "MY_KEY", "", {}}};
  model::StepSpec step;
  step.name = "unit";
  step.action = model::Argv{{"make", "check"}};
  step.timeout = 5s;
  step.parallel = true;
  step.depends_on = std::vector<std::size_t>{0};
  step.condition = std::make_shared<const model::Expression>(
      model::Expression{model::Binary{model::BinaryOperator::logical_or, call("failed"), call("always")},
                        {"ci.yaml", 3, 1},
                        "failed || always"});
  step.retry = {2, {model::Outcome::timed_out}, 7s};
  step.end_children = true;
  model::StepSpec first;
  first.action = model::Script{"echo \"$A\"\n"};
  first.shell = {"sh", "-e"};
  job.steps = {first, step};
  job.timeout = 1h;
  job.grace = 3s;
  job.cache = {{"k", {"k-"}, {".deps"}}};
  job.artifacts = {{"dist", {"dist/*"}, model::ArtifactDefinition::When::always, 24h}};
  job.uses_artifacts = {{"in", "build"}};
  model::Readiness ready{5432, "http://localhost:80/x", "ready", {"pg_isready"}, 7s};
  job.services = {{"db", "postgres:15", {{"A", "1"}}, {"postgres", "-c"}, ready}};
  job.ci_code = model::CodeSpec{"https://git.example.org/ci.git", "main", "run.sh", "1234"};
  job.source_code = model::CodeSpec{"", "", "app", ""};
  job.source_trust = model::Trust::untrusted;
  job.image_of_text = job.code_entrypoint = job.separated = job.secrets_with_source = true;
  job.outputs = {"version"};
  job.event_json = R"({"x":1})";
  job.log_head_bytes = 7;
  return job;
}

TEST(JobSpecJson, KeepsEverythingOfAJob) {
  const std::string text = to_json(full_job());
  const model::JobSpec job = must(job_spec_from_json(text));
  EXPECT_EQ(to_json(job), text);
  EXPECT_EQ(job.env, full_job().env);
  ASSERT_EQ(job.steps.size(), 2U);
  EXPECT_EQ(job.steps[1].timeout, 5s);
  EXPECT_EQ(job.steps[1].depends_on, (std::vector<std::size_t>{0}));
  EXPECT_EQ(job.steps[1].retry.on, (std::vector{model::Outcome::timed_out}));
  EXPECT_EQ(std::get<model::Script>(job.steps[0].action).text, "echo \"$A\"\n");
  ASSERT_TRUE(job.steps[1].condition);
  const auto& either = std::get<model::Binary>(job.steps[1].condition->node);
  EXPECT_EQ(std::get<model::Call>(either.left->node).function, "failed");
  EXPECT_EQ(job.steps[1].condition->place.line, 3);
  EXPECT_EQ(job.ci_code->revision, "1234");
  EXPECT_EQ(job.source_code->path, "app");
  EXPECT_EQ(job.text_trust, model::Trust::trusted);
  EXPECT_EQ(job.source_trust, model::Trust::untrusted);
  ASSERT_EQ(job.services.size(), 1U);
  ASSERT_TRUE(job.services[0].ready);
  EXPECT_EQ(job.services[0].ready->tcp, 5432);
  EXPECT_EQ(job.services[0].ready->within, 7s);
}

TEST(JobSpecJson, DefaultsHoldForAbsentKeys) {
  const model::JobSpec job = must(job_spec_from_json(R"({"job":"x"})"));
  EXPECT_EQ(job.workspace, "/job");
  EXPECT_EQ(job.log_head_bytes, model::JobSpec{}.log_head_bytes);
  EXPECT_EQ(job.grace, model::JobSpec{}.grace);
  EXPECT_EQ(job.source_trust, model::Trust::untrusted) << "nobody vouches for it";
}

TEST(JobSpecJson, RefusesWhatIsBroken) {
  for (const std::string_view text : {"", "[]", "{", R"({"steps":[1]})", R"({"steps":[{"depends_on":[1]}]})",
                                      R"({"network":"lan"})", R"({"env":[["a"]]})", R"({"timeout":"1h"})",
                                      R"({"steps":[{"condition":{"binary":"+","left":{},"right":{}}}]})"}) {
    const auto job = job_spec_from_json(text);
    ASSERT_FALSE(job) << text;
    EXPECT_EQ(job.error().kind, ErrorKind::invalid) << text;
  }
}

TEST(JobSpecJson, RefusesAConditionNestedTooDeeply) {
  model::ExpressionPtr deep = call("always");
  for (int i = 0; i < 40; ++i) {
    deep = std::make_shared<const model::Expression>(
        model::Expression{model::Unary{model::UnaryOperator::negate, deep}, {}, "!"});
  }
  model::JobSpec job;
  job.steps.resize(1);
  job.steps[0].condition = deep;
  EXPECT_FALSE(job_spec_from_json(to_json(job)));
}

TEST(Leash, EveryMessageSurvivesTheTrip) {
  const ToInit orders =
      Orders{full_job(), {{"KEY", "s3cret"}}, {{"/job/inputs/in", false}}, {"cache k: restored"}, model::Readiness{}};
  const ToInit cancel = Cancel{Cancel::Why::service_ended, true, "service `db`"};
  const ToInit reply = Reply{7, true, R"({"url":"u"})"};
  for (const ToInit& message : {orders, cancel, reply, ToInit(Keep{2s, "estate"}), ToInit(Note{"n"})}) {
    const ToInit back = must(decode_to_init(encode(message)));
    EXPECT_EQ(back.index(), message.index());
    EXPECT_EQ(encode(back), encode(message));
  }
  for (const ToOwner& message :
       {ToOwner(Running{}), ToOwner(Ready{}), ToOwner(Progress{5}), ToOwner(Request{1, "state", "{}"}),
        ToOwner(Finished{9}), ToOwner(Ended{model::Outcome::out_of_memory, 137, "too much", 5, 6}),
        ToOwner(Kept{"estate", "n"})}) {
    const ToOwner back = must(decode_to_owner(encode(message)));
    EXPECT_EQ(back.index(), message.index());
    EXPECT_EQ(encode(back), encode(message));
  }
}

TEST(SandboxJson, RequestsAndRepliesSurviveTheTripAndHaveLimits) {
  const SandboxRequest request{3, {"make", "-j2"}, "/job/src/lib", {"/job/a"}, {"out/x", "y"}};
  EXPECT_EQ(encode(must(decode_sandbox_request(encode(request)))), encode(request));
  const SandboxReply reply{{model::Outcome::failed, 2, "exit code 2", 0, 0}, {"y"}, {"output out/x: a link"}};
  EXPECT_EQ(encode(must(decode_sandbox_reply(encode(reply)))), encode(reply));
  EXPECT_TRUE(must(decode_stop_sandbox(encode(StopSandbox{9, true}))).at_once);
  SandboxRequest many = request;
  many.shares.assign(kMaxShares + 1, "/job/a");
  EXPECT_FALSE(decode_sandbox_request(encode(many)));
  many = request;
  many.outputs.assign(kMaxSourceOutputs + 1, "x");
  EXPECT_FALSE(decode_sandbox_request(encode(many)));
  EXPECT_FALSE(decode_sandbox_request(R"({"step":70000})"));
  EXPECT_FALSE(decode_sandbox_reply("{}"));
}

TEST(Leash, RefusesUnknownAndBrokenMessages) {
  EXPECT_FALSE(decode_to_init(R"({"type":"progress"})"));
  EXPECT_FALSE(decode_to_init(R"({"type":"orders"})"));
  EXPECT_FALSE(decode_to_init(R"({"type":"cancel","why":"bored"})"));
  EXPECT_FALSE(decode_to_owner(R"({"type":"progress","journal_bytes":-1})"));
}

TEST(JournalJson, AReportSurvivesTheTrip) {
  payload::AttemptFinished finished;
  finished.report.attempt = AttemptId("a");
  finished.report.outcome = model::Outcome::out_of_memory;
  finished.report.exit_code = 137;
  finished.report.steps = {{"unit", model::Outcome::out_of_memory, 137, from_micros(5), from_micros(9), 1, 2, 3, 4, 2}};
  finished.report.outputs = {{"version", "1.2"}};
  finished.report.vars = {{"v", "x"}};
  finished.report.artifacts = {"dist"};
  const std::string text = payload::encode(finished);
  EXPECT_EQ(payload::encode(must(payload::decode<payload::AttemptFinished>(text))), text);
}

TEST(JournalJson, EveryPayloadSurvivesTheTrip) {
  const auto same = []<class T>(const T& value) {
    const std::string text = payload::encode(value);
    EXPECT_EQ(payload::encode(must(payload::decode<T>(text))), text);
  };
  same(payload::AttemptStarted{"r", "j", "a", 2, {"one", "two"}});
  same(payload::StepStarted{"one", "make", 2});
  same(payload::StepFinished{{"one", model::Outcome::failed, 2, {}, {}, 0, 0, 0, 0, 1}, "exit code 2", true, false});
  same(payload::Trigger{R"({"jobs":[]})"});
  same(payload::OutputVariable{payload::OutputVariable::Kind::var, "k", "v\n"});
  same(payload::Annotation{payload::Annotation::Level::error, "t", "m", "a.cc", 3});
  same(payload::Artifact{"dist", payload::Artifact::Kind::cache, 1, 2, "u", {"x: a link"}});
  same(payload::SecretRegistered{"KEY"});
  same(payload::ResourceSample{1, 2, 3, 4});
  same(payload::Group{false, "g"});
  same(payload::Notice{"weak_secret", "KEY is too short"});
}

TEST(Visits, KeepEveryFieldOnBothHops) {
  const AttachCommand command{{"sh", "-c", "x"}, false, 33, 111, "xterm"};
  const VisitRequest attach{VisitRequest::What::attach, "r", "test (gcc)", command, {}};
  const VisitRequest resume{VisitRequest::What::resume, "r", "j", {}, Resume::retry};
  for (const VisitRequest& one : {attach, resume, VisitRequest{}}) {
    EXPECT_EQ(encode(must(decode_visit_request(encode(one)))), encode(one));
  }
  const VisitReply reply{"no", "s", {{"r", "j", "s", "exit code 1", true}}};
  EXPECT_EQ(must(decode_visit_reply(encode(reply))).jobs, reply.jobs);
  EXPECT_EQ(must(decode_visit_end(encode(VisitEnd{7, "why"}))).exit_code, 7);
  const auto to_init = [](const ToInit& message) {
    EXPECT_EQ(encode(must(decode_to_init(encode(message)))), encode(message));
  };
  to_init(Attach{3, command});
  to_init(Detach{3});
  to_init(Resume::abort);
  const auto to_owner = [](const ToOwner& message) {
    EXPECT_EQ(encode(must(decode_to_owner(encode(message)))), encode(message));
  };
  to_owner(Attached{3, "no", "s"});
  to_owner(AttachEnded{3, 130, "why"});
  to_owner(Held{"s", "why", true, std::chrono::hours(1)});
  to_owner(Resumed{Resume::go_on});
}

TEST(Visits, RefuseWhatTheyDoNotKnow) {
  for (const char* text : {R"({"do":"dance","run":"r","job":"j"})", R"({"do":"attach"})", R"([])",
                           R"({"do":"resume","run":"r","job":"j","how":"maybe"})"}) {
    EXPECT_EQ(decode_visit_request(text).error().kind, ErrorKind::invalid) << text;
  }
}

TEST(Breakpoint, ReadsAsItIsWritten) {
  for (const char* text : {"on-failure", "build", "before:build", "before:"}) {
    EXPECT_EQ(to_text(parse_breakpoint(text)), text);
  }
}

std::string without_hunter2(std::string_view text) {
  std::string masked(text);
  for (std::size_t at; (at = masked.find("hunter2")) != std::string::npos;) masked.replace(at, 7, "***");
  for (std::size_t at; (at = masked.find("47114711")) != std::string::npos;) masked.replace(at, 8, "***");
  return masked;
}

TEST(MaskedObject, MasksWhatATextReadsDecoded) {
  EXPECT_EQ(
      must(masked_object(R"({"run": "echo \u0068unter2", "env": {"\u0068unter2": ["x hunter2"]}})", without_hunter2)),
      R"({"run":"echo ***","env":{"***":["x ***"]}})");
  EXPECT_EQ(must(masked_object(R"({"port": 47114711, "n": 1.5, "on": true, "no": null})", without_hunter2)),
            R"({"port":"***","n":1.5E0,"on":true,"no":null})");
}

TEST(MaskedObject, KeepsTheDigitsOfNumbersForTheMask) {
  const Mask mask = [](std::string_view text) {
    return text == "20301122000000000000042" || text == "47.10" || text == "12345.678" ? "***" : std::string(text);
  };
  EXPECT_EQ(must(masked_object(R"({"a": 20301122000000000000042, "b": [47.10], "c": 12345.678})", mask)),
            R"({"a":"***","b":["***"],"c":"***"})");
  // What a reader would round is a text; the rest stays a number. Texts stay as they are.
  EXPECT_EQ(
      must(masked_object(R"({"a": 100000000000000000000, "b": [9007199254740993, -1, 2.0], "c": "\"1e999"})", mask)),
      R"({"a":"100000000000000000000","b":[9007199254740993,-1,2E0],"c":"\"1e999"})");
}

TEST(MaskedObject, RefusesWhatOnlyShowsAcrossValues) {
  const Mask across = [](std::string_view text) {
    return text.find("a\":\"b") == text.npos ? std::string(text) : "***";
  };
  EXPECT_EQ(masked_object(R"({"a": "b"})", across).error().kind, ErrorKind::invalid);
  EXPECT_EQ(masked_object("[1]", across).error().kind, ErrorKind::invalid);
}

}  // namespace
}  // namespace slipway::wire
